"""Devices by name."""

import pytest
import torch

from mine.running.devices import resolve_device


@pytest.mark.parametrize(("name", "message"), [("tpu", "auto, cpu or cuda"), ("mps", "auto, cpu")])
def test_a_device_that_is_not_there_is_refused(name, message):
    with pytest.raises(ValueError, match=message):
        resolve_device(name)


@pytest.mark.skipif(torch.cuda.is_available(), reason="asks for a device that is here")
def test_cuda_is_refused_where_there_is_none():
    with pytest.raises(ValueError, match="is not there"):
        resolve_device("cuda")
    assert resolve_device("auto").type == "cpu"

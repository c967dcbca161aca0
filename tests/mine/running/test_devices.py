"""Devices by name."""

import pytest
import torch

from mine.running.devices import resolve_device, working_on


@pytest.mark.parametrize(("name", "message"), [("tpu", "auto, cpu or cuda"), ("mps", "auto, cpu")])
def test_a_device_that_is_not_there_is_refused(name, message):
    with pytest.raises(ValueError, match=message):
        resolve_device(name)


def test_a_cpu_has_one_thread_while_it_is_worked_on():
    before = torch.get_num_threads()
    with working_on(torch.device("cpu")):
        assert torch.get_num_threads() == 1
    assert torch.get_num_threads() == before


@pytest.mark.cuda
def test_the_device_that_is_worked_on_is_the_current_one():
    last = torch.cuda.device_count() - 1
    with working_on(torch.device("cuda", last)):
        assert torch.cuda.current_device() == last


@pytest.mark.skipif(torch.cuda.is_available(), reason="asks for a device that is here")
def test_cuda_is_refused_where_there_is_none():
    with pytest.raises(ValueError, match="is not there"):
        resolve_device("cuda")
    assert resolve_device("auto").type == "cpu"

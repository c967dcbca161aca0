"""Private functions of torch: each is there, or a sentence says what lacks it."""

from types import SimpleNamespace

import pytest
import torch

from mine import private_torch
from mine.private_torch import USERS, missing


@pytest.mark.parametrize("name", USERS)
def test_this_torch_has_every_private_function_that_is_called(name):
    assert missing(name) == ""


@pytest.mark.parametrize("name", USERS)
def test_a_torch_that_lacks_one_is_named_with_the_file_that_calls_it(name):
    without = SimpleNamespace(__version__="2.99.0")
    wanted = f"torch 2.99.0 has no `{name}`: {USERS[name]} must find another way"
    assert missing(name, without) == wanted
    with pytest.raises(NotImplementedError) as raised:
        private_torch._find(name, without)(1, key=2)
    assert str(raised.value) == wanted


def test_every_function_of_the_module_is_listed_with_an_existing_file(pytestconfig):
    found = {name: private_torch._find(name) for name in USERS}
    assert {id(v) for v in found.values()} <= {id(v) for v in vars(private_torch).values()}
    assert all((pytestconfig.rootpath / path).is_file() for path in USERS.values())
    assert found["_fused_adam_"] is torch._fused_adam_

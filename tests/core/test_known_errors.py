"""Errors that end a command without a traceback are named, not imported: every name has to be one."""

from __future__ import annotations

from importlib import import_module

import pytest

from eisenergy.cli.context import KNOWN, explains_itself


@pytest.mark.parametrize("name", sorted(KNOWN))
def test_every_name_is_that_of_an_error(name: str) -> None:
    module, _, kind = name.rpartition(".")
    found = getattr(import_module(module), kind)
    assert issubclass(found, Exception)
    assert f"{found.__module__}.{found.__qualname__}" == name
    assert explains_itself(found.__new__(found))


def test_other_errors_are_not_known() -> None:
    assert not explains_itself(ValueError("no"))

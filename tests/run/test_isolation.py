"""What a notebook changed in modules is found by looking at versions of namespaces, as it is by looking at every object."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterator
from decimal import Decimal
from types import ModuleType
from typing import Any

import pytest

from eisenergy.config import Settings
from eisenergy.run import isolation

NAME = "eisenergy._under_glass"


class Equal:
    """Equal to everything: a comparison by ``==`` would miss it."""

    __hash__ = None  # type: ignore[assignment]

    def __eq__(self, _: object) -> bool:
        return True


@pytest.fixture
def module() -> Iterator[ModuleType]:
    """A module of ours, with a class; nobody else's."""
    made = ModuleType(NAME)
    made.RATE = Decimal("1.0")  # type: ignore[attr-defined]
    exec(f"class Rule:\n    __module__ = {NAME!r}\n    places = 2\n    def apply(self): return 1\n", vars(made))
    made.Rule.__module__ = NAME  # type: ignore[attr-defined]
    sys.modules[NAME] = made
    yield made
    sys.modules.pop(NAME, None)


CHANGES: dict[str, Callable[[Any], None]] = {
    "a constant": lambda module: setattr(module, "RATE", Decimal("2")),
    "an equal constant": lambda module: setattr(module, "RATE", Decimal("1.00")),
    "a constant that says it is equal": lambda module: setattr(module, "RATE", Equal()),
    "a new name": lambda module: setattr(module, "more", 1),
    "a name less": lambda module: delattr(module, "RATE"),
    "a method": lambda module: setattr(module.Rule, "apply", lambda _: 2),
    "a new attribute of a class": lambda module: setattr(module.Rule, "more", 1),
    "an attribute of a class less": lambda module: delattr(module.Rule, "places"),
    "through the namespace": lambda module: vars(module).update(RATE=None),
    "another module": lambda _: sys.modules.update({NAME: ModuleType(NAME)}),
    "a module less": lambda _: sys.modules.pop(NAME) and None,
}


@pytest.mark.parametrize("change", CHANGES.values(), ids=CHANGES.keys())
@pytest.mark.parametrize("counted", [True, False], ids=["versions", "objects"])
def test_every_change_is_found(
    module: ModuleType, change: Callable[[Any], None], counted: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    if not counted:
        monkeypatch.setattr(isolation, "_counts_changes", lambda: False)
    before = isolation.Baseline.take()
    assert not [left for left in before.restore() if NAME in left]
    change(module)
    assert [left for left in before.restore() if NAME in left]


def test_what_is_put_back_by_hand_counts_as_unchanged(module: Any) -> None:
    before = isolation.Baseline.take()
    kept = module.RATE, module.Rule.apply
    module.RATE, module.Rule.apply = None, None
    assert len([left for left in before.restore() if NAME in left]) == 2
    module.RATE, module.Rule.apply = kept
    assert not [left for left in before.restore() if NAME in left]
    module.RATE = None  # the version that was seen is the newer one now
    assert [left for left in before.restore() if NAME in left]


def test_a_module_that_was_loaded_meanwhile_is_found(module: ModuleType) -> None:
    del sys.modules[NAME]
    before = isolation.Baseline.take()
    assert not [left for left in before.restore() if NAME in left]
    sys.modules[NAME] = module
    assert f"{NAME}, which was loaded meanwhile" in before.restore()
    assert not [left for left in before.grown().restore() if NAME in left]


def test_this_python_counts_changes_or_says_so() -> None:
    known = sys.implementation.name == "cpython" and sys.version_info < (3, 13)
    assert isolation._counts_changes() or not known


def test_the_environment_is_put_back(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KEPT", "ñ")
    monkeypatch.setenv("CHANGED", "before")
    before = isolation.Baseline.take()
    os.environ.pop("KEPT")
    os.environ.update({"CHANGED": "after", "NEW_Ñ": "1"})
    before.put_back()
    assert (os.environ["KEPT"], os.environ["CHANGED"], "NEW_Ñ" in os.environ) == ("ñ", "before", False)
    assert b"NEW_" not in b" ".join(os.environb)


def test_settings_follow_the_environment_and_the_folder(monkeypatch: pytest.MonkeyPatch, tmp_path: Any) -> None:
    monkeypatch.setenv("EISENERGY_HOME", "here")
    (tmp_path / "a").mkdir()
    monkeypatch.chdir(tmp_path)
    first = Settings.load()
    assert first.home == tmp_path / "here"
    assert Settings.load() == first
    monkeypatch.chdir(tmp_path / "a")
    assert Settings.load().home == tmp_path / "a" / "here"
    monkeypatch.setenv("EISENERGY_BATCH", "7")
    assert (Settings.load().batch, Settings.load(client="OTHER").client) == (7, "OTHER")
    (tmp_path / "params").mkdir()
    (tmp_path / "_quarto.yml").touch()
    assert Settings.load().root == tmp_path
    monkeypatch.setenv("EISENERGY_NO_SUCH", "1")
    with pytest.raises(ValueError, match="EISENERGY_NO_SUCH is not a setting"):
        Settings.load()

"""Arrays that are used again hold nothing of what they held, and a run that makes many objects leaves Python as it was."""

from __future__ import annotations

import gc
from collections.abc import Iterator

import numpy as np
import pytest

from eisenergy.run.sparing import RARELY, seldom_collected
from eisenergy.spares import NO_SPARES, Spares


def test_what_was_given_back_is_used_again_for_about_the_same_size_and_the_same_kind() -> None:
    spares = Spares()
    first = spares.full(3, 7, np.int32)
    assert first.tolist() == [7] * 3
    spares.give(first, None)
    assert not np.shares_memory(spares.empty(5, np.int32), first), "it is too short"
    assert not np.shares_memory(spares.empty(3, np.float64), first)
    again = spares.full(4, -1, np.int32)
    assert np.shares_memory(again, first)
    assert again.tolist() == [-1] * 4
    assert not np.shares_memory(spares.empty(4, np.int32), first), "it is in use"
    spares.give(again)
    assert np.shares_memory(spares.empty(3, np.int32), first), "and may be shorter again"
    assert spares.empty(0, np.int32).tolist() == []


def test_nothing_is_kept_where_nobody_gives_back_what_is_his() -> None:
    array = NO_SPARES.full(3, 1, np.int32)
    NO_SPARES.give(array)
    assert NO_SPARES.empty(3, np.int32) is not array


@pytest.fixture
def threshold() -> Iterator[tuple[int, int, int]]:
    before = gc.get_threshold()
    yield before
    gc.set_threshold(*before)


def test_cycles_are_looked_for_seldom_and_afterwards_as_before(threshold: tuple[int, int, int]) -> None:
    with seldom_collected():
        assert gc.get_threshold()[0] == RARELY
        with seldom_collected():
            assert gc.get_threshold()[0] == RARELY
        assert gc.get_threshold()[0] == RARELY, "the first decides"
    assert gc.get_threshold() == threshold
    with pytest.raises(ZeroDivisionError), seldom_collected():
        1 / 0  # noqa: B018
    assert gc.get_threshold() == threshold


def test_who_switched_it_off_has_it_switched_off(threshold: tuple[int, int, int]) -> None:
    gc.set_threshold(0, *threshold[1:])
    with seldom_collected():
        assert gc.get_threshold()[0] == 0

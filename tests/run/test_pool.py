"""Any executor: every task once, its failure in its place, and an end when nothing ends any more."""

from __future__ import annotations

import math
import os
import threading
from collections.abc import Iterator
from concurrent.futures import Executor, Future, ThreadPoolExecutor

import pytest

from eisenergy.run import pool


def half(number: int) -> int:
    if number % 2:
        raise ValueError(f"{number} is odd")
    return number // 2


@pytest.mark.parametrize("ahead", [1, 3, 256])
def test_every_task_ends_once_and_a_failure_stands_for_its_task(ahead: int) -> None:
    with ThreadPoolExecutor(2) as executor:
        done = list(pool.each(executor, half, range(10), ahead=ahead))
    assert sorted(task for task, _ in done) == list(range(10))
    for task, result in done:
        assert str(result) == (f"{task} is odd" if task % 2 else str(task // 2))


def test_tasks_are_made_when_their_turn_comes() -> None:
    taken = 0

    def tasks() -> Iterator[int]:
        nonlocal taken
        for taken in range(1, 101):  # noqa: B007
            yield 0

    with ThreadPoolExecutor(1) as executor:
        seen = [taken for _ in pool.each(executor, half, tasks(), ahead=4)]
    assert len(seen) == 100
    assert all(taken <= at + 8 for at, taken in enumerate(seen))


def test_local_processes_are_an_executor_and_one_that_dies_is_told() -> None:
    with pool.local(2, {}) as executor:
        assert {result for _, result in pool.each(executor, math.factorial, [3, 4])} == {6, 24}
        told = [str(result) for _, result in pool.each(executor, os._exit, [1, 2], ahead=1)]
        assert told == ["the worker process died; run the same command again to do what is left"] * 2


class Nobody(Executor):
    """Takes work and never does it."""

    def __init__(self) -> None:
        self.given: list[Future[int]] = []

    def submit(self, *_: object, **__: object) -> Future[int]:  # type: ignore[override]
        self.given.append(Future())
        return self.given[-1]


def test_what_nobody_will_do_any_more_is_told_and_given_up() -> None:
    nobody, asked = Nobody(), 0

    def lost() -> str | None:
        nonlocal asked
        asked += 1
        return "nobody is there" if asked == 3 else None

    done = list(pool.each(nobody, half, range(5), ahead=2, lost=lost, look=0.01))
    assert [(task, str(result)) for task, result in done] == [(n, "nobody is there") for n in range(5)]
    assert asked == 3
    assert len(nobody.given) == 2
    assert all(future.cancelled() for future in nobody.given)


def test_what_is_given_up_by_others_is_told() -> None:
    nobody = Nobody()

    def give_up() -> None:
        nobody.given[0].cancel()
        nobody.given[0].set_running_or_notify_cancel()  # as an executor does

    threading.Timer(0.1, give_up).start()
    ((task, told),) = pool.each(nobody, half, [8])
    assert task == 8
    assert "given up before it ended; run the same command again" in str(told)


def test_who_stops_listening_leaves_no_work_behind() -> None:
    nobody = Nobody()
    given = pool.each(nobody, half, range(3), look=0.01, lost=lambda: None)
    threading.Timer(0.1, lambda: nobody.given[0].set_result(1)).start()
    next(given)
    given.close()  # type: ignore[attr-defined]
    assert [future.cancelled() for future in nobody.given] == [False, True, True]

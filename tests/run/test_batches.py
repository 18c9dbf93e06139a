"""Forked children: the same documents as stock Papermill's, and whatever befalls one costs only its customer."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import notebook_pairs as pairs
import pytest
from batch_work import Done, Task

from eisenergy.desk.workspace import Workspace
from eisenergy.run import batches, engine
from eisenergy.run.batches import Died, Limits, Raised
from eisenergy.run.orders import MayNotFork, can_fork

ROOT = Path(__file__).parents[2]
HERE = {"PYTHONPATH": os.pathsep.join([str(Path(__file__).parent), str(ROOT)])}
MEMORY = 1 << 30

pytestmark = pytest.mark.skipif(not can_fork(), reason="this system does not fork")


def limits(*, workers: int = 1, size: int = 100, seconds: float = 60, memory: int = MEMORY) -> Limits:
    return Limits(workers=workers, size=size, seconds=seconds, memory=memory)


def run(
    tasks: Sequence[Any], chosen: Limits, *, work: str = "execute", environment: dict[str, str] | None = None
) -> list[tuple[Any, Any]]:
    books = sorted({task.notebook for task in tasks if isinstance(task, Task)})
    return list(
        batches.each(
            f"batch_work:{work}",
            tasks,
            limits=chosen,
            notebooks=books,
            environment={**HERE, **(environment or {})},
            group=lambda _: "EIS",
        )
    )


class Kept(batches.Parent):
    """A parent that waits for the next test's order, as those of a cluster's workers do: each takes a second of CPU to start."""

    def end(self) -> None:
        pass


@pytest.fixture(scope="module", autouse=True)
def _kept() -> Iterator[None]:
    parents: dict[frozenset[tuple[str, str]], Kept] = {}

    def parent(environment: dict[str, str]) -> Kept:
        key = frozenset(environment.items())
        if key not in parents or not parents[key].lives():
            parents[key] = Kept(environment)
        return parents[key]

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(batches, "Parent", parent)
        yield
    for one in parents.values():
        batches.Parent.end(one)


@pytest.fixture
def write(tmp_path: Path) -> Callable[..., Task]:
    """Write a notebook, and return the task that executes it."""

    def write_one(name: str, *cells: str) -> Task:
        notebook = pairs.write(tmp_path / f"{name}.ipynb", *cells)
        return Task(notebook=notebook, output=tmp_path / "out" / f"{name}.ipynb")

    return write_one


def shown(task: Task) -> str:
    """What a task's last cell showed."""
    return "".join(str(output.get("text") or output.data["text/plain"]) for output in pairs.outputs(task.output)[-1])


def test_batches_hold_one_tenant_and_keep_the_order() -> None:
    tasks = [f"{tenant}{number}" for number in range(5) for tenant in "AB"]
    cut = batches.cut(tasks, lambda task: task[0], limits(workers=1, size=2))
    assert [[task for _, task in batch] for batch in cut] == [
        ["A0", "A1"], ["A2", "A3"], ["A4"], ["B0", "B1"], ["B2", "B3"], ["B4"],
    ]  # fmt: skip
    assert all(tasks[number] == task for batch in cut for number, task in batch)


def test_what_needs_the_others_comes_when_they_have_ended(write: Callable[..., Task], tmp_path: Path) -> None:
    slow = write("slow", "import time\ntime.sleep(1.5)")
    last = write("last", f"import os\nsorted(os.listdir({str(tmp_path / 'out')!r}))")
    done = list(
        batches.each(
            "batch_work:execute",
            [slow],
            limits=limits(workers=2),
            notebooks=[slow.notebook],
            environment=HERE,
            group=lambda _: "EIS",
            then=[last],
        )
    )
    assert [task for task, _ in done] == [slow, last]
    assert "slow.ipynb" in shown(last)


def test_few_tasks_give_every_worker_something_to_do() -> None:
    cut = batches.cut(range(8), lambda _: "A", limits(workers=4, size=25))
    assert [len(batch) for batch in cut] == [2, 2, 2, 2]


@pytest.mark.parametrize(("size", "children"), [(1, 6), (3, 2)])
def test_a_batch_is_a_child(write: Callable[..., Task], size: int, children: int) -> None:
    task = write("a", "import os\nos.getpid()")
    done = run([task] * 6, limits(size=size))
    assert [result.error for _, result in done] == [None] * 6
    assert len({result.pid for _, result in done}) == children


def test_a_module_of_ours_that_a_notebook_loads_is_not_there_for_the_next(write: Callable[..., Task]) -> None:
    """It may have been changed at once: who comes next gets a process that never saw it."""
    loads = write("loads", "import importlib\nimportlib.import_module('eisenergy.extent').Extent = None")
    looks = write("looks", "import os, sys\n'eisenergy.extent' in sys.modules")
    done = [result for _, result in run([looks, loads, looks, looks], limits())]
    assert [one.error for one in done] == [None] * 4
    assert [one.pid == done[0].pid for one in done] == [True, True, False, False]
    assert done[2].pid == done[3].pid
    assert shown(looks) == "False"


@pytest.mark.long
@pytest.mark.parametrize("peer", [pytest.param(None, id="stock", marks=pytest.mark.long), engine.NAME])
def test_children_and_papermill_give_the_same_for_a_customer(
    billed: Workspace, tmp_path: Path, peer: str | None
) -> None:
    """In this process, with our engine, which ``test_engine`` compares to stock Papermill's kernel; in ``make test-long`` to that itself."""
    engine.register()
    given = {"client": "EIS", "customer": "EIS-0001", "month": "2021-09"}
    environment = billed.environment()
    tasks = []
    for name in ("home", "dashboard", "invoice"):
        shutil.copy(ROOT / "notebooks" / f"{name}.ipynb", tmp_path)
        tasks.append(Task(notebook=tmp_path / f"{name}.ipynb", output=tmp_path / "out" / f"{name}.ipynb", given=given))
    assert [result.error for _, result in run(tasks, limits(workers=2), environment=environment)] == [None] * 3
    with pytest.MonkeyPatch.context() as patch:
        for name, value in environment.items():
            patch.setenv(name, value)
        for task in tasks:
            other = pairs.comparable(pairs.execute(task.notebook, peer, **given))
            ours = pairs.comparable(task.output)
            other.metadata["papermill"]["input_path"] = task.notebook.name
            for expected, found in zip(other.cells, ours.cells, strict=True):
                assert found == expected, expected.source
            assert ours == other


def test_a_hung_cell_costs_its_customer_only(write: Callable[..., Task]) -> None:
    good, hung = write("good", "1"), write("hung", "import time\ntime.sleep(60)")
    began = time.monotonic()
    done = run([good, hung, good, good], limits(seconds=2.5))
    assert time.monotonic() - began < 30
    results = [result for _, result in sorted(done, key=lambda pair: pair[0] is hung)]
    assert [result.error for result in results[:3]] == [None] * 3
    assert isinstance(results[3], Died)
    assert str(results[3]) == "hung.ipynb, cell 2: it took longer than 2.5 s and was ended"
    assert results[3].death.source == "import time\ntime.sleep(60)"
    assert not hung.output.exists()


def test_memory_beyond_the_limit_costs_its_customer_only(write: Callable[..., Task]) -> None:
    good, greedy = write("good", "1"), write("greedy", "x = bytearray(400_000_000)")
    bounded = [result.error for _, result in run([good, greedy, good], limits(memory=300_000_000))]
    assert bounded[0] is None
    assert bounded[2] is None
    assert bounded[1].startswith("greedy.ipynb, cell 2: MemoryError")
    assert [result.error for _, result in run([greedy], limits(memory=1_000_000_000))] == [None]


def test_a_dead_child_costs_its_customer_only() -> None:
    done = run(["a", "die", "b", "exit", "exit well", "raise", "c"], limits(), work="misbehave")
    results = dict(done)
    assert len(done) == 7
    assert [type(results[name]) for name in ("a", "b", "c")] == [int] * 3
    assert results["a"] != results["b"]
    assert "SIGKILL" in str(results["die"])
    assert "out of luck" in str(results["die"])
    assert "status 7" in str(results["exit"])
    assert "status 0" in str(results["exit well"])  # and is not begun again and again
    assert isinstance(results["raise"], Raised)
    assert str(results["raise"]) == "ValueError: no"


def test_when_the_parent_dies_what_is_left_is_told() -> None:
    done = run(["a", "kill the parent", "b"], limits(), work="misbehave")
    assert sorted(task for task, _ in done) == ["a", "b", "kill the parent"]
    assert [str(result) for task, result in done if task != "a"] == [
        "the process that starts the children died; run the same command again to do what is left"
    ] * 2


def test_children_end_with_a_killed_command(tmp_path: Path) -> None:
    script = (
        "from eisenergy.run import batches\n"
        f"tasks = [{str(tmp_path)!r}] * 2\n"
        "limits = batches.Limits(workers=2, size=1, seconds=60, memory=1 << 30)\n"
        "list(batches.each('batch_work:wait', tasks, limits=limits, notebooks=[], environment={}, group=str))\n"
    )
    command = subprocess.Popen([sys.executable, "-c", script], env={**os.environ, **HERE})
    try:
        assert _within(60, lambda: len(list(tmp_path.iterdir())) == 2)
    finally:
        command.send_signal(signal.SIGKILL)
        command.wait()
    children = [Path("/proc", path.name) for path in tmp_path.iterdir()]
    assert _within(20, lambda: not any(child.exists() for child in children))


def _within(seconds: float, reached: Callable[[], bool]) -> bool:
    deadline = time.monotonic() + seconds
    while not reached():
        if time.monotonic() > deadline:
            return False
        time.sleep(0.05)
    return True


PLANT = (
    "import decimal, os, random, sys, warnings\nimport numpy as np\ncanary = 1",
    "decimal.getcontext().prec = 3\ndecimal.DefaultContext.prec = 4\ndecimal.DefaultContext.traps[decimal.Inexact] = True",
    "os.environ['CANARY'] = '1'\nos.environ.pop('EISENERGY_CLIENT', None)\nos.chdir('/')\nos.umask(0)",
    "sys.path.insert(0, '/canary')\nsys.argv.append('canary')\nwarnings.simplefilter('ignore')\nsys.setrecursionlimit(777)",
    "random.seed(1)\nnp.random.seed(1)",
    "get_ipython().canary = 1",
)
LOOK = (
    "import decimal, os, random, sys, warnings\nimport numpy as np",
    "seen = [name for name in ('canary',) if name in globals()]\n"
    "seen += [name for name in ('CANARY',) if name in os.environ]\n"
    "seen += [decimal.getcontext().prec, decimal.DefaultContext.prec, decimal.DefaultContext.traps[decimal.Inexact]]\n"
    "seen += [os.environ.get('EISENERGY_CLIENT'), os.getcwd() == '/', '/canary' in sys.path, 'canary' in sys.argv]\n"
    "seen += [sys.getrecursionlimit() == 777, hasattr(get_ipython(), 'canary'), os.umask(0o22) == 0]\n"
    "seen += [('ignore', None, Warning, None, 0) in warnings.filters]\n"
    "random_, numpy_ = random.random(), np.random.random()\n"
    "random.seed(1)\nnp.random.seed(1)\n"
    "seen += [random_ == random.random(), numpy_ == np.random.random()]\n"
    "seen",
)
CLEAN = "[28, 28, False, 'EIS', " + ", ".join(["False"] * 9) + "]"


def test_what_one_customer_plants_the_next_never_sees(write: Callable[..., Task]) -> None:
    plant, look = write("plant", *PLANT), write("look", *LOOK)
    done = run([plant, look, plant, look], limits(), environment={"EISENERGY_CLIENT": "EIS"})
    assert [result.error for _, result in done] == [None] * 4
    assert len({result.pid for _, result in done}) == 1  # all was put back, in one and the same process
    assert shown(look).replace("\n", "") == CLEAN


SPOILED = (
    "import eisenergy.money\neisenergy.money.total = None",
    "import eisenergy.money, numpy\neisenergy.money.total = numpy.zeros(3)",
    "from eisenergy.money import Decimal\nimport eisenergy.period\neisenergy.period.BillingMonth.plus = None",
    "import threading, time\nthreading.Thread(target=time.sleep, args=(60,), daemon=True).start()",
    "import signal\nprevious = signal.signal(signal.SIGTERM, signal.SIG_IGN)",
)


def test_what_cannot_be_put_back_ends_the_child_and_a_fresh_one_goes_on(write: Callable[..., Task]) -> None:
    after = write("after", "1")
    books = [write(f"spoil{n}", spoil) for n, spoil in enumerate(SPOILED)]
    tasks = [after, *(task for book in books for task in (book, after, after))]
    done = [result for _, result in run(tasks, limits())]
    assert [result.error for result in done] == [None] * len(tasks)
    pids = [result.pid for result in done]
    for n, spoil in enumerate(SPOILED):
        before, spoiled, fresh, same = pids[3 * n : 3 * n + 4]
        assert before == spoiled != fresh == same, spoil
    assert len(set(pids)) == len(SPOILED) + 1


def test_a_notebook_whose_imports_start_threads_is_not_forked_for(write: Callable[..., Task], tmp_path: Path) -> None:
    (tmp_path / "starts_a_thread.py").write_text(
        "import threading, time\nthreading.Thread(target=time.sleep, args=(60,), daemon=True, name='sleeper').start()\n",
        encoding="utf-8",
    )
    environment = {"PYTHONPATH": f"{tmp_path}{os.pathsep}{HERE['PYTHONPATH']}"}
    with pytest.raises(MayNotFork, match="sleeper"):
        run([write("a", "import starts_a_thread")], limits(), environment=environment)


def test_children_have_one_thread_per_library(write: Callable[..., Task]) -> None:
    task = write("a", "import numba, polars\npolars.thread_pool_size(), numba.get_num_threads()")
    (result,) = (result for _, result in run([task], limits()))
    assert isinstance(result, Done)
    assert result.error is None
    assert shown(task) == "(1, 1)"

"""What one run plants, the next one does not find: canaries in a shuffled order of customers, and no memory that grows."""

from __future__ import annotations

import json
import random
import statistics
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import notebook_pairs as pairs
import pytest
from batch_work import Task, Weight
from test_batches import HERE, limits

from eisenergy.desk.workspace import Workspace
from eisenergy.run import batches
from eisenergy.run.orders import can_fork

pytestmark = pytest.mark.skipif(not can_fork(), reason="this system does not fork")

PARAMETERS = 'client = ""\ncustomer = ""\nmonth = ""\nrun = ""'

LOOK = """
import builtins, contextvars, decimal, json, locale, os, random, sys, warnings
import numpy
from sqlalchemy import text
from eisenergy import desk
from eisenergy.config import Settings
from eisenergy.desk.workspace import opened

seen = {
    "variables": sorted(name for name in globals() if "canary" in name),
    "builtins": sorted(name for name in vars(builtins) if "canary" in name),
    "environment": sorted(name for name in os.environ if "CANARY" in name),
    "decimal": [decimal.getcontext().prec, decimal.DefaultContext.prec, decimal.getcontext().rounding],
    "folder": os.getcwd(),
    "path": sorted(entry for entry in sys.path if "canary" in entry),
    "arguments": sorted(entry for entry in sys.argv if "canary" in entry),
    "filters": sum("canary" in str(entry) for entry in warnings.filters),
    "umask": os.umask(0o022),
    "recursion": sys.getrecursionlimit(),
    "history": [line for line in In[:-1] if "planted" in line],
    "formatters": [kind.__name__ for kind in get_ipython().display_formatter.formatters["text/plain"].type_printers
                   if "Canary" in kind.__name__],
    "handlers": len(get_ipython().events.callbacks["post_execute"]),
}
draws = [random.random(), float(numpy.random.random())]
opening = opened(Settings.load())
workspace = opening.__enter__()
with workspace.database.engine.connect() as connection:
    seen["session"] = [connection.execute(text(f"SELECT current_setting('eisenergy.{name}', true)")).scalar() or ""
                       for name in ("client", "customers", "role")]
shown = desk.open_customer(client, customer, month)
seen["hour"] = float(shown.slots["kwh"][0]) < 0
print(json.dumps({"seen": seen, "draws": draws, "customer": shown.contract.customer.code}))
"""

PLANT = """
canary = planted = customer
builtins.canary = customer
os.environ["CANARY_OF"] = customer
decimal.getcontext().prec = 3
decimal.getcontext().rounding = decimal.ROUND_UP
decimal.DefaultContext.prec = 4
os.chdir("/")
sys.path.insert(0, "/canary")
sys.argv.append("canary")
warnings.filterwarnings("ignore", message="canary")
os.umask(0)
sys.setrecursionlimit(4321)
random.seed(7)
numpy.random.seed(7)
class Canary: pass
get_ipython().display_formatter.formatters["text/plain"].for_type(Canary, lambda *_: None)
get_ipython().events.register("post_execute", lambda: None)
# A session that is never closed, with another's scope for as long as its connection lives.
connection = workspace.database.engine.connect()
connection.execute(text("SELECT set_config('eisenergy.client', 'CANARY', false)"))
connection.execute(text("SELECT set_config('eisenergy.customers', '[\\"CANARY\\"]', false)"))
connection.commit()
shown.slots[0, "kwh"] = -1.0
shown.history[0].kwh.clear()
"""


def fly(billed: Workspace, folder: Path, count: int, size: int, customers: Sequence[str]) -> list[tuple[Task, Weight]]:
    """Execute so many runs in a shuffled order; each looks for canaries, and plants its own."""
    notebook = pairs.write(folder / "canary.ipynb", LOOK, PLANT, parameters=PARAMETERS)
    tasks = [
        Task(
            notebook=notebook,
            output=folder / "out" / f"{number}.ipynb",
            given={
                "client": "EIS",
                "customer": customers[number % len(customers)],
                "month": "2021-09",
                "run": str(number),
            },
        )
        for number in range(count)
    ]
    random.Random(count).shuffle(tasks)
    return list(
        batches.each(
            "batch_work:weigh",
            tasks,
            limits=limits(workers=2, size=size),
            notebooks=[notebook],
            environment={**billed.environment(), **HERE},
            group=lambda _: "EIS",
            begin="batch_work:announce",
            warm="batch_work:warm",
        )
    )


def report(task: Task) -> dict[str, Any]:
    found: dict[str, Any] = json.loads("".join(output.text for output in pairs.outputs(task.output)[0]))
    return found


def check(flown: Sequence[tuple[Task, Weight]], count: int) -> None:
    assert len(flown) == count
    assert [result.error for _, result in flown if getattr(result, "error", result)] == []
    reports = [(task, report(task)) for task, _ in flown]
    for task, found in reports:
        assert found["customer"] == task.given["customer"]
        assert found["seen"] == {
            "variables": [],
            "builtins": [],
            "environment": [],
            "decimal": [28, 28, "ROUND_HALF_EVEN"],
            "folder": str(Path.cwd()),
            "path": [],
            "arguments": [],
            "filters": 0,
            "umask": 0o022,
            "recursion": 1000,
            "history": [],
            "formatters": [],
            "handlers": reports[0][1]["seen"]["handlers"],
            "session": ["", "", ""],
            "hour": False,
        }
    for draws in zip(*(found["draws"] for _, found in reports), strict=True):
        assert len(set(draws)) == count  # nobody draws what another, or a seed, has drawn


@pytest.fixture
def customers(billed: Workspace) -> list[str]:
    return ["EIS-0001", "EIS-0002"]


def test_nobody_finds_a_canary(billed: Workspace, tmp_path: Path, customers: list[str]) -> None:
    flown = fly(billed, tmp_path, 24, 12, customers)
    check(flown, 24)
    # A child that is not as it was is not used again, and each fresh one costs as much as several customers.
    assert len({result.pid for _, result in flown}) == 2


@pytest.mark.long
def test_nobody_finds_a_canary_in_a_thousand_runs_and_memory_stays(
    billed: Workspace, tmp_path: Path, customers: list[str]
) -> None:
    flown = fly(billed, tmp_path, 1000, 25, customers)
    check(flown, 1000)
    weights = [result for _, result in flown]
    ends: dict[int, int] = {}
    for weight in weights:
        ends[weight.pid] = weight.child
    children = list(ends.values())
    assert len(children) >= 40
    first, last = (statistics.median(children[part]) for part in (slice(10), slice(-10, None)))
    assert last <= 1.02 * first
    parents = [weight.parent for weight in weights]
    assert max(parents[-100:]) <= 1.02 * max(parents[:100])

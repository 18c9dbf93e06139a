"""Fixtures that several folders use: a workspace of its own per test module, on a real PostgreSQL."""

from __future__ import annotations

import gc
import importlib
import importlib.util
import logging
import os
import shutil
import stat
import sys
import tempfile
import threading
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest

from eisenergy.config import Settings
from eisenergy.store import server
from eisenergy.store.database import OWNER, Database, provision
from eisenergy.store.lake import Lake

ROOT = Path(__file__).parents[1]
# A hundred children of tests start here; without Python's compiled modules each of them compiles the library for itself.
os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
sys.dont_write_bytecode = False
OPTIONAL = frozenset({"quarto", "helm"})
"""Programs whose absence is never a failure: the build machine cannot have them."""


UNTRACED = frozenset(
    {
        "badinput",
        "benchmarks",
        "browser",
        "demo",
        "deploy",
        "desk",
        "masters",
        "notebooks",
        "portal",
        "publish",
        "quality",
        "readings",
        "run",
        "samples",
        "store",
        "work",
        "workbook",
    }
)
"""Folders whose tests do not count towards the coverage of money and time."""


def require(program: str) -> None:
    """Skip the test when a program or a Python package is missing; fail when ``EISENERGY_REQUIRE_ALL=1``.

    :param program: name on the PATH, such as ``chromium``; or of an importable package
    """
    if shutil.which(program) is not None or (program.isidentifier() and importlib.util.find_spec(program) is not None):
        return
    message = f"{program} is not installed here"
    if os.environ.get("EISENERGY_REQUIRE_ALL") == "1" and program not in OPTIONAL:
        pytest.fail(f"{message}, and EISENERGY_REQUIRE_ALL=1 asks for everything")
    pytest.skip(message)


@pytest.fixture(name="require", scope="session")
def require_fixture() -> object:
    """The function :func:`require`; test files cannot import from here."""
    return require


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_protocol(item: pytest.Item) -> Iterator[None]:
    """Do not trace the tests of folders that are about other things than money and time, nor those marked so: it takes half their time
    again, or twice. (``no_cover`` of pytest-cov has no effect in the processes of xdist.)"""
    if item.path.relative_to(ROOT / "tests").parts[0] not in UNTRACED and not item.get_closest_marker("untraced"):
        yield
        return
    trace, of_threads = sys.gettrace(), threading.gettrace()
    sys.settrace(None)
    threading.settrace(None)  # type: ignore[arg-type]  # the portal serves in threads, and they would be traced
    yield
    threading.settrace(of_threads)  # type: ignore[arg-type]
    sys.settrace(trace)


@pytest.fixture(autouse=True)
def _no_log_into_what_is_closed() -> Iterator[None]:
    """A command that was run in this process logs to its own standard error, which is gone when it ends; later tests' lines are not."""
    yield
    root = logging.getLogger()
    for handler in list(root.handlers):
        if isinstance(handler, logging.StreamHandler) and getattr(handler.stream, "closed", False):
            root.removeHandler(handler)


LONGEST = (
    "demo/test_demo.py",
    "run/test_cluster.py",
    "run/test_batches.py",
    "run/test_publishing.py",
    "notebooks/test_nbval.py",
    "billing/test_oracle.py",
    "run/test_engine.py",
    "workbook/test_evaluate.py",
    "workbook/test_workbooks_cli.py",
    "workbook/test_mutants.py",
    "workbook/test_shapes.py",
    "workbook/test_analyst.py",
    "run/test_canaries.py",
    "portal/test_portal_command.py",
    "portal/test_portal_matrix.py",
    "portal/test_portal_api.py",
    "run/test_intake_scale.py",
    "desk/test_whole.py",
)
"""Files that take longest, first: what runs at the end should be short, or one process waits for the other."""


def pytest_collection_finish() -> None:
    """What is loaded by now stays to the end: it is not searched for garbage again and again, and the rest less often than by default,
    which is a tenth of the time of all tests."""
    gc.freeze()
    gc.set_threshold(10_000, 20, 20)
    gc.enable()


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Put the longest files first."""
    ranks = {ROOT / "tests" / name: rank for rank, name in enumerate(LONGEST)}
    items.sort(key=lambda item: ranks.get(item.path, len(ranks)))


COMPILED = (
    ("complete", "readings.scankernel"),
    ("quality.cleankernel", "readings.gridkernel"),
    ("stretches", "kernels", "places", "pricesets", "store.columns"),
)
"""What is compiled, in three parts that take as long as each other."""


def pytest_xdist_auto_num_workers() -> int:
    """One process more than this one may use cores (the machine may have more): tests wait for other processes a fifth of their time."""
    return 1 + (len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1)


@pytest.hookimpl(tryfirst=True)
def pytest_configure(config: pytest.Config) -> None:
    """Divide the work among processes; root's tests get a folder of their own: another run of pytest would close the common one to all."""
    gc.disable()  # until everything is loaded
    if hasattr(config.option, "loadscopereorder"):
        config.option.loadscopereorder = False  # the order is that of LONGEST
    if os.geteuid() == 0 and config.option.basetemp is None:
        config.option.basetemp = tempfile.mkdtemp(prefix="eisenergy-tests-")
        config.add_cleanup(lambda: shutil.rmtree(config.option.basetemp, ignore_errors=True))


@pytest.hookimpl(trylast=True)  # coverage has begun: what is loaded before is not counted
def pytest_sessionstart() -> None:
    """Compile: in a fresh clone Numba takes forty seconds for it, so processes that start together each make a part."""
    if worker := os.environ.get("PYTEST_XDIST_WORKER"):
        for part in COMPILED[int(worker.removeprefix("gw")) :: int(os.environ["PYTEST_XDIST_WORKER_COUNT"])]:
            for name in part:
                importlib.import_module(f"eisenergy.{name}")


@pytest.fixture(scope="session")
def tmp_path_factory(tmp_path_factory: pytest.TempPathFactory) -> pytest.TempPathFactory:
    """Pytest's own, but root's folders may be entered: PostgreSQL runs as another account and would go elsewhere."""
    if os.geteuid() == 0:
        make = tmp_path_factory.mktemp

        def mktemp(basename: str, numbered: bool = True) -> Path:
            path = make(basename, numbered)
            for part in (path, *path.parents):
                if not part.stat().st_mode & stat.S_IXOTH:
                    part.chmod(part.stat().st_mode | stat.S_IXOTH)
            return path

        tmp_path_factory.mktemp = mktemp  # type: ignore[method-assign]
    return tmp_path_factory


@pytest.fixture(scope="session")
def postgres(tmp_path_factory: pytest.TempPathFactory) -> Iterator[server.Server]:
    """One embedded server for all tests of this process."""
    running = server.acquire(tmp_path_factory.mktemp("server") / "pg")
    with psycopg.connect(host=str(running.socket), user=server.SUPERUSER, dbname="postgres", autocommit=True) as owner:
        for setting in ("fsync", "full_page_writes", "synchronous_commit"):  # a power cut may cost the tests' databases
            owner.execute(f"ALTER SYSTEM SET {setting} = off")  # type: ignore[arg-type]
        owner.execute("SELECT pg_reload_conf()")
        migrate_once(running, tmp_path_factory.mktemp("model"))
    yield running
    running.release()


MODEL = "model_of_tests"
"""The database that those of the test modules are copies of: twelve migrations a module were half a minute of all tests."""


def migrate_once(running: server.Server, home: Path) -> None:
    url = provision(running, MODEL)
    Database.open(Settings.load({"EISENERGY_DATABASE_URL": url}, home=home)).close()


def copied(running: server.Server, name: str) -> str:
    """Make a migrated, empty database.

    :returns: its address for its owner
    """
    with psycopg.connect(host=str(running.socket), user=server.SUPERUSER, dbname="postgres", autocommit=True) as owner:
        owner.execute(f'CREATE DATABASE "{name}" TEMPLATE {MODEL} OWNER {OWNER} STRATEGY file_copy')  # type: ignore[arg-type]
    return running.url(OWNER, name)


@pytest.fixture(scope="module")
def settings(
    postgres: server.Server, tmp_path_factory: pytest.TempPathFactory, request: pytest.FixtureRequest
) -> Settings:
    """A workspace of its own for the test module; its address is the one of the database's owner."""
    name = request.module.__name__.rsplit(".", 1)[-1]
    home = tmp_path_factory.mktemp("workspace")
    environ = {
        "EISENERGY_PARAMS": str(ROOT / "params"),
        "EISENERGY_SAMPLES": str(ROOT / "data" / "samples"),
        "EISENERGY_DATABASE_URL": copied(postgres, f"{name[:40]}_{os.getpid()}"),
        "EISENERGY_WORKERS": "2",
    }
    return Settings.load(environ, home=home)


@pytest.fixture(scope="module")
def database(settings: Settings) -> Iterator[Database]:
    """The module's own database, empty at its first test, as the application's role."""
    with Database.open(settings) as opened:
        yield opened


@pytest.fixture(scope="module")
def lake(settings: Settings, database: Database) -> Lake:
    """The module's own lake."""
    return Lake.open(settings, database)

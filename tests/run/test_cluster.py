"""More machines, as processes of this one: a real scheduler, real workers, and what befalls them."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import Any

import crowd
import nbformat
import pytest
from machines import Machines, within
from typer.testing import CliRunner

from eisenergy.cli import app, documents, output, publishing
from eisenergy.config import Settings
from eisenergy.desk.workspace import Workspace, opened
from eisenergy.period import BillingMonth
from eisenergy.run import cluster, month, orders, scheduler, share
from eisenergy.run.scheduler import ClusterUnusable

ROOT = Path(__file__).parents[2]
MONTH = BillingMonth(2021, 9)
CUSTOMERS = 8

pytest.importorskip("distributed")


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The project with notebooks that draw nothing, take a moment and note that they were executed."""
    folder = tmp_path_factory.mktemp("project")
    for name in ("_quarto.yml", "params", "data", "reports", "eisenergy"):
        (folder / name).symlink_to(ROOT / name)
    (folder / "notebooks").mkdir()
    for path in (ROOT / "notebooks").glob("*.ipynb"):
        book = nbformat.read(path, as_version=4)
        if path.stem in documents.NOTEBOOKS:
            book.cells = book.cells[:4] if path.stem != "invoice" else book.cells
        if path.stem == "home":
            note = f"with open({str(folder / 'executed')!r}, 'a') as log:\n    log.write(customer + '\\n')"
            book.cells.append(nbformat.v4.new_code_cell(f"{note}\nimport time\ntime.sleep(0.5)", id="note"))
        nbformat.write(book, folder / "notebooks" / path.name)
    return folder


@pytest.fixture(scope="module")
def many(project: Path) -> Iterator[Workspace]:
    """A workspace of some customers, billed, in that project."""
    crowd.make(project / "home", CUSTOMERS)
    environ = {"EISENERGY_PARAMS": str(ROOT / "params"), "EISENERGY_BATCH": "2", "EISENERGY_RENDERER": "embedded"}
    settings = replace(Settings.load(environ, home=project / "home"), root=project)
    with opened(settings) as workspace:
        month.bill_month(workspace, crowd.SCOPE, MONTH)
        yield workspace


@pytest.fixture
def machines(tmp_path: Path) -> Iterator[Machines]:
    started = Machines(tmp_path)
    yield started
    started.end()


@pytest.fixture
def fresh(many: Workspace, project: Path) -> Callable[[str], Workspace]:
    """The workspace with nothing published, for a scheduler."""

    def made(address: str) -> Workspace:
        for name in ("runs", "sites"):
            subprocess.run(["rm", "-rf", str(many.settings.home / name)], check=True)
        (project / "executed").write_text("")
        return replace(many, settings=replace(many.settings, scheduler=address))

    return made


def publish(workspace: Workspace) -> list[documents.Made]:
    with publishing.workers_elsewhere(workspace) as elsewhere:
        return publishing.publish_month(workspace, crowd.SCOPE, MONTH, None, False, elsewhere)


def stamps(workspace: Workspace) -> dict[str, tuple[int, bytes]]:
    """What is made: customer -> when its stamp was put into place, and the invoice."""
    folder = workspace.settings.runs / "EIS" / "2021-09"
    found = {}
    for stamp in folder.glob(f"*/{documents.STAMP}"):
        site = workspace.settings.sites / "EIS" / stamp.parent.name
        found[stamp.parent.name] = (
            stamp.stat().st_mtime_ns,
            b"".join(p.read_bytes() for p in site.rglob("invoice.pdf")),
        )
    return found


def share_of(workspace: Workspace, tasks: list[documents.Task], **changes: str) -> share.Share:
    settings = workspace.settings
    names = tuple(f"notebooks/{name}.ipynb" for name in documents.NOTEBOOKS)
    return share.Share(
        work=publishing.WORK,
        tasks=tuple(enumerate(tasks)),
        notebooks=names,
        environment={**cluster.travelling(workspace), **changes},
        code=share.fingerprint(settings.root),
    )


def tasks_of(workspace: Workspace, monkeypatch: pytest.MonkeyPatch) -> list[documents.Task]:
    """The customers' tasks, as a command would make them."""
    seen: list[documents.Task] = []

    def look(_: Workspace, everything: list[documents.Task], __: object, **___: object) -> Iterator[object]:
        seen.extend(task for task in everything if task.customer is not None)
        return iter(())

    with monkeypatch.context() as patch:
        patch.setattr(publishing, "_each", look)
        publishing.publish_month(workspace, crowd.SCOPE, MONTH, None, False)
    return seen


def test_a_worker_killed_half_way_costs_nothing(
    fresh: Callable[[str], Workspace],
    machines: Machines,
    project: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setattr(output, "LINE_SECONDS", 0.0)
    workspace = fresh(machines.address)
    first, _ = machines.worker(project), machines.worker(project)
    assert within(60, lambda: machines.said().count("Registered to") == 2)
    before: dict[str, tuple[int, bytes]] = {}

    def kill() -> None:
        # Both are in the middle of a batch: one customer of it is done.
        assert within(120, lambda: len(stamps(workspace)) >= 3)
        machines.end([first])
        before.update(stamps(workspace))

    killer = threading.Thread(target=kill)
    killer.start()
    made = publish(workspace)
    killer.join()
    told = capsys.readouterr().err
    assert [one.error for one in made] == [None] * (CUSTOMERS + 1)
    after = stamps(workspace)
    assert sorted(after) == sorted([f"EIS-{n:05d}" for n in range(1, CUSTOMERS + 1)] + ["_operator"])
    assert {name: after[name] for name in before} == before  # what was there when it died is as it was
    assert CUSTOMERS > len(before) >= 3
    executed = (project / "executed").read_text().split()
    assert set(executed) == set(after) - {"_operator"}
    assert len(executed) - len(set(executed)) <= 1  # the one it was at
    assert re.search(rf"{CUSTOMERS + 1} of {CUSTOMERS + 1}, [\d.]+/s, 0:00:00 left", told)
    assert f"{machines.address}: " in told
    assert not any(one.fresh for one in publish(workspace))  # a second run finds all in place
    assert not list(workspace.settings.home.glob(".cluster-*"))
    password = workspace.database.app_url
    assert password not in machines.said() + told


def test_a_worker_reads_the_desks_of_its_share_together(
    fresh: Callable[[str], Workspace], project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What the command asks of children here, it asks of those of a worker: see what each of them is told first."""
    seen: list[share.Share] = []

    class Executor(ThreadPoolExecutor):
        def submit(self, work: Any, given: share.Share, /, *_: Any, **__: Any) -> Any:  # type: ignore[override]
            seen.append(given)
            return super().submit(lambda: ())

    workspace = fresh("tcp://127.0.0.1:1")
    monkeypatch.chdir(project)
    tasks = tasks_of(workspace, monkeypatch)[:2]
    code = share.fingerprint(workspace.settings.root)
    environment = {**cluster.travelling(workspace), "EISENERGY_RENDERER": "embedded"}
    root = workspace.settings.root
    with Executor(1) as executor:
        there = cluster.Cluster(executor=executor, threads=1, environment=environment, root=root, code=code)
        assert list(publishing._each(workspace, tasks, there)) == []
    assert {(given.begin, given.warm) for given in seen} == {tuple(publishing.HOOKS.values())}
    told: list[Any] = []

    class Parent:
        def __init__(self, *_: Any) -> None:
            pass

        def do(self, order: Any) -> Iterator[Any]:
            told.append(order)
            return iter(())

        def lives(self) -> bool:
            return False

        def end(self) -> None:
            pass

    monkeypatch.setattr(share, "Parent", Parent)
    share.do(seen[0])
    assert [(order.begin, order.warm) for order in told] == [tuple(publishing.HOOKS.values())]


@pytest.mark.long
def test_two_workers_at_the_same_batch_make_it_once(
    fresh: Callable[[str], Workspace], project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    workspace = fresh("tcp://127.0.0.1:1")
    monkeypatch.chdir(project)
    given = share_of(workspace, tasks_of(workspace, monkeypatch)[:2])
    with ThreadPoolExecutor(2) as executor:
        both = [future.result() for future in [executor.submit(share.do, given) for _ in range(2)]]
    for ended in both:
        assert [(number, kind, made.error) for number, kind, made in ended] == [(n, "done", None) for n in range(2)]
    assert [sum(ended[n][2].fresh for ended in both) for n in range(2)] == [1, 1]
    executed = (project / "executed").read_text().split()
    assert sorted(executed) == sorted(task.customer or "" for _, task in given.tasks)


def test_a_worker_whose_parent_may_not_fork_turns_to_kernels(
    fresh: Callable[[str], Workspace], project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    workspace = fresh("tcp://127.0.0.1:1")
    monkeypatch.chdir(project)
    asked: list[str] = []

    def refuse(_: object, __: object, module: str) -> tuple[()]:
        asked.append(module)
        if module == share.NURSERY:
            raise orders.MayNotFork("threads")
        return ()

    monkeypatch.setattr(share, "_done", refuse)
    share.do(share_of(workspace, [], EISENERGY_NOTEBOOK_ENGINE="kernel"))
    assert asked == [share.SERIAL]
    share.do(share_of(workspace, [], EISENERGY_NOTEBOOK_ENGINE="fork"))
    assert asked == [share.SERIAL, share.NURSERY, share.SERIAL]


@pytest.mark.long
def test_a_worker_that_may_not_fork_makes_the_documents_with_kernels(
    fresh: Callable[[str], Workspace], project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    workspace = fresh("tcp://127.0.0.1:1")
    monkeypatch.chdir(project)
    tasks = tasks_of(workspace, monkeypatch)[:1]
    module = "machines_that_may_not_fork"
    (project / f"{module}.py").write_text(
        "from multiprocessing.connection import Connection\n"
        "def main(arguments):\n"
        "    boss = Connection(int(arguments[0]))\n"
        "    boss.recv()\n"
        "    boss.send(('unfit', 0, 'threads'))\n"
        "    return 0\n"
    )
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join([str(project), str(ROOT)]))
    monkeypatch.setattr(share, "NURSERY", module)
    ((number, kind, made),) = share.do(share_of(workspace, tasks))
    assert (number, kind, made.error, made.fresh) == (0, "done", None, True)


def test_a_worker_refuses_work_of_other_code(
    fresh: Callable[[str], Workspace], project: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    workspace = fresh("tcp://127.0.0.1:1")
    tasks = tasks_of(workspace, monkeypatch)[:1]
    given = share_of(workspace, tasks)
    monkeypatch.setattr(share, "REFUSAL_SECONDS", 0.0)
    monkeypatch.chdir(tmp_path)
    with pytest.raises(share.OtherCode, match="start the worker in the project's folder"):
        share.do(given)
    monkeypatch.chdir(project)
    with pytest.raises(share.OtherCode, match="bring both to the same commit"):
        share.do(replace(given, code="0" * 64))
    assert not list((workspace.settings.home / "runs").rglob(documents.STAMP))
    assert workspace.database.app_url not in repr(given)


@pytest.mark.long
@pytest.mark.parametrize("what", ["workers", "scheduler"])
def test_when_nobody_is_left_the_command_ends_and_says_so(
    fresh: Callable[[str], Workspace], machines: Machines, project: Path, monkeypatch: pytest.MonkeyPatch, what: str
) -> None:
    monkeypatch.setattr(scheduler, "LOST_SECONDS", 2.0)
    workspace = fresh(machines.address)
    worker = machines.worker(project)
    with publishing.workers_elsewhere(workspace) as elsewhere:
        assert elsewhere is not None
        gone = threading.Timer(0, lambda: None)

        def end() -> None:
            assert within(120, lambda: len(stamps(workspace)) >= 1)
            machines.end([worker] if what == "workers" else [machines.scheduler])

        gone = threading.Thread(target=end)
        gone.start()
        began = time.monotonic()
        made = publishing.publish_month(workspace, crowd.SCOPE, MONTH, None, False, replace(elsewhere, look=0.5))
        gone.join()
    assert time.monotonic() - began < 90
    assert len(made) == CUSTOMERS + 1
    assert any(one.error is None for one in made) or stamps(workspace)
    errors = [one.error for one in made if one.error]
    assert errors
    assert all("run the same command again to do what is left" in error for error in errors)


def test_workers_that_cannot_do_the_work_are_told_before_anything_is_run(
    fresh: Callable[[str], Workspace],
    machines: Machines,
    project: Path,
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
) -> None:
    workspace = fresh(machines.address)
    monkeypatch.setattr(scheduler, "WORKERS_SECONDS", 1.0)
    with pytest.raises(
        ClusterUnusable, match=f"has no worker after 1 s: start some with `dask worker {machines.address}`"
    ):
        publish(workspace)
    monkeypatch.setattr(scheduler, "WORKERS_SECONDS", 60.0)
    astray = machines.worker(tmp_path)
    with pytest.raises(
        ClusterUnusable, match=r"worker tcp://.*no project of eisenergy is: start the worker in the project"
    ):
        publish(workspace)
    machines.end([astray])
    old = tmp_path / "old.py"
    old.write_text("import distributed.versions as v\nv.version = lambda name: '0.0.1' if name == 'typst' else '9'\n")
    machines.worker(project, "--preload", str(old))
    assert within(60, lambda: machines.said().count("Registered to") == 2)
    with pytest.raises(ClusterUnusable, match=r"worker tcp://\S+ has .*typst 0\.0\.1 \(here .*requirements.lock"):
        publish(workspace)
    assert not stamps(workspace)


@pytest.mark.long
def test_a_missing_scheduler_is_a_sentence_within_seconds(many: Workspace) -> None:
    began = time.monotonic()
    words = ["publish", "2021-09", "--scheduler", "tcp://127.0.0.1:1", "--json"]
    ended = CliRunner().invoke(app, words, env=many.environment())
    assert ended.exit_code == 3, ended.output
    assert (
        "no scheduler listens at tcp://127.0.0.1:1 (Connection refused): start one with `dask scheduler" in ended.stderr
    )
    assert isinstance(ended.exception, SystemExit)
    assert "Traceback" not in ended.stderr
    assert time.monotonic() - began < 60


@pytest.mark.long
def test_what_listens_but_is_no_scheduler_is_a_sentence(many: Workspace, monkeypatch: pytest.MonkeyPatch) -> None:
    import socket

    monkeypatch.setattr(scheduler, "CONNECT_SECONDS", 2.0)
    with socket.create_server(("127.0.0.1", 0)) as other:
        address = f"tcp://127.0.0.1:{other.getsockname()[1]}"
        with pytest.raises(ClusterUnusable, match=r"does not answer as a dask scheduler: .*that it is not stopped"):
            publish(replace(many, settings=replace(many.settings, scheduler=address)))


def test_a_scheduler_elsewhere_needs_a_database_that_others_reach(many: Workspace) -> None:
    local, far = "tcp://127.0.0.1:8786", "tcp://192.0.2.1:8786"  # a net for examples (RFC 5737)
    cluster.check_addresses(many.settings, local)
    with pytest.raises(
        ClusterUnusable, match="the embedded one, which only this machine reaches: set EISENERGY_DATABASE_URL"
    ):
        cluster.check_addresses(many.settings, far)
    for url in (
        "postgresql://localhost/eis",
        "postgresql:///eis?host=/var/run/postgresql",
        "postgresql://127.0.0.1/eis",
    ):
        with pytest.raises(ClusterUnusable, match="this machine's own address"):
            cluster.check_addresses(replace(many.settings, database_url=url), far)
    cluster.check_addresses(replace(many.settings, database_url="postgresql://u:p@db.example/eis"), far)


def test_what_a_worker_does_not_share_is_named(many: Workspace, project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(project)
    (many.settings.home / ".cluster-here").touch()
    same = share.Question(
        environment=cluster.travelling(many),
        code=share.fingerprint(project),
        token=".cluster-here",
        database=share.which_database(many.database),
        lake=many.lake.version(),
        programs=(),
    )
    assert share._obstacles(same) == ()
    for change, told in (
        ({"token": ".cluster-gone"}, "mount the shared folder there"),
        ({"database": "another 2026"}, "leads it to another database"),
        ({"lake": 99}, "expected 99: name an object store or a folder that all machines share"),
        ({"programs": ("no-such-program",)}, "no-such-program is not on its PATH"),
        ({"code": "0"}, "bring both to the same commit"),
    ):
        (said,) = share._obstacles(replace(same, **change))  # type: ignore[arg-type]
        assert told in said
    assert many.database.app_url not in repr(same)


@pytest.mark.long
def test_a_kept_parent_ends_after_a_while(
    fresh: Callable[[str], Workspace], project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    if not orders.can_fork():
        pytest.skip("this system does not fork")
    for key, kept in list(share._idle.items()):  # what the tests before left waiting
        for parent in list(kept):
            share._end_idle(key, parent)
    monkeypatch.setattr(share, "IDLE_SECONDS", 1.0)
    workspace = fresh("tcp://127.0.0.1:1")
    monkeypatch.chdir(project)
    given = share_of(workspace, tasks_of(workspace, monkeypatch)[:1])
    share.do(given)
    (parent,) = [one for kept in share._idle.values() for one in kept]
    number = parent._process.pid
    share.do(given)  # all are there: and the same parent was asked
    assert [one._process.pid for kept in share._idle.values() for one in kept] == [number]
    parent._process.send_signal(signal.SIGKILL)  # found dead, another takes its place
    parent._process.wait()
    ((_, kind, made),) = share.do(given)
    assert (kind, made.error) == ("done", None)
    assert within(20, lambda: not any(share._idle.values()))

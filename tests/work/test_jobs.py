"""Jobs: taken in turn, done with the rights of who asked, tried again, taken up from dead workers."""

from __future__ import annotations

import signal
import uuid
from dataclasses import replace
from pathlib import Path

import pytest
from portal_cases import Person, furnish, owner, person
from sqlalchemy import text
from work_cases import BY, EIS, LUZ, ask, ended, now, wait, working

from eisenergy.accounts import OutOfScope, Role, Scope
from eisenergy.config import Settings
from eisenergy.store import attempts, jobs, people
from eisenergy.store.database import Database
from eisenergy.store.people import Grant

SLOW = """
import os, sys, time
from eisenergy.cli import main, working
def slow(work):
    work.progress.begin(1000)
    with open(work.job.arguments["log"], "a") as log:
        log.write(f"{os.getpid()}\\n")
    if os.path.exists(work.job.arguments["log"] + ".quick"):
        return {"by": os.getpid()}
    for number in range(1000):
        time.sleep(0.05)
        work.progress.step(str(number))
    return {}
def gone(work):
    from sqlalchemy.exc import OperationalError
    raise OperationalError("SELECT", {}, Exception("server closed the connection"))
def broken(work):
    raise ZeroDivisionError("a secret")
working.ALL_KINDS = {**working.ALL_KINDS, "slow": slow, "gone": gone, "broken": broken}
main()
"""


@pytest.fixture(scope="module", autouse=True)
def _sellers(settings: Settings, database: Database) -> None:
    furnish(settings, database)


@pytest.fixture(scope="module")
def people_(database: Database) -> dict[str, Person]:
    operator = Grant(client="EIS", role=Role.CLIENT_ADMIN)
    return {name: person(database, f"{name}@eis.example", operator) for name in ("stays", "goes", "shut")}


def test_what_becomes_of_jobs(
    settings: Settings, database: Database, people_: dict[str, Person], tmp_path: Path
) -> None:
    """One worker, which takes five seconds to start, for all that may become of a job."""
    bill = ask(database, "bill", "2021-09", month="2021-09")
    bad = ask(database, "bill", "2021-99", month="2021-99")
    check = ask(database, "check", month="2021-09", scope=LUZ)
    unknown, broken = ask(database, "no-such-kind"), ask(database, "broken")
    asked = {name: ask(database, "check", user=one.user, month="2021-09") for name, one in people_.items()}
    more = Scope(client="EIS", role=Role.SYSTEM_ADMIN)
    asked["more"] = ask(database, "check", scope=more, user=people_["stays"].user, month="2021-09")
    orphan = _died_over(database, ask(database, "check", month="2021-09", scope=LUZ))
    gone = ask(database, "gone")
    people.revoke(database, EIS, people_["goes"].user, by=BY, at=now())
    people.set_disabled(database, EIS, people_["shut"].user, True, by=BY, at=now())
    with working(settings, tmp_path / "log", code=SLOW):
        done = ended(database, bill)
        assert (done.state, done.done, done.total) == ("done", 3, 3), done
        assert done.result["issued_before"] == 3
        refused = ended(database, bad)
        assert (refused.state, refused.problem["code"]) == ("refused", "refused")
        assert "month 99: expected 1 to 12" in refused.problem["text"]
        assert ended(database, check, scope=LUZ).result["contracts"] == 3
        assert ended(database, unknown).problem["code"] == "unknown"
        assert ended(database, asked["stays"]).state == "done"
        for name in ("goes", "shut", "more"):
            refused = ended(database, asked[name])
            assert (refused.state, refused.problem["code"], refused.result) == ("refused", "rights", None), name
        taken = ended(database, orphan, scope=LUZ)
        assert (taken.state, taken.attempt, taken.deaths) == ("done", 2, 1)
        dead = ended(database, broken)
        assert (dead.state, dead.problem["code"]) == ("failed", "internal")
        assert "secret" not in str(dead.problem)
        assert dead.problem["text"] in (tmp_path / "log").read_text()
        wait(lambda: jobs.find(database, EIS, gone).problem, what="for the first try")
        waiting = jobs.find(database, EIS, gone)
        assert (waiting.state, waiting.problem["code"]) == ("waiting", "later")
        wait(lambda: jobs.find(database, EIS, gone).attempt == 2, what="for the second try")
    with database.session(EIS) as connection:
        said = connection.execute(text("SELECT action, actor, new->>'job' FROM eisenergy.audit ORDER BY id")).all()
        left = connection.execute(text("SELECT args->>'job' FROM eisenergy_jobs.procrastinate_jobs")).scalars().all()
    assert ("JOB", BY.name, str(bill)) in said
    assert ("JOB_END", BY.name, str(bill)) in said
    assert left == [str(gone)]


def _died_over(database: Database, job: uuid.UUID) -> uuid.UUID:
    """Let a worker take a job that is never heard of again."""
    with database.engine.begin() as connection:
        worker = connection.execute(text("SELECT eisenergy_jobs.procrastinate_register_worker_v1()")).scalar_one()
        connection.execute(
            text(
                "UPDATE eisenergy_jobs.procrastinate_jobs SET status = 'doing', worker_id = :worker "
                "WHERE args->>'job' = :job"
            ),
            {"worker": worker, "job": str(job)},
        )
        connection.execute(
            text(
                "UPDATE eisenergy_jobs.procrastinate_workers SET last_heartbeat = now() - interval '1 h' WHERE id = :w"
            ),
            {"w": worker},
        )
    assert attempts.begin(database, "LUZ", job, now()) is not None
    return job


def test_a_living_workers_job_is_left_to_it(database: Database) -> None:
    job = ask(database, "check")
    with database.engine.begin() as connection:
        worker = connection.execute(text("SELECT eisenergy_jobs.procrastinate_register_worker_v1()")).scalar_one()
        query = (
            "UPDATE eisenergy_jobs.procrastinate_jobs SET status = 'doing', worker_id = :w WHERE args->>'job' = :job"
        )
        connection.execute(text(query), {"w": worker, "job": str(job)})
    assert attempts.rescue(database, 30) == 0
    assert attempts.rescue(database, 0) == 1
    assert attempts.rescue(database, 0) == 0


@pytest.mark.long
def test_a_killed_workers_job_is_taken_up_again(settings: Settings, database: Database, tmp_path: Path) -> None:
    log = tmp_path / "runs"
    job = ask(database, "slow", log=str(log), scope=LUZ)
    with working(settings, tmp_path / "one", code=SLOW, heartbeat=0.3) as first:
        wait(lambda: jobs.find(database, LUZ, job).done, what="for its first steps")
        first.send_signal(signal.SIGKILL)
        first.wait()
    assert jobs.find(database, LUZ, job).state == "running"
    with working(settings, tmp_path / "two", code=SLOW, heartbeat=0.3) as second:
        wait(lambda: jobs.find(database, LUZ, job).attempt == 2, what="for the second worker")
        second.send_signal(signal.SIGTERM)
        assert second.wait(timeout=30) == 0, (tmp_path / "two").read_text()
    left = jobs.find(database, LUZ, job)
    assert (left.state, left.deaths) == ("waiting", 1)
    Path(f"{log}.quick").touch()
    with working(settings, tmp_path / "three", code=SLOW, heartbeat=0.3) as third:
        done = ended(database, job, scope=LUZ)
    assert (done.state, done.attempt, done.deaths) == ("done", 3, 1)
    assert log.read_text().split() == [str(one.pid) for one in (first, second, third)]


@pytest.mark.long
def test_a_worker_outlives_its_connections(settings: Settings, database: Database, tmp_path: Path) -> None:
    with working(settings, tmp_path / "log", heartbeat=0.3) as process:
        assert ended(database, ask(database, "check", month="2021-09", scope=LUZ), scope=LUZ).state == "done"
        for _ in range(3):
            with owner(settings) as connection:
                query = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()"
                connection.execute(text(query))
            job = ask(database, "check", month="2021-09", scope=LUZ)
            assert ended(database, job, scope=LUZ, seconds=90).state == "done"
        assert process.poll() is None


def test_trying_again_is_done_once(database: Database) -> None:
    job = ask(database, "check", month="2021-09")
    taken = attempts.begin(database, "EIS", job, now())
    assert not jobs.again(database, EIS, job, by=BY, user=None, at=now())
    attempts.end(database, taken, now(), "failed", problem={"code": "internal", "text": "1"})
    assert [jobs.again(database, EIS, job, by=BY, user=None, at=now()) for _ in range(2)] == [True, False]
    with pytest.raises(jobs.NoJob):
        jobs.again(database, LUZ, job, by=BY, user=None, at=now())


def test_a_worker_that_came_back_from_the_dead_is_not_heard(database: Database) -> None:
    job = ask(database, "bill", month="2021-09")
    first = attempts.begin(database, "EIS", job, now())
    second = attempts.begin(database, "EIS", job, now())
    with pytest.raises(attempts.Superseded):
        attempts.tell(database, first, now(), done=1, total=2, doing="", counted_at=now())
    with pytest.raises(attempts.Superseded):
        attempts.end(database, first, now(), "failed")
    attempts.end(database, second, now(), "done", result={"mine": 2})
    assert jobs.find(database, EIS, job).result == {"mine": 2}
    assert attempts.begin(database, "EIS", job, now()) is None


def test_a_job_that_kills_its_workers_is_left_alone(database: Database) -> None:
    job = ask(database, "bill", month="2021-09")
    for _ in range(attempts.DEATHS):
        assert attempts.begin(database, "EIS", job, now()) is not None
    assert attempts.begin(database, "EIS", job, now()) is None
    dead = jobs.find(database, EIS, job)
    assert (dead.state, dead.problem["code"], dead.deaths) == ("failed", "died", attempts.DEATHS)


def test_jobs_are_asked_for_by_operators_and_seen_by_them(database: Database) -> None:
    for scope in (Scope.customer("EIS", "EIS-0001"), replace(EIS, customers=frozenset({"EIS-0001"}))):
        with pytest.raises(OutOfScope), database.session(scope) as connection:
            jobs.defer(connection, scope, "bill", "", {}, by=BY, user=None, at=now())
    job = ask(database, "bill", month="2021-09")
    for scope in (LUZ, Scope.customer("EIS", "EIS-0001")):
        with pytest.raises(jobs.NoJob):
            jobs.find(database, scope, job)
        assert jobs.listed(database, scope) == () or scope is LUZ
        assert job not in {one.id for one in jobs.listed(database, scope)}


def test_a_clients_many_jobs_do_not_stand_before_anothers(database: Database) -> None:
    """Two workers' places, and one seller that asks for hundreds: the other's job is among the next, and each keeps its own order."""
    with database.engine.begin() as connection:
        connection.execute(text("DELETE FROM eisenergy_jobs.procrastinate_jobs"))

    def put(scope: Scope, kind: str, *, alone: bool, priority: int = 0) -> uuid.UUID:
        with database.session(scope) as connection:
            more = {"by": BY, "user": None, "at": now(), "alone": alone, "priority": priority}
            return jobs.defer(connection, scope, kind, "", {}, **more)  # type: ignore[arg-type]

    checks = [put(EIS, "workbook", alone=False) for _ in range(40)]
    bills = [put(EIS, "bill", alone=True) for _ in range(5)]
    theirs = [put(LUZ, "bill", alone=True), put(LUZ, "parse", alone=False, priority=10)]
    looked = put(EIS, "parse", alone=False, priority=10)
    begun: list[uuid.UUID] = []
    with database.engine.begin() as connection:
        fetch = "SELECT id, args FROM eisenergy_jobs.procrastinate_fetch_job_v2(ARRAY['default'], NULL)"
        while (row := connection.execute(text(fetch)).one()).id is not None:
            begun.append(uuid.UUID(row.args["job"]))
            connection.execute(text("DELETE FROM eisenergy_jobs.procrastinate_jobs WHERE id = :id"), {"id": row.id})
    assert len(begun) == 48
    assert set(theirs) <= set(begun[:4])
    assert begun.index(theirs[1]) < begun.index(looked)
    for kept in (checks, bills):
        assert [one for one in begun if one in kept] == kept
    # what a client asks for while its own is being worked on comes after that, tried again or not
    first = put(EIS, "bill", alone=True)
    with database.engine.begin() as connection:
        connection.execute(text("UPDATE eisenergy_jobs.procrastinate_jobs SET status = 'doing', priority = -7"))
    put(EIS, "bill", alone=True)
    with database.engine.begin() as connection:
        connection.execute(text("UPDATE eisenergy_jobs.procrastinate_jobs SET status = 'todo'"))
        again = connection.execute(text(fetch)).one()
        assert again.args["job"] == str(first)
        connection.execute(text("DELETE FROM eisenergy_jobs.procrastinate_jobs"))


def test_neither_job_nor_place_in_the_queue_without_the_other(database: Database) -> None:
    chosen = uuid.uuid4()

    def queued() -> int:
        with database.engine.begin() as connection:
            query = text("SELECT count(*) FROM eisenergy_jobs.procrastinate_jobs WHERE args->>'job' = :job")
            return int(connection.execute(query, {"job": str(chosen)}).scalar_one())

    with database.session(EIS) as connection:
        jobs.defer(connection, EIS, "bill", "", {}, by=BY, user=None, at=now(), id=chosen)
        connection.rollback()
    assert queued() == 0
    for _ in range(2):
        with database.session(EIS) as connection:
            jobs.defer(connection, EIS, "bill", "", {}, by=BY, user=None, at=now(), id=chosen)
    assert queued() == 1

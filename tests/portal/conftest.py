"""A portal per test module, with two sellers and everybody of the matrix."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

# plain modules beside the tests, and the store's own cases
for _folder in (Path(__file__).parent, Path(__file__).parents[1] / "store"):
    sys.path.insert(0, str(_folder))

from portal_cases import (  # noqa: E402
    START,
    Running,
    furnish,
    give_masters,
    give_tokens,
    give_work,
    populate,
    serving,
    subscribe,
)  # fmt: skip

from eisenergy.config import Settings  # noqa: E402
from eisenergy.store.database import Database  # noqa: E402


@pytest.fixture(scope="module")
def portal(settings: Settings, database: Database) -> Iterator[Running]:
    furnish(settings, database)
    with serving(settings, database) as running:
        running.people = populate(database)
        running.work = give_work(settings, database)
        running.proposed = give_masters(database)
        running.told = subscribe(settings, database)
        running.tokens = give_tokens(database, running.people)
        yield running


@pytest.fixture(autouse=True)
def _noon(request: pytest.FixtureRequest) -> None:
    """Every test begins at the same time, and with nothing guessed."""
    if "portal" in request.fixturenames:
        running: Running = request.getfixturevalue("portal")
        running.clock.at = START
        from sqlalchemy import text

        with running.database.signing_in() as connection:
            connection.execute(text("DELETE FROM eisenergy.guesses"))

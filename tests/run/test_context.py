"""What ends a command ends it with a sentence."""

from __future__ import annotations

import os
import socket

import psycopg
import pytest
import typer
from sqlalchemy.exc import OperationalError

from eisenergy.cli.context import guarded
from eisenergy.store.database import Database


def lost_connection() -> OperationalError:
    return OperationalError("SELECT secret", {}, psycopg.errors.CrashShutdown("terminating connection\nDETAIL: more"))


@pytest.mark.parametrize("problem", [lost_connection(), psycopg.OperationalError("the connection is closed")])
def test_a_database_that_goes_away_is_a_sentence(problem: Exception, capsys: pytest.CaptureFixture[str]) -> None:
    @guarded
    def command() -> None:
        raise problem

    with pytest.raises(typer.Exit) as ended:
        command()
    told = capsys.readouterr().err
    assert ended.value.exit_code == 3
    assert "the database went away: " in told
    assert "run the same command again: what is done is kept" in " ".join(told.split())
    assert "secret" not in told


def test_a_connection_that_breaks_is_a_sentence(database: Database, capsys: pytest.CaptureFixture[str]) -> None:
    @guarded
    def command() -> None:
        with database.engine.begin() as connection:
            driver = connection.connection.driver_connection
            assert isinstance(driver, psycopg.Connection)
            with socket.socket(fileno=os.dup(driver.pgconn.socket)) as wire:
                wire.shutdown(socket.SHUT_RDWR)
            connection.exec_driver_sql("SELECT 1")

    with pytest.raises(typer.Exit):
        command()
    assert "the database went away: " in capsys.readouterr().err

"""What the bills of a client have in common, read once for all of them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Final

import polars as pl

from eisenergy.accounts import Client, Contract, Scope
from eisenergy.blockruns import Runs, compile_runs
from eisenergy.desk.drafting import Facts
from eisenergy.desk.workspace import Workspace
from eisenergy.period import Period
from eisenergy.store import masters
from eisenergy.tariffs.model import Tariff
from eisenergy.timeofuse import DayCalendar

TOGETHER: Final = 250
"""Contracts whose readings are in memory at a time; with their neighbours' months some three million rows."""


@dataclass(slots=True, kw_only=True)
class Masters:
    """What the bills of a client have in common, read once.

    :param lake_version: state of the readings table that every draft of the batch is made from
    :param names: sha256 of a source file -> its name
    """

    workspace: Workspace
    scope: Scope
    client: Client
    lake_version: int
    names: Mapping[str, str]
    _tariffs: dict[str, tuple[Tariff, DayCalendar]] = field(default_factory=dict)
    _runs: dict[tuple[str, Period], Runs] = field(default_factory=dict)

    @classmethod
    def read(cls, workspace: Workspace, scope: Scope, names: Mapping[str, str]) -> Masters:
        """Read the client and pin the state of the readings. :raises NotStored: for an unknown client."""
        client = masters.client(workspace.database, scope)
        return cls(workspace=workspace, scope=scope, client=client, lake_version=workspace.lake.version(), names=names)

    def instead(self, lake_version: int, tariffs: Mapping[str, tuple[Tariff, DayCalendar]]) -> Masters:
        """Return the same with other tariffs and calendars, and another state of the readings: to price what might be."""
        return Masters(
            workspace=self.workspace,
            scope=self.scope,
            client=self.client,
            lake_version=lake_version,
            names=self.names,
            _tariffs=dict(tariffs),
        )

    def tariff(self, name: str) -> tuple[Tariff, DayCalendar]:
        """Return a tariff and its calendar. :raises NotStored: when one of them is not stored."""
        if name not in self._tariffs:
            database = self.workspace.database
            tariff = masters.tariff(database, self.scope, name)
            self._tariffs[name] = (tariff, masters.calendar(database, self.scope, tariff.calendar))
        return self._tariffs[name]

    def tariffs(self, names: Iterable[str]) -> dict[str, tuple[Tariff, DayCalendar]]:
        """Return those of some tariffs that are stored, with their calendars."""
        found = {}
        for name in names:
            with suppress(masters.NotStored):
                found[name] = self.tariff(name)
        return found

    def runs(self, name: str, period: Period) -> Runs:
        """Return a tariff's calendar, compiled over its segments of a period. :raises OffGrid: see ``compile_runs``."""
        if (name, period) not in self._runs:
            tariff, calendar = self.tariff(name)
            self._runs[name, period] = compile_runs(calendar, tariff.segments(period), self.client.timezone)
        return self._runs[name, period]

    def facts(self, contract: Contract, readings: pl.DataFrame) -> Facts:
        """Return a contract's facts with these readings. :raises NotStored: when its tariff or calendar is not stored."""
        tariff, calendar = self.tariff(contract.tariff)
        return Facts(
            client=self.client,
            contract=contract,
            tariff=tariff,
            calendar=calendar,
            readings=readings,
            lake_version=self.lake_version,
            names=self.names,
        )

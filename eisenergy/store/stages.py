"""How far each month is: readings, drafts, invoices; and sums over all customers by month. Counted by the database.

The sums of invoices are kept by it as they are issued (migration 0009): a year of ten thousand customers is too much to add up for a page.
"""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from typing import Final

from sqlalchemy import text

from eisenergy.accounts import Scope
from eisenergy.period import BillingMonth
from eisenergy.store.database import Database
from eisenergy.store.selection import WARNINGS


@dataclass(frozen=True, slots=True, kw_only=True)
class Stage:
    """One month of all customers.

    :param warned: drafts with a warning
    :param waiting: contracts that wait
    :param issued: invoices
    :param unread: those of them without a reading of the month
    :param drafted_kwh: [kWh] of the drafts; ``issued_kwh`` of the invoices
    """

    month: BillingMonth
    drafts: int = 0
    warned: int = 0
    drafted_kwh: Decimal = Decimal(0)
    drafted: Decimal = Decimal(0)
    waiting: int = 0
    unread: int = 0
    issued: int = 0
    issued_kwh: Decimal = Decimal(0)
    issued_total: Decimal = Decimal(0)

    @property
    def kwh(self) -> Decimal:
        """Energy of drafts and invoices [kWh]."""
        return self.drafted_kwh + self.issued_kwh

    @property
    def total(self) -> Decimal:
        """Amount of drafts and invoices."""
        return self.drafted + self.issued_total

    @property
    def metered(self) -> Metered | None:
        """Whose readings there were when the month was billed; ``None`` where it was not."""
        contracts = self.drafts + self.issued + self.waiting
        return Metered(contracts=contracts, with_readings=contracts - self.unread) if contracts else None


@dataclass(frozen=True, slots=True, kw_only=True)
class Metered:
    """Whose readings of a month are there.

    :param contracts: in force on a day of the month
    :param with_readings: those of whose meter some file holds readings of the month
    """

    contracts: int
    with_readings: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Health:
    """The readings behind a month's drafts and invoices, as far as they tell.

    :param slots: intervals that there should be
    :param customers: contracts with an interval that was estimated or is missing
    """

    slots: int
    estimated: int
    missing: int
    customers: int


_ISSUED: Final = """
    SELECT month, invoices AS issued, kwh AS issued_kwh, total AS issued_total FROM eisenergy.month_sums
    WHERE client = :client{only} ORDER BY month DESC LIMIT :most
"""
_DRAFTED: Final = f"""
    SELECT d.month, count(*) AS drafts, count(*) FILTER (WHERE {WARNINGS} > 0) AS warned, sum(d.kwh) AS drafted_kwh,
        sum(d.total) AS drafted
    FROM eisenergy.drafts d WHERE d.client = :client{{only}} GROUP BY d.month
"""
_WAITING: Final = """
    SELECT month, count(*) AS waiting, count(*) FILTER (WHERE findings @> '[{{"code": "no-readings"}}]') AS unread
    FROM eisenergy.parked WHERE client = :client{only} GROUP BY month
"""


def stages(database: Database, scope: Scope, *, months: int = 13) -> tuple[Stage, ...]:
    """Return how far the newest months are, newest first, of those there is anything of.

    :param months: how many, counted back from the newest
    """
    found = _read(database, scope, None, months)
    return tuple(one for one in found if str(one.month) > str(found[0].month.plus(-months)))


def stage(database: Database, scope: Scope, month: BillingMonth) -> Stage:
    """Return how far a month is."""
    return next(iter(_read(database, scope, month)), Stage(month=month))


def _read(database: Database, scope: Scope, month: BillingMonth | None, most: int = 1) -> list[Stage]:
    """:param most: months of the sums of invoices, the newest; no older one can be among the newest of all"""
    found: dict[str, dict[str, object]] = {}
    key: dict[str, object] = {"client": scope.client, "most": most, **({} if month is None else {"month": str(month)})}
    only = "" if month is None else " AND month = :month"
    with database.session(scope) as connection:
        for query in (_ISSUED, _DRAFTED, _WAITING):
            for row in connection.execute(text(query.format(only=only)), key):
                told = {name: value for name, value in row._mapping.items() if name != "month"}
                found.setdefault(row.month, {}).update(told)
    return [
        Stage(month=BillingMonth.parse(name), **found[name])  # type: ignore[arg-type]
        for name in sorted(found, reverse=True)
    ]


def in_force(database: Database, scope: Scope, month: BillingMonth) -> int:
    """Return how many contracts are in force on a day of a month."""
    query = text(
        "SELECT count(*) FROM eisenergy.contracts c WHERE c.client = :client AND c.valid && daterange(:first, :after)"
    )
    values = {"client": scope.client, "first": month.period.start, "after": month.period.end}
    with database.session(scope) as connection:
        return int(connection.execute(query, values).scalar_one())


def metered(database: Database, scope: Scope, month: BillingMonth, timezone: str) -> Metered:
    """Return whose readings of a month have arrived.

    :param timezone: of the client
    """
    period = month.period
    starts, ends = period.utc(timezone)
    query = text("""
        SELECT count(*) AS contracts, count(*) FILTER (WHERE c.meter IN (
            SELECT unnest(f.meters) FROM eisenergy.source_files f
            WHERE f.client = :client AND f.status = 'loaded' AND f.starts < :ends AND f.ends > :starts
        )) AS with_readings
        FROM eisenergy.contracts c WHERE c.client = :client AND c.valid && daterange(:first, :after)
    """)
    values = {
        "client": scope.client,
        "starts": starts,
        "ends": ends,
        "first": period.start,
        "after": period.end,
    }
    with database.session(scope) as connection:
        row = connection.execute(query, values).one()
    return Metered(contracts=row.contracts, with_readings=row.with_readings)


def newest_readings(database: Database, scope: Scope, timezone: str) -> BillingMonth | None:
    """Return the newest month that any file holds readings of; ``None`` where none came yet."""
    query = text("""
        SELECT max(ends) AT TIME ZONE :zone - interval '1 second' FROM eisenergy.source_files
        WHERE client = :client AND status = 'loaded'
    """)
    with database.session(scope) as connection:
        last = connection.execute(query, {"client": scope.client, "zone": timezone}).scalar()
    return None if last is None else BillingMonth(last.year, last.month)


def health(database: Database, scope: Scope, month: BillingMonth) -> Health:
    """Return what the drafts and invoices of a month say of their readings, to a scope that sees all customers."""
    query = text("""
        SELECT sum(slots) AS slots, sum(estimated) AS estimated, sum(missing) AS missing, sum(customers) AS customers
        FROM (
            SELECT slots, estimated, missing, unsound AS customers FROM eisenergy.month_sums
            WHERE client = :client AND month = :month
            UNION ALL SELECT coalesce(sum((made ->> 'slots')::bigint), 0), coalesce(sum((made ->> 'estimated')::bigint), 0),
                coalesce(sum((made ->> 'missing')::bigint), 0),
                count(*) FILTER (WHERE (made ->> 'estimated')::bigint > 0 OR (made ->> 'missing')::bigint > 0)
            FROM eisenergy.drafts WHERE client = :client AND month = :month
        ) AS bills
    """)
    with database.session(scope) as connection:
        row = connection.execute(query, {"client": scope.client, "month": str(month)}).one()
    return Health(**{name: int(value) for name, value in row._mapping.items()})

"""What other tariffs or another calendar would have cost: months that were billed are priced again, and nothing is kept or changed.

It is the bill's own way: the same readings are checked, filled, measured and priced by the same functions, once with the masters in use and
once with others in their place. What was billed is taken as it was billed: the contract as it stood, the state of the readings, the
corrections it carried. So the difference is what the other masters make, and nothing else.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from decimal import Decimal
from typing import Final

from eisenergy.accounts import Scope
from eisenergy.billing.batch import Entry, price
from eisenergy.billing.codec import prices_in_force
from eisenergy.billing.corrections import Correction
from eisenergy.desk.batch import draft_all
from eisenergy.desk.masters import Masters
from eisenergy.desk.workspace import Workspace
from eisenergy.findings import Finding, Severity
from eisenergy.period import BillingMonth, Period
from eisenergy.store import billed_terms
from eisenergy.store.billed_terms import Terms
from eisenergy.store.proposals import Effect
from eisenergy.store.roster import Listed, roster
from eisenergy.store.states import states, touched
from eisenergy.tariffs.model import Tariff
from eisenergy.timeofuse import DayCalendar

MONTHS: Final = 3
Rules = Mapping[str, tuple[Tariff, DayCalendar]]
"""Name of a tariff -> the tariff and its calendar."""
_Priced = tuple[Decimal | None, str]
"""A total, or why there is none."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Question:
    """What is to be compared; all name the same tariffs.

    :param before: as they are in use
    :param after: as they would be throughout the months
    :param dated: as they would be from their first day on
    """

    before: Rules
    after: Rules
    dated: Rules


@dataclass(slots=True)
class _Case:
    """A contract's month."""

    contract: Listed
    name: str
    lake_version: int
    terms: Terms | None = None
    corrections: tuple[Correction, ...] = ()
    problem: str = ""


def cases(workspace: Workspace, scope: Scope, question: Question) -> dict[BillingMonth, int]:
    """Return how many contracts each of the last billed months has that the question is about, oldest first; empty without any bill."""
    common = Masters.read(workspace, scope, {})
    months = billed_terms.months(workspace.database, scope, MONTHS)
    return {month: len(_cases(common, question, month)) for month in months}


def effects(
    workspace: Workspace, scope: Scope, question: Question, month: BillingMonth, step: Callable[[str], None]
) -> tuple[Effect, ...]:
    """Return what the question comes to for every contract of a month, in order of contract numbers.

    :param step: called with each contract's number when it is done
    :raises NotStored: for an unknown client
    """
    common = Masters.read(workspace, scope, {})
    found: dict[str, Effect] = {}
    groups: dict[int, list[_Case]] = defaultdict(list)
    found_cases = _cases(common, question, month)
    for case in found_cases:
        if case.problem:
            found[case.contract.number] = _effect(case, month, {}, {}, {})
            step(f"{case.contract.number} {month}")
        else:
            groups[case.lake_version].append(case)
    for version, group in groups.items():
        try:
            compared = _compared(common, question, month, version, group)
        except LookupError:  # that state of the readings is no longer kept: the newest is what there is
            compared = _compared(common, question, month, common.lake_version, group)
        for effect in compared:
            found[effect.contract] = effect
            step(f"{effect.contract} {month}")
    return tuple(found[number] for number in sorted(found))


def _cases(common: Masters, question: Question, month: BillingMonth) -> list[_Case]:
    """The contracts of a month: as they were billed, or as they stand where they were not and take energy."""
    database, scope = common.workspace.database, common.scope
    billed = {one.contract.number: one for one in billed_terms.terms(database, scope, month)}
    result = []
    for one in billed.values():
        if one.contract.tariff in question.before:
            version = common.lake_version if one.lake_version is None else one.lake_version
            result.append(_Case(one.contract, one.customer_name, version, one, one.corrections))
    others = [
        (entry, entry.contract().customer.name)
        for entry in roster(database, scope)
        if entry.number not in billed and entry.tariff in question.before and _supplied(entry, month.period)
    ]
    span = month.period.utc(common.client.timezone)
    standing = states(
        common.workspace.lake, scope, [entry.meter for entry, _ in others], *span, version=common.lake_version
    )
    for entry, name in others:
        case = _Case(entry, name, common.lake_version)
        if not touched(standing[entry.meter], *span):  # nothing to price: the readings are not looked for once more
            case.problem = f"contract {entry.number}: no reading of meter {entry.meter} in {month}. Ingest the meter's file of that month."
        result.append(case)
    return result


def _supplied(entry: Listed, period: Period) -> bool:
    return entry.start < period.end and (entry.end is None or entry.end > period.start)


def _compared(
    common: Masters,
    question: Question,
    month: BillingMonth,
    version: int,
    group: Sequence[_Case],
) -> list[Effect]:
    """Price cases that were made from one state of the readings, each way that differs from the ways before it."""
    period = month.period
    before = _priced(common, version, question.before, month, group)
    after = before
    if _differ(question.before, question.after, period):
        after = _priced(common, version, question.after, month, group)
    dated = before
    if not _differ(question.after, question.dated, period):
        dated = after
    elif _differ(question.before, question.dated, period):
        dated = _priced(common, version, question.dated, month, group)
    return [_effect(case, month, before, after, dated) for case in group]


def _effect(
    case: _Case,
    month: BillingMonth,
    before: Mapping[str, _Priced],
    after: Mapping[str, _Priced],
    dated: Mapping[str, _Priced],
) -> Effect:
    number, terms = case.contract.number, case.terms
    nothing: _Priced = (None, case.problem)
    (was, why), (would, why_not) = before.get(number, nothing), after.get(number, nothing)
    from_then, _ = dated.get(number, nothing)
    return Effect(
        contract=number,
        customer=case.contract.customer,
        name=case.name,
        month=month,
        number=None if terms is None else terms.number,
        billed=None if terms is None or terms.number is None else terms.total,
        before=was,
        after=would,
        dated=from_then,
        problem=why or why_not,
    )


def _differ(one: Rules, other: Rules, period: Period) -> bool:
    """Whether two sets of rules may give different bills in a period."""
    for name, (tariff, calendar) in one.items():
        there, hours = other[name]
        if calendar.version != hours.version or tariff.rules != there.rules:
            return True
        # How a period is cut at dates matters, too: a rate that changes inside it is weighted by days.
        if tariff.version != there.version and prices_in_force(tariff, period) != prices_in_force(there, period):
            return True
    return False


def _priced(
    common: Masters, version: int, rules: Rules, month: BillingMonth, group: Iterable[_Case]
) -> dict[str, _Priced]:
    """Return number of each case's contract -> its month's total, priced as the month's bills are."""
    masters = common.instead(version, rules)
    every = {case.contract.number: case for case in group}

    from eisenergy.desk.whole import whole_months  # here: what is compiled takes half a second to load

    def corrections(number: str) -> tuple[Correction, ...]:
        return every[number].corrections

    result: dict[str, _Priced] = {}
    contracts = [case.contract for case in every.values()]
    for batch in whole_months(masters, contracts, month, corrections, lambda _: ""):
        for one in price(batch):
            result[one.contract] = (one.total, "") if isinstance(one, Entry) else (None, one.finding.message)
    left = [entry.contract() for entry in contracts if entry.number not in result]
    for contract, drafted in draft_all(masters, left, month, lambda one: corrections(one.number)):
        total = None if drafted.bill is None else drafted.bill.total
        result[contract.number] = (total, "" if total is not None else _why(drafted.findings))
    return result


def _why(findings: Iterable[Finding]) -> str:
    return " ".join(finding.message for finding in findings if finding.severity is Severity.BLOCKING)


def with_tariff(rules: Rules, tariff: Tariff) -> Rules:
    """Return rules with one tariff in place of the one of its name."""
    return {name: (tariff if name == tariff.name else one, hours) for name, (one, hours) in rules.items()}


def with_calendar(rules: Rules, calendar: DayCalendar) -> Rules:
    """Return rules with one calendar in place of all."""
    return {name: (replace(tariff, calendar=calendar.name), calendar) for name, (tariff, _) in rules.items()}

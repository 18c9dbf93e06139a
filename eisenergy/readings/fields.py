"""Which column is used for which field: by its header, and by its figures where the header leaves a choice."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from eisenergy.contents import UnreadableFile
from eisenergy.findings import Finding, blocking, warning
from eisenergy.readings import registers
from eisenergy.readings.columns import NUMBERS, Role
from eisenergy.readings.model import RawTable
from eisenergy.readings.registers import Figures


@dataclass(slots=True)
class Fields:
    """The columns of one table by what they are used for.

    :param columns: field -> column
    :param reasons: column -> why
    :param findings: what was noticed while choosing
    """

    columns: dict[str, int] = field(default_factory=dict)
    reasons: dict[int, str] = field(default_factory=dict)
    findings: list[Finding] = field(default_factory=list)

    def take(self, name: str, column: int, why: str) -> None:
        """Use a column for a field."""
        self.columns[name] = column
        self.reasons[column] = why


def choose(
    roles: Sequence[Role | None],
    block: Sequence[int],
    figures: Mapping[int, Figures],
    table: RawTable,
    meter: str,
    kwh_from: str | None,
) -> Fields:
    """Choose the columns of the measured fields.

    :param block: the table's columns
    :param figures: column -> figures, in the order of time
    :param kwh_from: what a mapping derives energy from: ``kw`` or ``register_kwh``
    :raises UnreadableFile: when energy would have to be derived and no mapping says so
    """
    result = Fields()
    by_field: dict[str, list[int]] = {}
    for column in block:
        role = roles[column]
        if role is not None and role.field in NUMBERS:
            by_field.setdefault(role.field, []).append(column)
    _energy(by_field.pop("kwh_import", []), roles, figures, table, meter, result)
    for name in ("kwh_export", "kvarh"):
        _interval_of(name, by_field.pop(name, []), roles, figures, table, meter, result)
    for name, candidates in by_field.items():
        _first(name, candidates, roles, figures, table, meter, result)
    _derived(result, table, kwh_from)
    return result


def _why(role: Role | None) -> str:
    return role.why if role is not None else ""


def _energy(
    candidates: list[int],
    roles: Sequence[Role | None],
    figures: Mapping[int, Figures],
    table: RawTable,
    meter: str,
    result: Fields,
) -> None:
    """Part the columns of energy taken into the interval's and the register's."""

    def nature(column: int) -> str | None:
        role = roles[column]
        return role.nature if role is not None else None

    interval = [column for column in candidates if nature(column) == "interval"]
    cumulative = [column for column in candidates if nature(column) == "cumulative"]
    unsaid = [column for column in candidates if nature(column) is None]
    proofs: dict[int, str] = {}
    for left in list(interval):
        right = next((column for column in cumulative if registers.differs_by(figures[left], figures[column])), None)
        if right is not None and not registers.differs_by(figures[right], figures[left]):
            interval[interval.index(left)], cumulative[cumulative.index(right)] = right, left
            result.findings.append(
                warning(
                    "columns-swapped",
                    meter,
                    f"{table.place}: the column {table.label(left)!r} is the running sum of {table.label(right)!r}, whatever their "
                    "names say; each was used for what it is.",
                )
            )
    for column in unsaid:
        others = [other for other in candidates if other != column]
        partner = next((other for other in others if registers.differs_by(figures[column], figures[other])), None)
        if partner is not None:
            cumulative.append(column)
            proofs[column] = f"its differences are the values of {table.label(partner)!r}"
        elif registers.is_register(figures[column]):
            cumulative.append(column)
            proofs[column] = "it only grows, in steps small beside it: a register"
        elif interval and registers.grows(figures[column]):
            cumulative.append(column)
            proofs[column] = f"it stands beside {table.label(interval[0])!r} and only grows: a register"
        elif interval and registers.stands_high(figures[column], figures[interval[0]]):
            cumulative.append(column)
            proofs[column] = (
                f"it stands high above {table.label(interval[0])!r} and nearly always grows: a register, disturbed"
            )
        else:
            interval.append(column)
    if len(interval) > 1 and not all(registers.same(figures[interval[0]], figures[other]) for other in interval[1:]):
        names = " and ".join(repr(table.label(column)) for column in interval)
        result.findings.append(
            blocking(
                "two-energy-columns",
                meter,
                f"{table.place}: the columns {names} could both be the interval's energy, and their figures differ. "
                "Expected one. Say in a mapping (columns) which is kwh_import, and ignore the other.",
            )
        )
    if interval:
        result.take("kwh_import", interval[0], proofs.get(interval[0], _why(roles[interval[0]])))
    if cumulative:
        result.take("register_kwh", cumulative[0], proofs.get(cumulative[0], _why(roles[cumulative[0]])))


def _interval_of(
    name: str,
    candidates: list[int],
    roles: Sequence[Role | None],
    figures: Mapping[int, Figures],
    table: RawTable,
    meter: str,
    result: Fields,
) -> None:
    """Use the interval's column and leave the register's, which has no field of its own, to the unknown ones."""
    said = [column for column in candidates if (role := roles[column]) is not None and role.nature == "interval"]
    open_ = [column for column in candidates if (role := roles[column]) is not None and role.nature is None]
    if not said:
        said = [column for column in open_ if not registers.is_register(figures[column])]
        others = [c for c in said if any(registers.differs_by(figures[c], figures[o]) for o in said if o != c)]
        said = [column for column in said if column not in others]
    _first(name, said, roles, figures, table, meter, result)


def _first(
    name: str,
    candidates: list[int],
    roles: Sequence[Role | None],
    figures: Mapping[int, Figures],
    table: RawTable,
    meter: str,
    result: Fields,
) -> None:
    if not candidates:
        return
    first, *rest = candidates
    result.take(name, first, _why(roles[first]))
    for other in rest:
        if not registers.same(figures[first], figures[other]):
            result.findings.append(
                blocking(
                    "column-twice",
                    meter,
                    f"{table.place}: the columns {table.label(first)!r} and {table.label(other)!r} both go by {name}, and their figures "
                    f"differ. Expected one. Say in a mapping (columns) which is {name}, and ignore the other.",
                )
            )
            return


def _derived(result: Fields, table: RawTable, kwh_from: str | None) -> None:
    """Refuse to take power or a register for energy, unless the mapping says how."""
    have = result.columns
    if "kwh_import" in have or (kwh_from is not None and kwh_from in have):
        return
    for name, what, how in (
        ("register_kwh", "only grows: it is a register, not the energy of an interval", "the differences of"),
        ("kw", "is mean power, not energy", "the mean power in"),
    ):
        if name in have and "kwh_export" not in have:
            raise UnreadableFile(
                f"{table.place}: no column holds the energy of each interval; {table.label(have[name])!r} {what}. "
                f"Expected a kWh column. If energy is to be made of {how} that column, say kwh_from: {name} in a mapping."
            )

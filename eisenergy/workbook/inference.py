"""Roles from structure: what a formula reads says what it is, and what it still lacks says what its one unknown input is."""

from __future__ import annotations

from eisenergy.workbook import roles
from eisenergy.workbook.signatures import OPTIONAL, READS
from eisenergy.workbook.things import Thing, Understanding


def by_structure(result: Understanding) -> None:
    """Go on until nothing new is found."""
    while _computed(result) or _completed(result):
        pass


def _computed(result: Understanding) -> bool:
    """Give a formula without a role the role that reads just what it reads."""
    read = {one for thing in result.things for one in thing.reads}
    # of two that read the same the one that something reads is the bill's
    for thing in sorted(result.things, key=lambda one: one not in read):
        if thing.role or not thing.formulas:
            continue
        known = {one.role for one in thing.main}
        if not known or "" in known:
            continue
        fitting = [
            role
            for role, alternatives in READS.items()
            if any(known | OPTIONAL == needed | OPTIONAL for needed in alternatives) and _may(result, thing, role)
        ]
        if len(fitting) == 1:
            thing.role = fitting[0]
            return True
    return False


def _completed(result: Understanding) -> bool:
    """Give the one thing without a role that a formula of known meaning reads the one role that it still lacks."""
    for thing in result.things:
        if thing.role not in READS:
            continue
        unknown = [one for one in thing.main if not one.role]
        if len(unknown) != 1:
            continue
        known = {one.role for one in thing.main if one.role}
        for needed in READS[thing.role]:
            lacking = needed - known - OPTIONAL
            if (
                known - OPTIONAL <= needed
                and len(lacking) == 1
                and _may(result, unknown[0], role := next(iter(lacking)))
                and not _computed_from_elsewhere(unknown[0], role)
            ):
                unknown[0].role = role
                return True
    return False


def _computed_from_elsewhere(thing: Thing, role: str) -> bool:
    """Whether a role that is an input would go to a formula that reads other tables, such as a helper column."""
    place = role.partition(".")[0]
    return role not in READS and any(one.role and one.role.partition(".")[0] != place for one in thing.main)


def _may(result: Understanding, thing: Thing, role: str) -> bool:
    """Whether a role is free, and belongs where the thing is."""
    if role == "day.demand":
        return thing.table is not None and thing.context == roles.DAYS
    if any(one.role == role for one in result.things):
        return False
    place = role.partition(".")[0]
    if place in ("param", "line"):
        return thing.table is None
    if place == "total":
        return thing.context == "total" or thing.table is None
    return thing.table is not None and thing.context in (place, "")

"""Who computes a workbook's formulas, and what comes out."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from importlib import metadata

from eisenergy.sheets import cell
from eisenergy.workbook import office
from eisenergy.workbook.book import Key
from eisenergy.workbook.model import Value


@dataclass(frozen=True, slots=True, kw_only=True)
class Evaluated:
    """What formulas give.

    :param values: formula cell -> value, dates as serial numbers; a cell that could not be computed is not in it
    :param by: who computed, with versions
    :param absent: formula cell that is not in ``values`` -> why, as a sentence
    :param distrusted: (sheet, pattern) of formulas that the engine was seen to compute wrongly
    """

    values: Mapping[Key, Value]
    by: tuple[str, ...] = ()
    absent: Mapping[Key, str] = field(default_factory=dict)
    distrusted: frozenset[tuple[str, str]] = frozenset()


def evaluators() -> tuple[str, ...]:
    """Return the evaluators that are installed, with versions, in the order in which they are asked."""
    return tuple(filter(None, (library("formualizer"), library("formulas"), office.version())))


@lru_cache
def library(name: str) -> str:
    """Return a library's name and version; empty where it is not installed."""
    try:
        return f"{name} {metadata.version(name)}"
    except metadata.PackageNotFoundError:
        return ""


def absence(key: Key, why: str) -> str:
    """Say that a cell is not evaluated. :param why: a clause."""
    return f"{key[0]}!{cell(key[1] - 1, key[2] - 1)} is not evaluated: {why}."

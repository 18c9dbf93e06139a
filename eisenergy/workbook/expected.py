"""What the library expects in a workbook's cells, by what each cell is and what it is about."""

from __future__ import annotations

from collections.abc import Callable, Hashable
from dataclasses import dataclass, field

from eisenergy.findings import Finding
from eisenergy.workbook.model import Value

Key = tuple[str, Hashable]
"""A role and what it is about: a row of the slot table, a block, (minute, kind of day), (day, block), a day or ``None``."""


@dataclass(slots=True, kw_only=True)
class Expected:
    """What every role is, by the library.

    :param values: value by role and subject
    :param words: how one of them came about, in a sentence with numbers
    """

    values: dict[Key, Value] = field(default_factory=dict)
    words: dict[str, Callable[[Hashable], str]] = field(default_factory=dict)
    findings: list[Finding] = field(default_factory=list)

    def derivation(self, role: str, subject: Hashable) -> str:
        """Say how a value came about; empty where nothing is known."""
        tell = self.words.get(role)
        return tell(subject) if tell is not None and (role, subject) in self.values else ""

"""A checked workbook on the desk: what the notebook shows, the analyst's file beside what the check said of it."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from eisenergy.config import Settings
from eisenergy.workbook import check
from eisenergy.workbook.book import Book
from eisenergy.workbook.model import CheckResult


@dataclass(frozen=True, slots=True, kw_only=True)
class CheckedWorkbook:
    """A workbook and the result of its check."""

    book: Book
    result: CheckResult


def open_workbook(workbook: str, tariff: str = "", *, settings: Settings | None = None) -> CheckedWorkbook:
    """Check a workbook.

    :param workbook: its path, from the project's root where it is not absolute
    :param tariff: a price sheet or YAML tariff to bill by; empty for the workbook's own rates
    :param settings: defaults to what the environment says
    :raises UnreadableFile: when one of them cannot be read
    """
    root = (settings or Settings.load()).root

    def placed(name: str) -> Path:
        return root / Path(name).expanduser()

    book, result = check.opened(placed(workbook), tariff=placed(tariff) if tariff else None)
    return CheckedWorkbook(book=book, result=result)

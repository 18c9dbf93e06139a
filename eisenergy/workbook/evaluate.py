"""What a workbook's formulas give, computed by evaluators that know nothing of energy.

The engine (formualizer) computes every formula. Where it disagrees with a cached value, or cannot compute a formula, a second
library (formulas) and then LibreOffice, where it is installed, are asked about that formula.
"""

from __future__ import annotations

import re
from typing import Final

from eisenergy.workbook import office
from eisenergy.workbook.book import Book, Key
from eisenergy.workbook.dispute import settle
from eisenergy.workbook.engine import BY_TEXT, UNKNOWN, Translator, loaded
from eisenergy.workbook.evaluators import Evaluated, absence, evaluators, library
from eisenergy.workbook.formula import references
from eisenergy.workbook.recalculation import recalculate
from eisenergy.workbook.values import same

__all__ = ["Evaluated", "Key", "afresh", "calculated", "evaluators", "locally", "same"]

_VOLATILE: Final = re.compile(r"(?<![\w.])(NOW|TODAY|RAND|RANDBETWEEN|RANDARRAY)\(", re.IGNORECASE)


def locally(book: Book) -> Evaluated:
    """Compute every formula from its own direct inputs as their cached values stand in the file.

    A cached value that is not what its formula gives is so found at its cell, and does not spread to the cells that read it.
    An input formula that has no cached value counts with what a recalculation gives.
    """
    if not _complete(book):
        book = book.filled(afresh(book, Evaluated(values={})).values)
    written, absent = _written(book)
    for key, formula in book.formulas():
        if key in written and any(area.sheet == key[0] and key[1:] in area for area in references(formula, key[0])):
            absent[key] = absence(key, "it refers to itself")
            del written[key]
    by_text = {key: written[key] for key in written if BY_TEXT.search(written[key])}
    rest = {key: formula for key, formula in written.items() if key not in by_text}
    engine, refused = loaded(book, rest, apart=True)
    first = {key: UNKNOWN if key in refused else engine.read(key, apart=True) for key in rest}
    first |= {key: engine.once(key, formula) for key, formula in by_text.items()}
    return settle(book, written, first, absent)


def afresh(book: Book, local: Evaluated | None = None) -> Evaluated:
    """Compute the whole workbook again from its input cells.

    :param local: what :func:`locally` gave for the same book, where it is at hand: it tells which formulas the engine computes
        wrongly
    """
    return recalculate(book, *_written(book), locally(book) if local is None else local)


def calculated(book: Book) -> tuple[Book, str]:
    """Return the book with every formula's missing cached value filled in, by LibreOffice where it is installed.

    A cached value that is there stays, also a stale one.

    :returns: the book, and who calculated, with versions; empty where nothing was missing
    """
    if _complete(book):
        return book, ""
    by = []
    if book.path.is_file() and office.program():
        try:
            other = office.recalculated(book.path)
        except (office.OfficeFailed, ValueError):
            pass
        else:
            book = book.filled({key: other.value(key) for key, _ in book.formulas()})
            by.append(office.version())
    if not _complete(book):
        book = book.filled(afresh(book, Evaluated(values={})).values)
        by.append(library("formualizer"))
    return book, ", ".join(by)


def _complete(book: Book) -> bool:
    return all(book.value(key) is not None for key, _ in book.formulas())


def _written(book: Book) -> tuple[dict[Key, str], dict[Key, str]]:
    """Return the formulas as an engine can compute them, and why the others are not tried."""
    translator = Translator(book)
    written: dict[Key, str] = {}
    absent: dict[Key, str] = {}
    for key, formula in book.formulas():
        why = translator.obstacle(formula, key[0])
        if not why and (found := _VOLATILE.search(formula)):
            why = f"it changes with every calculation ({found[1].upper()})"
        if why:
            absent[key] = absence(key, why)
        else:
            written[key] = translator.write(formula, key[0])
    return written, absent

"""Figures written as text: which sign is the decimal one, and what cannot be read."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import polars as pl

from eisenergy.contents import UnreadableFile
from eisenergy.readings.model import Choice

_GROUPED: Final = {",": r"^[+-]?[1-9]\d{0,2}(,\d{3})+$", ".": r"^[+-]?[1-9]\d{0,2}(\.\d{3})+$"}
_NOTHING: Final = ("", "-", "--", "---", "n/a", "na", "null", "none", "nd", "n/d", "s/d")
_BLANK: Final = sorted({form for text in _NOTHING for form in (text, text.upper(), text.title())})
_AROUND: Final = " \t\r\n\u00a0\u202f'"
SAMPLE_ROWS: Final = 2000
POINTED: Final = (None, ",", "\t")
"""Separators of files whose decimal sign is a point where no figure says otherwise; ``None`` is a spreadsheet's."""

USUAL: Final = "a decimal point is usual in a file of this form; no figure proves otherwise"


def clean(column: pl.Series) -> pl.Series:
    """Strip a text column; what stands for nothing (``-``, ``N/A``) becomes null."""
    text = column.str.strip_chars(_AROUND)
    blank = text.is_in(_BLANK)
    return text.set(blank, None) if blank.any() else text


def cleaned(texts: Sequence[str]) -> list[str | None]:
    """Do as :func:`clean` to a few texts, for which a query would cost more than the work."""
    stripped = (text.strip(_AROUND) for text in texts)
    return [None if text in _BLANK else text for text in stripped]


def decimal_sign(columns: Sequence[pl.Series], separator: str | None, mapped: str | None, place: str) -> Choice:
    """Say which sign the file's figures use, by the figures that can be read in one way only.

    :param columns: cleaned text columns of figures
    :param separator: the text file's separator; ``None`` in a spreadsheet
    :param mapped: the sign a mapping names
    :raises UnreadableFile: when every figure can be read in two ways and nothing decides
    """
    written = [column for column in columns if column.dtype == pl.String]
    if any(len(column) > SAMPLE_ROWS for column in written):  # a long file usually proves its sign at once
        try:
            choice = decimal_sign([column.head(SAMPLE_ROWS) for column in written], separator, None, place)
        except UnreadableFile:
            choice = None
        if choice is not None and "reading" in choice.why:
            return choice
    text = (
        pl.concat([column.alias("x") for column in written]).drop_nulls() if written else pl.Series("x", [], pl.String)
    )
    signed = text.filter(text.str.contains(r"[.,]"))
    if signed.is_empty():
        return Choice(value=".", why="no figure in the text has a decimal sign")
    commas, points = signed.str.contains(",", literal=True), signed.str.contains(".", literal=True)
    both = signed.filter(commas & points)
    if not both.is_empty():
        last = both[0].rfind(",") > both[0].rfind(".")
        return Choice(value="," if last else ".", why=f"{both[0]!r} has both signs, the last is the decimal one")
    only = "," if commas.any() else "."
    if commas.any() and points.any():
        return _mixed(signed, commas, points, mapped, place)
    proof = signed.filter(~signed.str.contains(_GROUPED[only]))
    if not proof.is_empty():
        return Choice(value=only, why=f"{proof[0]!r} has one reading only")
    if mapped is not None:
        return Choice(value=mapped, why="the mapping says so; no figure proves it")
    if only == "." and separator in POINTED:
        return Choice(value=".", why=USUAL)
    figure = signed[0]
    raise UnreadableFile(
        f"{place}: the figures can be read in two ways: {figure!r} is {figure.replace(only, '.', 1)} or "
        f"{figure.replace(only, '')}. Expected one figure that decides. Say decimal: ',' or '.' in a mapping."
    )


def _mixed(signed: pl.Series, commas: pl.Series, points: pl.Series, mapped: str | None, place: str) -> Choice:
    """Some figures have commas, others points: the one that cannot be a thousands sign is the decimal one."""
    loose = {
        sign: signed.filter(has & ~signed.str.contains(_GROUPED[sign])) for sign, has in ((",", commas), (".", points))
    }
    proven = [sign for sign, figures in loose.items() if not figures.is_empty()]
    if len(proven) == 1:
        return Choice(value=proven[0], why=f"{loose[proven[0]][0]!r} has one reading only")
    for sign, other in ((",", "."), (".", ",")):
        if proven and len(loose[other]) <= 0.05 * len(loose[sign]):
            return Choice(
                value=sign, why=f"{len(loose[sign])} figures such as {loose[sign][0]!r} have one reading only"
            )
    if mapped is not None:
        return Choice(value=mapped, why="the mapping says so; the figures do not agree")
    comma, point = signed.filter(commas)[0], signed.filter(points)[0]
    raise UnreadableFile(
        f"{place}: figures with a decimal comma and figures with a decimal point stand in one file ({comma!r}, {point!r}). "
        "Expected one decimal sign. Export the file again, or say decimal: ',' or '.' in a mapping."
    )


def parse(column: pl.Series, decimal: str) -> pl.Series:
    """Read a cleaned text column as figures; what is no finite figure becomes null.

    :param decimal: ``,`` or ``.``; the other sign, spaces and apostrophes part thousands
    """
    if column.dtype != pl.String:
        figures = column.cast(pl.Float64)
    else:
        text = column
        other = "." if decimal == "," else ","
        if text.str.contains(r"[ '\u00a0\u202f]").any():
            text = text.str.replace_all(r"[ '\u00a0\u202f]", "")
        if text.str.contains(other, literal=True).any():
            grouped = rf"^[+-]?\d{{1,3}}(\{other}\d{{3}})+(\{decimal}\d*)?$"
            text = (
                text.to_frame("x")
                .select(
                    pl.when(~pl.col("x").str.contains(other, literal=True))
                    .then("x")
                    .when(pl.col("x").str.contains(grouped))
                    .then(pl.col("x").str.replace_all(other, "", literal=True))
                )
                .to_series()
            )
        if decimal == ",":
            text = text.str.replace(",", ".", literal=True)
        figures = text.cast(pl.Float64, strict=False)
    return figures if figures.is_finite().all() else figures.set(~figures.is_finite().fill_null(False), None)

"""How an exported workbook is written and what it looks like: cells by kind, styles, and formulas' small parts.

Rows and columns count from 1, as the spreadsheet counts them. Texts are only ever written as strings, never parsed: a customer
whose name begins with ``=`` stays a name.
"""

from __future__ import annotations

import re
from collections.abc import Collection
from datetime import date, datetime, time
from decimal import Decimal
from typing import Any, Final

from xlsxwriter.format import Format
from xlsxwriter.workbook import Workbook
from xlsxwriter.worksheet import Worksheet

from eisenergy.money import EXACT as PRECISE
from eisenergy.money import difference, excel_round, product
from eisenergy.sheets import cell

INK: Final = "#16202B"
MUTED: Final = "#5A6675"
RULE: Final = "#C3CCD6"
PANEL: Final = "#EEF2F6"
BRAND: Final = "#0B3C5D"
INPUT: Final = "#0000CC"  # the spreadsheet modeller's convention: inputs are blue, formulas black
ESTIMATED: Final = "#FCE4C8"
TOTAL: Final = "#DCE9F2"

DAY: Final = "yyyy\\-mm\\-dd"
CLOCK: Final = "hh:mm"
MOMENT: Final = "yyyy\\-mm\\-dd\\ hh:mm"
MONEY: Final = "#,##0.00"
EXACT: Final = '#,##0.000000;\\-#,##0.000000;"–"'
RATE: Final = '0.000000##;\\-0.000000##;"–"'
SHARE: Final = "0.00##%"

LONGEST: Final = 32_767
"""Signs a cell can hold."""
_EPOCH: Final = date(1899, 12, 30)
_NAME_LENGTH: Final = 31
_CONTROL: Final = re.compile(r"[\x00-\x1f\x7f]")
_SPECIAL: Final = re.compile(r"[*?~]|^[<>=]")
_NUMBER: Final = re.compile(r"[\d\s.,:/%+-]*\d[\d\s.,:/%+\-E]*|TRUE|FALSE|VERDADERO|FALSO", re.IGNORECASE)


_FUNCTION: Final = re.compile(r"[A-Za-z0-9_.]+(?=\()")
_PLAIN: Final = frozenset(
    {"IF", "OR", "AND", "MAX", "MIN", "SUM", "ROUND", "SUMIFS", "COUNTIFS", "COUNT", "LOOKUP", "VLOOKUP", "INDEX", "MATCH", "TRUNC",
     "HOUR", "MINUTE", "INT", "MOD", "WEEKDAY", "DATE", "YEAR", "MONTH", "DAY", "SUMPRODUCT", "IFERROR", "ABS"}
)  # fmt: skip
"""Functions that files name as people do; XlsxWriter looks for thirty others in every formula, which takes longer than writing it."""


class Sheet(Worksheet):  # type: ignore[misc]  # XlsxWriter tells no types
    """XlsxWriter's sheet, which takes formulas of known functions as they are."""

    def _prepare_formula(self, formula: str, expand_future_functions: bool = False) -> str:
        if formula.startswith("=") and not formula.endswith("}") and _PLAIN.issuperset(_FUNCTION.findall(formula)):
            return formula[1:]
        prepared: str = super()._prepare_formula(formula, expand_future_functions)
        return prepared


class Page:
    """A sheet that is being written.

    :param ink: styles shared by the workbook's sheets
    """

    def __init__(self, sheet: Worksheet, ink: Ink) -> None:
        self.sheet = sheet
        self.name: str = sheet.get_name()
        self._ink = ink

    def text(self, row: int, column: int, value: str, **style: Any) -> None:
        """Write a text as a text; what a spreadsheet program could take for a formula when it is edited stays one, too."""
        shown = _CONTROL.sub(" ", value)[:LONGEST]
        # XlsxWriter passes such a text on as ready-made XML
        if shown.startswith("<r>") and shown.endswith("</r>"):
            shown += " "
        if shown.lstrip().startswith(("=", "+", "-", "@")):
            style["quote_prefix"] = True
        self.sheet.write_string(row - 1, column - 1, shown, self._ink(**style))

    def number(self, row: int, column: int, value: float | Decimal, **style: Any) -> None:
        """Write an input number."""
        self.sheet.write_number(row - 1, column - 1, float(value), self._ink(**style))

    def day(self, row: int, column: int, value: date, **style: Any) -> None:
        """Write a date."""
        self.number(row, column, serial(value), **({"num_format": DAY} | style))

    def clock(self, row: int, column: int, value: time, **style: Any) -> None:
        """Write a time of day."""
        self.number(row, column, (value.hour * 60 + value.minute) / 1440, **({"num_format": CLOCK} | style))

    def formula(self, row: int, column: int, formula: str, value: float | Decimal | str, **style: Any) -> None:
        """Write a formula with the value it gives, so that what does not calculate shows it.

        :param formula: with ``=``
        """
        cached = value if isinstance(value, str) else float(value)
        self.sheet.write_formula(row - 1, column - 1, formula, self._ink(**style), cached)

    def blank(self, row: int, column: int, **style: Any) -> None:
        """Give an empty cell a style."""
        self.sheet.write_blank(row - 1, column - 1, None, self._ink(**style))

    def headers(self, row: int, column: int, texts: Collection[str], **style: Any) -> None:
        """Write a row of a table's headers."""
        look = {"bold": True, "font_color": "#FFFFFF", "bg_color": BRAND, "text_wrap": True, "valign": "vcenter"}
        for offset, text in enumerate(texts):
            self.text(row, column + offset, text, **(look | {"align": "center", "border": 1} | style))

    def table(self, row: int, last: int, texts: Collection[str], name: str) -> None:
        """Make a table with headers of the rows down to ``last``: its headers stay in sight, and it can be filtered."""
        area = (row - 1, 0, last - 1, len(texts) - 1)
        columns = [{"header": text} for text in texts]
        self.sheet.add_table(
            *area, {"name": name, "columns": columns, "style": "Table Style Light 1", "banded_rows": False}
        )
        self.headers(row, 1, texts)

    def chart(self, row: int, column: int, title: str, cells: tuple[str, str]) -> None:
        """Draw a column of numbers against a column of dates, with its upper left corner in a cell.

        :param cells: dates and numbers, an interval each, as formulas name them
        """
        dates, values = (f"={quoted(self.name)}!{area}" for area in cells)
        day = 96  # intervals
        font = {"name": "Arial", "size": 8, "color": MUTED}
        chart = self._ink.workbook.add_chart({"type": "line"})
        chart.add_series({"categories": dates, "values": values, "line": {"color": BRAND, "width": 0.75}})
        chart.set_title({"name": title, "overlay": False, "name_font": {"name": "Arial", "size": 9, "color": INK}})
        chart.set_x_axis(
            {"num_format": "d", "interval_unit": 2 * day, "interval_tick": day, "num_font": font, "text_axis": True}
        )
        chart.set_y_axis(
            {
                "num_font": font,
                "major_gridlines": {"visible": True, "line": {"color": RULE, "width": 0.5}},
                "line": {"none": True},
            }
        )
        chart.set_legend({"none": True})
        chart.set_chartarea({"border": {"color": RULE}})
        chart.set_size({"width": 760, "height": 330})
        self.sheet.insert_chart(row - 1, column - 1, chart)

    def paper(self, text: str) -> None:
        """Print on letter paper as wide as the sheet, with a text and the page's number below every page."""
        self.sheet.set_landscape()
        self.sheet.set_paper(1)  # letter, as in El Salvador
        self.sheet.fit_to_pages(1, 0)
        self.sheet.set_margins(left=0.4, right=0.4, top=0.6, bottom=0.6)
        shown = text.replace("&", "&&")[:100]
        self.sheet.set_footer(f"&L&8{shown}&C&8{self.name.replace('&', '&&')}&R&8&P / &N")

    def widths(self, *widths: float, first: int = 1) -> None:
        """Set the widths of columns beside one another [characters]."""
        for offset, width in enumerate(widths):
            self.sheet.set_column(first - 1 + offset, first - 1 + offset, width)


class Ink:
    """The workbook's cell styles, each made once."""

    def __init__(self, workbook: Workbook) -> None:
        self.workbook = workbook
        self._made: dict[tuple[tuple[str, Any], ...], Format] = {}

    def __call__(self, **style: Any) -> Format:
        """Return a style: XlsxWriter's properties, on top of the workbook's font."""
        key = tuple(sorted(style.items()))
        if key not in self._made:
            quoted = style.pop("quote_prefix", False)
            properties = {"font_name": "Arial", "font_size": 9, "font_color": INK, "border_color": RULE} | style
            made = self.workbook.add_format(properties)
            if quoted:
                made.set_quote_prefix()
            self._made[key] = made
        return self._made[key]


def serial(value: date | datetime) -> float:
    """Return the number a spreadsheet keeps a date or a local time as."""
    if isinstance(value, datetime):
        return (value.date() - _EPOCH).days + (value.hour * 3600 + value.minute * 60 + value.second) / 86_400
    return float((value - _EPOCH).days)


def ref(row: int, column: int, *, rows: bool = False, columns: bool = False) -> str:
    """Name a cell; ``rows`` and ``columns`` fix it with ``$``."""
    name = cell(row - 1, column - 1)
    letters = name.rstrip("0123456789")
    return f"{'$' if columns else ''}{letters}{'$' if rows else ''}{row}"


def fixed(row: int, column: int, last: int | None = None, *, sheet: str = "") -> str:
    """Name a cell, or the cells down to row ``last``, with ``$`` throughout."""
    here = ref(row, column, rows=True, columns=True)
    area = here if last is None else f"{here}:{ref(last, column, rows=True, columns=True)}"
    return f"{quoted(sheet)}!{area}" if sheet else area


def quoted(sheet: str) -> str:
    """Return a sheet's name as formulas write it."""
    if re.fullmatch(r"[A-Za-z_][A-Za-z_]*", sheet):
        return sheet
    return "'" + sheet.replace("'", "''") + "'"


def literal(text: str) -> str:
    """Return a text as formulas write it."""
    return '"' + text.replace('"', '""') + '"'


def comparable(text: str) -> bool:
    """Say whether SUMIFS takes a text as it is: not as a pattern, a comparison or a number."""
    return bool(text) and not _SPECIAL.search(text) and not _NUMBER.fullmatch(text)


def rounded(expression: str, exact: Decimal) -> str:
    """Return ``ROUND(expression, 2)``, safe on half a cent.

    :param exact: what the expression comes to; where that is half a cent, the noise of binary sums could tip it either way, so
        it is first rounded to a place that noise does not reach
    """
    whole = len(str(int(exact.copy_abs())))
    places = max(3, min(8, 12 - whole))
    cents = PRECISE.remainder(product(exact, Decimal(100)).copy_abs(), Decimal(1))
    close = difference(cents, Decimal("0.5")).copy_abs() < product(max(exact.copy_abs(), Decimal(1)), Decimal("1e-9"))
    if close and excel_round(excel_round(exact, places)) == excel_round(exact):
        expression = f"ROUND({expression},{places})"
    return f"ROUND({expression},2)"


def sheet_name(node: str, serial_number: str, taken: Collection[str] = ()) -> str:
    """Return the meter sheet's name, ``Nodo Ateos 5614086``: at most 31 signs, none of those a name may not hold.

    :param taken: names of the other sheets
    """
    plain = [" ".join(re.sub(r"[^\w .()-]+", " ", part).split()).strip("-. ") for part in (node, serial_number)]
    number = plain[1][-20:]
    room = _NAME_LENGTH - len("Nodo  ") - len(number)
    name = " ".join(f"Nodo {plain[0][:room]} {number}".split()).strip("' ")
    return name if name.casefold() not in {one.casefold() for one in taken} else f"{name[:-1]}_"

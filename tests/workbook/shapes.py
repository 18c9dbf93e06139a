"""The reference workbook in other shapes: moved, renamed, reordered, written otherwise; every amount is right in all of them.

Cells are written with a sheet's initial, as in ``mutants``.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, time, timedelta

from books import BLOCKS, DAY, FIRST, HOURS, LAST, METER, RATES, Formula, Workbook, filled, name, reference, spot
from mutants import Edit, change, fill, put, september, steps, where, write

MATRIX = [f"{column}{row}" for row in (11, 12, 13) for column in "BCDEFGH"]


@dataclass(frozen=True, kw_only=True)
class Shape:
    """One harmless change.

    :param calculated: whether ``formualizer`` calculates it; otherwise the cached values stay, which LibreOffice confirms
    :param total: the amount to pay it shows
    :param extra: how many of its formulas are the analyst's own and no part of a bill
    """

    name: str
    story: str
    edit: Edit
    calculated: bool = True
    total: float | None = 12989.48
    extra: int = 0
    base: Callable[[], Workbook] = reference

    def make(self) -> Workbook:
        book = self.base()
        self.edit(book)
        if self.calculated:
            book.calculate()
        return book


def at_total(book: Workbook) -> float:
    """What the workbook shows right of its total's label."""
    for sheet in book.sheets.values():
        for (row, column), content in sheet.contents.items():
            if isinstance(content, str) and content.lower().startswith(("total a pagar", "total due")):
                found = sheet.contents.get((row, column + 1))
                if isinstance(found, Formula):
                    return float(sheet.cached[(row, column + 1)])
    raise AssertionError("no total")


def headers(row: int, texts: str, start: str = "A") -> Edit:
    """Write headers over those that are there, ``|`` between them; an empty one stays."""

    def edit(book: Workbook) -> None:
        for at, text in enumerate(texts.split("|")):
            if text.strip():
                book.put(METER, name(row, spot(f"{start}1")[1] + at), text if text.strip() != "-" else None)

    return edit


def labels(**texts: str) -> Edit:
    return steps(*(put(f"M!{cell}", text) for cell, text in texts.items()))


def moved(cells: str, *, rows: int = 0, columns: int = 0, onto: str = "") -> Edit:
    sheet, local = where(cells)
    return lambda book: book.move(sheet, local, rows=rows, columns=columns, onto=onto)


def inserted(initial: str, *, row: int = 0, column: int = 0, count: int = 1) -> Edit:
    sheet, _ = where(f"{initial}!A1")
    return lambda book: book.insert(sheet, row=row, column=column, count=count)


def renamed(**sheets: str) -> Edit:
    def edit(book: Workbook) -> None:
        for initial, new in sheets.items():
            book.rename(where(f"{initial}!A1")[0], new)

    return edit


def columns(order: str, rows: tuple[int, int]) -> Edit:
    return lambda book: book.arrange_columns(METER, order, rows=rows)


def bill_on_its_own_sheet(book: Workbook) -> None:
    book.move(METER, "A1:H26", onto="Factura")
    book.delete_rows(METER, 1, 29)


def notes_between(book: Workbook) -> None:
    book.insert(METER, column=6)
    book.put(METER, "F30", "Notas")
    for row, text in ((40, "revisar"), (41, "=ojo"), (700, "paro de planta")):
        book.sheets[METER].contents[(row, 6)] = text


def own_column_between(book: Workbook) -> None:
    book.insert(METER, column=5)
    book.put(METER, "E30", "kW medio")
    write("M!E31:E2910", "=C{row}*4")(book)


def own_columns_right(book: Workbook) -> None:
    steps(put("M!S30", "Diferencia"), put("M!T30", "Acumulado"))(book)
    write("M!S31:S2910", "=C{row}-I{row}")(book)
    write("M!T31:T2910", "=SUM($C$31:C{row})")(book)


def totals_below(book: Workbook) -> None:
    book.put(METER, "A2912", "Totales")
    for column in "CKMOR":
        book.put(METER, f"{column}2912", f"=SUM({column}31:{column}2910)")


def last_month_beside(book: Workbook) -> None:
    """August's matrix and lines as values, with the same words, right of the month's."""
    book.put(METER, "K9", "Mes anterior (agosto 2021)")
    for row in (*range(10, 15), *range(16, 27)):
        for column in range(1, 9):
            value = book.value(METER, name(row, column))
            if value is not None:
                book.put(METER, name(row, column + 10), value * 0.93 if isinstance(value, float) else value)


def by_date(book: Workbook) -> None:
    book.sort(RATES, "A2:D10", key=lambda row: row[1], reverse=True)


def by_block(book: Workbook) -> None:
    book.sort(RATES, "A2:D10", key=lambda row: (row[0], row[1]))


def other_block_names(book: Workbook) -> None:
    names = {"VALLE": "BAJA", "RESTO": "MEDIA", "PUNTA": "ALTA"}
    for title, sheet in book.sheets.items():
        for place, content in list(sheet.contents.items()):
            if isinstance(content, Formula):
                for old, new in names.items():
                    content = Formula(content.replace(f'"{old}"', f'"{new}"'))
                sheet.contents[place] = content
            elif isinstance(content, str):
                for old, new in names.items():
                    content = content.replace(old, new)
                sheet.contents[place] = content
        assert title


def august(book: Workbook) -> None:
    """A month of 31 days: 96 rows more, at the end."""
    book.insert(METER, row=LAST, count=96)
    for column in range(1, 19):
        for row in range(LAST, LAST + 96):
            source = book[METER, name(row - 96, column)]
            content = filled(source, 96) if isinstance(source, Formula) else source
            book.put(METER, name(row, column), content, form=book.sheets[METER].formats.get((row - 96, column), ""))
    book.put(METER, "C3006", 3.01)
    book.put(METER, "D3006", 12.04)
    for row in range(FIRST, LAST + 97):
        book.put(METER, f"A{row}", datetime(2021, 8, 1) + timedelta(days=(row - FIRST) // 96), form=DAY)  # noqa: DTZ001
        minutes = (row - FIRST) % 96 * 15
        book.put(METER, f"B{row}", time(minutes // 60, minutes % 60), form="hh:mm")
    book.put(METER, "B5", datetime(2021, 8, 1), form=DAY)  # noqa: DTZ001
    for row in range(2, 33):
        book.put(RATES, f"F{row}", datetime(2021, 8, 1) + timedelta(days=row - 2), form=DAY)  # noqa: DTZ001
    fill("T!G31", "G32:G32")(book)
    fill("T!H31", "H32:H32")(book)
    fill("T!I31", "I32:I32")(book)


def half_hours(book: Workbook) -> None:
    """1,440 slots of half an hour."""
    read = {row: [book[METER, f"{column}{row}"] for column in "CDEFI"] for row in range(FIRST, LAST + 1)}
    book.delete_rows(METER, FIRST + 1440, 1440)
    for at in range(1440):
        one, two = read[FIRST + 2 * at], read[FIRST + 2 * at + 1]
        row = FIRST + at
        book.put(METER, f"A{row}", datetime(2021, 9, 1) + timedelta(days=at // 48), form=DAY)  # noqa: DTZ001
        book.put(METER, f"B{row}", time(at % 48 // 2, at % 2 * 30), form="hh:mm")
        for column, a, b in zip("CDEFI", one, two, strict=True):
            assert isinstance(a, int | float)
            assert isinstance(b, int | float)
            book.put(METER, f"{column}{row}", round(a + b, 6) if column in "CI" else max(a, b))


def without_kva(book: Workbook) -> None:
    for row in range(30, LAST + 1):
        for column in "EF":
            book.put(METER, f"{column}{row}", None)


def two_meters(book: Workbook) -> None:
    """The same load at a second meter, on a sheet of its own."""
    book.sheets["Nodo Ateos 5614087"] = book.sheets[METER].copy()
    book.put("Nodo Ateos 5614087", "B3", "5614087")


def named_parameters(book: Workbook) -> None:
    book.names = {
        "Tasa_municipal": f"='{METER}'!$E$5",
        "Descuento": f"='{METER}'!$E$6",
        "IVA": f"='{METER}'!$E$7",
        "Retencion": f"='{METER}'!$E$8",
        "FactorPerdidas": f"='{METER}'!$B$7",
        "FTPMS": f"='{METER}'!$B$8",
    }
    change("M!B21", "$E$6", "Descuento")(book)
    change("M!B23", "$E$7", "IVA")(book)
    change("M!B24", "$E$8", "Retencion")(book)
    put("M!B25", "=Tasa_municipal")(book)
    write("M!L31:L2910", "=FactorPerdidas")(book)
    change("M!N31:N2910", "$B$8", "FTPMS")(book)


def other_formats(book: Workbook) -> None:
    for title in (METER, RATES):
        formats = book.sheets[title].formats
        for place, form in formats.items():
            if "yyyy" in form:
                formats[place] = "dd/mm/yyyy hh:mm:ss" if "hh" in form else "dd/mm/yyyy"


def reversed_sheets(book: Workbook) -> None:
    book.sheets = dict(reversed(book.sheets.items()))


def in_english(book: Workbook) -> None:
    steps(
        labels(
            A1="EIS POWER - Processing of meter downloads", A2="Customer", A3="Meter", A4="Node", A5="Period",
            A6="Contracted power (kW)", A7="Loss factor", A8="FTPMS", D5="Municipal fee (USD)", D6="Discount", D7="VAT",
            D8="VAT retention", A14="Matrix maximum / Total", A16="Energy cost", A17="Demand charge", A18="Loss adjustment",
            A19="FTPMS surcharge", A20="Deviation charge", A21="Discount", A22="Taxable subtotal", A23="VAT",
            A24="VAT retention", A25="Municipal fee", A26="TOTAL DUE",
        ),
        headers(10, "Block|Energy kWh|Energy cost|Maximum kW|Date of maximum|FTPMS surcharge|Loss adjustment|Deviation charge"),
        headers(
            30,
            "Date|Time|kWh|kW|kVA|kVAR|Hour|Block|Forecast kWh|kWh rate|Energy cost|Loss factor|Loss adjustment|FTPMS|"
            "FTPMS surcharge|Dev cost POS|Dev cost NEG|Deviation charge",
        ),
        put("B!A1", "StartHour"), put("B!B1", "EndHour"), put("B!C1", "Block"),
        put("H!A1", "Hour"), put("H!B1", "Block"),
        put("T!A1", "Block"), put("T!B1", "ValidFrom"), put("T!C1", "kWh rate"), put("T!D1", "Demand rate"),
        put("T!F1", "Day"), put("T!G1", "Demand VALLE"), put("T!H1", "Demand RESTO"), put("T!I1", "Demand PUNTA"),
    )(book)  # fmt: skip
    for old, new in ((METER, "Node Ateos 5614086"), (BLOCKS, "Time blocks"), (HOURS, "Hour-Block"), (RATES, "Rates")):
        book.rename(old, new)


PLACES = (
    Shape(name="rows-above", story="seven rows inserted at the top", edit=inserted("M", row=1, count=7)),
    Shape(name="columns-left", story="three columns inserted at the left", edit=inserted("M", column=1, count=3)),
    Shape(name="slots-lower", story="seven rows above the slots", edit=inserted("M", row=29, count=7)),
    Shape(name="matrix-elsewhere", story="the matrix moved to the right", edit=moved("M!A10:H14", columns=10)),
    Shape(
        name="lines-elsewhere", story="the lines moved below the other parameters", edit=moved("M!A16:B26", columns=3)
    ),
    Shape(
        name="bill-beside-the-slots",
        story="parameters, matrix and lines right of the slots' table",
        edit=moved("M!A1:H26", columns=20, rows=28),
    ),
    Shape(name="parameters-on-a-sheet", story="on a sheet of their own", edit=moved("M!A2:E8", onto="Parametros")),
    Shape(name="fee-and-taxes-elsewhere", story="moved right", edit=moved("M!D5:E8", columns=7, rows=-3)),
    Shape(
        name="bill-on-its-own-sheet",
        story="everything but the slots on another sheet; the slots' header is row 1",
        edit=bill_on_its_own_sheet,
    ),
    Shape(
        name="tariff-on-the-meter-sheet",
        story="the rates right of the slots, the days on a sheet of their own",
        edit=steps(moved("T!A1:D10", columns=20, rows=29, onto=METER), moved("T!F1:I40", columns=-5, onto="Dias")),
    ),
    Shape(
        name="hours-beside-the-blocks",
        story="both tables of hours on one sheet",
        edit=moved("H!A1:B25", columns=4, rows=2, onto=BLOCKS),
    ),
    Shape(name="empty-row-in-the-matrix", story="between RESTO and PUNTA", edit=inserted("M", row=13)),
    Shape(name="empty-row-in-the-lines", story="below the demand", edit=inserted("M", row=18)),
    Shape(
        name="empty-row-in-the-tariff", story="between two validities, also between two days", edit=inserted("T", row=5)
    ),
    Shape(name="empty-row-in-the-hours", story="in the table of blocks", edit=inserted("B", row=4)),
    Shape(name="sheets-in-another-order", story="last first", edit=reversed_sheets),
)

ORDERS = (
    Shape(
        name="computed-columns-first",
        story="Hour and Block beside the time",
        edit=columns("A B G H I C D E F J K L M N O P Q R", (30, LAST)),
    ),
    Shape(
        name="columns-turned-round",
        story="every column of the slots at another place",
        edit=columns("R Q P O N M L K J I H G F E D C B A", (30, LAST)),
    ),
    Shape(
        name="matrix-columns-reordered",
        story="deviation first, energy last",
        edit=columns("A H G F E D C B", (10, 14)),
    ),
    Shape(
        name="blocks-in-another-order",
        story="PUNTA first in the matrix",
        edit=labels(A11="PUNTA", A12="VALLE", A13="RESTO"),
    ),
    Shape(name="matrix-rows-moved", story="cut and inserted", edit=lambda book: book.arrange_rows(METER, [13, 11, 12])),
    Shape(
        name="lines-in-another-order",
        story="losses before energy, demand last",
        edit=lambda book: book.arrange_rows(METER, [18, 16, 20, 19, 17]),
    ),
    Shape(name="tariff-newest-first", story="sorted by date", edit=by_date),
    Shape(name="tariff-by-block", story="sorted by block", edit=by_block),
)

OWN = (
    Shape(name="notes-between", story="a column of notes inside the table", edit=notes_between),
    Shape(name="own-column-between", story="mean kW beside the meter's", edit=own_column_between, extra=2880),
    Shape(name="own-columns-right", story="two columns of her own at the end", edit=own_columns_right, extra=5760),
    Shape(
        name="own-figures",
        story="mean, load factor, price per kWh beside the bill",
        edit=steps(
            *(
                steps(put(f"M!J{row}", text), put(f"M!K{row}", formula))
                for row, (text, formula) in enumerate(
                    (
                        ("Promedio kWh", "=AVERAGE(C31:C2910)"),
                        ("Factor de carga", "=B14/(D14*720)"),
                        ("Precio medio", "=B26/B14"),
                        ("Maximo kVA", "=MAX(E31:E2910)"),
                        ("Utilizacion", "=D14/B6"),
                    ),
                    16,
                )
            )
        ),
        extra=5,
    ),
    Shape(name="totals-below", story="sums below the slots", edit=totals_below, extra=5),
    Shape(
        name="last-month-beside", story="last month's figures as values, with the same words", edit=last_month_beside
    ),
    Shape(
        name="signed",
        story="who made it and when, above and below",
        edit=steps(put("M!G1", "Elaborado por: M. Rivas"), put("M!A2913", "Revisado"), put("M!B2913", "2021-10-03")),
    ),
    Shape(name="without-kva", story="a meter that records neither kVA nor kVAR", edit=without_kva),
    Shape(name="two-meters", story="a second meter on a sheet of its own", edit=two_meters),
)

WORDS = (
    Shape(
        name="inputs-renamed",
        story="other words for what the meter records",
        edit=headers(
            30,
            "Fecha|Hora inicial|Energía activa (kWh)|Potencia kW|Potencia aparente kVA|kVAr|||Pronóstico (kWh)|||||||"
            "Costo desviación positiva|Costo desviación negativa|",
        ),
    ),
    Shape(
        name="computed-renamed",
        story="other words for what is computed",
        edit=headers(
            30,
            "||||||Hora del día|Bloque horario||Precio USD/kWh|Importe de energía|Factor pérdidas|Pérdidas USD|FTPMS USD/kWh|"
            "Importe FTPMS|||Desviación USD",
        ),
    ),
    Shape(
        name="computed-without-sense",
        story="columns named after nothing: their formulas tell what they are",
        edit=headers(30, "||||||x1|x2||x3|x4|x5|x6|x7|x8|||x9"),
    ),
    Shape(
        name="computed-without-headers",
        story="no header over what is computed",
        edit=headers(30, "||||||-|-||-|-|-|-|-|-|||-"),
    ),
    Shape(
        name="headers-in-capitals",
        story="capitals, accents, spaces before and behind",
        edit=headers(
            30,
            " DATE |TIME  |KWH|KW|KVA|KVAR|HORA|BLOCK|PRONÓSTICO KWH|TARIFA KWH|COSTO ENERGÍA|FACTOR DE PÉRDIDAS|"
            "AJUSTE PÉRDIDAS|FTPMS|RECARGO FTPMS|COSTO DESV POS|COST DES NEG|CARGO DESVIACIÓN",
        ),
    ),
    Shape(
        name="matrix-renamed",
        story="other words over the matrix",
        edit=headers(10, "Periodo|kWh|USD energía|Demanda máxima|Fecha y hora|FTPMS|Pérdidas|Desviación"),
    ),
    Shape(
        name="matrix-without-sense",
        story="letters over the matrix",
        edit=headers(10, "a|b|c|d|e|f|g|h"),
    ),
    Shape(
        name="lines-renamed",
        story="other words before the lines",
        edit=labels(
            A14="Totales", A16="Energía", A17="Demanda", A18="Pérdidas", A19="FTPMS", A20="Desviaciones", A21="Menos: descuento",
            A22="Subtotal", A23="Impuesto IVA 13%", A24="Retención 1%", A25="Tasa de la alcaldía", A26="Total a pagar (USD)",
        ),
    ),
    Shape(
        name="parameters-renamed",
        story="other words before the parameters",
        edit=labels(
            A7="Pérdidas (USD/kWh)", A8="Cargo FTPMS (USD/kWh)", D5="Alcaldía USD", D6="% descuento", D7="Tasa IVA",
            D8="% retención",
        ),
    ),
    Shape(
        name="tables-renamed",
        story="other words over hours, blocks and rates",
        edit=steps(
            put("B!A1", "Desde"), put("B!B1", "Hasta"), put("B!C1", "Periodo"), put("H!A1", "h"), put("H!B1", "Periodo"),
            put("T!A1", "Periodo"), put("T!B1", "Vigente a partir de"), put("T!C1", "USD/kWh"), put("T!D1", "USD/kW"),
            put("T!F1", "Fecha"), put("T!G1", "VALLE"), put("T!H1", "RESTO"), put("T!I1", "PUNTA"),
        ),
    ),
    Shape(name="in-english", story="every word and every sheet in English", edit=in_english),
    Shape(
        name="sheets-renamed",
        story="sheets named as the program names them",
        edit=renamed(M="Hoja1", B="Hoja2", H="Hoja3", T="Hoja 4 (precios)"),
    ),
    Shape(name="other-block-names", story="BAJA, MEDIA and ALTA", edit=other_block_names),
    Shape(name="labels-in-small-letters", story="Valle, Resto, Punta", edit=labels(A11="Valle", A12="Resto", A13="Punta")),
    Shape(name="period-as-text", story="the period in words", edit=put("M!B5", "Septiembre 2021")),
    Shape(name="dates-formatted-otherwise", story="day first", edit=other_formats),
)  # fmt: skip

FORMULAS = (
    Shape(
        name="sumproduct-for-sumifs",
        story="older spreadsheets have no SUMIFS",
        edit=steps(
            put("M!B11", "=SUMPRODUCT(($H$31:$H$2910=A11)*$C$31:$C$2910)"), fill("M!B11", "B12:B13"),
            put("M!C11", "=SUMPRODUCT(($H$31:$H$2910=$A11)*($K$31:$K$2910))"), fill("M!C11", "C12:C13"),
            put("M!G11", "=SUMPRODUCT(--($H$31:$H$2910=A11),$M$31:$M$2910)"), fill("M!G11", "G12:G13"),
        ),
    ),
    Shape(
        name="sumif-for-sumifs",
        story="SUMIF, whose range of sums comes last",
        edit=steps(put("M!B11", "=SUMIF($H$31:$H$2910,A11,$C$31:$C$2910)"), fill("M!B11", "B12:B13")),
    ),
    Shape(
        name="factors-exchanged",
        story="rate times kWh",
        edit=steps(
            write("M!K31:K2910", "=J{row}*C{row}"), write("M!M31:M2910", "=$B$7*C{row}"), write("M!O31:O2910", "=N{row}*C{row}")
        ),
    ),
    Shape(
        name="product-for-times",
        story="PRODUCT",
        edit=write("M!K31:K2910", "=PRODUCT(C{row},J{row})"),
    ),
    Shape(
        name="index-match-for-vlookup",
        story="the block by INDEX and MATCH",
        edit=write("M!H31:H2910", "=INDEX('Hora-Bloque'!$B$2:$B$25,MATCH(G{row},'Hora-Bloque'!$A$2:$A$25,0))"),
    ),
    Shape(
        name="block-by-if",
        story="the block by IF, no table read",
        edit=write("M!H31:H2910", '=IF(AND(G{row}>=18,G{row}<=22),"PUNTA",IF(AND(G{row}>=5,G{row}<=17),"RESTO","VALLE"))'),
    ),
    Shape(
        name="sums-written-out",
        story="plus signs for SUM",
        edit=steps(
            put("M!B14", "=B11+B12+B13"), put("M!C14", "=+C11+C12+C13"), put("M!B22", "=B16+B17+B18+B19+B20+B21"),
            put("M!B26", "=B22+B23+B24+B25"),
        ),
    ),
    Shape(
        name="sums-rounded-again",
        story="ROUND around sums of rounded lines",
        edit=steps(put("M!B22", "=ROUND(SUM(B16:B21),2)"), put("M!B26", "=ROUND(SUM(B22:B25),2)")),
    ),
    Shape(
        name="totals-from-the-slots",
        story="the matrix' totals from the slots",
        edit=steps(
            put("M!B14", "=SUM(C31:C2910)"), put("M!C14", "=SUM($K$31:$K$2910)"), put("M!D14", "=MAX(D31:D2910)"),
            put("M!G14", "=SUM(M31:M2910)"),
        ),
    ),
    Shape(
        name="deviation-by-if",
        story="IF for MAX",
        edit=write("M!R31:R2910", "=IF(I{row}>C{row},(I{row}-C{row})*Q{row},0)"),
    ),
    Shape(
        name="surcharge-by-comparison",
        story="a comparison times the rate",
        edit=write("M!N31:N2910", '=(H{row}="PUNTA")*$B$8'),
    ),
    Shape(
        name="maximum-by-maxifs",
        story="MAXIFS",
        edit=steps(put("M!D11", "=_xlfn.MAXIFS($D$31:$D$2910,$H$31:$H$2910,A11)"), fill("M!D11", "D12:D13")),
        calculated=False,
    ),
    Shape(
        name="rate-by-lookup",
        story="the newest rate by LOOKUP(2,1/...)",
        edit=write(
            "M!J31:J2910",
            "=LOOKUP(2,1/((Tarifas!$A$2:$A$10=H{row})*(Tarifas!$B$2:$B$10<=A{row})),Tarifas!$C$2:$C$10)",
        ),
        calculated=False,
    ),
    Shape(
        name="demand-at-the-mean-of-days",
        story="the mean of the days' demand rates",
        edit=put("M!B17", "=ROUND(D14*AVERAGE(Tarifas!G2:G31),2)"),
    ),
    Shape(
        name="ranges-longer-than-the-month",
        story="ranges to row 5000, for every month",
        edit=steps(*(change(f"M!{cell}", "$2910", "$5000") for cell in MATRIX if cell[0] != "E")),
    ),
    Shape(
        name="whole-columns",
        story="whole columns as ranges",
        edit=steps(
            put("M!B11", "=SUMIFS($C:$C,$H:$H,A11)"), fill("M!B11", "B12:B13"),
            put("M!C11", "=SUMIFS($K:$K,$H:$H,A11)"), fill("M!C11", "C12:C13"),
        ),
        calculated=False,
    ),
    Shape(name="named-parameters", story="defined names for the parameters", edit=named_parameters, calculated=False),
    Shape(
        name="discount-subtracted",
        story="the discount shown positive and subtracted",
        edit=steps(put("M!B21", "=ROUND(SUM(B16:B20)*$E$6,2)"), put("M!B22", "=SUM(B16:B20)-B21")),
    ),
)  # fmt: skip

MONTHS = (
    Shape(
        name="rates-change-inside-the-month",
        story="new rates on the 16th",
        edit=steps(),
        base=september,
        total=13148.31,
    ),
    Shape(name="thirty-one-days", story="August", edit=august, total=None),
    Shape(name="half-hours", story="slots of half an hour", edit=half_hours, total=None),
    Shape(
        name="no-discount-fee-or-retention",
        story="a customer without them",
        edit=steps(put("M!E5", 0), put("M!E6", 0), put("M!E8", 0)),
        total=13360.05,
    ),
    Shape(
        name="no-surcharge-or-losses",
        story="a customer at high tension",
        edit=steps(put("M!B7", 0), put("M!B8", 0)),
        total=None,
    ),
)

IN_TURN = {
    **dict.fromkeys(("G30", "H30", "J30", "K30", "L30", "M30", "N30", "O30", "R30"), "x1"),
    **dict.fromkeys(("B10", "C10", "D10", "E10", "F10", "G10", "H10"), "x1"),
    "A30": "Fecha", "B30": "Hora inicial", "C30": "Consumo (kWh)", "D30": "Demanda (kW)", "I30": "Forecast kWh",
    "P30": "Costo desviación positiva", "Q30": "Costo desviación negativa",
}  # fmt: skip
"""One header after the other: a word without sense over what is computed, another word over what is read."""

SHAPES = (*PLACES, *ORDERS, *OWN, *WORDS, *FORMULAS, *MONTHS)

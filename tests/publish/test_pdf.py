from __future__ import annotations

import dataclasses
import json
import re
import shutil
import subprocess
import sys
from datetime import date
from pathlib import Path
from typing import Any

import invoice_desks as desks
import nbformat
import pypdf
import pytest
import typst

from eisenergy.publish.document import InvoiceOutput, fence, invoice_document
from eisenergy.publish.folders import REPORTS
from eisenergy.publish.notebook_typst import Meta, markdown
from eisenergy.publish.typst_pdf import PdfFailed, render, render_notebook, source

TEMPLATES = REPORTS / "typst"


def printed(month: Any, folder: Path, name: str = "invoice.pdf") -> pypdf.PdfReader:
    return pypdf.PdfReader(render(invoice_document(month), "invoice", folder / name))


def text_of(reader: pypdf.PdfReader) -> str:
    text = "\n".join(page.extract_text() for page in reader.pages)
    return text.replace("\N{NO-BREAK SPACE}", " ")


def test_the_steel_works_invoice_reads_back(tmp_path: Path) -> None:
    reader = printed(desks.steel(), tmp_path)
    pages = [page.extract_text().replace("\N{NO-BREAK SPACE}", " ") for page in reader.pages]
    assert len(pages) == 2
    for amount in desks.AMOUNTS:
        assert amount in pages[0], amount
    assert pages[0].count("12,989.48") == 2  # large at the top, and below the table
    assert "12,976.98" in pages[0]
    for fact in (
        "Factura de energía eléctrica",
        "FAC-000001",
        "01/09/2021 \N{EN DASH} 30/09/2021",
        "Pagar a más tardar el 16/10/2021",
        "Aceros de Ateos, S.A. de C.V.",
        "0614-150390-101-2",
        "45871-3",
        "EIS-0001",
        "5614086",
        "Ateos, Sacacoyo",
        "EIS-TOU",
        "650 kW",
        "27/09/2021 14:15",
    ):
        assert fact in pages[0], fact
    assert "Página 1 de 2" in pages[0]
    assert "Página 2 de 2" in pages[1]
    assert "BORRADOR" not in text_of(reader)


def test_the_total_is_set_larger_than_anything_else(tmp_path: Path) -> None:
    reader = printed(desks.steel(), tmp_path)
    sizes: dict[str, float] = {}

    def visit(text: str, _cm: Any, tm: list[float], _font: Any, size: float) -> None:
        if text.strip():
            sizes[text.strip()] = max(sizes.get(text.strip(), 0.0), abs(size * (tm[3] or 1.0)))

    reader.pages[0].extract_text(visitor_text=visit)
    assert max(sizes, key=lambda text: sizes[text]) == "12,989.48"


def test_document_data_tags_and_dates(tmp_path: Path) -> None:
    reader = printed(desks.steel(), tmp_path)
    root = reader.trailer["/Root"]
    assert reader.metadata is not None
    assert (
        reader.metadata.title
        == "Factura FAC-000001 \N{MIDDLE DOT} Aceros de Ateos, S.A. de C.V. \N{MIDDLE DOT} septiembre de 2021"
    )
    assert reader.metadata.author == "EIS POWER, S.A. DE C.V."
    assert "2021-09" in str(reader.metadata["/Keywords"])
    assert reader.metadata.creation_date is not None
    assert reader.metadata.creation_date.date() == date(2021, 10, 1)
    assert root["/MarkInfo"]["/Marked"]
    assert str(root["/Lang"]).startswith("es")
    xmp = root["/Metadata"].get_data().decode()
    assert re.search(r"pdfaid:part\W+2\b", xmp)
    assert re.search(r"pdfuaid:part\W+1\b", xmp)


def test_every_drawing_has_a_text_for_those_who_do_not_see_it(tmp_path: Path) -> None:
    reader = printed(desks.steel(), tmp_path)
    alts: list[str] = []
    todo = [reader.trailer["/Root"]["/StructTreeRoot"]]
    while todo:
        node = todo.pop()
        node = node.get_object() if hasattr(node, "get_object") else node
        if isinstance(node, list):
            todo += node
        elif isinstance(node, dict):
            if "/Alt" in node:
                alts.append(str(node["/Alt"]))
            if "/K" in node:
                todo.append(node["/K"])
    document = invoice_document(desks.steel())
    assert {document[name]["alt"] for name in ("history", "profile", "daily")} <= set(alts)


def test_the_same_input_gives_the_same_bytes(tmp_path: Path) -> None:
    for name in ("a.pdf", "b.pdf"):
        printed(desks.steel(), tmp_path, name)
    assert (tmp_path / "a.pdf").read_bytes() == (tmp_path / "b.pdf").read_bytes()
    printed(desks.steel(corrected=True), tmp_path, "b.pdf")
    assert (tmp_path / "a.pdf").read_bytes() != (tmp_path / "b.pdf").read_bytes()
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a.pdf", "b.pdf"]


FRESH = """
import json, sys
from pathlib import Path
from eisenergy.publish.typst_pdf import render
render(json.loads(Path(sys.argv[1]).read_text()), "invoice", Path(sys.argv[2]))
"""


def test_what_was_printed_before_changes_no_byte(tmp_path: Path) -> None:
    """Typst keeps what it laid out for other customers; a process that printed none gives the same document."""
    for name, other in (("a.pdf", desks.steel(name=LONG, issued=False)), ("b.pdf", desks.steel(locale="en-US"))):
        printed(other, tmp_path, name)
    printed(desks.steel(), tmp_path, "warm.pdf")
    (tmp_path / "document.json").write_text(json.dumps(invoice_document(desks.steel())))
    files = [str(tmp_path / name) for name in ("document.json", "fresh.pdf")]
    subprocess.run([sys.executable, "-c", FRESH, *files], check=True)
    assert (tmp_path / "warm.pdf").read_bytes() == (tmp_path / "fresh.pdf").read_bytes()


LONG = "Compañía Centroamericana de Fundición, Laminación y Comercialización de Aceros Especiales, S.A. de C.V."


def test_a_long_bill_still_takes_two_pages(tmp_path: Path) -> None:
    month = desks.steel(change=date(2021, 9, 15), estimated=24, corrected=True, name=LONG)
    reader = printed(month, tmp_path)
    assert len(reader.pages) == 2
    text = text_of(reader)
    assert "Corrección de períodos anteriores" in text
    assert (
        len(re.findall(r"\d{2}/09/2021 \d{2}:\d{2}\N{EN DASH}\d{2}:\d{2}|\d{2}:\d{2} \N{EN DASH} \d{2}/09", text)) >= 24
    )


def test_more_estimates_than_fit_go_on_and_none_is_lost(tmp_path: Path) -> None:
    base = desks.steel(estimated=0)
    many = desks.ranges(20) * 8
    reader = printed(dataclasses.replace(base, bill=dataclasses.replace(base.bill, estimated=many)), tmp_path)
    assert len(reader.pages) > 2
    assert text_of(reader).count("01/09/2021 22:15\N{EN DASH}24:00") == 8
    assert f"Página {len(reader.pages)} de {len(reader.pages)}" in text_of(reader)


def test_a_word_without_end_stays_in_its_column(tmp_path: Path) -> None:
    right: list[float] = []

    def visit(text: str, cm: list[float], tm: list[float], _font: Any, _size: float) -> None:
        if text.strip() == "W":
            right.append(cm[4] + tm[4] + 11)  # a W at this size is 9.4 pt wide

    printed(desks.steel(name="W" * 120), tmp_path).pages[0].extract_text(visitor_text=visit)
    assert len(right) == 120
    assert max(right) < 344  # where the other column starts


def test_a_draft_is_marked_on_every_page(tmp_path: Path) -> None:
    reader = printed(desks.steel(issued=False), tmp_path)
    for page in reader.pages:
        assert "BORRADOR" in page.extract_text()
    assert "sin número" in text_of(reader)
    assert "FAC-" not in text_of(reader)


def test_in_english(tmp_path: Path) -> None:
    reader = printed(desks.steel(locale="en-US"), tmp_path)
    text = text_of(reader)
    for fact in (
        "Electricity invoice",
        "Total to pay",
        "Page 1 of 2",
        "Contracted power",
        "27 Sep 2021 14:15",
        "12,989.48",
    ):
        assert fact in text, fact
    assert str(reader.trailer["/Root"]["/Lang"]).startswith("en")


@pytest.mark.parametrize(
    "name",
    [
        "`` ``` `a`",
        'say "hi" \\ \\" \\n',
        "#pagebreak() #panic()",
        "] [ $ x $ _a_ *b* @ref // /* */",
        "<script>alert(1)</script> &amp; {{< x >}}",
        "one\ntwo\r\n\x00\x1b",
    ],
)
def test_nasty_names_print_as_they_are(name: str, tmp_path: Path) -> None:
    reader = printed(desks.steel(name=name), tmp_path)
    wanted = re.sub(r"[\x00\x1b]", "", " ".join(name.split()))
    squeezed = re.sub(r"\s", "", text_of(reader))
    assert re.sub(r"[\s\x00\x1b]", "", wanted) in squeezed
    assert reader.metadata is not None
    assert wanted.strip() in str(reader.metadata.title)


def test_a_name_no_typeface_has_still_gets_its_document(tmp_path: Path) -> None:
    reader = printed(desks.steel(name="Tienda \N{CJK UNIFIED IDEOGRAPH-96FB} \N{GRINNING FACE}"), tmp_path)
    assert "12,989.48" in text_of(reader)


# ------------------------------------------------------------- executed notebooks


def notebook(*outputs: dict[str, str], front: str = "title: Consumo", cells: tuple[Any, ...] = ()) -> Any:
    made = nbformat.v4.new_notebook()
    made.metadata["papermill"] = {"parameters": {"client": "EIS", "customer": "EIS-0001", "month": "2021-09"}}
    made.cells = [nbformat.v4.new_raw_cell(f"---\n{front}\n---"), *cells]
    for data in outputs:
        cell = nbformat.v4.new_code_cell("secret_code()")
        cell.outputs = [nbformat.v4.new_output("display_data", data=data)]
        made.cells.append(cell)
    return made


def saved(made: Any, folder: Path) -> Path:
    path = folder / "executed.ipynb"
    nbformat.write(made, path)
    return path


def svg(width: int, title: str = "") -> dict[str, str]:
    drawing = (
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{width}" height="200" viewBox="0 0 {width} 200">'
        f'<title>{title}</title><rect width="{width}" height="200" fill="#004488"/>'
        f'<text x="20" y="80" font-size="30" font-family="Source Sans Pro">d\u00eda {width}</text></svg>'
    )
    return {"text/html": "<b>only for pages</b>", "image/svg+xml": drawing, "text/plain": f"Chart {width} wide"}


def test_the_notebooks_invoice_is_the_very_document(tmp_path: Path) -> None:
    document = invoice_document(desks.steel())
    executed = saved(notebook(InvoiceOutput(document)._repr_mimebundle_()), tmp_path)
    from_notebook = render_notebook(executed, tmp_path / "notebook.pdf")
    direct = render(document, "invoice", tmp_path / "direct.pdf")
    assert from_notebook.read_bytes() == direct.read_bytes()


def test_a_dashboard_prints_headings_drawings_and_figures_and_no_code(tmp_path: Path) -> None:
    tiles = json.dumps({"theme": invoice_document(desks.steel())["theme"], "tiles": [
        {"label": f"Figure {n}", "value": f"{n}00", "unit": "kWh", "note": ""} for n in range(6)
    ]}).replace("#", "\\u0023").replace("\\", "\\\\").replace('"', '\\"')  # fmt: skip
    made = notebook(
        {"text/markdown": f'```{{=typst}}\n#kpi-row(json(bytes("{tiles}")))\n```', "text/plain": "figures"},
        svg(860),
        svg(520),
        svg(521),
        {"text/plain": "a repr nobody wants"},
        cells=(nbformat.v4.new_markdown_cell("# Consumo de **septiembre**\n\nUn [texto](x.html) con `código`."),),
    )
    hidden = nbformat.v4.new_markdown_cell("Only for pages")
    hidden.metadata["tags"] = ["no-pdf"]
    made.cells.append(hidden)
    reader = pypdf.PdfReader(render_notebook(saved(made, tmp_path), tmp_path / "out.pdf"))
    text = text_of(reader)
    for fact in (
        "Consumo de septiembre",
        "Un texto con código.",
        "Figure 5",
        "500",
        "día 860",
        "día 520",
        "Página 1 de 1",
    ):
        assert fact in text, fact
    for absent in ("secret_code", "only for pages", "Only for pages", "nobody", "json"):
        assert absent not in text, absent
    assert reader.metadata is not None
    assert reader.metadata.title == "Consumo \N{MIDDLE DOT} 2021-09"
    assert reader.metadata.creation_date is not None
    assert reader.metadata.creation_date.date() == date(2021, 9, 1)


def test_narrow_drawings_stand_side_by_side_and_wide_ones_alone(tmp_path: Path) -> None:
    executed = saved(notebook(svg(860), svg(520), svg(521)), tmp_path)
    page = pypdf.PdfReader(render_notebook(executed, tmp_path / "out.pdf")).pages[0]
    at: list[tuple[float, float]] = []

    def visit(text: str, cm: list[float], _tm: list[float], _font: Any, _size: float) -> None:
        if text.strip() == "d":  # the first letter of each drawing's text
            at.append((cm[4], cm[5]))

    page.extract_text(visitor_text=visit)
    wide, left, right = at
    assert left[1] == pytest.approx(right[1], abs=1)
    assert right[0] > left[0] + 200
    assert wide[1] > left[1] + 50


def test_data_with_escapes_of_their_own_are_left_as_they_are() -> None:
    meta = Meta(title="a", author="b", date=date(2021, 9, 1))
    ours, theirs = '#kpi-row(json(bytes("{\\"a\\":\\"`~\\\\n\\"}")))', '#kpi-row(json(bytes("[1,\\n2]")))'
    made = source(meta, f"{ours}\n{theirs}").splitlines()
    assert '#kpi-row(json(bytes(`{"a":"\\u0060~\\n"}`.text)))' in made
    assert theirs in made


def test_a_notebook_with_nothing_to_print_is_refused(tmp_path: Path) -> None:
    executed = saved(notebook({"text/plain": "nothing"}), tmp_path)
    with pytest.raises(PdfFailed, match="no output of the notebook can be printed"):
        render_notebook(executed, tmp_path / "out.pdf")
    assert not (tmp_path / "out.pdf").exists()


def test_what_typst_refuses_leaves_the_old_document_alone(tmp_path: Path) -> None:
    out = tmp_path / "out.pdf"
    out.write_bytes(b"old")
    executed = saved(notebook({"text/markdown": "```{=typst}\n#nonsense()\n```"}), tmp_path)
    with pytest.raises(PdfFailed, match="unknown variable: nonsense"):
        render_notebook(executed, out)
    assert out.read_bytes() == b"old"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["executed.ipynb", "out.pdf"]
    with pytest.raises(PdfFailed, match="expected the folder of the project's templates"):
        render(invoice_document(desks.steel()), "invoice", out, reports=tmp_path)


def test_markdown_texts_cannot_become_markup() -> None:
    assert markdown('a #b "c" $d') == '#[#text("a #b \\"c\\" $d")]'
    assert markdown("## Row {.tabset}\n\n### Perfil\n\n::: {.x}\ntext\n:::") == (
        '#heading(level: 3, [#text("Perfil")])\n\n#[#text("text")]'
    )


def test_as_quarto_lays_it_out_the_invoice_is_the_same_two_pages(tmp_path: Path) -> None:
    """Quarto pastes the template above the body, sets a page of its own first, and puts a cell's output into blocks."""
    for file in TEMPLATES.glob("*.typ"):
        shutil.copy(file, tmp_path)
    document = invoice_document(desks.steel())
    body = fence(document).splitlines()[1]
    template = (TEMPLATES / "typst-template.typ").read_text(encoding="utf-8")
    show = re.sub(r"(?s)\$if\((?:author|keywords)\)\$.*?\$endif\$", "", (TEMPLATES / "typst-show.typ").read_text())
    show = re.sub(r"\$(if\(\w+\)|endif)\$", "", show).replace("$title$", "Factura").replace("$lang$", "es-SV")
    assert "$" not in show
    source = tmp_path / "invoice.typ"
    source.write_text(
        f'{template}\n#set page(paper: "us-letter", numbering: "1")\n{show}\n#block[\n#block[\n{body}\n]\n]\n',
        encoding="utf-8",
    )
    pdf = tmp_path / "invoice.pdf"
    typst.compile(
        str(source),
        output=str(pdf),
        font_paths=[str(TEMPLATES.parent / "fonts")],
        ignore_system_fonts=True,
        pdf_standards="a-2b",
    )
    quarto, own = pypdf.PdfReader(pdf), printed(desks.steel(), tmp_path, "own.pdf")
    assert text_of(quarto) == text_of(own)
    assert [page.mediabox for page in quarto.pages] == [page.mediabox for page in own.pages]

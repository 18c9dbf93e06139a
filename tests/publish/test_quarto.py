"""What Quarto needs: a valid project, front matter that parses, partials that resolve. With Quarto on the PATH: the site."""

from __future__ import annotations

import re
import stat
from collections.abc import Callable
from pathlib import Path
from typing import Any

import nbformat
import pytest
import sample_desks
import typst
from ruamel.yaml import YAML

from eisenergy.config import Settings
from eisenergy.publish import quarto, site
from eisenergy.publish.folders import FONTS, PROJECT, QUARTO
from eisenergy.publish.navigation import BadSite, Link, for_month, front_matter, read_site

NOTEBOOKS = sorted((PROJECT / "notebooks").glob("*.ipynb"))


@pytest.fixture(scope="module")
def description() -> dict[str, Any]:
    return YAML(typ="safe", pure=True).load(QUARTO.read_text(encoding="utf-8"))


def test_project_is_a_website_that_runs_nothing_and_prints_no_code(description: dict[str, Any]) -> None:
    assert description["project"]["type"] == "website"
    assert description["execute"] == {"enabled": False, "echo": False}
    assert description["lang"] == "es"
    assert description["website"]["title"] == "EIS Power"
    assert [link["text"] for link in description["website"]["navbar"]["left"]] == ["Inicio", "Consumo", "Facturas"]
    assert description["format"]["html"]["theme"][0] == "cosmo"


def test_every_file_the_project_names_exists(description: dict[str, Any]) -> None:
    named = [
        *description["project"]["render"],
        *(link["href"] for link in description["website"]["navbar"]["left"]),
        *description["format"]["html"]["theme"][1:],
        *(path.lstrip("/") for path in description["format"]["typst"]["font-paths"]),
        *(pattern.removesuffix("/**") for pattern in description["project"]["resources"]),
        *(
            address.lstrip("/")
            for item in description["format"]["html"]["include-in-header"]
            for address in re.findall(r'(?:src|href)="([^"]+)"', item["text"])
        ),
    ]
    assert len(named) >= 12
    for path in named:
        assert (PROJECT / path).exists(), path


def test_the_theme_loads_no_typeface_from_elsewhere() -> None:
    text = (PROJECT / "reports/house.scss").read_text(encoding="utf-8")
    assert "/*-- scss:defaults --*/" in text
    assert "$web-font-path: false;" in text
    assert "http" not in text


@pytest.mark.parametrize("notebook", NOTEBOOKS, ids=lambda path: path.stem)
def test_front_matter_parses_and_its_partials_resolve_from_the_notebook(notebook: Path) -> None:
    front = front_matter(notebook)
    assert isinstance(front["title"], str)
    assert "html" in front["format"]
    partials = front["format"].get("typst", {}).get("template-partials", [])
    assert {Path(path).name for path in partials} <= {"typst-template.typ", "typst-show.typ"}
    for path in partials:
        assert (notebook.parent / path).is_file(), path


def test_the_documents_are_printed_from_the_house_s_partials() -> None:
    for name in ("invoice", "dashboard", "operator"):
        front = front_matter(PROJECT / "notebooks" / f"{name}.ipynb")
        assert len(front["format"]["typst"]["template-partials"]) == 2


def test_no_notebook_is_named_like_a_typst_file() -> None:
    """Quarto writes NAME.typ beside NAME.ipynb: a template of that name would be overwritten."""
    assert not {path.stem for path in NOTEBOOKS} & {path.stem for path in (PROJECT / "reports").rglob("*.typ")}


def test_quarto_s_partial_compiles_from_a_folder_below_the_project_s_root(tmp_path: Path) -> None:
    """Quarto copies the partial's text beside the notebook and compiles with the project as Typst's root."""
    for name in ("typst", "quarto"):
        folder = tmp_path / "reports" / name
        folder.mkdir(parents=True)
        for file in (PROJECT / "reports" / name).glob("*.typ"):
            (folder / file.name).write_text(file.read_text(encoding="utf-8"), encoding="utf-8")
    partial = (tmp_path / "reports/quarto/typst-template.typ").read_text(encoding="utf-8")
    show = (tmp_path / "reports/typst/typst-show.typ").read_text(encoding="utf-8")
    # Pandoc fills these in; here by hand, for a notebook with a title and the site's language
    show = re.sub(r"\$if\((?:author|keywords)\)\$.*?\$endif\$\n?", "", show, flags=re.DOTALL)
    show = re.sub(r"\$(?:if\(\w+\)|endif)\$\n?", "", show).replace("$title$", "Consumo").replace("$lang$", "es")
    main = tmp_path / "notebooks" / "dashboard.typ"
    main.parent.mkdir()
    main.write_text(f"{partial}\n{show}\n= Consumo\n", encoding="utf-8")
    pdf = typst.compile(str(main), root=str(tmp_path), font_paths=[str(FONTS)])
    assert pdf is not None
    assert pdf[:5] == b"%PDF-"


def test_adapted_project_names_the_site_s_own_pages(description: dict[str, Any]) -> None:
    links = (*for_month(read_site(QUARTO), "2021-09"), Link(text="agosto", href="2021-08/dashboard.html"))
    adapted = quarto.adapt(
        description, links=links, pages=["index", "2021-09/dashboard", "2021-09/invoice"], language="en"
    )
    assert adapted["project"]["render"] == ["index.ipynb", "2021-09/dashboard.ipynb", "2021-09/invoice.ipynb"]
    assert [link["href"] for link in adapted["website"]["navbar"]["left"]] == [
        "index.ipynb",
        "2021-09/dashboard.ipynb",
        "2021-09/invoice.ipynb",
        "/2021-08/dashboard.html",
    ]
    assert adapted["lang"] == "en"
    assert adapted["website"]["title"] == description["website"]["title"]
    assert adapted["execute"] == {"enabled": False, "echo": False}
    assert "/reports/assets" not in str(adapted["format"]["html"]["include-in-header"])
    assert description["lang"] == "es"


def test_built_project_is_complete(executed: dict[str, Path], tmp_path: Path) -> None:
    pages = [
        quarto.Page(executed=executed["home"], where="index"),
        quarto.Page(executed=executed["invoice"], where="2021-09/invoice"),
        quarto.Page(executed=executed["operator"], where="2021-09"),
    ]
    folder = quarto.build_project(tmp_path / "project", site=read_site(QUARTO), links=(), pages=pages, language="es")
    for page in pages:
        notebook = folder / f"{page.where}.ipynb"
        nbformat.validate(nbformat.read(notebook, as_version=4))
        for path in front_matter(notebook)["format"].get("typst", {}).get("template-partials", []):
            assert (notebook.parent / path).resolve().is_file(), path
    for name in ("assets/page/house.css", "assets/page/charts.js", "assets/page/vega.js", "reports/house.scss"):
        assert (folder / name).is_file()
    assert list((folder / "reports/fonts").glob("*.otf"))
    assert quarto.expected_files(folder) == [
        "index.html",
        "2021-09/invoice.html",
        "2021-09/invoice.pdf",
        "2021-09.html",
        "2021-09.pdf",
    ]


STUB = """#!/bin/sh
# stands for Quarto: renders nothing, but is asked as Quarto is
{body}
"""


@pytest.fixture
def stub(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[str], None]:
    def write(body: str) -> None:
        program = tmp_path / "bin" / "quarto"
        program.parent.mkdir(exist_ok=True)
        program.write_text(STUB.format(body=body), encoding="utf-8")
        program.chmod(program.stat().st_mode | stat.S_IXUSR)
        monkeypatch.setenv("PATH", f"{program.parent}:/usr/bin:/bin")

    return write


def test_quarto_s_own_words_are_in_the_error(
    stub: Callable[[str], None], settings: Settings, executed: dict[str, Path]
) -> None:
    stub("echo 'ERROR: partial not found' >&2; exit 3")
    with pytest.raises(
        site.PublishFailed, match=r"renderer quarto: quarto ended with code 3: ERROR: partial not found"
    ):
        site.publish_customer(settings, executed, "EIS", "EIS-0001", sample_desks.MONTH, "quarto")
    assert not (settings.sites / "EIS/EIS-0001").exists()


def test_quarto_that_leaves_a_page_out_or_hangs_is_an_error(
    stub: Callable[[str], None], executed: dict[str, Path], tmp_path: Path
) -> None:
    project = quarto.build_project(
        tmp_path / "project",
        site=read_site(QUARTO),
        links=(),
        pages=[quarto.Page(executed=executed["home"], where="index")],
        language="es",
    )
    stub("mkdir -p _site; exit 0")
    with pytest.raises(quarto.QuartoFailed, match=r"left out index\.html"):
        quarto.render(project, timeout=20)
    stub("exec sleep 30")
    with pytest.raises(quarto.QuartoFailed, match=r"longer than 0\.5 seconds"):
        quarto.render(project, timeout=0.5)


def test_what_quarto_made_is_put_into_place_with_the_earlier_months(
    stub: Callable[[str], None], settings: Settings, executed: dict[str, Path]
) -> None:
    site.publish_customer(settings, executed, "EIS", "EIS-0001", sample_desks.MONTH.plus(-1), "embedded")
    stub(
        "mkdir -p _site/2021-09 && for f in index.html 2021-09/dashboard.html 2021-09/dashboard.pdf 2021-09/invoice.html"
        " 2021-09/invoice.pdf; do echo quarto > _site/$f; done"
    )
    published = site.publish_customer(settings, executed, "EIS", "EIS-0001", sample_desks.MONTH, "quarto")
    assert {path.read_text() for path in published.paths if path.suffix != ".json"} == {"quarto\n"}
    assert (published.folder / "2021-08/invoice.pdf").read_bytes()[:5] == b"%PDF-"


REMOTE = """<html><head>
<script src="https://cdn.jsdelivr.net/npm/requirejs@2.3.6/require.min.js" integrity="sha384-x" crossorigin="anonymous"></script>
<script src="https://cdn.jsdelivr.net/npm/jquery@3.5.1/dist/jquery.min.js" data-relocate-top="true"></script>
<script type="application/javascript">define('jquery', [],function() {return window.jQuery;})</script>
<link rel="stylesheet" href="https://fonts.example/css?family=X">
<link rel="stylesheet" href="assets/page/house.css">
<script defer src="assets/page/vega.js"></script>
<script>window.here = "define jquery";</script>
</head><body><a href="https://eispower.example/">EIS</a></body></html>
"""
"""What Quarto 1.9.38 writes for a notebook with HTML outputs, beside what is ours."""

LOADS = re.compile(r"""<(?:script|link|img|iframe)\b[^>]*\b(?:src|href)=["'](?:https?:)?//""", re.IGNORECASE)


def test_pages_load_nothing_from_another_host(
    stub: Callable[[str], None], settings: Settings, executed: dict[str, Path], tmp_path: Path
) -> None:
    # The stand-in does what Quarto does: writes the pages, then runs the project's post-render step.
    (tmp_path / "page.html").write_text(REMOTE, encoding="utf-8")
    files = "index.html 2021-09/dashboard.html 2021-09/dashboard.pdf 2021-09/invoice.html 2021-09/invoice.pdf"
    stub(
        f"mkdir -p _site/2021-09 && for f in {files}; do cp {tmp_path}/page.html _site/$f; done\n"
        'step=$(sed -n "s/ *post-render: //p" _quarto.yml)\n'
        'QUARTO_PROJECT_OUTPUT_DIR="$PWD/_site" exec "$QUARTO_PYTHON" "$step"'
    )
    published = site.publish_customer(settings, executed, "EIS", "EIS-0001", sample_desks.MONTH, "quarto")
    for page in ("index.html", "2021-09/invoice.html"):
        text = (published.folder / page).read_text(encoding="utf-8")
        assert LOADS.search(REMOTE)
        assert not LOADS.search(text)
        assert "define(" not in text
        for kept in ("house.css", "vega.js", "window.here", 'href="https://eispower.example/"'):
            assert kept in text


def test_real_quarto_renders_a_site(
    require: Callable[[str], None], settings: Settings, executed: dict[str, Path]
) -> None:
    require("quarto")
    published = site.publish_customer(settings, executed, "EIS", "EIS-0001", sample_desks.MONTH, "quarto")
    text = (published.folder / "2021-09/dashboard.html").read_text(encoding="utf-8")
    assert 'data-vega="daily-energy"' in text
    assert "12,989.48" in text
    assert "open_customer" not in text
    assert not LOADS.search(text)


def test_a_missing_or_wrong_description_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(BadSite, match=r"_quarto\.yml: expected a Quarto project"):
        read_site(tmp_path / "_quarto.yml")
    (tmp_path / "_quarto.yml").write_text("website:\n  title: x\n", encoding="utf-8")
    with pytest.raises(BadSite, match="navbar"):
        read_site(tmp_path / "_quarto.yml")

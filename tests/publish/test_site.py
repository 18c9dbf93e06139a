"""Sites are whole or not at all: layout, earlier months, interruption, failure of one customer."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import executed_notebooks
import nbformat
import pypdf
import pytest
import sample_desks

from eisenergy.config import Settings
from eisenergy.desk import ClientMonth
from eisenergy.period import BillingMonth
from eisenergy.publish import navigation, place, quarto, renderer, site

AUGUST = BillingMonth(2021, 8)


def listing(folder: Path) -> dict[str, bytes]:
    return {str(file.relative_to(folder)): file.read_bytes() for file in folder.rglob("*") if file.is_file()}


def publish(settings: Settings, executed: dict[str, Path], month: BillingMonth = sample_desks.MONTH) -> site.Published:
    return site.publish_customer(settings, executed, "EIS", "EIS-0001", month, "embedded")


def test_layout_of_a_customer_s_site(settings: Settings, executed: dict[str, Path]) -> None:
    published = publish(settings, executed)
    assert published.folder == settings.sites / "EIS" / "EIS-0001"
    names = (
        "index.html",
        "2021-09/dashboard.html",
        "2021-09/dashboard.pdf",
        "2021-09/invoice.html",
        "2021-09/invoice.pdf",
        "2021-09/invoice.json",
    )
    assert {path.relative_to(published.folder).as_posix() for path in published.paths} == set(names)
    assert all(path.is_file() for path in published.paths)
    text = "".join(page.extract_text() for page in pypdf.PdfReader(published.folder / "2021-09/invoice.pdf").pages)
    assert "12,989.48" in text
    dashboard = "".join(
        page.extract_text() for page in pypdf.PdfReader(published.folder / "2021-09/dashboard.pdf").pages
    )
    assert "Aceros de Ateos" in dashboard


def test_everything_a_page_loads_or_links_is_there(
    settings: Settings, executed: dict[str, Path], overview: ClientMonth
) -> None:
    publish(settings, executed)
    site.publish_operator(settings, executed, "EIS", sample_desks.MONTH, "embedded")
    pages = sorted((settings.sites / "EIS").rglob("*.html"))
    assert len(pages) == 5
    for page in pages:
        for address in re.findall(r'(?:src|href)="([^"#][^"]*)"', page.read_text(encoding="utf-8")):
            assert (page.parent / address).resolve().is_file(), f"{page}: {address}"
    style = settings.sites / "EIS/EIS-0001/assets/page/house.css"
    for font in re.findall(r"url\(([^)]+)\)", style.read_text(encoding="utf-8")):
        assert (style.parent / font).resolve().is_file()


def test_a_second_month_keeps_the_first_and_links_both(settings: Settings, executed: dict[str, Path]) -> None:
    folder = publish(settings, executed, AUGUST).folder
    august = {name: content for name, content in listing(folder).items() if name.startswith("2021-08/")}
    assert len(august) == 5
    index = (folder / "index.html").read_text(encoding="utf-8")
    assert 'href="2021-08/invoice.pdf"' in index
    assert 'href="2021-09/invoice.pdf"' not in index.split('id="invoices"')[1]
    publish(settings, executed)
    now = listing(folder)
    assert {name: now[name] for name in august} == august
    index = (folder / "index.html").read_text(encoding="utf-8").split('id="invoices"')[1]
    assert 'href="2021-08/invoice.pdf"' in index
    assert 'href="2021-09/invoice.pdf"' in index
    assert 'href="2021-07/' not in index


def test_publishing_again_gives_the_same_bytes(settings: Settings, executed: dict[str, Path]) -> None:
    folder = publish(settings, executed).folder
    first = listing(folder)
    publish(settings, executed)
    assert listing(folder) == first
    assert [path.name for path in (settings.sites / "EIS/.staging").iterdir()] == ["EIS-0001.lock"]


def turned_round(value: Any) -> Any:
    """The same document with every mapping's names in the opposite order: a file is sorted, what a kernel's messages became is not."""
    if isinstance(value, dict):
        return nbformat.from_dict({name: turned_round(value[name]) for name in sorted(value, reverse=True)})
    return [turned_round(entry) for entry in value] if isinstance(value, list) else value


def test_documents_at_hand_give_the_bytes_of_those_read_back(
    settings: Settings, executed: dict[str, Path], tmp_path: Path
) -> None:
    given = {"client": "EIS", "customer": "EIS-0001", "month": "2021-09"}
    written = {name: tmp_path / notebook.name for name, notebook in executed.items()}
    for name, notebook in written.items():
        document = nbformat.read(executed[name], as_version=4)
        document.metadata["papermill"] = {"parameters": given}
        nbformat.write(document, notebook)
    read = listing(publish(settings, written).folder)
    for notebook in written.values():
        navigation.remember(notebook, turned_round(nbformat.read(notebook, as_version=4)))
    assert list(navigation.read_notebook(written["home"])) == ["nbformat_minor", "nbformat", "metadata", "cells"]
    assert listing(publish(settings, written).folder) == read


def test_a_document_at_hand_is_let_go_of_when_its_file_is_another(executed: dict[str, Path], tmp_path: Path) -> None:
    notebook = tmp_path / "home.ipynb"
    for name in ("home", "invoice"):
        notebook.unlink(missing_ok=True)
        notebook.write_bytes(executed[name].read_bytes())
        if name == "home":
            navigation.remember(notebook, nbformat.read(notebook, as_version=4))
        assert navigation.read_notebook(notebook) == nbformat.read(executed[name], as_version=4)


def test_a_renderer_that_fails_leaves_the_old_site_and_says_who(
    settings: Settings, executed: dict[str, Path], tmp_path: Path
) -> None:
    folder = publish(settings, executed).folder
    before = listing(folder)
    notebook = nbformat.read(executed["invoice"], as_version=4)
    notebook.cells[3].outputs[0].data["text/markdown"] = '```{=typst}\n#nonsense("x")\n```\n'
    broken = tmp_path / "invoice.ipynb"
    nbformat.write(notebook, broken)
    with pytest.raises(site.PublishFailed, match=r"EIS/EIS-0001, 2021-09, renderer embedded: .*nonsense"):
        publish(settings, executed | {"invoice": broken})
    assert listing(folder) == before
    assert not [path for path in (settings.sites / "EIS/.staging").iterdir() if path.is_dir()]


def test_one_customer_s_failure_does_not_stop_the_others(settings: Settings, executed: dict[str, Path]) -> None:
    done, failed = site.publish_each(
        [
            ("EIS-0001", lambda: publish(settings, {"home": executed["home"]})),
            (
                "EIS-0002",
                lambda: site.publish_customer(settings, executed, "EIS", "EIS-0002", AUGUST, "embedded"),
            ),
        ]
    )
    assert [one.customer for one in done] == ["EIS-0002"]
    assert [one.subject for one in failed] == ["EIS-0001"]
    assert "no executed notebook for dashboard, invoice" in failed[0].message


@pytest.mark.parametrize("name", ["../EIS-0002", "a/b", "", "."])
def test_a_name_cannot_leave_the_sites_folder(settings: Settings, executed: dict[str, Path], name: str) -> None:
    with pytest.raises(site.PublishFailed, match="cannot name a folder"):
        site.publish_customer(settings, executed, "EIS", name, AUGUST, "embedded")


def test_operator_s_first_page_is_the_newest_month(
    settings: Settings, executed: dict[str, Path], overview: ClientMonth, tmp_path: Path
) -> None:
    folder = site.publish_operator(settings, executed, "EIS", sample_desks.MONTH, "embedded").folder
    newest = (folder / "index.html").read_text(encoding="utf-8")
    site.publish_operator(settings, executed, "EIS", AUGUST, "embedded")
    assert (folder / "index.html").read_text(encoding="utf-8") == newest
    assert (folder / "2021-08.html").is_file()
    assert (folder / "2021-09.pdf").is_file()
    site.publish_operator(settings, executed, "EIS", BillingMonth(2021, 10), "embedded")
    assert 'href="2021-08.html"' in (folder / "index.html").read_text(encoding="utf-8")


def test_english_navigation(settings: Settings, executed: dict[str, Path], tmp_path: Path) -> None:
    home = executed_notebooks.execute("home", sample_desks.customer_month(locale="en-US"), tmp_path / "home.ipynb")
    folder = site.publish_customer(
        settings, executed | {"home": home}, "EIS", "EIS-0001", sample_desks.MONTH, "embedded", locale="en-US"
    ).folder
    text = (folder / "index.html").read_text(encoding="utf-8")
    assert '<html lang="en">' in text
    assert ">Consumption</a>" in text
    assert "Last 13" not in text
    assert "Energy of the last 13 months" in text


def test_beside_the_pdf_stands_which_invoice_it_shows(
    settings: Settings, executed: dict[str, Path], tmp_path: Path
) -> None:
    """The portal hands a PDF out under an invoice's number only where this says so; a draft has none."""
    desk = sample_desks.customer_month(issued=False)
    draft = executed_notebooks.execute("invoice", desk, tmp_path / "invoice.ipynb")
    contract = desk.contract.number
    for notebooks, number in ((executed | {"invoice": draft}, None), (executed, "FAC-000001")):
        beside = publish(settings, notebooks).folder / "2021-09" / "invoice.json"
        assert json.loads(beside.read_text(encoding="utf-8")) == {"number": number, "contract": contract}
        text = "".join(page.extract_text() for page in pypdf.PdfReader(beside.with_suffix(".pdf")).pages)
        assert ("FAC-000001" in text) == (number is not None)


# ------------------------------------------------------------------ whole or not at all


def test_a_folder_is_replaced_whole_and_the_block_s_failure_changes_nothing(tmp_path: Path) -> None:
    target = tmp_path / "sites" / "one"
    with place.staged(target) as stage:
        (stage / "a.txt").write_text("1")
        assert not target.exists()
    with place.staged(target) as stage:
        assert (stage / "a.txt").read_text() == "1"
        (stage / "a.txt").unlink()
        (stage / "b.txt").write_text("2")
        assert [path.name for path in target.iterdir()] == ["a.txt"]
    assert [path.name for path in target.iterdir()] == ["b.txt"]
    with pytest.raises(FileNotFoundError), place.staged(target) as stage:
        (stage / "b.txt").rename(stage / "nowhere" / "b.txt")
    assert (target / "b.txt").read_text() == "2"


def test_without_an_exchange_the_folder_is_still_replaced(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(place, "_exchange", lambda first, second: False)
    target = tmp_path / "one"
    for text in ("1", "2"):
        with place.staged(target) as stage:
            (stage / "a.txt").write_text(text)
    assert (target / "a.txt").read_text() == "2"


def test_a_process_that_died_between_two_renames_is_mended(tmp_path: Path) -> None:
    target = tmp_path / "one"
    old = tmp_path / ".staging" / "one.old"
    old.mkdir(parents=True)
    (old / "a.txt").write_text("kept")
    (tmp_path / ".staging" / "one.new").mkdir()
    (tmp_path / ".staging" / "one.new.project").mkdir()
    (tmp_path / ".staging" / "one.two.new").mkdir()  # another site's, whose process is at work
    with pytest.raises(RuntimeError, match="stop"), place.staged(target):
        raise RuntimeError("stop")
    assert (target / "a.txt").read_text() == "kept"
    assert sorted(path.name for path in (tmp_path / ".staging").iterdir()) == ["one.lock", "one.two.new"]


WRITER = """
import sys
from pathlib import Path
from eisenergy.publish.place import staged
target, generation = Path(sys.argv[1]), 1
while True:
    with staged(target) as stage:
        for n in range(40):
            (stage / f"{n}.txt").unlink(missing_ok=True)
            (stage / f"{n}.txt").write_text(str(generation))
    print(generation, flush=True)
    generation += 1
"""


def test_killed_at_any_moment_leaves_one_whole_generation(tmp_path: Path) -> None:
    target = tmp_path / "site"
    for attempt in range(8):
        process = subprocess.Popen([sys.executable, "-c", WRITER, str(target)], stdout=subprocess.PIPE, text=True)
        assert process.stdout is not None
        process.stdout.readline()
        time.sleep(0.003 + attempt * 0.0041)
        os.kill(process.pid, signal.SIGKILL)
        process.wait()
        process.stdout.close()
        generations = {file.read_text() for file in target.iterdir()}
        assert len(generations) == 1
        assert len(list(target.iterdir())) == 40
    with place.staged(target):
        pass
    assert [path.name for path in (tmp_path / ".staging").iterdir()] == ["site.lock"]


# ------------------------------------------------------------------ choice of the renderer


def test_the_renderer_follows_settings_and_machine(monkeypatch: pytest.MonkeyPatch) -> None:
    def wanted(name: str) -> Settings:
        return Settings.load({"EISENERGY_RENDERER": name})

    monkeypatch.setattr(quarto.shutil, "which", lambda name: None)
    assert renderer.choose(wanted("auto")) == "embedded"
    assert renderer.choose(wanted("embedded")) == "embedded"
    with pytest.raises(quarto.QuartoFailed, match="not on the PATH"):
        renderer.choose(wanted("quarto"))
    monkeypatch.setattr(quarto.shutil, "which", lambda name: "/opt/quarto")
    assert renderer.choose(wanted("auto")) == "quarto"
    assert renderer.choose(wanted("embedded")) == "embedded"

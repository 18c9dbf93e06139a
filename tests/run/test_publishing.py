"""A month is published by forked children: what is there is kept, what fails has a page that says why, the rest is made."""

from __future__ import annotations

import os
import re
import shlex
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import nbformat
import pytest

from eisenergy.accounts import Scope
from eisenergy.cli import documents, output, publishing
from eisenergy.desk.workspace import Workspace
from eisenergy.period import BillingMonth
from eisenergy.run import failures, orders
from eisenergy.run.notebook import Failure
from eisenergy.variables import BadSetting

ROOT = Path(__file__).parents[2]
MONTH = BillingMonth(2021, 9)

pytestmark = pytest.mark.skipif(not orders.can_fork(), reason="this system does not fork")


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The project with notebooks that a test may change; work is done in it."""
    for name in ("_quarto.yml", "params", "data", "reports", "eisenergy"):
        (tmp_path / name).symlink_to(ROOT / name)
    (tmp_path / "notebooks").mkdir()
    for path in (ROOT / "notebooks").glob("*.ipynb"):
        book = nbformat.read(path, as_version=4)
        if path.stem in ("home", "dashboard"):  # drawings are the publisher's business
            book.cells = book.cells[:4]
        nbformat.write(book, tmp_path / "notebooks" / path.name)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join([str(ROOT), os.environ.get("PYTHONPATH", "")]))
    return tmp_path


def add_cell(project: Path, name: str, source: str) -> None:
    path = project / "notebooks" / f"{name}.ipynb"
    book = nbformat.read(path, as_version=4)
    book.cells.insert(2, nbformat.v4.new_code_cell(source, id="added"))
    nbformat.write(book, path)


def publish(workspace: Workspace, scope: Scope, project: Path, **changes: object) -> dict[str, documents.Made]:
    settings = replace(
        workspace.settings,
        root=project,
        home=project / "home",
        renderer="embedded",
        notebook_engine="fork",
        **changes,  # type: ignore[arg-type]
    )
    made = publishing.publish_month(replace(workspace, settings=settings), scope, MONTH, None, False)
    return {one.task.subject: one for one in made}


def test_what_is_there_is_kept_and_what_is_missing_or_stale_is_made(
    billed: Workspace, scope: Scope, project: Path
) -> None:
    first = publish(billed, scope, project)
    assert {"EIS-0001", "operator"} < set(first)
    assert {(one.error, one.fresh) for one in first.values()} == {(None, True)}
    overview = next(path for path in first["operator"].paths if path.name == "index.html").read_text(encoding="utf-8")
    for name in set(first) - {"operator"}:  # it is made last, and links all that are there
        assert f'href="../{name}/index.html"' in overview
    assert not any(one.fresh for one in publish(billed, scope, project).values())
    # One site lost a file; in the other, a later month's publication has written another first page.
    first["EIS-0001"].paths[0].unlink()
    pdf, page = (
        next(path for path in first[customer].paths if path.name == name)
        for customer, name in (("EIS-0001", "invoice.pdf"), ("EIS-0002", "index.html"))
    )
    another = page.read_text(encoding="utf-8") + "<!-- another month's -->"
    page.unlink()  # its other names keep what they hold
    page.write_text(another, encoding="utf-8")
    again = publish(billed, scope, project)
    assert {name for name, one in again.items() if one.fresh} == {"EIS-0001"}
    assert first["EIS-0001"].paths[0].is_file()
    assert page.read_text(encoding="utf-8") == another
    for path in (pdf, page):  # a power cut leaves files empty that were not synced
        path.unlink()
        path.touch()
    again = publish(billed, scope, project)
    assert {name for name, one in again.items() if one.fresh} == {"EIS-0001", "EIS-0002"}
    assert pdf.read_bytes().startswith(b"%PDF")
    assert page.stat().st_size


def test_a_failing_cell_has_a_page_and_the_others_are_published(billed: Workspace, scope: Scope, project: Path) -> None:
    add_cell(project, "invoice", "if customer == 'EIS-0001':\n    raise ValueError('<broken>')")
    made = publish(billed, scope, project)
    assert {name for name, one in made.items() if one.error} == {"EIS-0001"}
    page = project / "home" / "runs" / "EIS" / "2021-09" / "EIS-0001" / failures.NAME
    assert made["EIS-0001"].page == page
    text = page.read_text(encoding="utf-8")
    for part in (
        "EIS-0001, 2021-09",
        "invoice.ipynb, cell 3",
        "customer == &#x27;EIS-0001&#x27;",
        "ValueError: &lt;broken&gt;",
        "-p customer EIS-0001",
    ):
        assert part in text
    assert "Traceback" in text
    (project / "notebooks" / "invoice.ipynb").write_text(
        (ROOT / "notebooks" / "invoice.ipynb").read_text(encoding="utf-8"), encoding="utf-8"
    )
    assert not any(one.error for one in publish(billed, scope, project).values())
    assert not page.exists()


@pytest.mark.long
def test_the_overview_links_a_site_that_was_missing_when_it_was_made(
    billed: Workspace, scope: Scope, project: Path
) -> None:
    mended = project / "mended"
    add_cell(
        project, "home", f"import os\nif customer == 'EIS-0001' and not os.path.exists({str(mended)!r}):\n    1 / 0"
    )
    overview = next(path for path in publish(billed, scope, project)["operator"].paths if path.name == "index.html")
    assert 'href="../EIS-0001/index.html"' not in overview.read_text(encoding="utf-8")
    mended.touch()
    again = publish(billed, scope, project)
    assert {name for name, one in again.items() if one.fresh} == {"EIS-0001", "operator"}
    assert 'href="../EIS-0001/index.html"' in overview.read_text(encoding="utf-8")
    assert not any(one.fresh for one in publish(billed, scope, project).values())


def test_a_killed_child_has_a_page_that_says_where_it_was(billed: Workspace, scope: Scope, project: Path) -> None:
    add_cell(project, "home", "import os\nif customer == 'EIS-0001':\n    os.kill(os.getpid(), 9)")
    made = publish(billed, scope, project, batch=1)
    assert {name for name, one in made.items() if one.error} == {"EIS-0001"}
    failure = made["EIS-0001"].failure
    assert failure is not None
    assert (failure.notebook, failure.cell) == ("home.ipynb", 3)
    assert "os.kill(os.getpid(), 9)" in failure.source
    assert "SIGKILL" in failure.why
    assert failure.alone.startswith("papermill ")


def test_the_command_on_the_page_runs_the_notebook_alone(billed: Workspace, scope: Scope, project: Path) -> None:
    add_cell(project, "home", "print('alone', customer)\nraise ValueError('again')")
    made = publish(billed, scope, project)
    failure = made["EIS-0001"].failure
    assert failure is not None
    # `papermill` in this Python; eisenergy first: it keeps jsonschema from building a grammar for two seconds
    start = "import eisenergy, runpy\nrunpy.run_module('papermill', run_name='__main__')"
    command = failure.alone.replace("papermill ", f"{sys.executable} -c {shlex.quote(start)} ", 1)
    ended = subprocess.run(command, shell=True, capture_output=True, text=True, check=False, timeout=120)
    assert ended.returncode == 1
    assert "ValueError: again" in re.sub(r"\x1b\[[0-9;]*m", "", ended.stderr)
    assert "alone EIS-0001" in (project / "out.ipynb").read_text(encoding="utf-8")


def test_where_nothing_forks_notebooks_get_kernels(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(orders.sys, "platform", "win32")
    assert not orders.forks("auto")
    with pytest.raises(BadSetting, match="win32 does not fork"):
        orders.forks("fork")
    assert not orders.forks("kernel")
    monkeypatch.undo()
    assert orders.forks("auto")
    assert not orders.forks("kernel")


@pytest.mark.long
def test_the_parent_that_has_threads_leaves_the_work_to_kernels(
    billed: Workspace, scope: Scope, project: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (project / "sleeps.py").write_text(
        "import threading, time\nthreading.Thread(target=time.sleep, args=(90,), daemon=True, name='sleeper').start()\n"
    )
    add_cell(project, "invoice", f"import sys\nsys.path.insert(0, {str(project)!r})\nimport sleeps")
    made = publish(billed, scope, project)
    assert not any(one.error for one in made.values())
    assert "every notebook gets a kernel of its own" in capsys.readouterr().err


def test_a_page_shows_no_secret_and_no_markup_of_others(billed: Workspace) -> None:
    settings = replace(billed.settings, database_url="postgresql://user:secret@host/db")
    failure = Failure(notebook="a.ipynb", cell=2, source="<script>", why="<b>", details="<i>", alone="papermill '<x>'")
    text = failures.text(settings, "<EIS>", "2021-09", failure)
    assert "secret" not in text
    assert "EISENERGY_DATABASE_URL as the run had it" in text
    assert not re.search(r"<(script|b|i|x|EIS)>", text)


def test_progress_says_rate_and_time_left(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    assert output.far(1_200, 10_000, 60.0) == "1,200 of 10,000, 20.0/s, 0:07:20 left"
    monkeypatch.setattr(output, "LINE_SECONDS", 0.0)
    with output.progress("Working", 2) as step:
        step("a")
        step("b")
    assert re.search(r"Working: 1 of 2, [\d,.]+/s, 0:00:00 left\nWorking: 2 of 2", capsys.readouterr().err)

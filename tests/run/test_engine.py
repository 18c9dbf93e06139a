"""Our engine gives what stock Papermill with a real kernel gives: the same cells, outputs and metadata."""

from __future__ import annotations

import decimal
import os
import shutil
import subprocess
import sys
import threading
import tomllib
from pathlib import Path
from typing import Any

import nbformat
import notebook_pairs as pairs
import pytest

from eisenergy.desk.workspace import Workspace
from eisenergy.run import engine

ROOT = Path(__file__).parents[2]
STOCK = None

SHOUT = (
    "def shout(lines):\n"
    "    return [line.replace('LOUD', '\"loud\"') for line in lines]\n"
    "get_ipython().input_transformers_cleanup.append(shout)"
)
"""A way of reading cells that a notebook brings along."""

CELLS = {
    "values": ("1 / 3", "'text'", "None", "1;", "_ , __", "x = {'b': 1, 'a': [1, 2]}\nx"),
    "streams": (
        "import sys\nprint('a'); print('b', file=sys.stderr); print('c')",
        "import sys\nsys.stdout.write('x'); sys.stderr.write('y'); sys.stdout.isatty(), sys.stdout.encoding",
        "from IPython.display import clear_output\nclear_output(wait=True); print('gone')\nclear_output(); print('stays')",
    ),
    "displays": (
        "from IPython.display import HTML, Image, display\ndisplay(HTML('<b>h</b>')); print('between'); 7",
        "Image(data=b'\\x89PNG\\r\\n\\x1a\\n' + b'0' * 30)",
        "shown = display('one', display_id='k')",
        "shown.update('two')",
        "class Bundle:\n"
        "    def _repr_mimebundle_(self, include=None, exclude=None):\n"
        "        return {'text/html': '<i>', 'text/plain': 'i'}, {'text/html': {'isolated': True}}\n"
        "Bundle()",
        "display({'text/plain': 'raw'}, raw=True, metadata={'text/plain': {'k': 1}})",
    ),
    "money's context": (
        "import decimal\ndecimal.setcontext(decimal.Context(prec=5))",
        "decimal.Decimal(1) / 3",
        "decimal.getcontext().prec = 7",
        "decimal.Decimal(1) / 3",
        "import contextvars\nv = contextvars.ContextVar('v'); token = v.set(3)",
        "v.get('unset')",
    ),
    "transformer": ("len('LOUD')", SHOUT, "len('LOUD')", "%pwd\n1"),
    "await": ("import asyncio\nawait asyncio.sleep(0.01)\n'awaited'", "[n async for n in numbers()]", "'not reached'"),
    "programs": (
        # A kernel reads the descriptors on a thread of its own: it shows what comes while the cell still runs.
        "import os, time\nstatus = os.system('echo from a program')\ntime.sleep(0.6)",
        "status = os.system('echo to the other >&2')\ntime.sleep(0.6)",
        "!echo bang",
        "import subprocess\nsubprocess.run(['echo', 'run'], check=True)\ntime.sleep(0.6)",
    ),
    "IPython": (
        "get_ipython().__class__.__name__, __name__",
        "sorted(n for n in globals() if not n.startswith('_'))",
        "%who_ls",
        "%precision 3\n1 / 3",
        "import warnings\nwarnings.warn('w')",
        "try:\n    input('?')\nexcept Exception as problem:\n    print(type(problem).__name__, problem)",
        "In[-1], Out",
        "import pathlib\npathlib.Path.cwd()",
        "import os\nsorted(k for k in os.environ if k.startswith(('TERM', 'CLI', 'FORCE', 'PAGER', 'GIT_P', 'MPL')))",
    ),
    "an error": ("def inner(n):\n    return 1 / n\n", "print('before')\ninner(0)", "'not reached'"),
    "an error in a display": (
        "class Bad:\n    def _repr_html_(self):\n        raise ValueError('no html')\n    def __repr__(self):\n        return 'b'\nBad()",
        "'not reached'",
    ),
    "bad syntax": ("1 +", "'not reached'"),
    "an expected error": ("raise KeyError('k')", "'reached'"),
    "the end": ("raise SystemExit(0)", "'not reached'"),
}


@pytest.fixture(scope="module")
def executed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """All of them executed by our engine, one after the other in one process that knows nothing of pytest."""
    folder = tmp_path_factory.mktemp("executed")
    for name, cells in CELLS.items():
        book = nbformat.read(pairs.write(folder / f"{name}.ipynb", *cells), as_version=4)
        if name == "an expected error":
            book.cells[1].metadata["tags"] = ["raises-exception"]
        nbformat.write(book, folder / f"{name}.ipynb")
    environment = {name: value for name, value in os.environ.items() if name != "PYTEST_CURRENT_TEST"}
    names = [f"{name}.ipynb" for name in CELLS]
    # eisenergy first: it keeps jsonschema, which Papermill loads, from building a grammar for two seconds
    start = "import runpy, sys, eisenergy\nsys.argv[:1] = []\nrunpy.run_path(sys.argv[0], run_name='__main__')"
    command = [sys.executable, "-c", start, pairs.__file__, engine.NAME, *names]
    subprocess.run(command, cwd=folder, env=environment, check=True, timeout=120)
    return folder


def compare(stock: Any, ours: Any) -> None:
    for expected, found in zip(stock.cells, ours.cells, strict=True):
        assert found == expected, expected.source
    assert ours == stock


RARER = {"await", "an error in a display", "an expected error", "bad syntax", "the end"}
"""Left to ``make test-long``: each needs a kernel of its own to be compared with."""


@pytest.mark.parametrize("name", [pytest.param(n, marks=pytest.mark.long) if n in RARER else n for n in CELLS])
def test_both_engines_give_the_same(executed: Path, name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("PYTEST_CURRENT_TEST")  # with it a kernel does not listen to descriptors 1 and 2
    monkeypatch.chdir(executed)
    output = pairs.execute(Path(f"{name}.ipynb"), STOCK, client="EIS", customer="x")
    compare(pairs.comparable(output), pairs.comparable(output.with_name(f"{name}.{engine.NAME}.ipynb")))


@pytest.mark.parametrize(
    "name", [pytest.param("home", marks=pytest.mark.long), pytest.param("dashboard", marks=pytest.mark.long), "invoice"]
)
def test_both_engines_give_the_same_for_a_customer(
    billed: Workspace, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    for variable, value in billed.environment().items():
        monkeypatch.setenv(variable, value)
    notebook = ROOT / "notebooks" / f"{name}.ipynb"
    shutil.copy(notebook, tmp_path)
    given = {"client": "EIS", "customer": "EIS-0001", "month": "2021-09"}
    stock, ours = (pairs.execute(tmp_path / notebook.name, which, **given) for which in (STOCK, engine.register()))
    compare(pairs.comparable(stock), pairs.comparable(ours))
    assert sum(len(found) for found in pairs.outputs(ours)) >= 2


PLANTED = (
    "import decimal\ndecimal.getcontext().prec = 3\ndecimal.DefaultContext.prec = 4",
    "import os, sys, warnings\nos.environ['PLANTED'] = '1'\nos.chdir('/')\nsys.path.insert(0, '/nowhere')",
    "warnings.simplefilter('ignore')\nos.umask(0)",
)


def test_nothing_of_the_process_is_changed(tmp_path: Path) -> None:
    notebook = pairs.write(tmp_path / "a.ipynb", *PLANTED)
    before = (sys.stdout, sys.stderr, sys.excepthook, sys.displayhook, sys.modules["__main__"], list(sys.path))
    threads = threading.enumerate()
    names = os.listdir("/proc/self/fd")
    for _ in range(2):
        pairs.execute(notebook, engine.register(), client="a", customer="b")
    after = (sys.stdout, sys.stderr, sys.excepthook, sys.displayhook, sys.modules["__main__"], list(sys.path))
    assert after == before
    assert threading.enumerate() == threads
    assert len(os.listdir("/proc/self/fd")) == len(names)
    assert decimal.getcontext().prec == decimal.DefaultContext.prec == 28
    assert "PLANTED" not in os.environ
    assert os.environ.get("MPLBACKEND") is None
    assert Path.cwd() == ROOT


def test_the_next_notebook_does_not_read_cells_as_the_one_before(tmp_path: Path) -> None:
    shown = []
    for n, sources in enumerate(((SHOUT, "len('LOUD')"), ("len('LOUD')",), (SHOUT, "len('LOUD')"))):
        notebook = pairs.write(tmp_path / f"{n}.ipynb", *sources)
        output = pairs.execute(notebook, engine.register(), client="a", customer="b")
        shown.append(nbformat.read(output, as_version=4).cells[-1].outputs[0].data["text/plain"])
    assert shown == ["6", "4", "6"]


def test_the_same_run_gives_the_same_identifiers(tmp_path: Path) -> None:
    notebook = pairs.write(tmp_path / "a.ipynb", "1")
    found = []
    for _ in range(2):
        output = pairs.execute(notebook, engine.register(), client="a", customer="b")
        found.append([cell.id for cell in nbformat.read(output, as_version=4).cells])
    assert found[0] == found[1]
    assert found[0][1] == engine.INJECTED


@pytest.mark.parametrize("first", ["papermill", "eisenergy.run.engine", "eisenergy.run.nursery"])
def test_papermill_finds_it_by_its_entry_point(tmp_path: Path, first: str) -> None:
    """Papermill loads entry points while it is imported: whichever of the two is imported first, both are whole."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    group = project["entry-points"]["papermill.engine"]
    installed = tmp_path / "installed" / "eisenergy-0.dist-info"
    installed.mkdir(parents=True)
    (installed / "METADATA").write_text("Metadata-Version: 2.1\nName: eisenergy\nVersion: 0\n", encoding="utf-8")
    lines = "".join(f"{name} = {target}\n" for name, target in group.items())
    (installed / "entry_points.txt").write_text(f"[papermill.engine]\n{lines}", encoding="utf-8")
    notebook = pairs.write(tmp_path / "a.ipynb", "import os\nos.getpid()")
    script = (
        # as eisenergy does it, which may not be imported before: jsonschema would build a grammar for two seconds
        "import sys\nsys.modules['rfc3987_syntax'] = None\n"
        f"import os, {first}, papermill\n"
        f"book = papermill.execute_notebook({str(notebook)!r}, None, parameters={{'client': 'a', 'customer': 'b'}},\n"
        f"    engine_name={engine.NAME!r}, progress_bar=False)\n"
        "assert book.cells[-1].outputs[0].data['text/plain'] == str(os.getpid()), book.cells[-1]\n"
    )
    path = os.pathsep.join([str(installed.parent), str(ROOT), os.environ.get("PYTHONPATH", "")])
    done = subprocess.run(
        [sys.executable, "-c", script],
        env={**os.environ, "PYTHONPATH": path},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr

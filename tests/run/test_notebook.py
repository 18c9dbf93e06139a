"""Notebooks run strictly: wrong names fail before a kernel starts, a failing cell is one customer's, nothing half is left."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from concurrent.futures import Executor
from pathlib import Path

import nbformat
import pytest

from eisenergy.run import pool
from eisenergy.run.notebook import BadParameters, Job, check_parameters, execute


def notebook(path: Path, *cells: str, parameters: str = 'client = "EIS"\ncustomer = "nobody"') -> Path:
    book = nbformat.v4.new_notebook()
    book.metadata["kernelspec"] = {"name": "python3", "display_name": "Python 3", "language": "python"}
    first = nbformat.v4.new_code_cell(parameters)
    first.metadata["tags"] = ["parameters"]
    book.cells = [first, *(nbformat.v4.new_code_cell(cell) for cell in cells)]
    nbformat.write(book, path)
    return path


def job(book: Path, output: Path, **parameters: str) -> Job:
    return Job(notebook=book, output=output, parameters=parameters, subject="somebody", timeout=60)


def printed(path: Path) -> str:
    book = nbformat.read(path, as_version=4)
    return "".join(output.get("text", "") for cell in book.cells for output in cell.get("outputs", []))


@pytest.fixture(scope="module")
def executor() -> Iterator[Executor]:
    with pool.local(2, {"EISENERGY_CLIENT": "POOL"}) as opened:
        yield opened


@pytest.mark.parametrize(
    ("parameters", "message"),
    [
        (
            {"client": "EIS", "custommer": "EIS-0001"},
            "no parameter custommer; its parameters cell names client, customer",
        ),
        ({"client": "EIS"}, "needs a value for customer"),
        ({"client": "EIS", "customer": 7}, "parameter customer of a.ipynb is int: expected text"),
    ],
)
def test_a_wrong_parameter_never_starts_a_kernel(tmp_path: Path, parameters: dict[str, str], message: str) -> None:
    book = notebook(tmp_path / "a.ipynb", f"open({str(tmp_path / 'ran')!r}, 'w').close()")
    with pytest.raises(BadParameters, match=message):
        execute(job(book, tmp_path / "out.ipynb", **parameters))
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a.ipynb"]


def test_a_notebook_without_a_parameters_cell_is_refused(tmp_path: Path) -> None:
    book = notebook(tmp_path / "a.ipynb", parameters="")
    with pytest.raises(BadParameters, match="no cell tagged 'parameters'"):
        check_parameters(book, {})
    with pytest.raises(FileNotFoundError, match="no such notebook"):
        check_parameters(tmp_path / "b.ipynb", {})


def test_each_job_gets_its_own_values_kernel_and_settings(tmp_path: Path, executor: Executor) -> None:
    book = notebook(
        tmp_path / "a.ipynb",
        "import os\nfrom ipykernel.connect import get_connection_info\n"
        "print(customer, os.environ['EISENERGY_CLIENT'], get_connection_info(unpack=True)['ip'])",
    )
    jobs = [job(book, tmp_path / f"{name}.ipynb", client="EIS", customer=name) for name in ("one", "two", "three")]
    results = [result for _, result in pool.each(executor, execute, jobs)]
    assert [getattr(result, "error", "raised") for result in results] == [None, None, None]
    words = {name: printed(tmp_path / f"{name}.ipynb").split() for name in ("one", "two", "three")}
    assert {name: found[:2] for name, found in words.items()} == {name: [name, "POOL"] for name in words}
    assert len({found[2] for found in words.values()}) == 3  # a folder of sockets each


def test_no_path_of_the_machine_is_written_into_the_notebook(tmp_path: Path) -> None:
    book = notebook(tmp_path / "a.ipynb", "1 + 1")
    assert execute(job(book, tmp_path / "out.ipynb", client="EIS", customer="x")).error is None
    assert str(tmp_path) not in (tmp_path / "out.ipynb").read_text(encoding="utf-8")


def test_the_document_at_hand_is_what_was_written(tmp_path: Path) -> None:
    shows = "from IPython.display import HTML, SVG, display\nprint('a', end='\\nb')"
    bundle = "display({'application/json': {'b': (1, 2.5, None), 'a': 'ñ'}, 'text/plain': 'x\\ny'}, raw=True)"
    book = notebook(tmp_path / "a.ipynb", shows, bundle, "display(HTML('<p>1</p>'))\n{'text': customer}")
    given = job(book, tmp_path / "out.ipynb", client="EIS", customer="c")
    record = execute(given, watch=lambda *_: None)
    assert record.failure is None
    assert record.document == nbformat.read(given.output, as_version=4)
    assert [len(cell.outputs) for cell in record.document.cells] == [0, 0, 1, 1, 2]


def test_a_failing_cell_is_a_record_that_says_how_to_run_it_alone(tmp_path: Path) -> None:
    book = notebook(tmp_path / "a.ipynb", "1 / 0")
    record = execute(job(book, tmp_path / "out.ipynb", client="EIS", customer="x"))
    assert record.error is not None
    for part in ("a.ipynb, cell", "ZeroDivisionError", "papermill", "-p customer x"):
        assert part in record.error
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a.ipynb"]


def test_a_hung_cell_ends_at_its_time(tmp_path: Path) -> None:
    book = notebook(tmp_path / "a.ipynb", "import time; time.sleep(60)")
    slow = Job(
        notebook=book,
        output=tmp_path / "out.ipynb",
        parameters={"client": "EIS", "customer": "x"},
        subject="x",
        timeout=2,
    )
    record = execute(slow)
    assert record.error is not None
    assert "imeout" in record.error
    assert record.seconds < 40


def test_a_dead_kernel_is_a_record_and_says_its_last_words(tmp_path: Path) -> None:
    book = notebook(tmp_path / "a.ipynb", "import os, sys; sys.__stderr__.write('out of luck\\n'); os._exit(9)")
    record = execute(job(book, tmp_path / "out.ipynb", client="EIS", customer="x"))
    assert record.error is not None
    assert "DeadKernelError" in record.error
    assert "out of luck" in record.error
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a.ipynb"]


def die(_: int) -> None:
    os._exit(9)


def test_a_dead_worker_is_an_error_of_its_tasks(tmp_path: Path) -> None:
    with pool.local(1, {}) as executor:
        results = [result for _, result in pool.each(executor, die, [1, 2])]
    assert len(results) == 2
    assert all("run the same command again" in str(result) for result in results)


def test_workers_end_with_a_killed_parent(tmp_path: Path) -> None:
    script = tmp_path / "parent.py"
    script.write_text(
        "import os, signal, time\nfrom eisenergy.run import pool\n"
        "if __name__ == '__main__':\n"
        "    with pool.local(2, {}) as executor:\n"
        "        print(*{executor.submit(os.getpid).result() for _ in range(8)}, flush=True)\n"
        "        os.kill(os.getpid(), signal.SIGKILL)\n",
        encoding="utf-8",
    )
    ended = subprocess.run([sys.executable, str(script)], capture_output=True, text=True, check=False, timeout=120)
    assert ended.returncode == -signal.SIGKILL
    workers = [int(word) for word in ended.stdout.split()]
    assert workers
    deadline = time.monotonic() + 20
    while any(Path(f"/proc/{worker}").exists() for worker in workers) and time.monotonic() < deadline:
        time.sleep(0.1)
    assert [worker for worker in workers if Path(f"/proc/{worker}").exists()] == []

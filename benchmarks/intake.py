"""``ingest``: folders of workbooks and of CSV files, read, checked, and written to the readings' table, against what parses them alone.

Ours is the command, end to end. What starting it costs is measured with one file and taken off the rate; both rates are shown. What Numba
compiles once per installation (and after each change of a kernel) is compiled before, and said beside. The peers only parse, a sample of the
same files, into a frame.
"""

from __future__ import annotations

from importlib import import_module
from pathlib import Path
from typing import Any, Final

from benchmarks import alone, machine
from benchmarks.bills import workspace
from benchmarks.report import BOUND, OURS, PEER, Aim, Cost, Group, Result, equal

LATE_ROWS: Final = 8
"""Two hours that a file left out: a small file brings them."""

XLSX_RATE: Final = 150_000
CSV_RATE: Final = 1_000_000


def run(customers: int = 1000, *, quick: bool = False, sample: int = 4) -> Result:
    """Measure.

    :param customers: how many files; one in five is a workbook
    :param sample: how many files of a kind the slow peers parse
    """
    books = max(2, customers // 5)
    tables = max(2, customers - books)
    result = Result(
        case="intake",
        question="how many rows of meter files per second and core, end to end into the table?",
        size={"workbooks": books, "csv_files": tables, "rows_each": 2976, "sample_of_peers": sample},
        quick=quick,
    )
    with workspace(books + tables + 2, readings=False) as home:
        compiled = alone.run("benchmarks.intake:compile_kernels")["phases"]["compiled"]["cpu_seconds"]
        written = alone.run("benchmarks.intake:write", home=str(home), books=books, tables=tables)["result"]
        ours = alone.run("benchmarks.intake:ingest", home=str(home))
        peers = alone.run("benchmarks.intake:parse", home=str(home), sample=sample)
        disk = machine.disk(home, 64_000_000)
        cached = machine.cached_read([*(home / "in" / "csv").iterdir(), *(home / "in" / "xlsx").iterdir()])
    phases, reports, by_peers = ours["phases"], ours["result"]["reports"], peers["result"]
    result.checks += [
        equal(
            "rows and energy [Wh] in the table, and those in the files",
            (
                ("rows", ours["result"]["rows"], sum(written[kind]["rows"] for kind in ("first", "xlsx", "csv"))),
                ("Wh", ours["result"]["wh"], sum(written[kind]["wh"] for kind in ("first", "xlsx", "csv"))),
            ),
        ),
        equal(
            "energy [Wh] of the peers' sample, and ours",
            ((name, entry["ours_wh"], entry["wh"]) for name, entry in by_peers.items()),
        ),
        equal(
            "readings changed by the folders taken in again, and none",
            (("added", reports["again"]["added"], 0), ("superseded", reports["again"]["superseded"], 0)),
        ),
        equal("readings the late file added, and those it holds", (("added", reports["late"]["added"], LATE_ROWS),)),
    ]
    start = min(phases["first"]["cpu_seconds"], phases["late"]["cpu_seconds"])
    rates = {}
    for kind, aim in (("xlsx", XLSX_RATE), ("csv", CSV_RATE)):
        rows = written[kind]["rows"]
        whole = phases[kind]["cpu_seconds"]
        net = whole - start if whole > 2 * start else whole  # with a few files the difference is noise
        rates[kind] = rows / net
        result.groups.append(
            Group(
                f"a million rows of {'workbooks' if kind == 'xlsx' else 'CSV files'}",
                "CPU s per million rows",
                (
                    Cost(OURS, "ingest, end to end into the table", net / rows * 1e6, f"{rows / net:,.0f} rows/s and core"),
                    *(
                        Cost(PEER, f"{name}: parsing alone", entry["cpu_seconds"] / entry["rows"] * 1e6,
                             f"{entry['rows'] / entry['cpu_seconds']:,.0f} rows/s and core")
                        for name, entry in by_peers.items()
                        if entry["kind"] == kind
                    ),
                    Cost(OURS, "ingest, with what starting the command costs", whole / rows * 1e6, f"start {start:.1f} s"),
                    Cost(BOUND, "reading the files' bytes from the system's cache", written[kind]["bytes"] / cached / rows * 1e6),
                ),
            )
        )  # fmt: skip
        few = "the start weighs too much with so few files" if rows < 300_000 else ""
        result.aims.append(
            Aim(f"rows of {kind.upper()} per second and core, end to end", aim, rates[kind], unit="rows/s", reason=few)
        )
    total = phases["xlsx"]["seconds"] + phases["csv"]["seconds"]
    result.groups.append(
        Group(
            "the same folders again, and one late file",
            "s, start included",
            (
                Cost(OURS, "both folders", total, f"{books + tables} files"),
                Cost(OURS, "both folders once more, nothing new", phases["again"]["seconds"]),
                Cost(OURS, "one late file of eight rows", phases["late"]["seconds"], f"wrote {ours['result']['late_bytes']:,} bytes"),
                Cost(OURS, "the first file of all", phases["first"]["seconds"]),
                Cost(BOUND, "writing the table's bytes through to the disk", ours["result"]["table_bytes"] / disk["write_bytes_per_second"]),
            ),
        )
    )  # fmt: skip
    late = max(phases["late"]["cpu_seconds"] - phases["again_one"]["cpu_seconds"], 0.0)
    result.figures |= {
        "phases": phases, "disk": disk, "table_bytes": ours["result"]["table_bytes"], "late_bytes": ours["result"]["late_bytes"],
        "late_cpu_seconds_beyond_start": late, "compiled_cpu_seconds": compiled, "rows_per_cpu_second": rates, "peak_bytes": ours["peak_bytes"],
    }  # fmt: skip
    result.notes.append(f"loading, or else compiling, what is compiled for both took {compiled:.1f} CPU s before")
    result.notes.append(
        f"a late file costs {late * 1000:,.0f} CPU ms more than taking in a known one; peak memory of all processes "
        f"{ours['peak_bytes'] / 2**30:.2f} GB"
    )
    return result


def compile_kernels(clock: alone.Clock) -> None:
    """Load what reads files quickly; where nobody has before, it is compiled now and kept beside the code."""
    from eisenergy.run import intake

    with clock.phase("compiled"):
        for name in intake.IMPORTS:
            import_module(name)


def write(_: alone.Clock, *, home: str, books: int, tables: int) -> dict[str, Any]:
    """Write the files: one first, the folders, and a late one. The last customer's month lacks what the late file brings."""
    from benchmarks import portfolio
    from benchmarks.files import Writer

    folder = Path(home) / "in"
    writer = Writer(portfolio.settings_of(Path(home)).samples)
    everybody = portfolio.members(portfolio.Portfolio(books + tables + 2))
    first = writer.tables(folder / "first", everybody[:1])
    made = {
        "first": first,
        "xlsx": writer.workbooks(folder / "xlsx", everybody[1 : books + 1]),
        "csv": writer.tables(folder / "csv", everybody[books + 1 : -1]),
    }
    writer.late(folder / "late" / "late.csv", everybody[-1], 100, LATE_ROWS)
    return {
        kind: {"rows": one.rows, "wh": one.wh, "bytes": sum(path.stat().st_size for path in one.paths)}
        for kind, one in made.items()
    }


def ingest(clock: alone.Clock, *, home: str) -> dict[str, Any]:
    """Take the folders in with the command."""
    import polars as pl

    from benchmarks import portfolio
    from eisenergy.accounts import Scope
    from eisenergy.desk.workspace import opened
    from eisenergy.store import masters

    folder, scope = Path(home) / "in", Scope.operator(portfolio.CLIENT)
    settings = portfolio.settings_of(Path(home))
    reports: dict[str, dict[str, Any]] = {}
    with opened(settings) as found:
        clock.server = alone.server_of(found, scope)

        def step(name: str, *places: str) -> None:
            with clock.phase(name):
                report = alone.command(home, "ingest", *(str(folder / place) for place in places))
            refused = [file for file in report["files"] if file["status"] == "refused"]
            if refused:
                raise AssertionError(f"{len(refused)} files were refused: {refused[0]}")
            reports[name] = {key: report[key] for key in ("added", "superseded", "unchanged", "version")}

        step("first", "first")
        step("xlsx", "xlsx")
        step("csv", "csv")
        step("again", "xlsx", "csv")
        step("again_one", "first")
        first, end = portfolio.MONTH.period.utc(portfolio.ZONE)
        rows = wh = 0
        meters = sorted(masters.meters(found.database, scope))
        for begin in range(0, len(meters), 250):
            frame = found.lake.read(scope, meters[begin : begin + 250], first, end)
            rows += frame.height
            wh += int(frame.select((pl.col("kwh_import") * 1000).round().cast(pl.Int64).sum()).item() or 0)
        before = _sizes(settings.lake)
        step("late", "late")
        after = _sizes(settings.lake)
    return {
        "reports": reports,
        "rows": rows,
        "wh": wh,
        "table_bytes": sum(before.values()),
        "late_bytes": sum(size for path, size in after.items() if path not in before),
    }


def _sizes(lake: str) -> dict[str, int]:
    return {str(path): path.stat().st_size for path in Path(lake).rglob("*") if path.is_file()}


def parse(clock: alone.Clock, *, home: str, sample: int) -> dict[str, Any]:
    """Parse a sample of the files with the usual tools."""
    folder = Path(home) / "in"
    result: dict[str, Any] = {}
    books = sorted((folder / "xlsx").iterdir())
    tables = sorted((folder / "csv").iterdir())
    for name, kind, reader, paths in (
        ("openpyxl + pandas", "xlsx", _by_openpyxl, books[:sample]),
        ("fastexcel + Polars", "xlsx", _by_fastexcel, books[: sample * 5]),
        ("pandas.read_csv", "csv", _by_pandas, tables[: sample * 5]),
        ("polars.read_csv", "csv", _by_polars, tables[: sample * 5]),
    ):
        reader(paths[0])  # what is imported late is not the tool's time
        sums = [0, 0]
        with clock.phase(name):
            for path in paths:
                rows, wh = reader(path)
                sums = [sums[0] + rows, sums[1] + wh]
        result[name] = {
            "kind": kind,
            "rows": sums[0],
            "wh": sums[1],
            "ours_wh": _generated(Path(home), paths),
            "cpu_seconds": max(clock.phases[name]["cpu_seconds"], 1e-9),
        }
    return result


def _generated(home: Path, paths: list[Path]) -> int:
    """The energy our own table holds of some files' meters [Wh]."""
    import polars as pl

    from benchmarks import portfolio
    from eisenergy.accounts import Scope
    from eisenergy.desk.workspace import opened

    first, end = portfolio.MONTH.period.utc(portfolio.ZONE)
    with opened(portfolio.settings_of(home)) as found:
        frame = found.lake.read(Scope.operator(portfolio.CLIENT), [path.stem for path in paths], first, end)
    return int(frame.select((pl.col("kwh_import") * 1000).round().cast(pl.Int64).sum()).item())


def _by_openpyxl(path: Path) -> tuple[int, int]:
    import openpyxl
    import pandas as pd

    book = openpyxl.load_workbook(path, read_only=True, data_only=True)
    rows = book.worksheets[0].iter_rows(values_only=True)
    frame = pd.DataFrame(list(rows)[1:], columns=_headers())
    book.close()
    return len(frame), int((frame["Energía activa (kWh)"] * 1000).round().sum())


def _by_fastexcel(path: Path) -> tuple[int, int]:
    import fastexcel
    import polars as pl

    frame = fastexcel.read_excel(path).load_sheet(0).to_polars()
    return frame.height, int(frame.select((pl.col("Energía activa (kWh)") * 1000).round().sum()).item())


def _by_pandas(path: Path) -> tuple[int, int]:
    import pandas as pd

    if path.read_bytes()[:9] == b"timestamp":
        frame = pd.read_csv(path, parse_dates=["timestamp"])
        return len(frame), int((frame["kwh"] * 1000).round().sum())
    frame = pd.read_csv(path, sep=";", decimal=",", skiprows=1)
    frame["start"] = pd.to_datetime(frame["Fecha"] + " " + frame["Hora"], format="%d/%m/%Y %H:%M")
    return len(frame), int((frame["kWh del int"] * 1000).round().sum())


def _by_polars(path: Path) -> tuple[int, int]:
    import polars as pl

    if path.read_bytes()[:9] == b"timestamp":
        frame = pl.read_csv(path, try_parse_dates=True, infer_schema_length=None)
        return frame.height, int(frame.select((pl.col("kwh") * 1000).round().sum()).item())
    frame = pl.read_csv(path, separator=";", decimal_comma=True, skip_rows=1, infer_schema_length=None)
    stamps = pl.concat_str("Fecha", "Hora", separator=" ").str.to_datetime("%d/%m/%Y %H:%M")
    frame = frame.with_columns(start=stamps)
    return frame.height, int(frame.select((pl.col("kWh del int") * 1000).round().sum()).item())


def _headers() -> tuple[str, ...]:
    from benchmarks.files import HEADERS

    return HEADERS

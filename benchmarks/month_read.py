"""Reading a month of all customers from the readings' table, against hive folders with a file per customer, by Polars and by DuckDB.

Everybody delivers all columns, in groups of customers, sorted by meter and time. Ours also takes the newest state of each reading and checks the
scope; the peers read what is there. Files were read just before, so the system's cache delivers them and no disk is waited for.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any, Final

from benchmarks import alone, machine, portfolio
from benchmarks.bills import workspace
from benchmarks.report import BOUND, OURS, PEER, Cost, Group, Result, equal

TOGETHER: Final = 250
"""Customers read at once: the library bills as many together, and more would need much memory."""


def run(customers: int = 10_000, *, quick: bool = False, home: Path | None = None) -> Result:
    """Measure.

    :param home: a filled workspace; by default one is made for this
    """
    result = Result(
        case="month_read",
        question="how long does it take to read a month of readings, against a folder of files?",
        size={"customers": customers, "customers_of_hive_folders": min(customers, 2000)},
        quick=quick,
    )
    hive = min(customers, 2000)
    with workspace(customers, home) as place:
        ours = alone.run("benchmarks.month_read:ours", home=str(place), customers=customers, one=min(42, customers))
        made = alone.run("benchmarks.month_read:hive", home=str(place), customers=hive)
        peers = alone.run("benchmarks.month_read:peers", home=str(place), customers=customers, hive=hive)
        files = sorted((place / "lake").rglob("*.parquet"))
        cached, size = machine.cached_read(files), sum(path.stat().st_size for path in files)
    mine, theirs = ours["result"], peers["result"]
    pairs = [
        ("rows of the month", mine["rows"], theirs["duckdb_table"]["rows"]),
        ("Wh of the month", mine["wh"], theirs["duckdb_table"]["wh"]),
        *(
            (f"rows of the first {hive}, {name}", mine["rows_of_first"][str(hive)], theirs[name]["rows"])
            for name in ("polars_hive", "duckdb_hive")
        ),
    ]
    result.checks.append(equal("rows and energy [Wh] read by ours and by the peers", pairs))

    def cpu(phases: dict[str, dict[str, float]], name: str, many: int) -> float:
        return phases[name]["cpu_seconds"] * 1000 / many

    def wall(phases: dict[str, dict[str, float]], name: str, many: int) -> float:
        return phases[name]["seconds"] * 1000 / many

    for title, unit, of in (
        ("on all cores", "wall ms per customer", wall),
        ("whatever the cores", "CPU ms per customer", cpu),
    ):
        result.groups.append(
            Group(
                f"a month, all columns, {title}",
                unit,
                (
                    Cost(OURS, "Lake.read", of(ours["phases"], "month", customers), f"{customers:,} customers"),
                    Cost(PEER, "Polars, hive folders, a file per customer", of(peers["phases"], "polars_hive", hive), f"{hive:,} customers"),
                    Cost(PEER, "DuckDB, hive folders, a file per customer", of(peers["phases"], "duckdb_hive", hive), f"{hive:,} customers"),
                    Cost(PEER, "DuckDB on our table's files", of(peers["phases"], "duckdb_table", customers)),
                    Cost(PEER, "Polars on our table's files, unsorted", of(peers["phases"], "polars_table", customers), "less work"),
                    *((Cost(BOUND, "the table's bytes from the system's cache", size / cached * 1000 / customers),) if of is wall else ()),
                ),
            )
        )  # fmt: skip
    one = min(42, customers)
    result.groups.append(
        Group(
            "one customer's month",
            "CPU ms",
            (
                Cost(OURS, "Lake.read of one", cpu(ours["phases"], "one", one)),
                Cost(PEER, "Polars, that customer's own file", cpu(peers["phases"], "polars_one", one)),
                Cost(PEER, "DuckDB, that customer's own file", cpu(peers["phases"], "duckdb_one", one)),
            ),
        )
    )
    result.figures |= {
        "table_bytes": size,
        "hive_bytes": made["result"]["bytes"],
        "table_bytes_per_customer": size / customers,
        "hive_bytes_per_customer": made["result"]["bytes"] / hive,
        "cached_read_bytes_per_second": cached,
        "phases": ours["phases"],
        "peer_phases": peers["phases"],
        "peak_bytes": ours["peak_bytes"],
    }
    result.notes.append(
        f"the table takes {size / customers / 1e3:.1f} kB per customer and month, hive folders {made['result']['bytes'] / hive / 1e3:.1f}"
    )
    return result


def _groups(customers: int) -> list[list[str]]:
    meters = [one.meter for one in portfolio.members(portfolio.Portfolio(customers))]
    return [meters[begin : begin + TOGETHER] for begin in range(0, len(meters), TOGETHER)]


def ours(clock: alone.Clock, *, home: str, customers: int, one: int) -> dict[str, Any]:
    """Read with the library."""
    import polars as pl

    from eisenergy.accounts import Scope
    from eisenergy.desk.workspace import opened

    scope, groups = Scope.operator(portfolio.CLIENT), _groups(customers)
    first, end = portfolio.MONTH.period.utc(portfolio.ZONE)
    rows, wh, of_first = 0, 0, {}
    with opened(portfolio.settings_of(Path(home))) as found:
        found.lake.read(scope, groups[-1], first, end)
        with clock.phase("month"):
            for number, meters in enumerate(groups, start=1):
                rows += found.lake.read(scope, meters, first, end).height
                of_first[min(number * TOGETHER, customers)] = rows
        for meters in groups:
            frame = found.lake.read(scope, meters, first, end)
            wh += int(frame.select((pl.col("kwh_import") * 1000).round().cast(pl.Int64).sum()).item() or 0)
        with clock.phase("one"):
            for meter in groups[0][:one]:
                found.lake.read(scope, [meter], first, end)
    return {"rows": rows, "wh": wh, "rows_of_first": of_first}


def hive(clock: alone.Clock, *, home: str, customers: int) -> dict[str, Any]:
    """Write the same readings as hive folders, a file per customer."""
    from eisenergy.accounts import Scope
    from eisenergy.desk.workspace import opened

    root = Path(home) / "hive" / f"client={portfolio.CLIENT}" / f"month={portfolio.MONTH}"
    first, end = portfolio.MONTH.period.utc(portfolio.ZONE)
    size = 0
    with opened(portfolio.settings_of(Path(home))) as found, clock.phase("write"):
        for meters in _groups(customers):
            frame = found.lake.read(Scope.operator(portfolio.CLIENT), meters, first, end)
            for (meter,), part in frame.partition_by("meter", as_dict=True).items():
                folder = root / f"meter={meter}"
                folder.mkdir(parents=True)
                part.drop("client", "meter").write_parquet(folder / "part.parquet", compression="zstd")
                size += (folder / "part.parquet").stat().st_size
    return {"bytes": size}


def peers(clock: alone.Clock, *, home: str, customers: int, hive: int) -> dict[str, Any]:
    """Read with Polars and DuckDB."""
    import duckdb
    import polars as pl

    root = Path(home) / "hive" / f"client={portfolio.CLIENT}" / f"month={portfolio.MONTH}"
    table = sorted(str(path) for path in (Path(home) / "lake").rglob("*.parquet"))
    first, end = portfolio.MONTH.period.utc(portfolio.ZONE)
    connection = duckdb.connect()
    connection.execute("SET TimeZone = 'UTC'")

    def of(meters: list[str]) -> list[str]:
        # a parked customer has no file
        return [str(path) for meter in meters if (path := root / f"meter={meter}" / "part.parquet").is_file()]

    def by_polars(meters: list[str]) -> int:
        frame = pl.scan_parquet(of(meters), hive_partitioning=True).sort("meter", "start").collect()
        return frame.height

    def by_duckdb(meters: list[str]) -> int:
        query = "SELECT * FROM read_parquet(?, hive_partitioning = true) ORDER BY meter, start"
        found = connection.execute(query, [of(meters)]).fetchnumpy()
        return len(found["start"])

    def table_by_polars(meters: list[str]) -> int:
        rows = pl.scan_parquet(table, hive_partitioning=True).filter(
            pl.col("meter").is_in(meters), pl.col("start").is_between(first, end, closed="left")
        )
        return rows.collect().height

    def table_by_duckdb(meters: list[str]) -> dict[str, Any]:
        query = (
            "SELECT * FROM read_parquet(?, hive_partitioning = true) WHERE meter BETWEEN ? AND ? AND start >= ? AND start < ? "
            "ORDER BY meter, start"
        )
        return connection.execute(query, [table, meters[0], meters[-1], first, end]).fetchnumpy()

    result: dict[str, Any] = {}
    for name, read, many in (
        ("polars_hive", by_polars, hive),
        ("duckdb_hive", by_duckdb, hive),
        ("polars_table", table_by_polars, customers),
    ):
        groups = _groups(many)
        read(groups[0])
        with clock.phase(name):
            result[name] = {"rows": sum(read(meters) for meters in groups)}
    rows = wh = 0
    with clock.phase("duckdb_table"):
        for meters in _groups(customers):
            found = table_by_duckdb(meters)
            rows += len(found["start"])
            wh += int((found["kwh_import"] * 1000).round().sum())
    result["duckdb_table"] = {"rows": rows, "wh": wh}
    single = _groups(customers)[0][:42]
    for name, read in (("polars_one", by_polars), ("duckdb_one", by_duckdb)):
        with clock.phase(name):
            for meter in single:
                if of([meter]):
                    read([meter])

    return result

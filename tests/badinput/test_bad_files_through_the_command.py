"""Bad input through the command: the exit code says so, the sentence says what to do, the rest is done, nothing is half done."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import bad_files as bad
import openpyxl
import pytest
from typer.testing import CliRunner, Result

from eisenergy.accounts import Scope
from eisenergy.cli import app
from eisenergy.config import Settings
from eisenergy.store.database import Database
from eisenergy.store.lake import Lake

SCOPE = Scope.operator("EIS")
STARTS = bad.september()
Command = Callable[..., Result]


@pytest.fixture(scope="module")
def command(settings: Settings, database: Database) -> Command:
    """Run the command in the module's workspace; a traceback fails the test."""

    def run(*words: str | Path) -> Result:
        result = CliRunner().invoke(app, [str(word) for word in words], env=settings.environment())
        if result.exception is not None and not isinstance(result.exception, SystemExit):
            raise result.exception
        assert "Traceback" not in result.output
        return result

    return run


def report(result: Result) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(result.stdout)
    return found


def says(message: str, *parts: str) -> None:
    missing = [part for part in parts if part not in message]
    assert not missing, f"{message!r} does not say {missing}"


@pytest.fixture(scope="module")
def workspace(command: Command, settings: Settings, masters: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A workspace with the shipped masters, but for one customer whose tariff nobody has."""
    folder = tmp_path_factory.mktemp("masters")
    assert command("client", "import", settings.params / "clients" / "EIS.yaml").exit_code == 0
    assert command("calendar", "import", masters / bad.BLOCKS).exit_code == 0
    assert command("tariffs", "import", masters / bad.TARIFF).exit_code == 0
    listed = bad.edited(folder / bad.CUSTOMERS, masters / bad.CUSTOMERS, {"J9": "EIS-NADIE"})
    assert command("customers", "import", listed).exit_code == 0
    return folder


@pytest.fixture(scope="module")
def taken(workspace: Path, command: Command, masters: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """A folder of good and bad files, taken in at once."""
    folder = tmp_path_factory.mktemp("inbox")
    shutil.copy(masters / bad.STEEL, folder)
    shutil.copy(masters / bad.LOG, folder)
    bad.cut(folder / "5741501.xlsx", masters / bad.STEEL, 0.5)
    bad.encrypted_workbook(folder / "5741502.xlsx")
    (folder / "5741503 (1).csv").write_text("Fecha;Hora;kWh\n" + "ayer;pronto;1,5\n" * 20, encoding="utf-8")
    rows = [f"574150{3 + n % 2};2021-09-01;{n // 2:02d}:00;1,5" for n in range(20)]
    (folder / "dos medidores.csv").write_text("\n".join(["Medidor;Fecha;Hora;kWh", *rows]), encoding="utf-8")
    bad.log(folder / "9999999.csv", STARTS, meter="9999999")
    far = [*STARTS[:500], *(start.replace(year=2031) for start in STARTS[500:600]), *STARTS[600:]]
    bad.log(folder / "5741504.csv", far, meter="5741504")
    bad.table(folder / "5741506.csv", STARTS, lambda n: "-5.000" if n == 100 else "5.000")
    bad.uncalculated(folder / "Nodo Ateos.xlsx", "C40")
    # these two are readable, and wrong: the month's check parks their customers
    bad.log(folder / "5741503.csv", STARTS, lambda n: 5_000_000 + n % 7 * 100_000, meter="5741503")
    forward = [*STARTS[:500], *(start + timedelta(hours=5) for start in STARTS[500:-20])]
    bad.log(folder / "5741505.csv", forward, meter="5741505")
    result = command("ingest", folder, "--json")
    assert result.exit_code == 1
    return report(result)


REFUSED = {
    "5741501.xlsx": ("cut off or damaged", "Download it again"),
    "5741502.xlsx": ("protected by a password", "Save it without a password"),
    "5741503 (1).csv": ("row 2", "column Fecha", "'ayer'"),
    "dos medidores.csv": ("two meters", "'5741503', '5741504'", "Part them"),
    "9999999.csv": ("meter 9999999 belongs to no customer", "eisenergy customers import"),
    "5741504.csv": ("row 503", "clock jumps by more than a year", "Check the meter's clock"),
    "5741506.csv": ("row 102", "column kwh", "-5", "Expected zero or more"),
    "Nodo Ateos.xlsx": ("sheet Nodo Ateos 5614086", "cell C40", "column kWh", "never calculated"),
}


def test_bad_files_are_refused_and_the_others_taken_in(taken: dict[str, Any]) -> None:
    status = {Path(entry["file"]).name: entry["status"] for entry in taken["files"]}
    assert status == {
        **dict.fromkeys(REFUSED, "refused"),
        bad.STEEL: "loaded",
        bad.LOG: "loaded",
        "5741503.csv": "loaded",
        "5741505.csv": "loaded",
    }
    assert taken["added"] == 2880 + 2862 + 2880 + 2860


@pytest.mark.parametrize("name", sorted(REFUSED))
def test_a_refusal_says_what_to_do(taken: dict[str, Any], name: str) -> None:
    entry = next(entry for entry in taken["files"] if Path(entry["file"]).name == name)
    sentences = [finding["message"] for finding in entry["findings"] if finding["severity"] == "blocking"]
    says(" ".join(sentences), name, *REFUSED[name])


def test_a_refused_file_leaves_no_reading(taken: dict[str, Any], lake: Lake) -> None:
    meters = [f"57415{n:02d}" for n in range(1, 7)] + ["5614086", "5741444"]
    frame = lake.read(SCOPE, meters, datetime(2015, 1, 1, tzinfo=UTC), datetime(2035, 1, 1, tzinfo=UTC))
    assert {(key[0], len(part)) for key, part in frame.group_by("meter")} == {
        ("5614086", 2880),
        ("5741444", 2862),
        ("5741503", 2880),
        ("5741505", 2860),
    }


def test_the_same_folder_again_changes_nothing(
    taken: dict[str, Any], command: Command, lake: Lake, tmp_path: Path
) -> None:
    version = lake.version()
    folder = Path(taken["files"][0]["file"]).parent
    again = report(command("ingest", folder, "--json"))
    assert (again["added"], again["superseded"], lake.version()) == (0, 0, version)
    assert sum(entry["status"] == "known" for entry in again["files"]) == 4
    assert sum(entry["status"] == "refused" for entry in again["files"]) == len(REFUSED)


def test_people_read_the_refusals_too(taken: dict[str, Any], command: Command) -> None:
    folder = Path(taken["files"][0]["file"]).parent
    result = command("ingest", folder / "5741506.csv", folder / "5741502.xlsx")
    assert result.exit_code == 1
    says(result.stdout, "5741506.csv, row 102, column kwh", "protected by a password", "2 refused")


@pytest.fixture(scope="module")
def billed(taken: dict[str, Any], command: Command) -> dict[str, Any]:
    result = command("bill", "2021-09", "--json")
    assert result.exit_code == 1
    return report(result)


def test_who_can_be_billed_is(billed: dict[str, Any]) -> None:
    drafts = {draft["contract"]: draft["total"] for draft in billed["drafts"]}
    assert set(drafts) == {"EIS-0001", "EIS-0002"}
    assert drafts["EIS-0001"] == "12989.48"


@pytest.mark.parametrize(
    ("contract", "code", "words"),
    [
        ("EIS-0003", "no-readings", ("5741501", "2021-09", "Ingest the meter's file")),
        ("EIS-0005", None, ("EIS-NADIE",)),
        ("EIS-0007", "clock-jump", ("5741505", "2021-09-06 05:00", "set forward", "Correct the meter's clock")),
    ],
)
def test_who_cannot_is_parked_with_a_sentence(
    billed: dict[str, Any], contract: str, code: str | None, words: tuple[str, ...]
) -> None:
    parked = {entry["contract"]: entry["findings"] for entry in billed["parked"]}
    assert set(parked) == {"EIS-0003", "EIS-0004", "EIS-0005", "EIS-0006", "EIS-0007", "EIS-0008"}
    blocking = [finding for finding in parked[contract] if finding["severity"] == "blocking"]
    assert blocking
    if code:
        assert code in {finding["code"] for finding in blocking}
    says(" ".join(finding["message"] for finding in blocking), *words)


def test_a_thousand_times_too_large_parks_once_the_tariff_is_right(
    billed: dict[str, Any], command: Command, masters: Path
) -> None:
    assert command("customers", "import", masters / bad.CUSTOMERS).exit_code == 0
    result = command("bill", "2021-09", "--customer", "EIS-0005", "--json")
    assert result.exit_code == 1
    (entry,) = report(result)["parked"]
    says(
        " ".join(finding["message"] for finding in entry["findings"] if finding["severity"] == "blocking"),
        "5741503",
        "contracted power (45 kW)",
        "Wh taken for kWh",
    )


def test_a_tariff_that_ends_inside_the_month_bills_nobody(
    billed: dict[str, Any], command: Command, masters: Path, tmp_path: Path
) -> None:
    book = openpyxl.load_workbook(masters / bad.TARIFF)
    sheet = book.worksheets[0]
    sheet["H3"] = "Vigente hasta"
    sheet["H18"] = date(2021, 9, 20)
    book.save(tmp_path / bad.TARIFF)
    assert command("tariffs", "import", tmp_path / bad.TARIFF).exit_code == 0
    result = command("bill", "2021-09", "--customer", "EIS-0001", "--json")
    assert result.exit_code == 1
    (entry,) = report(result)["parked"]
    says(" ".join(finding["message"] for finding in entry["findings"]), "EIS-TOU", "PUNTA", "2021-09-21")
    # the right sheet again, and the bill is what it was
    assert command("tariffs", "import", masters / bad.TARIFF).exit_code == 0
    (draft,) = report(command("bill", "2021-09", "--customer", "EIS-0001", "--json"))["drafts"]
    assert draft["total"] == "12989.48"


@pytest.mark.parametrize(
    ("words", "code", "sentence"),
    [
        (("bill", "septiembre"), 3, "YYYY-MM"),
        (("bill", "2021-13"), 3, "1 to 12"),
        (("bill", "2021-09", "--customer", "EIS-9999"), 3, "EIS-9999"),
        (("ingest", "no such folder"), 3, "no such file or folder"),
        (("preview", "no such file.csv"), 2, "does not exist"),
        (("invoices", "explain", "FAC-999999"), 3, "FAC-999999"),
    ],
)
def test_words_that_cannot_be_done(
    workspace: Path, command: Command, words: tuple[str, ...], code: int, sentence: str
) -> None:
    result = command(*words)
    assert result.exit_code == code
    says(" ".join(result.output.split()), sentence)


def test_preview_of_a_bad_file_stores_nothing(taken: dict[str, Any], command: Command, lake: Lake) -> None:
    folder = Path(taken["files"][0]["file"]).parent
    version = lake.version()
    for name in sorted(REFUSED):
        if name == "9999999.csv":
            continue  # nothing is wrong in the file itself
        result = command("preview", folder / name)
        assert result.exit_code in (1, 3), name
        says(" ".join(result.output.split()), *REFUSED[name][:1])
    assert lake.version() == version


def test_a_broken_master_stores_nothing(workspace: Path, command: Command, masters: Path, tmp_path: Path) -> None:
    before = command("customers", "list", "--json").stdout
    result = command("customers", "import", bad.cut(tmp_path / bad.CUSTOMERS, masters / bad.CUSTOMERS, 0.6))
    assert result.exit_code == 3
    says(result.output, bad.CUSTOMERS, "cut off or damaged")
    result = command("tariffs", "import", bad.edited(tmp_path / bad.TARIFF, masters / bad.TARIFF, {"C18": -1}))
    assert result.exit_code == 3
    says(" ".join(result.output.split()), "cell C18", "-1")
    result = command("calendar", "import", bad.edited(tmp_path / bad.BLOCKS, masters / bad.BLOCKS, {"B2": 3}))
    assert result.exit_code == 3
    assert command("customers", "list", "--json").stdout == before


def test_a_refusal_is_a_report_too(workspace: Path, command: Command) -> None:
    result = command("bill", "2021-13", "--json")
    assert result.exit_code == 3
    assert json.loads(result.stdout) == {"error": "month 13: expected 1 to 12"}
    assert "error: month 13" in result.stderr


def test_a_workspace_that_cannot_be_made(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("no folder")
    home = str(tmp_path / "file" / "home")
    result = CliRunner().invoke(app, ["invoices", "list"], env={"EISENERGY_HOME": home})
    assert result.exit_code == 3
    says(" ".join(result.stderr.split()), "EISENERGY_HOME", "cannot be made", "Name one that may be written to")


def test_two_files_that_contradict_each_other_at_once(
    workspace: Path, command: Command, lake: Lake, tmp_path: Path
) -> None:
    # the same download twice, the second one corrected: the later name supersedes, and both stay on record
    august = [start - timedelta(days=31) for start in STARTS]
    bad.log(tmp_path / "5741502 (1).csv", august, lambda n: 5_000, meter="5741502")
    bad.log(tmp_path / "5741502 (2).csv", august, lambda n: 7_000 if n < 10 else 5_000, meter="5741502")
    result = command("ingest", tmp_path, "--json")
    assert result.exit_code == 0
    assert {entry["status"] for entry in report(result)["files"]} == {"loaded"}
    start, end = datetime(2021, 8, 1, tzinfo=UTC), datetime(2021, 9, 10, tzinfo=UTC)
    frame = lake.read(SCOPE, ["5741502"], start, end)
    assert frame["kwh_import"].to_list() == [7.0] * 10 + [5.0] * 2870


def test_brackets_in_names_and_headers_are_shown_as_they_are(workspace: Path, command: Command, tmp_path: Path) -> None:
    # rich would take [kWh] for a style and [/x] for the end of one
    path = tmp_path / "5741502 [bold] [copia].csv"
    bad.table(path, STARTS[: 4 * 24], header="Timestamp,Energía [kWh]")
    result = command("preview", path)
    says(result.stdout, "[bold] [copia].csv", "Energía [kWh]")
    lines = path.read_text(encoding="utf-8").splitlines()
    path.write_text("\n".join([f"{lines[0]},Nota [/x]", *(f"{line},[/]" for line in lines[1:])]), encoding="utf-8")
    says(command("preview", path).stdout, "Nota [/x]")
    says(command("ingest", path).stdout, "[bold] [copia].csv", "loaded")

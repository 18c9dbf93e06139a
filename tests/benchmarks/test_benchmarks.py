"""Benchmarks that cannot rot: every case runs with a handful of customers, and the parts that judge are tried against wrong figures."""

from __future__ import annotations

import importlib.util
import json
import sys
from decimal import Decimal
from pathlib import Path

import polars as pl
import pytest

ROOT = Path(__file__).parents[2]
sys.path.insert(0, str(ROOT))

if any(importlib.util.find_spec(name) is None for name in ("duckdb", "pandas")):
    pytest.skip("the peers of the benchmarks are not installed (extra bench)", allow_module_level=True)

from benchmarks import __main__ as command  # noqa: E402
from benchmarks import growth, kernel, page, portal_home, portal_pages, portfolio, report, synthetic  # noqa: E402
from benchmarks.report import OURS, PEER, Aim, Cost, Group, Result  # noqa: E402
from eisenergy.accounts import Scope  # noqa: E402
from eisenergy.config import Settings  # noqa: E402
from eisenergy.desk.workspace import Workspace  # noqa: E402
from eisenergy.portal.app import MODULES  # noqa: E402
from eisenergy.portal.guard import OPERATORS  # noqa: E402
from eisenergy.portal.routes import Entry  # noqa: E402
from eisenergy.samples import plan  # noqa: E402
from eisenergy.store import masters, people, signins  # noqa: E402
from eisenergy.store.database import Database  # noqa: E402
from eisenergy.store.lake import Lake  # noqa: E402

SAMPLES = ROOT / "data" / "samples"


@pytest.fixture(scope="module")
def loads() -> synthetic.Loads:
    grid = synthetic.Grid.of(portfolio.MONTH, plan.prices(SAMPLES))
    return synthetic.Loads(grid, plan.supplies(SAMPLES), portfolio.SEED)


def made(result: list[Result], name: str) -> Result:
    return next(entry for entry in result if entry.case == name)


def test_a_larger_portfolio_begins_with_the_smaller_one(loads: synthetic.Loads) -> None:
    everybody = portfolio.members(portfolio.Portfolio(12))
    together = loads.readings(everybody)
    alone = loads.readings(everybody[4:5])
    assert together.filter(pl.col("meter") == everybody[4].meter).equals(alone)
    assert together.select("meter", "start").is_duplicated().sum() == 0
    assert together.height == 12 * 2976


def test_what_is_special_about_some_customers(loads: synthetic.Loads) -> None:
    everybody = portfolio.members(portfolio.Portfolio(200))
    rows = {member.number: loads.readings([member]) for member in everybody if member.number in (1, 9, 19, 39, 89, 139)}
    assert rows[39].is_empty()
    assert rows[89].is_empty()
    assert rows[1].height == 2976
    assert rows[1]["ftpms"].null_count() == 2976
    assert rows[9]["ftpms"].null_count() == 0
    assert set(rows[9]["block_in_file"]) == {"VALLE", "RESTO", "PUNTA"}
    assert 5 <= 2976 - rows[19].height <= 60
    assert 400 <= 2976 - rows[139].height <= 500


def test_loads_have_the_scale_of_the_contract(loads: synthetic.Loads) -> None:
    for number, supply in enumerate(plan.supplies(SAMPLES), start=1):
        kw = loads.readings([portfolio.Member(number)])["kw"]
        assert 0.3 * supply.contracted_kw < kw.max() < 1.2 * supply.contracted_kw, supply.name


@pytest.mark.long
def test_rows_put_beside_are_what_the_library_would_have_appended(
    settings: Settings, database: Database, lake: Lake, tmp_path: Path
) -> None:
    scope, some = Scope.operator(portfolio.CLIENT), portfolio.Portfolio(20)
    other = Lake(str(tmp_path / "appended"), lambda scope: masters.supplies(database, scope))
    beside = portfolio.fill(Workspace(settings=settings, database=database, lake=lake), some)
    appended = portfolio.fill(Workspace(settings=settings, database=database, lake=other), some, append=True)
    meters = sorted(masters.meters(database, scope))
    first, end = portfolio.MONTH.period.utc(portfolio.ZONE)
    found = lake.read(scope, meters, first, end)
    assert beside == appended == found.height
    assert len(meters) == 20
    assert found.equals(other.read(scope, meters, first, end))
    again = lake.append(scope, found)
    assert (again.added, again.superseded) == (0, 0)


def test_a_check_that_fails_ends_the_benchmark() -> None:
    assert report.equal("cents", [("a", Decimal("1.00"), Decimal("1.00"))]) == "cents: all 1"
    with pytest.raises(AssertionError, match=r"1 of 2 differ: b: ours 1\.00, theirs 1\.01"):
        report.equal("cents", [("a", 1, 1), ("b", Decimal("1.00"), Decimal("1.01"))])
    with pytest.raises(AssertionError, match="nothing was compared"):
        report.equal("cents", [])


def test_a_kernel_that_is_wrong_is_not_timed(monkeypatch: pytest.MonkeyPatch) -> None:
    right = kernel.complete.energies

    def wrong(*given: object) -> object:
        found = right(*given)
        found.kwh[1, 2] *= 1 + 1e-6
        return found

    monkeypatch.setattr(kernel.complete, "energies", wrong)
    with pytest.raises(AssertionError, match="Not equal to tolerance"):
        kernel.run(3, quick=True)


def test_ratios_aims_and_their_verdicts() -> None:
    group = Group("sums", "ms", (Cost(OURS, "ours", 2.0), Cost(PEER, "theirs", 9.0)))
    assert [group.ratio(cost) for cost in group.costs] == [1.0, 4.5]
    assert Aim("x", 5, 5).met
    assert not Aim("x", 5, 4.99).met
    assert Aim("x", 80, 79, "<=").met
    assert not Aim("x", 80, 81, "<=").met


def test_growth_is_an_exponent() -> None:
    assert growth._slope([(10, 3.0), (100, 30.0), (1000, 300.0)]) == pytest.approx(1)
    assert growth._slope([(10, 1.0), (100, 100.0)]) == pytest.approx(2)


def test_the_page_is_one_file_and_escapes(tmp_path: Path) -> None:
    result = Result(case="kernel", question="how <fast>?", size={"customers": 3})
    result.groups.append(
        Group("sums", "ms", (Cost(OURS, "ours & co", 2.0), Cost(PEER, "theirs", 900.0, "more <work>")))
    )
    result.aims.append(Aim("times", 5, 450))
    report.save(result, tmp_path)
    text = page.write(tmp_path).read_text(encoding="utf-8")
    assert "450×" in text
    assert "ours &amp; co" in text
    assert "more &lt;work&gt;" in text
    assert ">reached<" in text
    assert not any(mark in text for mark in ("http://", "https://", "<script", " src=", "@import"))


def test_the_kernel_case(tmp_path: Path) -> None:
    result = made(command.run(["kernel"], 5, quick=True, results=tmp_path), "kernel")
    assert len(result.checks) == 2
    assert {cost.who for group in result.groups for cost in group.costs} == {"ours", "peer", "bound"}
    written = json.loads((tmp_path / "kernel.json").read_text(encoding="utf-8"))
    assert written["machine"]["memory_bytes"] > 2**30
    assert all(aim["reason"] for aim in written["aims"])


@pytest.mark.long
def test_every_case_with_a_handful_of_customers(tmp_path: Path) -> None:
    results = command.run(list(command.CASES), 12, quick=True, results=tmp_path)
    assert [result.case for result in results] == list(command.CASES)
    for result in results:
        assert result.groups
        assert result.case == "growth" or result.checks
        assert all(cost.cost >= 0 for group in result.groups for cost in group.costs)
    bill = made(results, "bill")
    assert bill.figures["counts"]["drafted"] == 12
    assert "to the cent: all 132" in bill.checks[0]
    assert [entry["customers"] for entry in made(results, "growth").series] == [6, 12]
    assert sorted(path.name for path in tmp_path.iterdir()) == sorted(
        [*(f"{name}.json" for name in command.CASES), "index.html"]
    )


def test_every_page_of_the_portal_has_an_address_or_is_named() -> None:
    names = (
        "client", "customer", "number", "upload", "job", "token", "folder", "name", "path", "month", "contract", "tariff", "calendar",
        "proposal", "subscription",
    )  # fmt: skip
    values = dict.fromkeys(names, "x")
    known = portal_pages.pages(values)
    assert {page.route for page in known} == {entry.path for entry in portal_pages.entries()}
    assert len(known) > len(portal_pages.entries()) > 45
    everything = {entry.path for module in MODULES for entry in module.routes.entries}
    assert everything > portal_pages.UNMADE.keys()
    assert {page.who for page in known} == {"nobody", "customer", "operator"}
    assert all("{" not in page.path for page in known)
    new = Entry(path="/c/{client}/{novelty}", method="GET", rule=OPERATORS, handler=lambda _: None)  # type: ignore[arg-type,return-value]
    with pytest.raises(portal_pages.NoAddress, match=r"/c/\{client\}/\{novelty\} has \{novelty\} in its address"):
        portal_pages.pages(values, [new])


def test_accounts_in_bulk_are_what_inviting_writes(settings: Settings, database: Database, lake: Lake) -> None:
    workspace, scope = Workspace(settings=settings, database=database, lake=lake), Scope.operator(portfolio.CLIENT)
    portfolio.fill(workspace, portfolio.Portfolio(2), readings=False)
    one, two = portfolio.members(portfolio.Portfolio(2))
    portal_home._account(workspace, one)
    portal_home.accounts(workspace, [two.contract])
    found = people.users(database, scope)
    assert [user.email for user in found] == [portal_home.address(one.contract), portal_home.address(two.contract)]
    assert [user.grants[0].customers for user in found] == [{one.contract}, {two.contract}]
    assert len({(user.locale, user.disabled_at, user.grants[0].role) for user in found}) == 1
    assert [signins.by_email(database, user.email) is not None for user in found] == [True, True]


def test_a_case_that_is_not_there_is_named(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        command.main(["kernels"])
    assert "no case kernels: expected some of kernel, month_read" in capsys.readouterr().err

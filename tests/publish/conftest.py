"""Desks built by hand and notebooks executed on them, shared by the tests of charts, pages and sites."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))

import executed_notebooks
import sample_desks

from eisenergy.config import Settings
from eisenergy.desk import ClientMonth, CustomerMonth


@pytest.fixture(scope="session")
def desk() -> CustomerMonth:
    return sample_desks.customer_month()


@pytest.fixture(scope="session")
def overview() -> ClientMonth:
    return sample_desks.client_month()


@pytest.fixture(scope="session")
def executed(tmp_path_factory: pytest.TempPathFactory, desk: CustomerMonth, overview: ClientMonth) -> dict[str, Path]:
    folder = tmp_path_factory.mktemp("executed")
    notebooks = {
        name: executed_notebooks.execute(name, desk, folder / f"{name}.ipynb")
        for name in ("home", "dashboard", "invoice")
    }
    return notebooks | {"operator": executed_notebooks.execute("operator", overview, folder / "operator.ipynb")}


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return Settings.load({}, home=tmp_path / "home")

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from eisenergy.workbook import office

# the workbooks to be edited are plain modules beside the tests
sys.path.insert(0, str(Path(__file__).parent))


@pytest.fixture
def without_office(monkeypatch: pytest.MonkeyPatch) -> None:
    """LibreOffice takes seconds to start, and is no part of what these tests promise."""
    monkeypatch.setattr(office, "program", lambda: None)

"""Workbooks and documents made for one test: the shipped one with some cells changed, or a table from rows."""

from __future__ import annotations

from pathlib import Path

import openpyxl
import pytest

ROOT = Path(__file__).parents[2]
SAMPLE = ROOT / "data" / "samples" / "Tarifas EIS-TOU.xlsx"


@pytest.fixture
def edited(tmp_path):
    """Write the shipped price sheet with some cells changed; a value ``...`` deletes the row of the cell."""

    def write(cells=None, *, title=None, file="Tarifas.xlsx"):
        book = openpyxl.load_workbook(SAMPLE)
        sheet = book.active
        for cell, value in (cells or {}).items():
            if value is ...:
                sheet.delete_rows(sheet[cell].row)
            else:
                sheet[cell] = value
        sheet.title = title or sheet.title
        book.save(tmp_path / file)
        return tmp_path / file

    return write


@pytest.fixture
def workbook(tmp_path):
    """Write sheets from rows."""

    def write(sheets, file="Tarifas.xlsx"):
        book = openpyxl.Workbook()
        book.remove(book.active)
        for name, rows in sheets.items():
            sheet = book.create_sheet(name)
            for row in rows:
                sheet.append(row)
        book.save(tmp_path / file)
        return tmp_path / file

    return write


@pytest.fixture
def yaml(tmp_path):
    """Write a parameter document."""

    def write(text, file="T.yaml"):
        (tmp_path / file).write_text(text, encoding="utf-8")
        return tmp_path / file

    return write

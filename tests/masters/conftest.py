"""Workbooks and documents made for one test."""

from __future__ import annotations

from pathlib import Path

import openpyxl
import pytest

ROOT = Path(__file__).parents[2]
MASTER = ROOT / "data" / "samples" / "Datos de clientes para facturación.xlsx"


@pytest.fixture
def edited(tmp_path):
    """Write the shipped customer master with some cells changed."""

    def write(cells, file="Clientes.xlsx"):
        book = openpyxl.load_workbook(MASTER)
        for cell, value in cells.items():
            book.active[cell] = value
        book.save(tmp_path / file)
        return tmp_path / file

    return write


@pytest.fixture
def workbook(tmp_path):
    """Write sheets from rows."""

    def write(sheets, file="Libro.xlsx"):
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

    def write(text, file="doc.yaml"):
        (tmp_path / file).write_text(text, encoding="utf-8")
        return tmp_path / file

    return write

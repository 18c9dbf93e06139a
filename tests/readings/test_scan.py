"""The pass over a text table's bytes, against the cells it was written from."""

from __future__ import annotations

import random

import numpy as np
import pytest

from eisenergy.readings import scan

KINDS = np.array([scan.STAMP, scan.FIGURE, scan.TEXT, scan.TEXT, scan.FIGURE], np.uint8)
DAYS = ("1", "12", "123", "2021-10-01", "2021-10-02", "2021-10-0")
CLOCKS = ("00:00", "00:15", "00:1", "00:15:00", "00:30-06:00", "0")
WORDS = ("", "a", "ab", "abc", "b", "ba", "OK", "OKAY", "niño", "Punta", "Punta 2")


def _texts(column: scan.Texts) -> list[str]:
    assert len(set(column.different)) == len(column.different)
    return ["" if code < 0 else column.different[code] for code in column.codes.tolist()]


def _figure(rng: random.Random, decimal: str) -> str:
    whole = str(rng.randrange(10 ** rng.randrange(1, 8)))
    return whole if rng.random() < 0.2 else whole + decimal + f"{rng.randrange(1000):03d}"


@pytest.mark.parametrize("seed", range(40))
def test_cells_are_read_as_they_were_written(seed: int) -> None:
    """Texts that begin another, that follow one another in turn and then do not, empty ones, any line end; one table after the other."""
    rng = random.Random(seed)
    separator, decimal = rng.choice([(";", ","), (";", "."), (",", "."), ("\t", ",")])
    end, mark = rng.choice(["\n", "\r\n"]), rng.choice(" T")
    turns = [rng.sample(words, rng.randrange(1, len(words) + 1)) for words in (DAYS, CLOCKS, WORDS, WORDS)]
    odd = rng.choice([0, 0.05, 0.9])
    rows = []
    for number in range(rng.randrange(1, 300)):
        day, clock, one, other = (
            rng.choice(words) if rng.random() < odd else words[number // step % len(words)]
            for words, step in zip(turns, (1, 7, 3, 1), strict=True)
        )
        rows.append([f"{day}{mark}{clock}", _figure(rng, decimal), one, other, _figure(rng, decimal)])
    above = "header" + end
    text = above + end.join(separator.join(row) for row in rows)
    data = (text + end if rng.random() < 0.7 else text).encode()
    found = scan.table(data, len(above), separator, decimal, KINDS)
    assert found is not None
    assert found.rows == len(rows)
    columns = list(zip(*rows, strict=True))
    stamps = zip(_texts(found.texts[0]), _texts(found.clocks[0]), strict=True)
    assert [f"{day}{mark}{clock}" for day, clock in stamps] == list(columns[0])
    for column in (2, 3):
        assert _texts(found.texts[column]) == list(columns[column])
        assert list(found.texts[column].different) == list(dict.fromkeys(filter(None, columns[column])))
    for column in (1, 4):
        assert found.figures[column].tolist() == [float(cell.replace(",", ".")) for cell in columns[column]]

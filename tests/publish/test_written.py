"""What is written at once is what is written piece by piece."""

from __future__ import annotations

import html
import json
import random
import re
from typing import Any

import pytest

from eisenergy.publish import site
from eisenergy.publish.drawing import Canvas, n
from eisenergy.publish.figure import Data
from eisenergy.run.notebook import _bytes


def test_a_line_of_points_is_rounded_as_each_number() -> None:
    dice = random.Random(7)
    odd = [-0.04, 0.0, -0.0, 10.0, -10.04, 100.05, 0.96, -0.96, 9.95, 1e6, -0.05]
    for count in (1, 2, 200):
        points = [(dice.choice([*odd, dice.uniform(-900, 900)]), dice.choice(odd)) for _ in range(count)]
        canvas = Canvas(width=1, height=1)
        canvas.path(points, "x")
        assert canvas._parts == [f'<path d="M{"L".join(f"{n(x)},{n(y)}" for x, y in points)}" x/>']


@pytest.mark.parametrize("text", ["a", "<&>\"'", "a\0b", ""])
@pytest.mark.parametrize("numeric_from", [0, 1, 2, 9])
def test_a_table_has_the_cells_it_is_given(text: str, numeric_from: int) -> None:
    rows = ((text, "1", "2"), ("x", text, "3"))

    def cells(tag: str, texts: tuple[str, ...]) -> str:
        kinds = (" class=n" if at >= numeric_from else "" for at in range(len(texts)))
        return "".join(f"<{tag}{kind}>{html.escape(each)}</{tag}>" for kind, each in zip(kinds, texts, strict=True))

    body = "".join(f"<tr>{cells('td', row)}</tr>" for row in rows)
    made = Data(columns=("a", text, "c"), rows=rows).html(numeric_from=numeric_from)
    assert made == f"<table><thead><tr>{cells('th', ('a', text, 'c'))}</tr></thead><tbody>{body}</tbody></table>"
    assert Data(columns=("a",), rows=()).html().endswith("<tbody></tbody></table>")


def test_a_notebook_is_the_json_it_always_was() -> None:
    long = 'sí «—» \\ " \n' * 40

    def cell(**more: Any) -> dict[str, Any]:
        return {"cell_type": "code", "id": "i", "metadata": {"tags": []}, "execution_count": 1, **more}

    def output(**more: Any) -> dict[str, Any]:
        return {"output_type": "execute_result", "metadata": {}, "execution_count": 1, **more}

    cells = [
        {"cell_type": "markdown", "id": "m", "metadata": {}, "source": long},
        cell(outputs=[], source="x"),
        cell(outputs=[output(data={"text/plain": "é", "text/html": long})], source="ñ"),
        cell(
            outputs=[output(data={"text/plain": f"\t{long}"}), output(data={"application/json": {"a": long}})],
            source="",
        ),
        cell(outputs=[output(data={}), {"output_type": "stream", "name": "stdout", "text": long}], source=long),
        cell(outputs=[{"data": {"b": long}}], source="x"),
        cell(outputs=[output(data={"b": long}, assigned=1)], source="x", wherever=2),
        cell(outputs=[output(data={"b": long})], source="x", attachments={"outline": 1}),
    ]
    book = {"cells": cells, "metadata": {"a": "é"}, "nbformat": 4, "nbformat_minor": 5}
    whole = [json.dumps(one, ensure_ascii=False, sort_keys=True) for one in cells]
    rest = json.dumps({k: v for k, v in book.items() if k != "cells"}, ensure_ascii=False, sort_keys=True)
    assert _bytes(book).decode() == '{"cells": [\n' + ",\n".join(whole) + "\n],\n" + rest[1:] + "\n"


def test_links_are_found_where_they_were() -> None:
    parts = [
        '<a href="2021-09/a.html">one</a>',
        '<a class="x"\n href="../EIS-1/b.html">t<b>w</b>o</a>',
        "<article>",
        '<abbr href="x/y">no</abbr>',
        '<a href="https://example.org/">else</a>',
        "<a",
        "text",
        '<a href="x/open">',
    ]
    dice = random.Random(3)
    for _ in range(200):
        text = "".join(dice.choices(parts, k=dice.randrange(9)))

        def kept(match: re.Match[str]) -> str:
            return f"[{match['href']}|{match['text']}]"

        assert site._linked(text, kept) == site._LINK.sub(kept, text)

"""Raw Typst blocks and the invoice in them are found as the expressions that describe them find them."""

from __future__ import annotations

import json
import re
from typing import Any

from hypothesis import example, given
from hypothesis import strategies as st

from eisenergy.publish import drawing_parts
from eisenergy.publish import notebook_typst as printed
from eisenergy.publish.document import fence, typst_json

BLOCK = re.compile(r"^```\{=typst\}\n(.*?)\n```[ \t]*$", re.DOTALL | re.MULTILINE)
INVOICE = re.compile(r'#invoice\(json\(bytes\("([^"\\]*(?:\\.[^"\\]*)*)"\)\)\)')

pieces = st.lists(st.sampled_from(["```{=typst}\n", "```", "\n", "a", " ", "\t", "{=typst}"]), max_size=14)


@given(pieces.map("".join))
@example("```{=typst}\n\n``` \t\nx\n```{=typst}\nb\n```c\n```")
@example("x```{=typst}\na\n```\n```{=typst}\nb\n```")
def test_blocks_are_those_of_the_expression(shown: str) -> None:
    assert list(printed._fences(shown)) == BLOCK.findall(shown)


texts = st.text(st.sampled_from('a\\"`)(}\n#\0é€'), max_size=10)


@given(
    st.dictionaries(
        texts, texts | st.floats(allow_nan=False, allow_infinity=False) | st.lists(texts, max_size=3), max_size=4
    )
)
@example({'a")))': '\\")))', "b\\": "\\"})
def test_an_invoice_is_read_back_whatever_its_texts_are(document: dict[str, Any]) -> None:
    (block,) = printed._fences(f"before\n{fence(document)}after")
    assert printed._invoice_in(block) == document
    assert printed._invoice_in(block[:-1]) is None
    found = INVOICE.search(block)
    assert found is not None
    assert json.loads(json.loads(f'"{found[1]}"')) == document
    assert printed._invoice_in(f"#kpi-row({typst_json(document)})") is None


@given(
    st.lists(st.sampled_from(['#invoice(json(bytes("', "\\", '"', ")))", '")))', "{}", "\\u0041"]), max_size=9).map(
        "".join
    )
)
def test_what_is_no_invoice_is_none(block: str) -> None:
    found = INVOICE.search(block)
    if found is None:
        assert printed._invoice_in(block) is None


def test_a_word_is_read_whatever_order_its_attributes_have() -> None:
    told = {"x": "3.5", "y": "-2", "fill": "#112233", "text-anchor": "end", "font-size": "11", "font-weight": "bold"}
    for without in ((), ("text-anchor",), ("font-size", "font-weight"), ("text-anchor", "font-size", "font-weight")):
        kept = [f'{name}="{value}"' for name, value in told.items() if name not in without]
        one, other = (
            drawing_parts._word(f"<text {' '.join(attributes)}>Punta &lt;y&gt;</text>", 46.0)
            for attributes in (kept, kept[::-1])
        )
        assert one == other
        assert one is not None
        assert (one.words, one.y, one.bold) == ("Punta <y>", 44.0, "font-weight" not in without)

"""What an executed notebook prints, as Typst: the same outputs that Quarto takes for its PDF."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import date
from functools import lru_cache
from pathlib import Path
from typing import Any, Final

from eisenergy.publish.drawing_parts import Parts, Word, parts_of
from eisenergy.publish.navigation import read_notebook, read_yaml

WIDE: Final = 700
"""A drawing of this many pixels or more takes the page's whole width."""

_FENCE: Final = "```{=typst}\n"
_TICKS: Final = "\n```"
_CLOSED: Final = re.compile(r"\n```[ \t]*$", re.MULTILINE)
_GIVEN: Final = r'json\(bytes\("([^"\\]*(?:\\.[^"\\]*)*)"\)\)'
"""What :func:`~eisenergy.publish.document.typst_json` writes."""
_INVOICE: Final = '#invoice(json(bytes("'
_PRINTED: Final = '")))'
_HEADING: Final = re.compile(rf"#heading\(level: 1, {_GIVEN}")
_NOT_ASCII: Final = re.compile(r"[^ -~]")
_SIZE: Final = re.compile(r'<svg[^>]*?\bwidth="([\d.]+)')
_TITLE: Final = re.compile(r"<title>(.*?)</title>", re.DOTALL)
_HIDDEN: Final = frozenset({"no-pdf", "remove-output", "remove-cell"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Meta:
    """A document's data: printed nowhere, shown by readers and found by searches.

    :param date: date of issue; fixed, so that the same input gives the same bytes
    """

    title: str
    author: str
    keywords: tuple[str, ...] = ()
    date: date
    lang: str = "es"
    region: str = "SV"

    @classmethod
    def of(cls, document: Mapping[str, Any]) -> Meta:
        """Read the data of a document of :func:`eisenergy.publish.document.invoice_document`, or of a dashboard's."""
        data = document["meta"]
        return cls(
            title=data["title"],
            author=data["author"],
            keywords=tuple(data.get("keywords", ())),
            date=date.fromisoformat(data["date"]),
            lang=data.get("lang", "es"),
            region=data.get("region", "SV"),
        )

    def to_dict(self) -> dict[str, Any]:
        """Return the data as JSON types."""
        return {
            "title": self.title,
            "author": self.author,
            "keywords": list(self.keywords),
            "date": self.date.isoformat(),
            "lang": self.lang,
            "region": self.region,
        }


@dataclass(frozen=True, slots=True)
class Drawing:
    """An SVG output, and the sentence for readers who do not see it."""

    svg: str
    alt: str

    @property
    def wide(self) -> bool:
        """Whether it takes a whole row."""
        size = _SIZE.search(self.svg)
        return size is not None and float(size[1]) >= WIDE

    def item(self) -> dict[str, Any]:
        """Return the drawing as ``charts`` of ``dashboard-page.typ`` takes it."""
        parts = parts_of(self.svg)
        known: dict[str, Any] = {"wide": self.wide, "alt": self.alt}
        if parts is None:
            return known | {"svg": self.svg}
        size = {"width": parts.width, "height": parts.height}
        return known | size | {"shapes": parts.shapes, "words": _groups(parts)}


def _groups(parts: Parts) -> list[dict[str, Any]]:
    """Return the words of a drawing by look, and those of one look by rows and columns, in their order.

    Many drawings have the same hours or months along an axis; Typst sets such a row once.
    """
    looks: dict[tuple[object, ...], list[Word]] = {}
    for word in parts.words:
        looks.setdefault((word.size, word.colour, word.bold), []).append(word)
    groups: list[dict[str, Any]] = []
    for words in looks.values():
        last: Word | None = None
        for word in words:
            if last is None or (word.anchor, word.angle) != (last.anchor, last.angle) or not _aligned(word, last):
                groups.append(_group(word))
            groups[-1]["at"].append([word.words, _from_side(word, parts.width), word.y])
            last = word
    return groups


def _aligned(a: Word, b: Word) -> bool:
    return a.x == b.x or a.y == b.y


def _group(word: Word) -> dict[str, Any]:
    look = {"size": word.size, "fill": word.colour, "bold": word.bold, "angle": word.angle}
    return {"side": {"start": "left", "middle": "center", "end": "right"}[word.anchor], **look, "at": []}


def _from_side(word: Word, width: float) -> float:
    """Where a word stands, from the side of the drawing that it is set from [pixels]."""
    return round(word.x - {"start": 0.0, "middle": width / 2, "end": width}[word.anchor], 2)


def body_of(executed: Path) -> tuple[Meta, str]:
    """Return the document data and the Typst body of an executed notebook.

    The data come from the invoice the notebook shows, otherwise from its front matter (``title``, ``author``, ``date``,
    ``lang``), its first heading and the parameters it was run with.
    """
    notebook = read_notebook(executed)
    meta = _meta(notebook, executed)
    parts: list[str] = []
    drawings: list[Drawing] = []

    def flush() -> None:
        if drawings:
            items = json.dumps([item.item() for item in drawings], separators=(",", ":"))
            parts.append(f"#charts(json(bytes({raw_text(items)})))")
            drawings.clear()

    for item in _items(notebook):
        if isinstance(item, Drawing):
            drawings.append(item)
        else:
            flush()
            parts.append(item)
    flush()
    return meta, "\n\n".join(parts)


def _items(notebook: Any) -> Iterator[str | Drawing]:
    for cell in notebook.cells:
        if _HIDDEN & set(cell.metadata.get("tags", ())):
            continue
        if cell.cell_type == "markdown":
            text = markdown(cell.source)
            if text:
                yield text
        elif cell.cell_type == "code":
            for output in cell.get("outputs", ()):
                yield from _output(output.get("data", {}))


def _output(data: Mapping[str, Any]) -> Iterator[str | Drawing]:
    fences = _fences(data.get("text/markdown", ""))
    if fences:
        yield from fences
    elif "image/svg+xml" in data:
        svg = data["image/svg+xml"]
        title = _TITLE.search(svg)
        yield Drawing(svg, data.get("text/plain") or (title[1] if title else "") or "-")
    elif "text/markdown" in data:
        text = markdown(data["text/markdown"])
        if text:
            yield text


def _meta(notebook: Any, executed: Path) -> Meta:
    fences = [
        fence
        for cell in notebook.cells
        for output in cell.get("outputs", ())
        for fence in _fences(output.get("data", {}).get("text/markdown", ""))
    ]
    for document in filter(None, map(_invoice_in, fences)):
        return Meta.of(document)
    front = _front_matter(notebook)
    heading = next((str(_value(found[1])) for found in filter(None, map(_HEADING.search, fences))), "")
    parameters = notebook.metadata.get("papermill", {}).get("parameters", {})
    titles = [str(front.get("title") or ""), heading, str(parameters.get("month") or "")]
    return Meta(
        title=" \N{MIDDLE DOT} ".join(text for text in titles if text) or executed.stem,
        author=str(front.get("author") or parameters.get("client") or ""),
        keywords=tuple(str(parameters[name]) for name in sorted(parameters)),
        date=_day(str(front.get("date") or parameters.get("month") or "")),
        lang=str(front.get("lang") or "es")[:2],
    )


def invoice_of(executed: Path) -> dict[str, str | None] | None:
    """Return number (``None`` for a draft) and contract of the invoice that an executed notebook shows; ``None`` where it shows none."""
    for cell in read_notebook(executed).cells:
        for output in cell.get("outputs", ()):
            for data in filter(None, map(_invoice_in, _fences(output.get("data", {}).get("text/markdown", "")))):
                return {
                    "number": None if data["draft"] else data["number"],
                    "contract": data["supply"]["rows"][0][1],
                }
    return None


@lru_cache(maxsize=8)
def _fences(shown: str) -> tuple[str, ...]:
    """The raw Typst blocks of an output; several questions are put to the same few."""
    # Their ends are searched for: an expression for whole blocks looks at every sign, in half a millisecond.
    found: list[str] = []
    at = shown.find(_FENCE)
    while at >= 0:
        start = at + len(_FENCE)
        if at == 0 or shown[at - 1] == "\n":
            end = shown.find(_TICKS, start)
            while end >= 0 and _CLOSED.match(shown, end) is None:
                end = shown.find(_TICKS, end + 1)
            if end < 0:
                break
            found.append(shown[start:end])
            start = end
        at = shown.find(_FENCE, start)
    return tuple(found)


@lru_cache(maxsize=8)
def _invoice_in(fence: str) -> Mapping[str, Any] | None:
    """The document of the invoice that a block prints, for reading only."""
    at = fence.find(_INVOICE)
    while at >= 0:
        start = at + len(_INVOICE)
        end = fence.find(_PRINTED, start)
        while end >= 0 and (end - start - len(fence[start:end].rstrip("\\"))) % 2:  # a quote within the data
            end = fence.find(_PRINTED, end + 1)
        if end < 0:
            break
        if '"' not in fence[start:end].replace("\\\\", "").replace('\\"', ""):
            document: Mapping[str, Any] = _value(fence[start:end])
            return document
        at = fence.find(_INVOICE, start)
    return None


def _value(escaped: str) -> Any:
    """Read back what :func:`~eisenergy.publish.document.typst_json` wrote: JSON with a backslash before each backslash and quote."""
    plain = escaped.replace("\\\\", "\0").replace('\\"', '"')
    return json.loads(json.loads(f'"{escaped}"') if "\\" in plain else plain.replace("\0", "\\"))


def _day(text: str) -> date:
    """Return a date, the first day of a month, or the first day of all when neither is known: never today's."""
    found = re.match(r"(\d{4})-(\d{2})(?:-(\d{2}))?", text)
    return date(int(found[1]), int(found[2]), int(found[3] or 1)) if found else date(1970, 1, 1)


def _front_matter(notebook: Any) -> dict[str, Any]:
    cells = notebook.cells
    if cells and cells[0].cell_type == "raw" and cells[0].source.startswith("---"):
        return read_yaml(cells[0].source.strip().strip("-")) or {}
    return {}


def _string(text: str) -> str:
    r"""Return a Typst string literal, plain ASCII."""
    escaped = text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n").replace("\r", "").replace("\t", "\\t")
    return '"' + _NOT_ASCII.sub(lambda found: f"\\u{{{ord(found[0]):x}}}", escaped) + '"'


def raw_text(data: str) -> str:
    """Return JSON as a Typst expression without escapes: a string with some is put together sign by sign."""
    return "`" + data.replace("`", r"\u0060") + "`.text"


def markdown(text: str) -> str:
    """Return headings and paragraphs of Markdown as Typst; links keep their text, comments and divs are dropped."""
    lines: list[str] = []
    paragraph: list[str] = []

    def flush() -> None:
        if paragraph:
            lines.append("#" + _text(" ".join(paragraph)))
            lines.append("")
            paragraph.clear()

    for line in re.sub(r"<!--.*?-->", "", text, flags=re.DOTALL).splitlines():
        stripped = line.strip()
        heading = re.match(r"^(#{1,6})\s+(.*?)\s*(\{.*\})?\s*$", stripped)
        if heading:
            flush()
            if heading[2] and heading[2].lower() not in ("row", "column"):
                lines.append(f"#heading(level: {len(heading[1])}, {_text(heading[2])})")
                lines.append("")
        elif not stripped or stripped.startswith(":::"):
            flush()
        else:
            paragraph.append(stripped)
    flush()
    return "\n".join(lines).strip()


def _text(markdown_line: str) -> str:
    """Return one line's text as Typst content; emphasis is kept, other marks are dropped."""
    plain = re.sub(r"!?\[([^\]]*)\]\([^)]*\)", r"\1", markdown_line)
    pieces = re.split(r"\*\*(.+?)\*\*", plain)
    content = [
        f"strong({_string(piece)})" if n % 2 else f"text({_string(piece.replace('`', ''))})"
        for n, piece in enumerate(pieces)
        if piece
    ]
    return "[" + "".join(f"#{item}" for item in content) + "]"

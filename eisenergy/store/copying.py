"""A draft as a line of PostgreSQL's COPY; light, so that a process that only prices need not load the store."""

from __future__ import annotations

from typing import Final

from eisenergy.billing.batch import Entry

COLUMNS: Final = (
    "client", "contract", "month", "customer", "kwh", "total", "input_hash", "document", "basis", "made", "lake_version",
)  # fmt: skip
"""Columns of a line, in their order."""


def line(client: str, month: str, entry: Entry) -> bytes:
    """Return a draft as a line of COPY's text format."""
    texts = (
        client,
        entry.contract,
        month,
        entry.customer,
        str(entry.kwh),
        str(entry.total),
        entry.input_hash,
        entry.document,
        entry.basis,
        entry.made,
    )
    version = r"\N" if entry.lake_version is None else str(entry.lake_version)
    return "\t".join((*map(_escaped, texts), f"{version}\n")).encode()


def _escaped(text: str) -> str:
    if "\\" in text:
        text = text.replace("\\", "\\\\")
    if "\t" in text or "\n" in text or "\r" in text:
        text = text.replace("\t", "\\t").replace("\n", "\\n").replace("\r", "\\r")
    return text

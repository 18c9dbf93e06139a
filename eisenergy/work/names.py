"""Names of files that come from outside: nothing in them leads to another folder or is taken for a formula."""

from __future__ import annotations

import re
import unicodedata
from pathlib import PurePath
from typing import Final

ENDINGS: Final = (".csv", ".tsv", ".txt", ".xls", ".xlsx", ".xlsm")
"""Of files that are taken at all."""
START: Final = 512
"""Bytes of a file that :func:`unfit` looks at."""
LONGEST: Final = 150
NAMELESS: Final = "archivo"
_OTHERS: Final = (b"MZ", b"\x7fELF", b"%PDF", b"\x89PNG", b"\xff\xd8\xff", b"GIF8", b"Rar!", b"7z\xbc\xaf", b"\x1f\x8b")
"""How programs, pictures, documents and archives begin."""


def unfit(name: str, start: bytes) -> str | None:
    """Say why a file is not taken at all; ``None`` for one that is. What it holds is looked at when it is read.

    :param start: its first :data:`START` bytes
    :returns: ``ending`` (which promises no table), ``empty`` or ``content``
    """
    if PurePath(name).suffix.lower() not in ENDINGS:
        return "ending"
    if not start.strip():
        return "empty"
    return "content" if start.startswith(_OTHERS) else None


def cleaned(name: str | None) -> str:
    """Return the name of a file alone: no folders, no control characters, no beginning that a program would act on.

    >>> cleaned("..\\\\..\\\\=cmd|' /C calc'!A0.csv")
    "_cmd_' _C calc'!A0.csv"
    """
    text = unicodedata.normalize("NFC", name or "").replace("\\", "/").rstrip("/")
    text = "".join(
        c for c in text.rsplit("/", 1)[-1] if c.isprintable() and unicodedata.category(c) not in ("Cf", "Co")
    )
    text = re.sub(r'[<>:"|?*]', "_", text).strip()
    text = re.sub(r"^[.\s]+", "", text)
    text = re.sub(r"^[=+@\-]+", "_", text)
    stem, dot, ending = text.rpartition(".")
    if dot and len(text) > LONGEST:
        text = f"{stem[: LONGEST - 1 - len(ending[:8])]}.{ending[:8]}"
    return text[:LONGEST] or NAMELESS

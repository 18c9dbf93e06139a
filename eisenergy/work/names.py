"""Names of files that come from outside: nothing in them leads to another folder or is taken for a formula."""

from __future__ import annotations

import re
import unicodedata
from typing import Final

LONGEST: Final = 150
NAMELESS: Final = "archivo"


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

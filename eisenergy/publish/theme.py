"""The house's look: colours of blocks and brand, names of typefaces. Pages, charts and documents take them from here.

The block colours are Paul Tol's ("high contrast" blue, yellow and red), which readers with any of the usual colour
deficiencies tell apart, also in a grey print: Source: Paul Tol, "Colour Schemes", SRON/EPS/TN/09-002.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

BLOCK_COLOURS: Final[dict[str, str]] = {"VALLE": "#004488", "RESTO": "#DDAA33", "PUNTA": "#BB5566"}
FALLBACK_COLOURS: Final = ("#228833", "#66CCEE", "#AA3377", "#EE7733", "#999933", "#882255", "#BBBBBB")
"""For blocks of other calendars, in order of appearance."""

INK: Final = "#16202B"
MUTED: Final = "#5A6675"
RULE: Final = "#D5DBE2"
PANEL: Final = "#F3F6F9"
BRAND: Final = "#0B3C5D"
ACCENT: Final = "#00857C"
WARNING: Final = "#A6420F"

FONT: Final = "Source Sans Pro"
FONT_FALLBACKS: Final = ("Source Sans 3", "Segoe UI", "Helvetica Neue", "Arial", "sans-serif")
CSS_FONT: Final = ", ".join(f'"{name}"' if " " in name else name for name in (FONT, *FONT_FALLBACKS))


def block_colours(blocks: Iterable[str]) -> dict[str, str]:
    """Return a colour for every block: the house's for those it knows, otherwise the next fallback.

    :param blocks: names in the order of the calendar
    :returns: block -> ``#RRGGBB``, in the same order
    """
    names = list(dict.fromkeys(blocks))
    others = [name for name in names if name not in BLOCK_COLOURS]
    spare = {name: FALLBACK_COLOURS[n % len(FALLBACK_COLOURS)] for n, name in enumerate(others)}
    return {name: BLOCK_COLOURS.get(name, spare.get(name, "")) for name in names}

"""Which renderer makes the sites: Quarto where it is on the PATH, otherwise the embedded one."""

from __future__ import annotations

from typing import Final, Literal

from eisenergy.config import Settings
from eisenergy.publish import quarto

Renderer = Literal["quarto", "embedded"]

QUARTO: Final = "quarto"
EMBEDDED: Final = "embedded"


def choose(settings: Settings) -> Renderer:
    """Return the renderer that the settings and the machine allow.

    :raises quarto.QuartoFailed: when the settings demand Quarto and it is not on the PATH
    """
    if settings.renderer == EMBEDDED:
        return EMBEDDED
    if quarto.program() is not None:
        return QUARTO
    if settings.renderer == QUARTO:
        raise quarto.QuartoFailed(
            "EISENERGY_RENDERER=quarto, but quarto is not on the PATH: install it, or set EISENERGY_RENDERER=auto"
        )
    return EMBEDDED

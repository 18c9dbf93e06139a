"""Where the project keeps what publishing needs: assets, fonts, templates, and the site's description."""

from __future__ import annotations

from pathlib import Path
from typing import Final

PROJECT: Final = Path(__file__).resolve().parents[2]
REPORTS: Final = PROJECT / "reports"
ASSETS: Final = REPORTS / "assets"
FONTS: Final = REPORTS / "fonts"
TEMPLATES: Final = REPORTS / "templates"
QUARTO: Final = PROJECT / "_quarto.yml"
OPERATOR: Final = "_operator"
"""Folder of the operator's site among the customers'."""
INVOICE: Final = "invoice.json"
"""Beside an invoice's PDF: the number it shows."""

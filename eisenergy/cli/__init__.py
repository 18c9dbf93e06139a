"""The command ``eisenergy``.

Processes that make documents import modules of this package, too. The commands, and all that they need, are loaded when they are asked for.
"""

from __future__ import annotations

import gc
from typing import Any


def main() -> None:
    """Run the command line."""
    gc.disable()  # while commands are loaded: looking for garbage in what stays takes a tenth of the time
    from eisenergy.cli.commands import app

    app()


def __getattr__(name: str) -> Any:
    if name == "app":
        from eisenergy.cli.commands import app

        return app
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")

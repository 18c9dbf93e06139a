"""What Papermill finds under ``papermill.engine``: the engine's name, without the engine.

Papermill loads its entry points while it is being imported itself. The engine imports Papermill, so an entry point that led
there would meet it half made whenever somebody imports the engine first.
"""

from __future__ import annotations

from typing import Any


class InProcess:
    """Stands for :class:`eisenergy.run.engine.InProcessEngine` until Papermill asks it for something; it asks these three."""

    @classmethod
    def execute_notebook(cls, *arguments: Any, **options: Any) -> Any:
        """Execute a notebook."""
        return _engine().execute_notebook(*arguments, **options)

    @classmethod
    def nb_kernel_name(cls, *arguments: Any, **options: Any) -> Any:
        """Name the kernel of a notebook."""
        return _engine().nb_kernel_name(*arguments, **options)

    @classmethod
    def nb_language(cls, *arguments: Any, **options: Any) -> Any:
        """Name the language of a notebook."""
        return _engine().nb_language(*arguments, **options)


def _engine() -> Any:
    from eisenergy.run.engine import InProcessEngine

    return InProcessEngine

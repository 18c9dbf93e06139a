"""Start a process that takes orders: ``python -m eisenergy.run.start MODULE DESCRIPTOR`` runs ``MODULE.main([DESCRIPTOR])``.

What such a process does first is import. Python looks for garbage in what was imported again and again meanwhile, a tenth of the time, and
none of it is: it is not looked for before the process is told what to do.
"""

from __future__ import annotations

import gc
import sys
from importlib import import_module


def main() -> int:
    """Be the process."""
    gc.disable()
    module, *arguments = sys.argv[1:]
    result: int = import_module(module).main(arguments)
    return result


if __name__ == "__main__":
    sys.exit(main())

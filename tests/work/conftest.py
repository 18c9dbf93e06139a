"""Workers in processes of their own, on the module's workspace."""

from __future__ import annotations

import sys
from pathlib import Path

# plain modules beside the tests, those of the store and the portal
for _folder in (Path(__file__).parent, Path(__file__).parents[1] / "store", Path(__file__).parents[1] / "portal"):
    sys.path.insert(0, str(_folder))

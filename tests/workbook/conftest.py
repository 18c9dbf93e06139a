from __future__ import annotations

import sys
from pathlib import Path

# the workbooks to be edited are plain modules beside the tests
sys.path.insert(0, str(Path(__file__).parent))

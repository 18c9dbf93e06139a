from __future__ import annotations

import sys
from pathlib import Path

# the builders and the oracle are plain modules beside the tests; spawned processes import them by name as well
sys.path.insert(0, str(Path(__file__).parent))

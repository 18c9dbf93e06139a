from __future__ import annotations

import sys
from pathlib import Path

# what runs notebooks is a plain module beside the tests
sys.path.insert(0, str(Path(__file__).parent))

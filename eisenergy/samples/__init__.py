"""The demonstration's other files: eight customers, thirteen months, in a mix of the shapes that files arrive in."""

from eisenergy.samples.plan import MONTHS, SEED, BadMasters
from eisenergy.samples.write import MANIFEST, write

__all__ = ["MANIFEST", "MONTHS", "SEED", "BadMasters", "write"]

"""eisenergy: from meter downloads to bills people trust."""

import os
import sys

__version__ = "0.1.0"

# Polars' allocator gives freed memory back to the system and then asks for it page by page again: a sixth of the time in which a month
# is read. With this it keeps it for ten seconds. It looks here once, when Polars is loaded; what is set already stands.
os.environ.setdefault("_RJEM_MALLOC_CONF", "dirty_decay_ms:10000,muzzy_decay_ms:10000")

# Where defusedxml is installed (nbconvert brings it), openpyxl has it parse in Python, at half the speed. What it would refuse is refused
# before openpyxl sees it (`unpacked.Declarations`), and the parser itself grows no entity beyond a bound and reads no other file.
os.environ.setdefault("OPENPYXL_DEFUSEDXML", "False")

# jsonschema imports these where they are installed (JupyterLab brings them), for formats that nothing here uses: the first builds a grammar
# for IRIs then and there, three seconds in every command and every notebook; the others bring libraries of dates and long expressions, a
# tenth of a second. None makes the import fail, which jsonschema expects.
for _format in ("rfc3987_syntax", "rfc3986_validator", "isoduration", "fqdn"):
    sys.modules.setdefault(_format, None)  # type: ignore[arg-type]

"""eisenergy: from meter downloads to bills people trust."""

import sys

__version__ = "0.1.0"

# jsonschema imports this where it is installed (JupyterLab brings it), and it builds a grammar for IRIs then and there: three
# seconds, in every command and every notebook, for a format that nothing here uses. None makes the import fail, which jsonschema
# expects.
sys.modules.setdefault("rfc3987_syntax", None)  # type: ignore[arg-type]

"""Quarto's post-render step: takes out of the pages what they would load from another host, so that they work without a network.

Quarto adds require.js and jQuery from a CDN to every page whose notebook shows HTML; nothing in our pages uses them.
Needs the standard library alone. Quarto runs it in the project's folder and says in the environment where the pages are.
"""

import os
import re
from pathlib import Path

REMOTE = r"""["'](?:https?:)?//[^"']*["']"""
TAKEN_OUT = re.compile(
    rf"""
    <script\b[^>]*\bsrc={REMOTE}[^>]*>\s*</script>\n?
    | <link\b(?=[^>]*\brel=["'](?:stylesheet|preconnect|dns-prefetch|preload|modulepreload)["'])[^>]*\bhref={REMOTE}[^>]*>\n?
    | <script\b[^>]*>\s*define\(\s*['"]jquery['"]\s*,.*?</script>\n?
    """,
    re.VERBOSE | re.DOTALL | re.IGNORECASE,
)


def main() -> None:
    """Rewrite every page that loads something from another host."""
    site = Path(os.environ.get("QUARTO_PROJECT_OUTPUT_DIR", "_site"))
    for page in sorted(site.rglob("*.html")):
        text = page.read_text(encoding="utf-8")
        kept = TAKEN_OUT.sub("", text)
        if kept != text:
            page.write_text(kept, encoding="utf-8")


if __name__ == "__main__":
    main()

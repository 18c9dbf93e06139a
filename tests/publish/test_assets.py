"""What pages load, and what a real browser makes of a page: interactive charts, and nothing cut on a telephone."""

from __future__ import annotations

import re
import subprocess
from collections.abc import Callable
from pathlib import Path

import sample_desks
import vl_convert

from eisenergy.config import Settings
from eisenergy.publish import site, theme
from eisenergy.publish.folders import ASSETS

FIGURES = {"index.html": 2, "2021-09/dashboard.html": 8, "2021-09/invoice.html": 0}
"""Page -> the charts that a browser draws on it."""

FRAME = """<!doctype html><title>frames</title><body>
{frames}
<script>
addEventListener("load", function () {{ setTimeout(function () {{
  document.title = [].map.call(document.querySelectorAll("iframe"), function (frame) {{
    var inside = frame.contentDocument;
    var texts = [].filter.call(inside.querySelectorAll(".interactive svg text"), function (text) {{
      return text.textContent.trim() && text.getBoundingClientRect().height < 10;
    }});
    return frame.id + " width " + inside.documentElement.scrollWidth + " upgraded " +
      inside.querySelectorAll(".upgraded").length + " of " + inside.querySelectorAll("figure[data-vega]").length +
      " small " + texts.length;
  }}).join(" | ");
}}, 6000); }});
</script>"""


def test_the_bundle_of_scripts_is_the_locked_library_s() -> None:
    kept = (ASSETS / "vega.js").read_text(encoding="utf-8")
    assert kept == vl_convert.javascript_bundle()


def test_the_style_sheet_has_the_house_s_colours() -> None:
    css = (ASSETS / "house.css").read_text(encoding="utf-8")
    named = dict(re.findall(r"--(ink|muted|rule|panel|brand|accent|warning): (#[0-9A-Fa-f]{6})", css))
    assert named == {name: getattr(theme, name.upper()) for name in named}
    assert len(named) == 7
    assert theme.FONT in css


def test_a_browser_of_390_pixels_shows_all_and_scrolls_one_way(
    require: Callable[[str], None], settings: Settings, executed: dict[str, Path], tmp_path: Path
) -> None:
    """One browser for the three pages: it takes longer to start than to show them."""
    require("chromium")
    folder = site.publish_customer(settings, executed, "EIS", "EIS-0001", sample_desks.MONTH, "embedded").folder
    frame = tmp_path / "frame.html"
    style = "width:390px;height:6000px;border:0"
    frames = (f'<iframe id="{page}" src="{(folder / page).as_uri()}" style="{style}"></iframe>' for page in FIGURES)
    frame.write_text(FRAME.format(frames="\n".join(frames)), encoding="utf-8")
    done = subprocess.run(
        [
            "chromium",
            "--headless",
            "--no-sandbox",
            "--disable-gpu",
            "--allow-file-access-from-files",
            f"--user-data-dir={tmp_path / 'browser'}",
            "--virtual-time-budget=20000",
            "--dump-dom",
            frame.as_uri(),
        ],
        capture_output=True,
        text=True,
        timeout=120,
        check=True,
    )
    title = done.stdout.partition("<title>")[2].partition("</title>")[0]
    found = re.findall(r"(\S+) width (\d+) upgraded (\d+) of (\d+) small (\d+)", title)
    assert [(page, *map(int, numbers)) for page, *numbers in found] == [
        (page, 390, figures, figures, 0) for page, figures in FIGURES.items()
    ], done.stdout[:300]

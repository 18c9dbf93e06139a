"""Templates into pages. Everything from outside is escaped; no template holds a script or a style."""

from __future__ import annotations

from datetime import datetime
from functools import lru_cache, partial
from typing import TYPE_CHECKING, Any, Final
from zoneinfo import ZoneInfo

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from eisenergy.portal.words import LOCALES, say
from eisenergy.publish.captions import Words, money, number
from eisenergy.publish.folders import REPORTS

if TYPE_CHECKING:
    from eisenergy.portal.visit import Visit

TEMPLATES: Final = REPORTS / "portal" / "templates"


@lru_cache(maxsize=1)
def _environment() -> Environment:
    result = Environment(
        loader=FileSystemLoader(TEMPLATES),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    result.filters["number"] = number
    result.filters["money"] = money
    return result


def render(visit: Visit, template: str, **data: Any) -> str:
    """Return a page as text.

    :param template: its name without the ending
    :param data: what it shows, beside ``visit``, ``t`` (texts) and ``words`` (months and days)
    """
    page = _environment().get_template(f"{template}.html.j2")
    language = visit.language  # once: a page has hundreds of texts, and it stands in a cookie
    return page.render(visit=visit, t=partial(say, language), words=Words(LOCALES[language]), page=template, **data)


def local(at: datetime, timezone: str) -> str:
    """Return an instant as people at the seller's read it."""
    return f"{at.astimezone(ZoneInfo(timezone)):%Y-%m-%d %H:%M:%S}"

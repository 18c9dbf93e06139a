"""Texts of the portal, Spanish first, English by switch."""

from __future__ import annotations

from typing import Final

from eisenergy.portal import (
    api_english,
    api_spanish,
    billing_english,
    billing_spanish,
    english,
    events_english,
    events_spanish,
    masters_english,
    masters_spanish,
    spanish,
    work_english,
    work_spanish,
)

LOCALES: Final = {"es": "es-SV", "en": "en"}

TEXTS: Final = {
    "es": spanish.TEXTS
    | work_spanish.TEXTS
    | masters_spanish.TEXTS
    | billing_spanish.TEXTS
    | events_spanish.TEXTS
    | api_spanish.TEXTS,
    "en": english.TEXTS
    | work_english.TEXTS
    | masters_english.TEXTS
    | billing_english.TEXTS
    | events_english.TEXTS
    | api_english.TEXTS,
}


def language_of(wanted: str | None) -> str:
    """Return ``en`` for what asks for English, and ``es`` for everything else."""
    return "en" if (wanted or "").lower().startswith("en") else "es"


def say(language: str, key: str, **values: object) -> str:
    """Return a text with its values in place. :raises KeyError: for a text that is not there"""
    return TEXTS[language][key].format(**values)

"""Clients: the electricity sellers that issue invoices, one parameter document each."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

from eisenergy.accounts import Client
from eisenergy.tariffs import document


def load(path: Path, *, schemas: Path | None = None) -> Client:
    """Read a client's parameter document, for example ``params/clients/EIS.yaml``.

    :param schemas: folder of ``client.schema.json``; by default the one beside the document's folder
    :raises BadDocument: naming file and line, what was found and what was expected
    """
    doc = document.read(path, "client.schema.json", schemas)
    return of_record(doc.data, doc.origin("timezone"))


def of_record(data: Mapping[str, Any], where: str) -> Client:
    """Return a client of what was held against ``client.schema.json``.

    :param where: place of its time zone, for the message
    :raises BadDocument: for a time zone that is none
    """
    timezone = data["timezone"]
    try:
        ZoneInfo(timezone)
    except (KeyError, ValueError, OSError):  # an unknown name; one that is no name; a folder of names
        raise document.BadDocument(
            f"{where}: {timezone!r} is not a time zone, expected an IANA name such as America/El_Salvador"
        ) from None
    return Client(**{**data, "max_missing_share": float(data["max_missing_share"])})

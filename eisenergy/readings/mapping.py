"""Settings of a source of files: what its files do not say about themselves, in YAML under ``params/mappings/``."""

from __future__ import annotations

import json
from collections.abc import Collection, Iterable
from dataclasses import dataclass, field
from fnmatch import fnmatch
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from eisenergy.sheets import fold

SCHEMA = "reading-mapping.schema.json"
IGNORE = "ignore"


class BadMapping(ValueError):
    """A mapping that cannot be read, or two that claim one file."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Mapping:
    """How to read the files of one source.

    :param file: pattern of the file names it is for; likewise ``sheet``
    :param headers: folded headers that must all be there
    :param columns: folded header -> field; by these a row is known for a header, also in files that another mapping is for
    :param ignored: folded headers of columns that are not used
    :param decimal: ``,`` or ``.``
    :param date_order: ``dmy``, ``mdy`` or ``ymd``
    :param stamp: ``start`` or ``end`` of the interval
    :param kwh_from: ``kw`` or ``register_kwh``: derive energy from it
    :param split: share longer intervals evenly among 15-minute slots
    :param signed: the energy column is net, negative means fed in
    :param own: saved by the tenant's operators; it comes before those of the project
    """

    name: str
    source: str = ""
    file: str | None = None
    sheet: str | None = None
    headers: frozenset[str] = frozenset()
    columns: dict[str, str] = field(default_factory=dict)
    ignored: frozenset[str] = frozenset()
    encoding: str | None = None
    separator: str | None = None
    decimal: str | None = None
    date_order: str | None = None
    stamp: str | None = None
    timezone: str | None = None
    meter: str | None = None
    kwh_from: str | None = None
    split: bool = False
    signed: bool = False
    own: bool = False

    @property
    def meanings(self) -> dict[str, str]:
        """Folded header -> field or ``ignore``, for the tables that the mapping is for."""
        return self.columns | dict.fromkeys(self.ignored, IGNORE)

    def fits(self, file: str, sheet: str | None, headers: Collection[str]) -> bool:
        """Say whether the mapping is for a table.

        :param headers: as in the file
        """
        return (
            (self.file is None or fnmatch(file.casefold(), self.file.casefold()))
            and (self.sheet is None or (sheet is not None and fnmatch(sheet.casefold(), self.sheet.casefold())))
            and self.headers <= {fold(header) for header in headers}
        )


def load_mappings(folder: Path) -> tuple[Mapping, ...]:
    """Read every mapping of a folder, each checked against the schema in the folder's sibling ``schemas/``.

    :raises BadMapping: naming the file and what is wrong in it
    """
    from jsonschema import Draft202012Validator
    from ruamel.yaml import YAML
    from ruamel.yaml.error import YAMLError

    if not folder.is_dir():
        return ()
    schema = json.loads((folder.parent / "schemas" / SCHEMA).read_text(encoding="utf-8"))
    validator = Draft202012Validator(schema)
    result: list[Mapping] = []
    for path in sorted(folder.glob("*.yaml")):
        try:
            document = YAML(typ="safe", pure=True).load(path.read_text(encoding="utf-8"))
        except (YAMLError, UnicodeDecodeError) as error:
            raise BadMapping(f"{path}: cannot be read as YAML: {error}") from error
        for fault in validator.iter_errors(document):
            place = ".".join(str(part) for part in fault.absolute_path) or "the document"
            raise BadMapping(f"{path}: {place}: {fault.message}. See params/schemas/{SCHEMA}.")
        mapping = mapping_of(document)
        if any(other.name == mapping.name for other in result):
            raise BadMapping(f"{path}: a second mapping is named {mapping.name!r}. Give each a name of its own.")
        if mapping.timezone is not None:
            try:
                ZoneInfo(mapping.timezone)
            except (ZoneInfoNotFoundError, ValueError) as error:
                raise BadMapping(
                    f"{path}: timezone {mapping.timezone!r} is unknown: expected an IANA name such as America/El_Salvador."
                ) from error
        result.append(mapping)
    return tuple(result)


def mapping_of(document: dict[str, Any], *, own: bool = False) -> Mapping:
    """Build a mapping from a document that the schema allows.

    :param own: see :class:`Mapping`
    """
    match = document["match"]
    meanings = {fold(header): canonical for header, canonical in document.get("columns", {}).items()}
    plain = {
        name: document.get(name)
        for name in ("encoding", "separator", "decimal", "date_order", "stamp", "timezone", "meter", "kwh_from")
    }
    return Mapping(
        name=document["name"],
        source=document["source"],
        file=match.get("file"),
        sheet=match.get("sheet"),
        headers=frozenset(fold(header) for header in match.get("headers", ())),
        columns={header: canonical for header, canonical in meanings.items() if canonical != IGNORE},
        ignored=frozenset(header for header, canonical in meanings.items() if canonical == IGNORE),
        split=document.get("split") == "even",
        signed=document.get("signed", False),
        own=own,
        **plain,
    )


def pick(mappings: Iterable[Mapping], file: str, sheet: str | None, headers: Collection[str]) -> Mapping | None:
    """Return the mapping for a table, ``None`` when there is none.

    Of those the tenant's operators saved, the one that names most headers is taken.

    :raises BadMapping: when two claim it
    """
    fitting = [mapping for mapping in mappings if mapping.fits(file, sheet, headers)]
    if own := [mapping for mapping in fitting if mapping.own]:
        most = max(len(mapping.headers) for mapping in own)
        fitting = [mapping for mapping in own if len(mapping.headers) == most]
    if len(fitting) > 1:
        names = ", ".join(repr(mapping.name) for mapping in fitting)
        place = file if sheet is None else f"{file}, sheet {sheet}"
        raise BadMapping(f"{place}: the mappings {names} all claim it. Narrow the match of all but one.")
    return fitting[0] if fitting else None

"""Parameter documents: YAML whose every value has a line, checked against a JSON schema.

Dates may be keys, decimals are quoted strings, and a key given twice is refused.
"""

from __future__ import annotations

import functools
import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any, TypeAlias

import jsonschema
from ruamel.yaml import YAML
from ruamel.yaml.comments import CommentedMap, CommentedSeq
from ruamel.yaml.error import MarkedYAMLError, YAMLError

from eisenergy.contents import UnreadableFile

Step: TypeAlias = str | int
_SHIPPED = Path(__file__).parents[2] / "params" / "schemas"


class BadDocument(UnreadableFile):
    """A parameter document that cannot be read; names file and line."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Document:
    """A parameter document as read.

    :param file: the file's name, for messages
    :param data: its content as JSON types; keys that are dates as ISO text
    :param lines: path of keys and indices -> line, counted from 1
    """

    file: str
    data: dict[str, Any]
    lines: dict[tuple[Step, ...], int]

    def line(self, *path: Step) -> int:
        """Return the line of a value. :raises KeyError: for a path that is not in the document."""
        return self.lines[path]

    def origin(self, *path: Step) -> str:
        """Return where a value stands, in words: ``EIS-TOU.yaml, line 12``."""
        return f"{self.file}, line {self.line(*path)}"


def read(path: Path, schema: str, schemas: Path | None = None) -> Document:
    """Read a YAML document and check it.

    :param schema: name of the JSON schema, for example ``tariff.schema.json``
    :param schemas: folder of the schemas; by default a folder ``schemas`` beside one of the document's parents, else the shipped
    :raises BadDocument: naming file and line of every fault
    """
    try:
        content = YAML(typ="rt").load(path.read_text(encoding="utf-8-sig"))
    except OSError as error:
        raise BadDocument(f"{path.name} cannot be opened: {error.strerror}. Check the path {path}.") from error
    except UnicodeDecodeError as error:
        raise BadDocument(f"{path.name}: byte {error.start} is not UTF-8. Save the file as UTF-8.") from error
    except MarkedYAMLError as error:
        line = error.problem_mark.line + 1 if error.problem_mark else 1
        raise BadDocument(f"{path.name}, line {line}: {error.problem}. Correct the YAML there.") from error
    except (YAMLError, ValueError) as error:  # ValueError: a date such as 2021-02-30
        raise BadDocument(f"{path.name} is not YAML: {error}. Correct it.") from error
    if not isinstance(content, CommentedMap):
        raise BadDocument(f"{path.name}: found {type(content).__name__}, expected keys and values as in {schema}")
    lines: dict[tuple[Step, ...], int] = {(): 1}
    document = Document(file=path.name, data=_plain(content, (), lines, path.name), lines=lines)
    _check(document, _schema(_locate(path, schema, schemas)))
    return document


def faults(data: dict[str, Any], schema: str, schemas: Path | None = None) -> tuple[tuple[tuple[Step, ...], str], ...]:
    """Check a document that was never a file, such as a form's.

    :param data: JSON types
    :param schema: name of the JSON schema
    :param schemas: folder of the schemas; ``None``: the shipped ones
    :returns: ``(path of keys and indices, what was found and expected)`` of every fault
    """
    path = _locate(Path(schema), schema, schemas or _SHIPPED)
    found = jsonschema.Draft202012Validator(_schema(path)).iter_errors(data)
    return tuple(fault for error in found for fault in _faults(error))


def _plain(node: Any, path: tuple[Step, ...], lines: dict[tuple[Step, ...], int], file: str) -> Any:
    """Return JSON types and note the line of every key and item."""
    if isinstance(node, CommentedMap):
        result: dict[str, Any] = {}
        for key, value in node.items():
            name = key.isoformat() if isinstance(key, date) else str(key)
            line = int(node.lc.data.get(key, (node.lc.line,))[0]) + 1  # a key merged with << has no line of its own
            if name in result:
                raise BadDocument(
                    f"{file}, line {line}: {name} is given twice, first on line {lines[(*path, name)]}; "
                    "validity must not overlap. Remove one of them."
                )
            lines[(*path, name)] = line
            result[name] = _plain(value, (*path, name), lines, file)
        return result
    if isinstance(node, CommentedSeq):
        for index in range(len(node)):
            lines[(*path, index)] = int(node.lc.data[index][0]) + 1
        return [_plain(value, (*path, index), lines, file) for index, value in enumerate(node)]
    if isinstance(node, date):
        return node.isoformat()
    if isinstance(node, bool) or node is None:
        return node
    return next((kind(node) for kind in (str, int, float) if isinstance(node, kind)), str(node))


def _locate(path: Path, schema: str, schemas: Path | None) -> Path:
    folders = [schemas] if schemas else [*(parent / "schemas" for parent in path.absolute().parents), _SHIPPED]
    for folder in folders:
        if (folder / schema).is_file():
            return folder / schema
    raise BadDocument(f"{path.name} needs the schema {schema}, which is in none of: {', '.join(map(str, folders))}")


@functools.cache
def _schema(path: Path) -> dict[str, Any]:
    result: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    return result


def _check(document: Document, schema: dict[str, Any]) -> None:
    faults = []
    for error in jsonschema.Draft202012Validator(schema).iter_errors(document.data):
        for place, fault in _faults(error):
            faults.append((document.line(*place), fault))
    if faults:
        raise BadDocument("\n".join(f"{document.file}, line {line}: {fault}" for line, fault in sorted(set(faults))))


def _faults(error: jsonschema.ValidationError) -> Iterator[tuple[tuple[Step, ...], str]]:
    """Yield ``(path, what was found and expected)`` of one schema error, per offending key where it names keys."""
    schema: Any = error.schema
    instance: Any = error.instance
    path = tuple(error.absolute_path)
    name = ".".join(str(step) for step in path) or "document"
    if error.validator == "additionalProperties":
        known = sorted(schema.get("properties", {}))
        patterns = tuple(schema.get("patternProperties", {}))
        wanted = ", ".join(known) or schema.get("description", "no other key")
        for key in instance:
            if key not in known and not any(re.search(pattern, key) for pattern in patterns):
                yield (*path, key), f"{name}: found the key {key!r}, expected {wanted}"
        return
    if error.validator == "required":
        yield path, f"{name}: {error.message}. Add it."
        return
    wanted = schema.get("description") or error.message
    yield path, f"{name}: found {instance!r}, expected {wanted}"

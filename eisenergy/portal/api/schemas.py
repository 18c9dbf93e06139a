"""How what requests and answers hold is said, as JSON Schema 2020-12."""

from __future__ import annotations

from typing import Any, Final

Schema = dict[str, Any]

TEXT: Final = r"^[^\u0000-\u001f\u007f]*$"
DECIMAL: Final = r"^-?[0-9]{1,12}(\.[0-9]{1,12})?$"
MONTH: Final = r"^20[0-9]{2}-(0[1-9]|1[0-2])$"
DAY: Final = r"^20[0-9]{2}-(0[1-9]|1[0-2])-(0[1-9]|[12][0-9]|3[01])$"
INSTANT: Final = (
    r"^20[0-9]{2}-(0[1-9]|1[0-2])-(0[1-9]|[12][0-9]|3[01])"
    r"(T([01][0-9]|2[0-3]):[0-5][0-9]:[0-5][0-9](\.[0-9]{1,6})?(Z|[+-](0[0-9]|1[0-4]):[0-5][0-9]))?$"
)
MOST_RECORDS: Final = 2000
MOST_CUSTOMERS: Final = 1000


def ref(name: str) -> Schema:
    """Return a reference to a named schema."""
    return {"$ref": f"#/components/schemas/{name}"}


def words(description: str, example: str, *, least: int = 0, most: int = 300) -> Schema:
    """A text in a request."""
    return {
        "type": "string",
        "minLength": least,
        "maxLength": most,
        "pattern": TEXT,
        "description": description,
        "examples": [example],
    }


def money(description: str, example: str) -> Schema:
    """An amount in an answer: a decimal as text, so that nobody's floating point takes a cent of it."""
    return {"type": "string", "pattern": DECIMAL, "description": description, "examples": [example]}


def amount(description: str, example: str) -> Schema:
    """An amount in a request: a decimal as text, zero or more; or null."""
    pattern = DECIMAL.replace("-?", "")
    return {"type": ["string", "null"], "pattern": pattern, "description": description, "examples": [example]}


def number(description: str, example: float) -> Schema:
    """A measured quantity in an answer."""
    return {"type": "number", "description": description, "examples": [example]}


def day(description: str, example: str) -> Schema:
    """A local day."""
    return {"type": "string", "format": "date", "description": description, "examples": [example]}


def instant(description: str, example: str) -> Schema:
    """An instant with its offset (RFC 3339)."""
    return {"type": "string", "format": "date-time", "description": description, "examples": [example]}


def count(description: str, example: int) -> Schema:
    """How many."""
    return {"type": "integer", "minimum": 0, "description": description, "examples": [example]}


def maybe(schema: Schema) -> Schema:
    """The same, or null."""
    return {**schema, "type": [schema["type"], "null"]}


def record(properties: dict[str, Schema], description: str, *, optional: tuple[str, ...] = ()) -> Schema:
    """An object with these fields and no others."""
    return {
        "type": "object",
        "description": description,
        "properties": properties,
        "required": [name for name in properties if name not in optional],
        "additionalProperties": False,
    }


def listed(items: Schema, description: str) -> Schema:
    """An array."""
    return {"type": "array", "items": items, "description": description}


def page(name: str, what: str) -> Schema:
    """A page of a list."""
    cursor = {
        "type": ["string", "null"],
        "description": "Send it as `cursor` with the same other parameters for what follows; null at the end.",
    }
    return record({"items": listed(ref(name), what), "next": cursor}, f"{what}, page by page")

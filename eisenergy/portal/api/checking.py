"""Bodies and parameters as they came from outside: read strictly, then held against what the description says of them."""

from __future__ import annotations

import json
import math
import re
from collections import Counter
from collections.abc import Iterator, Mapping
from typing import Any, Final

import jsonschema
from jsonschema.exceptions import ValidationError

from eisenergy.portal.api.problems import MOST, Problem
from eisenergy.portal.api.schemas import Schema

_SURROGATE: Final = re.compile("[\ud800-\udfff]")


def parsed(body: bytes) -> Any:
    """Return a body's JSON.

    :raises Problem: for what is no JSON (RFC 8259): bytes that are not UTF-8, NaN and infinities, a name given twice; and for numbers and
        nesting beyond what can be held, NUL and halves of surrogate pairs, which no text of ours may have
    """
    try:
        text = body.decode("utf-8")
    except UnicodeDecodeError as problem:
        raise _unreadable(f"byte {problem.start} of the body is not UTF-8. Send JSON in UTF-8.") from None
    try:
        found = json.loads(text, parse_constant=_constant, parse_float=_float, object_pairs_hook=_object)
        _check_texts(found)
    except RecursionError:
        raise _unreadable("the body is nested deeper than anything that is described.") from None
    except ValueError as problem:
        raise _unreadable(f"the body is no JSON: {problem}.") from None
    return found


def _unreadable(detail: str) -> Problem:
    return Problem("bad-request", detail[:1].upper() + detail[1:])


def _constant(name: str) -> Any:
    raise ValueError(f"{name} is no number of JSON")


def _float(text: str) -> float:
    found = float(text)
    if not math.isfinite(found):
        raise ValueError(f"the number {text[:40]} is larger than can be held")
    return found


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        twice = next(name for name, count in Counter(name for name, _ in pairs).items() if count > 1)
        raise ValueError(f"{twice[:40]!r} is given twice")
    return found


def _check_texts(value: Any) -> None:
    if isinstance(value, str):
        if not fit(value):
            raise ValueError("a text holds NUL or half a surrogate pair")
    elif isinstance(value, list):
        for one in value:
            _check_texts(one)
    elif isinstance(value, dict):
        for name, one in value.items():
            _check_texts(name)
            _check_texts(one)


def fit(text: str) -> bool:
    """Whether a text can be stored: no NUL, no half of a surrogate pair."""
    return "\x00" not in text and _SURROGATE.search(text) is None


def _whole_pattern(_: Any, pattern: str, value: Any, __: Any) -> Iterator[ValidationError]:
    """Hold a text against a pattern as the description means it: ``$`` is the end, not the place before a last line break."""
    if isinstance(value, str) and not re.search(
        pattern.removesuffix("$") + r"\Z" if pattern.endswith("$") else pattern, value
    ):
        yield ValidationError(f"{value[:60]!r} does not match {pattern}")


def _items(validator: Any, items: Any, value: Any, schema: Any) -> Iterator[ValidationError]:
    """Look at the items of a list that is not too long: at those of eight megabytes it would take twelve seconds."""
    if not isinstance(value, list) or len(value) <= schema.get("maxItems", math.inf):
        yield from _STANDARD["items"](validator, items, value, schema)


def _most_items(_: Any, most: int, value: Any, __: Any) -> Iterator[ValidationError]:
    if isinstance(value, list) and len(value) > most:
        yield ValidationError(f"{len(value):,} items, expected {most:,} at most")


def _known_names(validator: Any, allowed: Any, value: Any, schema: Any) -> Iterator[ValidationError]:
    """Refuse names that are not described, told by the first of them: a million are not put into one message."""
    if allowed is not False or not isinstance(value, dict):
        yield from _STANDARD["additionalProperties"](validator, allowed, value, schema)
        return
    unknown = [name for name in value if name not in schema.get("properties", {})]
    if unknown:
        more = f" and {len(unknown) - 1:,} more" if len(unknown) > 1 else ""
        yield ValidationError(f"{unknown[0][:60]!r}{more} is not known here")


_STANDARD: Final = jsonschema.Draft202012Validator.VALIDATORS
_VALIDATOR: Final = jsonschema.validators.extend(  # type: ignore[no-untyped-call]
    jsonschema.Draft202012Validator,
    {"pattern": _whole_pattern, "items": _items, "maxItems": _most_items, "additionalProperties": _known_names},
)


class Checker:
    """Holds values against the schemas of a description.

    :param components: schemas by their names
    """

    def __init__(self, components: Mapping[str, Schema]) -> None:
        self.components = components
        self._ready: dict[str, Any] = {}

    def body(self, name: str, value: Any) -> None:
        """Refuse a body that is not as a schema says. :raises Problem: naming every place"""
        if name not in self._ready:
            root = {"$ref": f"#/components/schemas/{name}", "components": {"schemas": dict(self.components)}}
            self._ready[name] = _VALIDATOR(root)
        errors: list[dict[str, str]] = []
        for found in self._ready[name].iter_errors(value):
            errors.append({"pointer": pointer(found.absolute_path), "detail": found.message[:200]})
            if len(errors) == MOST:
                break
        if errors:
            more = f" and {len(errors) - 1} more" if len(errors) > 1 else ""
            where = errors[0]["pointer"] or "the body"
            raise Problem(
                "invalid", f"{where}: {errors[0]['detail']}{more}; see {name} in /v1/openapi.json.", errors=errors
            )


def pointer(path: Any) -> str:
    """Return a place in a body as a JSON pointer (RFC 6901)."""
    return "".join(f"/{str(step).replace('~', '~0').replace('/', '~1')}" for step in path)


def query(parameters: Mapping[str, Schema], required: frozenset[str], given: list[tuple[str, str]]) -> dict[str, Any]:
    """Return the parameters of an address.

    :param parameters: name -> schema: of a text, or of a whole number
    :raises Problem: for one that is missing, not known, given twice, or not as its schema says
    """
    found: dict[str, Any] = {}
    errors = [{"parameter": name[:100], "detail": "is not known here"} for name, _ in given if name not in parameters]
    for name, text in given:
        schema = parameters.get(name)
        if schema is None:
            continue
        if name in found:
            errors.append({"parameter": name, "detail": "is given twice"})
            continue
        value: Any = text
        if schema["type"] == "integer" and re.fullmatch(r"-?[0-9]{1,9}", text):
            value = int(text)
        found[name] = value
        wrong = "holds NUL or half a surrogate pair" if not fit(text) else next(
            (one.message[:200] for one in _VALIDATOR(schema).iter_errors(value)), None
        )  # fmt: skip
        if wrong is not None:
            errors.append({"parameter": name, "detail": wrong})
    errors += [{"parameter": name, "detail": "is missing"} for name in sorted(required - set(found))]
    if errors:
        raise Problem("invalid", f"{errors[0]['parameter']}: {errors[0]['detail']}.", errors=errors)
    return {**{name: schema["default"] for name, schema in parameters.items() if "default" in schema}, **found}

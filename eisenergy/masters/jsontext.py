"""Central types straight to JSON text: what ``json.dumps(codec.dump(value))`` gives, in a third of the time.

The fields of a record come in the order of ``jsonb``, by length and then by name: PostgreSQL sorts the keys of each object, and finds these
sorted.

A month's bills are a million small values. Like ``dataclasses`` makes an ``__init__``, a function is made for each type once: one
template with an expression per field, so that no dict or list of a record is ever made. A value that its field's type does not
describe goes the long way, which also says what is wrong with it.
"""

from __future__ import annotations

import dataclasses
import functools
import json
import typing
from collections.abc import Callable, Mapping
from datetime import date, datetime
from decimal import Decimal
from json.encoder import encode_basestring_ascii
from typing import Any, Final

from eisenergy.masters import codec

Writer = Callable[[Any], str]


class _Long(Exception):
    """A value of another type than its field's."""


def text(value: Any) -> str:
    """Return a frozen dataclass as JSON text.

    :param value: an instance of a dataclass that is not generic, for example a ``Bill``
    :returns: what ``json.dumps`` makes of ``codec.dump(value)``, but for the order of the fields
    :raises eisenergy.masters.codec.BadRecord: for a value that no field type of ours describes
    """
    if dataclasses.is_dataclass(value):
        try:
            return _writer(typing.cast(Any, type(value)))(value)
        except (
            _Long,
            TypeError,
            AttributeError,
            KeyError,
        ):  # it writes what is right and says nothing of what is wrong
            pass
    return json.dumps(codec.dump(value))


@functools.cache
def _writer(hint: Any) -> Writer:
    """How a value of a type is written, worked out once per type."""
    if codec._is_union(hint):
        inner = _writer(codec._optional(hint))
        return lambda value: "null" if value is None else inner(value)
    if codec._is_record(hint):
        return _record(hint)
    origin, args = typing.get_origin(hint), typing.get_args(hint)
    if origin is tuple:
        return _tuple(args)
    if origin is frozenset:
        return _long  # it is sorted by what is written, which the long way knows
    if origin in (dict, Mapping):
        key, item = map(_writer, args)
        return lambda value: f"[{', '.join([f'[{key(name)}, {item(entry)}]' for name, entry in value.items()])}]"
    if codec._is_enum(hint):
        return {member: json.dumps(codec._write_enum(member)) for member in hint}.__getitem__
    return _SCALARS.get(hint, _any)


def _tuple(args: tuple[Any, ...]) -> Writer:
    if len(args) == 2 and args[1] is Ellipsis:
        item = _writer(args[0])
        return lambda value: f"[{', '.join(map(item, value))}]"
    writers = [_writer(arg) for arg in args]
    return lambda value: f"[{', '.join([write(entry) for write, entry in zip(writers, value, strict=True)])}]"


def _record(hint: Any) -> Writer:
    if hint in _BEING_MADE:  # a type that holds itself: looked up at the first value
        return lambda value: _writer(hint)(value)
    _BEING_MADE.add(hint)
    try:
        return _made(hint)
    finally:
        _BEING_MADE.discard(hint)


def _made(hint: Any) -> Writer:
    """Make the function for a record type."""
    names: dict[str, Any] = {"kind": typing.get_origin(hint) or hint, "Long": _Long}
    places, values = [], []
    fields = sorted(codec._fields(hint).items(), key=lambda field: (len(field[0]), field[0]))
    for number, (name, inner) in enumerate(fields):
        optional = codec._is_union(inner)
        bare = codec._optional(inner) if optional else inner
        names[f"write{number}"] = _CHECKED.get(bare) or _writer(bare)
        expression = f"write{number}(value.{name})"
        if bare in _CHECKED:
            expression = f"'\"' + {expression} + '\"'" if optional else expression
        places.append(f'"{name}": "%s"' if bare in _CHECKED and not optional else f'"{name}": %s')
        values.append(f"'null' if value.{name} is None else {expression}" if optional else expression)
    source = (
        "def write(value):\n"
        "    if type(value) is not kind: raise Long\n"
        f"    return '{{{', '.join(places)}}}' % ({', '.join(values)},)"
    )
    exec(source, names)  # of names of fields and nothing else
    result: Writer = names["write"]
    return result


def _decimal(value: Any) -> str:
    return f'"{Decimal.__str__(value)}"'


def _date(value: Any) -> str:
    if type(value) is date:
        return _day(value)
    if not isinstance(
        value, date
    ):  # an instant is one; it is not kept, since equal instants may be written in two zones
        raise _Long
    return f'"{value.isoformat()}"'


@functools.lru_cache(4096)
def _day(value: date) -> str:
    return f'"{value.isoformat()}"'


def _whole(value: Any) -> str:
    return repr(value) if type(value) is int else _any(value)


def _any(value: Any) -> str:
    if value is None:
        return "null"
    return encode_basestring_ascii(value) if type(value) is str else json.dumps(codec._write_any(value))


def _long(_: Any) -> str:
    raise _Long


_CHECKED: Final[dict[Any, Writer]] = {Decimal: Decimal.__str__}
"""What refuses any other type, and writes no quotes."""

_BEING_MADE: Final[set[Any]] = set()

_SCALARS: Final[dict[Any, Writer]] = {
    str: encode_basestring_ascii,  # takes text and nothing else
    Decimal: _decimal,
    date: _date,
    datetime: _date,
    int: _whole,
}

"""Central types to JSON types and back, without loss: decimals and dates become text, order is kept.

PostgreSQL's ``jsonb`` forgets the order of an object's keys, and the order of blocks is the order on the invoice; so a mapping
is written as a list of ``[key, value]`` pairs.
"""

from __future__ import annotations

import dataclasses
import functools
import types
import typing
from collections.abc import Callable, Mapping
from datetime import date, datetime
from decimal import Decimal
from enum import Enum
from typing import Any, TypeVar

T = TypeVar("T")


class BadRecord(ValueError):
    """A stored record that does not have the shape of its type."""


def dump(value: Any) -> dict[str, Any]:
    """Return a frozen dataclass as JSON types.

    :param value: an instance of a dataclass that is not generic, for example a ``Contract`` or a ``Tariff``
    :returns: field name -> JSON value; decimals, dates and instants as text
    :raises BadRecord: for a value that no field type of ours describes
    """
    result = _write(type(value), value)
    if not isinstance(result, dict):
        raise BadRecord(f"{type(value).__name__} is not a record: expected a dataclass")
    return result


def load(cls: type[T], data: Mapping[str, Any]) -> T:
    """Read what :func:`dump` wrote.

    :param cls: the dataclass that was written
    :raises BadRecord: naming the field that is missing, unknown or of another type
    """
    try:
        result: T = _reader(typing.cast(typing.Any, cls))(data)
    except Exception:  # it takes what is right and says nothing of what is wrong
        result = _read(cls, data, cls.__name__)
    return result


@functools.cache
def _fields(cls: Any) -> dict[str, Any]:
    """Field name -> type, with the type arguments of a generic dataclass put in."""
    origin = typing.get_origin(cls) or cls
    hints = typing.get_type_hints(origin)
    given = dict(zip(getattr(origin, "__parameters__", ()), typing.get_args(cls), strict=False))
    return {field.name: _bind(hints[field.name], given) for field in dataclasses.fields(origin) if field.init}


def _bind(hint: Any, given: Mapping[Any, Any]) -> Any:
    if isinstance(hint, TypeVar):
        return given.get(hint, Any)
    args = typing.get_args(hint)
    if not args or not given:
        return hint
    bound = tuple(_bind(arg, given) for arg in args)
    if _is_union(hint):
        return functools.reduce(lambda left, right: left | right, bound)
    return typing.get_origin(hint)[bound]


def _is_union(hint: Any) -> bool:
    return typing.get_origin(hint) in (typing.Union, types.UnionType)


def _is_record(hint: Any) -> bool:
    return dataclasses.is_dataclass(typing.get_origin(hint) or hint)


def _optional(hint: Any) -> Any:
    """The type inside ``X | None``."""
    (inner,) = (arg for arg in typing.get_args(hint) if arg is not types.NoneType)
    return inner


def _item(hint: Any, index: int) -> Any:
    """The type of a tuple's item: ``tuple[X, ...]`` and ``tuple[X, Y]``."""
    args = typing.get_args(hint)
    return args[0] if len(args) == 2 and args[1] is Ellipsis else args[index]


def _write(hint: Any, value: Any) -> Any:
    return _writer(hint)(value)


@functools.cache
def _writer(hint: Any) -> Callable[[Any], Any]:
    """How a value of a type is written, worked out once per type: a month's bills are a million small values."""
    if hint is Any:
        return _write_any
    if _is_union(hint):
        return _write_optional(_writer(_optional(hint)))
    if _is_record(hint):
        return _write_record(hint)
    origin = typing.get_origin(hint)
    if origin is tuple:
        return _write_tuple(hint)
    if origin is frozenset:
        member = _writer(typing.get_args(hint)[0])
        return lambda value: sorted(member(item) for item in value)
    if origin in (dict, Mapping):
        key, item = map(_writer, typing.get_args(hint))
        return lambda value: [[key(name), item(entry)] for name, entry in value.items()]
    return _WRITERS.get(hint) or (_write_enum if _is_enum(hint) else _write_any)


def _is_enum(hint: Any) -> bool:
    return isinstance(hint, type) and issubclass(hint, Enum)


def _write_enum(value: Any) -> Any:
    return value._value_ if isinstance(value, Enum) else _write_any(value)


def _write_text(value: Any) -> Any:
    return value if type(value) is str else _write_any(value)


def _write_decimal(value: Any) -> Any:
    return str(value) if type(value) is Decimal else _write_any(value)


def _write_optional(inner: Callable[[Any], Any]) -> Callable[[Any], Any]:
    return lambda value: None if value is None else inner(value)


def _write_record(hint: Any) -> Callable[[Any], Any]:
    # The fields are looked up at the first value: a type may hold itself.
    @functools.cache
    def writers() -> tuple[tuple[str, Callable[[Any], Any]], ...]:
        return tuple((name, _writer(inner)) for name, inner in _fields(hint).items())

    return lambda value: {name: inner(getattr(value, name)) for name, inner in writers()}


def _write_tuple(hint: Any) -> Callable[[Any], Any]:
    args = typing.get_args(hint)
    if len(args) == 2 and args[1] is Ellipsis:
        item = _writer(args[0])
        return lambda value: [item(entry) for entry in value]
    return lambda value: [_writer(_item(hint, index))(entry) for index, entry in enumerate(value)]


def _write_any(value: Any) -> Any:
    if isinstance(value, Enum):
        return value.value
    if isinstance(value, Decimal):
        return str(value)
    if isinstance(value, date):  # and datetime
        return value.isoformat()
    if value is None or isinstance(value, str | int | float | bool):
        return value
    if isinstance(value, Mapping):
        return {str(key): _write_any(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_write_any(item) for item in value]
    raise BadRecord(f"{type(value).__name__} cannot be stored: expected text, a number, a date or a list of these")


_WRITERS: dict[Any, Callable[[Any], Any]] = {str: _write_text, Decimal: _write_decimal}


@functools.cache
def _reader(hint: Any) -> Callable[[Any], Any]:
    """How a value of a type is read where it is right, worked out once per type; raises anything where it is not."""
    if hint is Any:
        return lambda data: data
    if _is_union(hint):
        inner = _reader(_optional(hint))
        return lambda data: None if data is None else inner(data)
    if _is_record(hint):
        return _read_fields(hint)
    origin = typing.get_origin(hint)
    if origin is tuple:
        args = typing.get_args(hint)
        if len(args) == 2 and args[1] is Ellipsis:
            item = _reader(args[0])
            return lambda data: tuple([item(entry) for entry in _checked(list, data)])
        return lambda data: tuple([_reader(_item(hint, n))(entry) for n, entry in enumerate(_checked(list, data))])
    if origin is frozenset:
        member = _reader(typing.get_args(hint)[0])
        return lambda data: frozenset([member(entry) for entry in _checked(list, data)])
    if origin in (dict, Mapping):
        key, value = map(_reader, typing.get_args(hint))
        return lambda data: {key(name): value(entry) for name, entry in _checked(list, data)}
    if issubclass(hint, date):
        return lambda data: hint.fromisoformat(_checked(str, data))
    if issubclass(hint, Enum | Decimal):
        return lambda data: hint(_checked(str, data))
    if hint in (str, bool):
        return lambda data: _checked(hint, data)
    return lambda data: _read_scalar(hint, data, "")


def _checked(kind: type[T], data: Any) -> T:
    if type(data) is not kind:
        raise TypeError
    return data


def _wrong() -> typing.NoReturn:
    raise TypeError


def _read_fields(hint: Any) -> Callable[[Any], Any]:
    """Like ``dataclasses`` makes an ``__init__``, a function is made for each type, at its first value: a type may hold itself."""
    kind = typing.get_origin(hint) or hint

    @functools.cache
    def made() -> Callable[[Any], Any]:
        names: dict[str, Any] = {"kind": kind, "wrong": _wrong}
        arguments = []
        for number, (name, inner) in enumerate(_fields(hint).items()):
            optional = _is_union(inner)
            bare = _optional(inner) if optional else inner
            names[f"read{number}"] = _reader(bare)
            value = f"read{number}(data[{name!r}])"
            if bare is str:  # most are, and a call takes longer than a look
                value = f"found if type(found := data[{name!r}]) is str else wrong()"
            arguments.append(
                f"{name}=None if data[{name!r}] is None else ({value})" if optional else f"{name}=({value})"
            )
        source = f"def read(data):\n    if len(data) != {len(arguments)}: raise KeyError\n    return kind({', '.join(arguments)})"
        exec(source, names)  # of names of fields and nothing else
        result: Callable[[Any], Any] = names["read"]
        return result

    _MAKERS[hint] = made
    return lambda data: made()(data)


_MAKERS: typing.Final[dict[Any, Callable[[], Callable[[Any], Any]]]] = {}
"""Record's type -> what makes the function that reads it."""


def prepare(cls: Any) -> None:
    """Make what reads a record, and all that it holds, before there is one: processes that are forked from this one have it."""
    known: set[Any] = set()
    waiting = [cls]
    while waiting:
        hint = waiting.pop()
        if hint in known:
            continue
        known.add(hint)
        if _is_record(hint):
            _reader(hint)
            _MAKERS[hint]()
            waiting += _fields(hint).values()
        else:
            waiting += (entry for entry in typing.get_args(hint) if isinstance(entry, type) or typing.get_args(entry))


def _read(hint: Any, data: Any, where: str) -> Any:
    if hint is Any:
        return data
    if _is_union(hint):
        return None if data is None else _read(_optional(hint), data, where)
    if _is_record(hint):
        return _read_record(hint, data, where)
    origin = typing.get_origin(hint)
    if origin in (tuple, frozenset, dict, Mapping):
        if not isinstance(data, list):
            raise BadRecord(f"{where}: found {data!r}, expected a list")
        if origin is tuple:
            return tuple(_read(_item(hint, index), item, f"{where}[{index}]") for index, item in enumerate(data))
        if origin is frozenset:
            return frozenset(_read(typing.get_args(hint)[0], item, where) for item in data)
        key_type, value_type = typing.get_args(hint)
        return {_read(key_type, key, where): _read(value_type, item, f"{where}[{key!r}]") for key, item in data}
    return _read_scalar(hint, data, where)


def _read_record(hint: Any, data: Any, where: str) -> Any:
    fields = _fields(hint)
    if not isinstance(data, Mapping) or set(data) != set(fields):
        found = sorted(data) if isinstance(data, Mapping) else data
        raise BadRecord(f"{where}: found {found}, expected the fields {sorted(fields)}. Write the record again.")
    arguments = {name: _read(inner, data[name], f"{where}.{name}") for name, inner in fields.items()}
    return (typing.get_origin(hint) or hint)(**arguments)


def _read_scalar(hint: Any, data: Any, where: str) -> Any:
    wanted: Any = str if issubclass(hint, Enum | Decimal | date) else (int, float) if hint is float else hint
    if not isinstance(data, wanted) or (isinstance(data, bool) and hint is not bool):
        raise BadRecord(f"{where}: found {data!r}, expected {hint.__name__}")
    try:
        if issubclass(hint, datetime | date):
            return hint.fromisoformat(data)
        return hint(data)
    except (ValueError, ArithmeticError) as error:
        raise BadRecord(f"{where}: found {data!r}, expected {hint.__name__}") from error

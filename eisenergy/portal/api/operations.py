"""What the interface does: each operation with its rule, its parameters and its body, described and checked by the same words."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Final

from sqlalchemy import Connection
from starlette.responses import Response

from eisenergy.portal.api.call import JSON, Answer, Call
from eisenergy.portal.api.schemas import Schema
from eisenergy.portal.guard import TokenRule

Effect = Callable[[Connection], Answer]
"""What a request changes, in one transaction with the answer that is kept for its key."""
Reading = Callable[[Call], Answer | Response]
Change = Callable[[Call], Effect]

LIMIT: Final = "Items of one page"


def limit(default: int, most: int) -> Schema:
    """The parameter that says how many items a page has."""
    return {
        "type": "integer",
        "minimum": 1,
        "maximum": most,
        "default": default,
        "description": LIMIT,
        "examples": [default],
    }


CURSOR: Final[Schema] = {
    "type": "string",
    "minLength": 1,
    "maxLength": 1000,
    "description": "From `next` of the page before, with the same other parameters",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Sent:
    """What a body may be: media type -> name of its schema, ``None`` for bytes.

    :param most: [bytes]; ``None``: what an upload may have
    """

    kinds: Mapping[str, str | None]
    most: int | None
    example: Mapping[str, object] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Operation:
    """One operation.

    :param given: status -> schema of the answer and what it means
    :param kind: media type of the answer, where it is not JSON
    :param named_by: field of the body that names the client, where no header does
    :param problems: statuses that it may answer beside those of all
    """

    path: str
    method: str
    rule: TokenRule
    summary: str
    about: str
    tag: str
    query: Mapping[str, Schema]
    required: frozenset[str]
    given: Mapping[int, tuple[str, str]]
    read: Reading | None = None
    change: Change | None = None
    sent: Sent | None = None
    kind: str = JSON
    named_by: str | None = None
    problems: tuple[int, ...] = ()

    @property
    def name(self) -> str:
        """Its name in the description."""
        function = self.read or self.change
        assert function is not None
        return function.__name__


class Operations:
    """The operations of one module."""

    def __init__(self, tag: str) -> None:
        self.tag = tag
        self.entries: list[Operation] = []

    def read(
        self,
        path: str,
        rule: TokenRule,
        summary: str,
        *,
        given: Mapping[int, tuple[str, str]],
        query: Mapping[str, Schema] | None = None,
        required: tuple[str, ...] = (),
        kind: str = JSON,
    ) -> Callable[[Reading], Reading]:
        """Answer at a path what is asked for. :raises BadRule: when rule and path do not fit"""
        rule.check(path, "GET")

        def keep(function: Reading) -> Reading:
            self.entries.append(
                Operation(
                    path=path, method="GET", rule=rule, summary=summary, about=_about(function), tag=self.tag, query=query or {},
                    required=frozenset(required), given=given, read=function, kind=kind,
                )
            )  # fmt: skip
            return function

        return keep

    def change(
        self,
        path: str,
        rule: TokenRule,
        summary: str,
        *,
        given: Mapping[int, tuple[str, str]],
        sent: Sent,
        named_by: str | None = None,
    ) -> Callable[[Change], Change]:
        """Change something at a path. :raises BadRule: when rule and path do not fit"""
        rule.check(path, "POST")

        def keep(function: Change) -> Change:
            self.entries.append(
                Operation(
                    path=path, method="POST", rule=rule, summary=summary, about=_about(function), tag=self.tag, query={},
                    required=frozenset(), given=given, change=function, sent=sent, named_by=named_by,
                )
            )  # fmt: skip
            return function

        return keep


def _about(function: Callable[..., object]) -> str:
    """The first paragraphs of a handler's own words, without what is for programmers."""
    lines = [line.strip() for line in (function.__doc__ or "").splitlines()]
    return "\n".join(line for line in lines if not line.startswith(":")).strip()

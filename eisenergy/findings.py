"""Findings: what was noticed about the data, as values.

A finding says what was found, where, what was expected and what to do. Only a blocking finding parks a customer.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any


class Severity(StrEnum):
    """How much a finding matters."""

    INFO = "info"
    WARNING = "warning"
    BLOCKING = "blocking"


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """One thing noticed about the data.

    :param code: stable kebab-case name, for example ``missing-slots``
    :param subject: whom or what it is about: a meter, a contract, a file
    :param message: one sentence: what was found, where, what was expected, what to do
    :param data: figures behind the sentence (JSON types only)
    """

    code: str
    severity: Severity
    subject: str
    message: str
    data: Mapping[str, Any] = field(default_factory=dict)

    def to_dict(self) -> dict[str, Any]:
        """Return the finding as JSON types."""
        return {
            "code": self.code,
            "severity": self.severity.value,
            "subject": self.subject,
            "message": self.message,
            "data": dict(self.data),
        }

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> Finding:
        """Read what :meth:`to_dict` wrote."""
        return cls(
            code=data["code"],
            severity=Severity(data["severity"]),
            subject=data["subject"],
            message=data["message"],
            data=data.get("data", {}),
        )


def info(code: str, subject: str, message: str, **data: Any) -> Finding:
    """Return a finding that needs no action."""
    return Finding(code=code, severity=Severity.INFO, subject=subject, message=message, data=data)


def warning(code: str, subject: str, message: str, **data: Any) -> Finding:
    """Return a finding that somebody should look at; the bill is made all the same."""
    return Finding(code=code, severity=Severity.WARNING, subject=subject, message=message, data=data)


def blocking(code: str, subject: str, message: str, **data: Any) -> Finding:
    """Return a finding that parks the customer, or refuses the file."""
    return Finding(code=code, severity=Severity.BLOCKING, subject=subject, message=message, data=data)


def blocked(findings: Iterable[Finding]) -> bool:
    """Say whether any finding is blocking."""
    return any(finding.severity is Severity.BLOCKING for finding in findings)

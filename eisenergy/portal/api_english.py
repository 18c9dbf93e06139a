"""Texts of tokens and the interface for programs in English; ``{...}`` are filled in."""

from __future__ import annotations

from typing import Final

TEXTS: Final[dict[str, str]] = {
    "tokens": "Access tokens",
    "tokens.lead": "With a token a program uses the interface {path} in a person's place, with the same rights or fewer.",
    "tokens.own": "My tokens",
    "tokens.clients": "Tokens of every account at this seller. Removing one ends it at once, with the jobs it asked for that have not begun.",
    "tokens.none": "There are no tokens.",
    "token.new": "New token",
    "token.name": "Name",
    "token.name.lead": "To know it by: the program that uses it.",
    "token.place": "Seller",
    "token.everywhere": "Every seller",
    "token.customers": "These customers alone",
    "token.customers.lead": "Codes with commas between them. Empty: everything your account may do.",
    "token.days": "Valid for",
    "token.days.count": "{days} days",
    "token.make": "Make the token",
    "token.fresh": "This is the token. Copy it now: it is not shown again.",
    "token.owner": "Account",
    "token.used": "Last used",
    "token.used.never": "never",
    "token.until": "Valid until",
    "token.end": "Remove",
    "token.ended": "The token {name} has ended.",
    "token.state.active": "active",
    "token.state.ended": "removed",
    "token.state.expired": "expired",
    "token.bad": "Look at the name (1 to 100 characters), the seller, the customers and how long it is valid; an account has {most} tokens at most.",
    "token.more": "A token may do no more than its owner's account.",
    "interface": "Interface for programs",
    "interface.lead": "Routes of the interface. The whole description, with examples, is at {path} (OpenAPI 3.1).",
    "interface.first": "Every request carries a token: Authorization: Bearer eis_… Cookies count for nothing.",
    "interface.route": "Route",
    "interface.does": "What it does",
    "interface.problems": "Types of problem",
    "interface.status": "Status",
}

"""Events as CloudEvents, and signed as Standard Webhooks has it.

Sources: CloudEvents 1.0.2, JSON Format and HTTP Protocol Binding (structured mode); Standard Webhooks 1.0, Signature scheme.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
from collections.abc import Mapping
from datetime import datetime
from typing import Final
from urllib.parse import quote

from cloudevents.core.bindings.http import to_structured
from cloudevents.core.formats.json import JSONFormat
from cloudevents.core.v1.event import CloudEvent

from eisenergy.store.outbox import Event
from eisenergy.store.subscriptions import PREFIX

AGENT: Final = "eisenergy-webhooks/1"


def cloud_event(event: Event) -> CloudEvent:
    """Return an event as others know it: ``source`` names the client, ``subject`` the customer."""
    attributes = {
        "id": str(event.id),
        "source": f"/v1/clients/{quote(event.client, safe='')}",
        "type": event.type,
        "time": event.at,
        "datacontenttype": "application/json",
    }
    if event.customer is not None:
        attributes["subject"] = event.customer
    return CloudEvent(attributes=attributes, data=dict(event.data))


def body_of(event: Event) -> tuple[Mapping[str, str], bytes]:
    """Return headers and body of a request that tells of an event, without its signature."""
    message = to_structured(cloud_event(event), JSONFormat())
    return {**message.headers, "User-Agent": AGENT}, message.body


def signature(secret: str, id: str, at: datetime, body: bytes) -> Mapping[str, str]:
    """Return the headers that a request is signed with: ``HMAC-SHA256(secret, id.timestamp.body)``.

    :param secret: as it was shown, ``whsec_`` and base64
    :param at: when the request is made
    """
    stamp = str(int(at.timestamp()))
    key = base64.b64decode(secret.removeprefix(PREFIX))
    digest = hmac.new(key, f"{id}.{stamp}.".encode() + body, hashlib.sha256).digest()
    return {
        "webhook-id": id,
        "webhook-timestamp": stamp,
        "webhook-signature": f"v1,{base64.b64encode(digest).decode()}",
    }

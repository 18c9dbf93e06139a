"""The client's parameter document."""

from __future__ import annotations

from pathlib import Path

import pytest

from eisenergy.accounts import Client
from eisenergy.masters import clients
from eisenergy.tariffs.document import BadDocument

SHIPPED = Path(__file__).parents[2] / "params" / "clients" / "EIS.yaml"


def test_the_shipped_client():
    client = clients.load(SHIPPED)
    assert isinstance(client, Client)
    assert (client.code, client.name) == ("EIS", "EIS POWER, S.A. de C.V.")
    assert (client.timezone, client.currency, client.locale) == ("America/El_Salvador", "USD", "es-SV")
    assert (client.series, client.due_days, client.max_missing_share) == ("FAC", 15, 0.1)
    assert client.email.endswith(".example")


BAD = [
    ("timezone: America/El_Salvador", "timezone: America/San_Salvador", "'America/San_Salvador' is not a time zone"),
    ("timezone: America/El_Salvador", "timezone: ../etc", "'../etc' is not a time zone"),
    ("timezone: America/El_Salvador", "timezone: America", "'America' is not a time zone"),
    ("due_days: 15", "due_days: soon", "due_days: found 'soon', expected whole days"),
    ("due_days: 15", "due_days: -1", "due_days: found -1"),
    ("max_missing_share: 0.10", "max_missing_share: 10", "max_missing_share: found 10, expected a share from 0 to 1"),
    ('nit: "0614-010115-108-3"', "nit: 6140101151083", "nit: found 6140101151083, expected a NIT such as"),
    ("currency: USD", "currency: EUR", "currency: found 'EUR', expected the currency USD"),
    ("locale: es-SV", "locale: fr", "locale: found 'fr', expected es-SV or en"),
    ("series: FAC", "series: FAC-1", "series: found 'FAC-1', expected 1 to 8 capital letters"),
    ("phone:", "telephone:", "found the key 'telephone', expected activity, address"),
]


@pytest.mark.parametrize(("old", "new", "message"), BAD)
def test_a_bad_client_names_the_line(yaml, old, new, message):
    text = SHIPPED.read_text(encoding="utf-8")
    assert old in text
    line = text[: text.index(old)].count("\n") + 1
    with pytest.raises(BadDocument) as caught:
        clients.load(yaml(text.replace(old, new), "X.yaml"))
    told = [one for one in str(caught.value).splitlines() if message in one]
    assert told
    assert told[0].startswith(f"X.yaml, line {line}: ")


def test_two_values_for_one_key(yaml):
    with pytest.raises(BadDocument, match=r"X.yaml, line 2: .*duplicate key"):
        clients.load(yaml("code: EIS\ncode: ABC\n", "X.yaml"))


def test_a_whole_share_is_a_share(yaml):
    text = SHIPPED.read_text(encoding="utf-8").replace("0.10", "1")
    assert clients.load(yaml(text)).max_missing_share == 1.0

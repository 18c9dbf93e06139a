"""OpenID Connect against a provider that is a process of its own, right and wrong."""

from __future__ import annotations

import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import httpx2
import pytest
from portal_cases import START, Browser, Running, furnish, leads_to_sign_in, populate, query, serving

from eisenergy.config import OpenId, PortalSettings, Settings
from eisenergy.portal import discovery, openid
from eisenergy.store import guesses, signins
from eisenergy.store.database import Database

HOME = "/c/EIS/clientes/EIS-0001"
EMAIL = {"email": "customer@eis.example", "email_verified": True}


@pytest.fixture(scope="module")
def provider() -> Iterator[str]:
    script = Path(__file__).with_name("openid_provider.py")
    with subprocess.Popen([sys.executable, str(script)], stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        yield f"http://127.0.0.1:{process.stdout.readline().strip()}"
        process.terminate()


@pytest.fixture(scope="module")
def portal(settings: Settings, database: Database, provider: str) -> Iterator[Running]:
    furnish(settings, database)
    secret = OpenId(issuer=provider, client_id="portal", client_secret="provider-secret", label="Casa")
    with serving(replace(settings, portal=PortalSettings(openid=secret)), database) as running:
        running.people = populate(database)
        yield running


@pytest.fixture(autouse=True)
def _unbound(portal: Running) -> None:
    from sqlalchemy import text

    with portal.database.signing_in() as connection:
        connection.execute(text("UPDATE eisenergy.credentials SET issuer = NULL, subject = NULL"))
    discovery.forget()


def vouch(provider: str, **how: object) -> None:
    httpx2.post(f"{provider}/control", json={"now": START.timestamp(), **how}).raise_for_status()


def answer_of(browser: Browser, wanted: str = HOME) -> str:
    """Go to the provider and return the path it sends the browser back to."""
    there = browser.get("/openid", params={"next": wanted})
    assert there.status_code == 303
    back = httpx2.get(there.headers["location"])
    assert back.status_code == 302
    assert back.headers["location"].startswith(f"{browser.running.url}/openid/vuelta?")
    return str(back.headers["location"]).removeprefix(browser.running.url)


def test_an_account_signs_in_through_the_provider(portal: Running, provider: str) -> None:
    vouch(provider, claims=EMAIL)
    browser = portal.browser()
    assert "Entrar con Casa" in browser.get("/entrar").text
    answer = browser.get(answer_of(browser))
    assert (answer.status_code, answer.headers["location"]) == (303, HOME)
    assert browser.get(HOME).status_code == 200
    vouch(provider, claims={"email": "changed@elsewhere.example"})  # bound by its subject now
    again = portal.browser()
    assert again.get(answer_of(again)).status_code == 303


@pytest.mark.parametrize(
    "claims",
    [
        {"email": "customer@eis.example"},
        {"email": "customer@eis.example", "email_verified": False},
        {"email": "customer@eis.example", "email_verified": "true"},
        {"email": "unknown@eis.example", "email_verified": True},
        {"email_verified": True},
    ],
)
def test_no_account_is_made_and_no_unproved_address_believed(
    portal: Running, provider: str, claims: dict[str, object]
) -> None:
    vouch(provider, claims=claims)
    browser = portal.browser()
    answer = browser.get(answer_of(browser))
    assert answer.status_code == 403
    assert leads_to_sign_in(browser.get(HOME))
    assert signins.by_email(portal.database, "unknown@eis.example") is None


def test_an_account_that_is_bound_takes_no_second_identity(portal: Running, provider: str) -> None:
    vouch(provider, claims=EMAIL)
    browser = portal.browser()
    browser.get(answer_of(browser))
    vouch(provider, claims={**EMAIL, "sub": "subject-2"})
    other = portal.browser()
    assert other.get(answer_of(other)).status_code == 403


WRONG: dict[str, dict[str, object]] = {
    "another key signed": {"other_key": True},
    "nobody signed": {"unsigned": True},
    "for another program": {"claims": {**EMAIL, "aud": "somebody-else"}},
    "for another program, by us": {"claims": {**EMAIL, "aud": "somebody-else", "azp": "portal"}},
    "from another provider": {"claims": {**EMAIL, "iss": "https://evil.example"}},
    "the answer names another provider": {"answers_as": "https://evil.example"},
    "an older answer's nonce": {"claims": {**EMAIL, "nonce": "replayed"}},
    "without a nonce": {"claims": {**EMAIL, "nonce": None}},
    "expired": {"claims": {**EMAIL, "exp": int(START.timestamp()) - 3600}},
    "without an end": {"claims": {**EMAIL, "exp": None}},
}


@pytest.mark.parametrize("name", WRONG)
def test_an_answer_that_does_not_fit_is_refused(portal: Running, provider: str, name: str) -> None:
    vouch(provider, **{"claims": EMAIL, **WRONG[name]})
    browser = portal.browser()
    answer = browser.get(answer_of(browser))
    assert answer.status_code == 400
    assert leads_to_sign_in(browser.get(HOME))


def test_state_code_and_verifier_belong_to_one_browser(portal: Running, provider: str) -> None:
    vouch(provider, claims=EMAIL)
    mine, victim = portal.browser(), portal.browser()
    path = answer_of(mine)
    assert victim.get(path).status_code == 400  # never asked
    answer_of(victim)
    assert victim.get(path).status_code == 400  # asked for another one: its state differs
    theirs = answer_of(victim)
    mixed = theirs.replace(query(theirs)["code"], query(path)["code"])
    assert victim.get(mixed).status_code == 400  # our code under their state: the verifier differs
    replayed = portal.browser()
    once = answer_of(replayed)
    cookie = replayed.client.cookies["eisenergy-openid"]
    assert replayed.get(once).status_code == 303
    thief = portal.browser()
    thief.client.cookies.set("eisenergy-openid", cookie)
    assert thief.get(once).status_code == 400  # the code was used


def test_an_answer_to_another_question_goes_no_further(provider: str) -> None:
    """Not even to the provider: the verifier would hold it off, too, but the state comes first."""
    settings = OpenId(issuer="http://127.0.0.1:1", client_id="a", client_secret="b", label="c")
    asked = openid.Asked(state="mine", nonce="n", verifier="v", wanted="/")
    with pytest.raises(discovery.ProviderFailed, match="its state differs"):
        openid.identity(settings, "http://127.0.0.1:2/openid/vuelta", asked, {"state": "other", "code": "c"}, START)


def test_forged_answers_are_slowed_and_no_passwords(portal: Running, provider: str) -> None:
    vouch(provider, claims=EMAIL)
    forger = portal.browser(address="203.0.113.60")
    answer_of(forger)
    cookie = forger.client.cookies["eisenergy-openid"]
    answers = []
    for _ in range(guesses.FREE["provider"] + 2):
        forger.client.cookies.set("eisenergy-openid", cookie)
        answers.append(forger.get("/openid/vuelta?state=forged&code=forged").status_code)
    assert answers == [400] * (guesses.FREE["provider"] + 1) + [429]
    # and nobody's password
    assert forger.sign_in("customer@eis.example").status_code == 303


def test_five_failures_behind_one_address_hold_up_nobody(portal: Running, provider: str) -> None:
    vouch(provider, claims={**EMAIL, "nonce": "wrong"})
    for _ in range(5):
        employee = portal.browser(address="203.0.113.62")
        assert employee.get(answer_of(employee)).status_code == 400
    vouch(provider, claims=EMAIL)
    employee = portal.browser(address="203.0.113.62")
    assert employee.get(answer_of(employee)).status_code == 303


def test_a_provider_is_asked_rarely_and_by_one_at_a_time(
    portal: Running, provider: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    vouch(provider, claims=EMAIL)
    asked: list[str] = []
    get = discovery._get

    def counted(url: str) -> dict[str, object]:
        asked.append(url)
        time.sleep(0.2)
        return get(url)

    monkeypatch.setattr(discovery, "_get", counted)
    browsers = [portal.browser() for _ in range(8)]
    with ThreadPoolExecutor(8) as pool:
        assert list(pool.map(lambda browser: browser.get("/openid").status_code, browsers)) == [303] * 8
    assert len(asked) == 1
    for browser in browsers[:2]:
        assert browser.get(answer_of(browser)).status_code == 303
    assert len(asked) == 2  # the keys, once
    monkeypatch.setattr(discovery, "_now", lambda: time.monotonic() + discovery.KEPT + 1)
    assert portal.browser().get("/openid").status_code == 303
    assert len(asked) == 3


def test_a_provider_that_is_gone_holds_nobody_up(
    portal: Running, provider: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[str] = []

    def gone(url: str) -> dict[str, object]:
        asked.append(url)
        raise discovery.ProviderFailed("gone")

    monkeypatch.setattr(discovery, "_get", gone)
    before = len(portal.audit("OPENID_FAILED"))
    browsers = [portal.browser() for _ in range(8)]
    assert [browser.get("/openid").status_code for browser in browsers] == [502] * 8
    assert len(asked) == 1
    assert len(portal.audit("OPENID_FAILED")) == before + 1
    monkeypatch.undo()
    monkeypatch.setattr(discovery, "_now", lambda: time.monotonic() + discovery.FAILED + 1)
    assert portal.browser().get("/openid").status_code == 303


def test_whoever_waits_for_another_ones_question_does_not_wait_long(
    portal: Running, provider: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    asking, go_on = threading.Event(), threading.Event()

    def slow(url: str) -> dict[str, object]:
        asking.set()
        assert go_on.wait(30)
        raise discovery.ProviderFailed("slow")

    monkeypatch.setattr(discovery, "_get", slow)
    monkeypatch.setattr(discovery, "QUEUED", 0.05)
    first = portal.browser()
    thread = threading.Thread(target=lambda: first.get("/openid"))
    thread.start()
    assert asking.wait(30)
    assert portal.browser().get("/openid").status_code == 502  # while the first still waits
    assert thread.is_alive()
    go_on.set()
    thread.join(30)


def test_a_fresh_key_of_the_provider_is_found(portal: Running, provider: str, monkeypatch: pytest.MonkeyPatch) -> None:
    vouch(provider, claims=EMAIL)
    get, fresh = discovery._get, False

    def rotated(url: str) -> dict[str, object]:
        found = get(url)
        if url.endswith("/keys") and not fresh:  # the keys of yesterday
            found = {"keys": [{**key, "kid": "yesterday"} for key in found["keys"]]}  # type: ignore[attr-defined]
        return found

    monkeypatch.setattr(discovery, "_get", rotated)
    browser = portal.browser()
    assert browser.get(answer_of(browser)).status_code == 400
    fresh = True
    assert browser.get(answer_of(browser)).status_code == 400  # not asked for again at once
    monkeypatch.setattr(discovery, "_now", lambda: time.monotonic() + discovery.FAILED + 1)
    assert browser.get(answer_of(browser)).status_code == 303


def test_after_the_provider_nobody_is_sent_elsewhere(portal: Running, provider: str) -> None:
    vouch(provider, claims=EMAIL)
    browser = portal.browser()
    assert browser.get(answer_of(browser, "https://evil.example/")).headers["location"] == "/"


def test_a_provider_that_calls_itself_otherwise_is_not_used(portal: Running, provider: str) -> None:
    vouch(provider, calls_itself="https://evil.example")
    answer = portal.browser().get("/openid")
    assert answer.status_code == 502
    vouch(provider)


def test_a_provider_on_the_network_is_spoken_to_over_https(monkeypatch: pytest.MonkeyPatch) -> None:
    settings = OpenId(issuer="https://id.example", client_id="a", client_secret="b", label="c")
    found = {"issuer": "https://id.example", "authorization_endpoint": "http://id.example/a"}
    monkeypatch.setattr(discovery, "_get", lambda url: found)
    with pytest.raises(discovery.ProviderFailed, match="expected https"):
        openid.begin(settings, "http://127.0.0.1:1/openid/vuelta", "/")

"""What an attacker's review of the portal found, each as the attacker would do it."""

from __future__ import annotations

import itertools
import json
import os
import re
import stat
import threading
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pyotp
import pytest
from portal_cases import BY, HASH, PASSWORD, START, Browser, Running, leads_to_sign_in, person
from sqlalchemy import create_engine, text
from sqlalchemy.exc import SQLAlchemyError
from starlette.testclient import TestClient

from eisenergy.accounts import OutOfScope, Role, Scope
from eisenergy.config import PortalSettings, Settings
from eisenergy.portal import factor, passwords, signing
from eisenergy.portal.app import guarded
from eisenergy.portal.context import Context
from eisenergy.portal.guard import PUBLIC
from eisenergy.portal.headers import Guarded
from eisenergy.portal.visit import own_path
from eisenergy.store import api_tokens, audit, guesses, people, sealing, sessions, signins, tickets
from eisenergy.store.database import Database
from eisenergy.store.grants import Grant
from eisenergy.variables import BadSetting

HOME = "/c/EIS/clientes/EIS-0001"
OWN = Grant(client="EIS", role=Role.CUSTOMER_USER, customers=frozenset({"EIS-0001"}))
EIS, LUZ = Scope.operator("EIS"), Scope.operator("LUZ")
LUZ_ADMIN = Grant(client="LUZ", role=Role.CLIENT_ADMIN)
WRONG = "no es esta contraseña"
_names = itertools.count()


@pytest.fixture
def somebody(portal: Running) -> str:
    """An account of its own for the test."""
    found = person(portal.database, f"somebody{next(_names)}@eis.example", OWN)
    portal.people[found.email] = found
    return found.email


def set_password(browser: Browser, token: str | None, password: str = PASSWORD) -> int:
    return browser.post(f"/enlace/{token}", {"password": password, "again": password}).status_code


# 1: one seller's link is no key to another seller


def test_a_second_sellers_right_is_given_by_a_system_administrator_alone(portal: Running) -> None:
    first = people.invite(portal.database, EIS, "bob@both.example", OWN, by=BY, at=START)
    with pytest.raises(OutOfScope, match="a system administrator adds one"):
        people.invite(portal.database, LUZ, "bob@both.example", LUZ_ADMIN, by=BY, at=START)
    neighbour = portal.signed_in("neighbour")
    answer = neighbour.post("/c/LUZ/usuarios", {"email": "Bob@both.example", "role": "CLIENT_ADMIN"}, page="/c/LUZ")
    assert answer.status_code == 403
    assert "administrador del sistema" in answer.text
    assert portal.audit("REFUSED")[-1].subject == "right for Bob@both.example"
    # to EIS its user is as manageable as before, and its link works
    people.set_disabled(portal.database, EIS, first.user, True, by=BY, at=START)
    people.set_disabled(portal.database, EIS, first.user, False, by=BY, at=START)
    again = people.new_link(portal.database, EIS, first.user, by=BY, at=START)
    assert set_password(portal.browser(), again.token) == 200


def test_a_link_from_before_a_second_sellers_right_is_void(portal: Running) -> None:
    first = people.invite(portal.database, EIS, "ida@both.example", OWN, by=BY, at=START)
    assert portal.browser().get(f"/enlace/{first.token}").status_code == 200
    admin = Scope(client="LUZ", role=Role.SYSTEM_ADMIN)
    second = people.invite(portal.database, admin, "ida@both.example", LUZ_ADMIN, by=BY, at=START)
    assert second.token is None
    assert set_password(portal.browser(), first.token) == 410
    with pytest.raises(OutOfScope):  # nor does EIS get another one
        people.new_link(portal.database, EIS, first.user, by=BY, at=START)
    token = people.new_link(portal.database, admin, first.user, by=BY, at=START).token
    assert set_password(portal.browser(), token) == 200


def test_an_account_that_lost_its_rights_begins_anew(portal: Running) -> None:
    """EIS took the link itself, knows the password, and gives the account up for LUZ to take."""
    first = people.invite(portal.database, EIS, "eva@both.example", OWN, by=BY, at=START)
    thief = portal.browser()
    assert set_password(thief, first.token) == 200
    assert thief.sign_in("eva@both.example").status_code == 303
    with portal.database.signing_in() as connection:
        signins.set_factor(connection, first.user, pyotp.random_base32(), ["x"])
    assert signins.bind(portal.database, first.user, "https://id.example", "thief")
    people.revoke(portal.database, EIS, first.user, by=BY, at=START)
    second = people.invite(portal.database, LUZ, "eva@both.example", LUZ_ADMIN, by=BY, at=START)
    assert thief.sign_in("eva@both.example").status_code == 401
    assert leads_to_sign_in(thief.get("/c/LUZ"))
    assert signins.by_subject(portal.database, "https://id.example", "thief") is None
    assert set_password(portal.browser(), second.token, "una frase que es de Eva") == 200
    owner = portal.browser()
    assert owner.sign_in("eva@both.example", "una frase que es de Eva").headers["location"] == "/"
    assert owner.get("/c/LUZ").status_code == 200


# 2: a draft is no invoice


@pytest.mark.parametrize("shown", [None, "FAC-000099", "absent", "broken"])
def test_a_pdf_of_something_else_is_not_handed_out_as_the_invoice(portal: Running, shown: str | None) -> None:
    folder = portal.context.settings.sites / "EIS" / "EIS-0001" / "2021-09"
    beside = folder / "invoice.json"
    before = beside.read_text() if beside.exists() else None
    if shown == "absent":
        beside.unlink(missing_ok=True)
    else:
        beside.write_text("[" if shown == "broken" else json.dumps({"number": shown, "contract": "EIS-0001"}))
    try:
        answer = portal.signed_in("customer").get(f"{HOME}/facturas/FAC-000001.pdf")
        assert answer.status_code == 404
        assert "todavía no se ha publicado" in answer.text
        assert "application/pdf" not in answer.headers["content-type"]
    finally:
        if before is not None:
            beside.write_text(before)


# 4: counts are forgiven


def test_failures_at_a_busy_place_are_forgiven(database: Database) -> None:
    """A wrong and then a right sign-in in every hour, day and night, by somebody new each time."""
    at = START
    for n in range(40):
        at += timedelta(hours=1)
        attempt = guesses.begin(database, f"wrong{n}@x.example", "198.51.100.30", at)
        assert attempt.wait == timedelta(0), n
        right = guesses.begin(database, f"right{n}@x.example", "198.51.100.30", at + timedelta(minutes=30))
        assert right.wait == timedelta(0), n
        guesses.succeeded(database, right, at + timedelta(minutes=30))
    for n in range(guesses.FREE["address"] - 1):
        assert not guesses.begin(database, f"late{n}@x.example", "198.51.100.30", at + timedelta(minutes=59)).wait


def test_a_right_sign_in_does_not_keep_old_failures_alive(database: Database) -> None:
    for _ in range(guesses.FREE["address"]):
        guesses.begin(database, f"a{next(_names)}@x.example", "198.51.100.31", START)
    at = START
    for _ in range(48):
        at += timedelta(minutes=50)
        guesses.succeeded(database, guesses.begin(database, "b@x.example", "198.51.100.31", at), at)
    for _ in range(guesses.FREE["address"]):
        assert not guesses.begin(database, f"c{next(_names)}@x.example", "198.51.100.31", at).wait


def test_forgiving_slows_as_much_within_the_hour(database: Database) -> None:
    at = START
    for _ in range(guesses.FREE["pair"] + 1):
        at += timedelta(minutes=10)
        assert not guesses.begin(database, "d@x.example", "198.51.100.32", at).wait
    assert guesses.begin(database, "d@x.example", "198.51.100.32", at).wait


# 5: whoever asks for a reset takes nothing away


def test_a_reset_ends_neither_an_invitation_nor_the_resets_before_it(portal: Running) -> None:
    invited = people.invite(portal.database, EIS, "reset@eis.example", OWN, by=BY, at=START)
    with portal.database.signing_in() as connection:
        made = [
            tickets.issue_reset(connection, invited.user, START, timedelta(hours=1)) for _ in range(tickets.RESETS + 2)
        ]
    assert [token is not None for token in made] == [True] * tickets.RESETS + [False, False]
    browser = portal.browser()
    for token in (invited.token, *made[: tickets.RESETS]):
        assert browser.get(f"/enlace/{token}").status_code == 200
    portal.clock.turn(timedelta(days=2))
    assert browser.get(f"/enlace/{invited.token}").status_code == 200
    assert browser.get(f"/enlace/{made[0]}").status_code == 410
    assert set_password(browser, invited.token) == 200
    assert browser.get(f"/enlace/{made[1]}").status_code == 410


# 6: what is no address


NO_PATHS = ("//[", "http://[x", "//a\u2100b", "/\\[", "[", "//[::1", "http://a]b/")


@pytest.mark.parametrize("wanted", NO_PATHS)
def test_what_is_no_address_fails_nothing(portal: Running, wanted: str) -> None:
    assert own_path(wanted) == "/"
    browser = portal.browser()
    assert browser.get("/entrar", params={"next": wanted}).status_code == 200
    signed = portal.signed_in("customer")
    assert signed.get("/entrar", params={"next": wanted}).headers["location"] == "/"
    assert portal.browser().sign_in("customer@eis.example", wanted=wanted).headers["location"] == "/"


@pytest.mark.parametrize(
    "path", ["//[", "//[?x=1", "//a%E2%84%80b", "/%5B", "/c/EIS%00", f"{HOME}%00", f"{HOME}/facturas/%00.pdf"]
)
def test_odd_paths_are_not_found(portal: Running, path: str) -> None:
    from portal_cases import as_sent

    for who in ("admin", "customer"):
        status, _ = as_sent(portal.signed_in(who), path)
        assert status == 404


@pytest.mark.parametrize("path", ["/enlace/%00", "/assets/portal/%00", "/assets/%00/x"])
def test_a_nul_in_a_public_path_is_not_found(portal: Running, path: str) -> None:
    assert portal.browser().get(path).status_code == 404


def test_a_nul_in_a_form_fails_nothing(portal: Running) -> None:
    browser = portal.signed_in("operator")
    form = {"email": "nul@eis.example", "role": "CUSTOMER_USER", "customers": "EIS-00\x0099"}
    assert browser.post("/c/EIS/usuarios", form, page="/c/EIS").status_code == 422
    assert portal.browser().sign_in("a\x00b@eis.example", "x\x00y").status_code == 401


# 7: one request holds one connection


def test_signing_in_takes_one_connection_at_a_time(portal: Running, somebody: str) -> None:
    browser = portal.browser()
    assert browser.sign_in(somebody).status_code == 303  # from now on with a device to look up
    engine = portal.database.engine
    narrow = create_engine(engine.url, pool_size=1, max_overflow=0, pool_timeout=3)
    portal.database.engine = narrow
    try:
        browser.client.cookies.delete("eisenergy")
        assert browser.sign_in(somebody).status_code == 303
    finally:
        portal.database.engine = engine
        narrow.dispose()


# 8: what caches keep


def test_an_asset_looks_nobody_up_and_sets_no_cookie(
    portal: Running, somebody: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    browser = portal.browser()
    browser.sign_in(somebody)
    more = Grant(client="LUZ", role=Role.CUSTOMER_USER, customers=frozenset({"EIS-0002"}))
    people.invite(portal.database, Scope(client="LUZ", role=Role.SYSTEM_ADMIN), somebody, more, by=BY, at=START)
    answer = browser.get("/assets/portal/portal.css")
    assert "set-cookie" not in answer.headers
    assert answer.headers["cache-control"] == "public, max-age=3600"
    monkeypatch.setattr(sessions, "find", lambda *_: 1 / 0)
    assert browser.get("/assets/portal/portal.css").status_code == 200


def test_an_answer_with_a_cookie_is_never_shared(portal: Running) -> None:
    async def careless(scope: object, receive: object, send: object) -> None:
        headers = [(b"set-cookie", b"eisenergy=secret")]
        await send({"type": "http.response.start", "status": 200, "headers": headers})  # type: ignore[operator]
        await send({"type": "http.response.body", "body": b""})  # type: ignore[operator]

    browser = TestClient(Guarded(careless, portal.context), base_url=portal.url)
    assert browser.get("/assets/portal/portal.css").headers["cache-control"] == "no-store"


def test_a_shared_answer_is_everybodys() -> None:
    from eisenergy.portal.guard import ASSETS, OPERATORS, BadRule

    assert replace(PUBLIC, shared=True) == ASSETS
    for rule, path, method in ((replace(OPERATORS, shared=True), "/c/{client}", "GET"), (ASSETS, "/x", "POST")):
        with pytest.raises(BadRule, match="the same for everybody"):
            rule.check(path, method)


# 9: errors of the database tell no values


def test_errors_of_the_database_tell_no_parameters(database: Database) -> None:
    assert database.engine.hide_parameters
    with pytest.raises(SQLAlchemyError) as caught, database.engine.begin() as connection:
        connection.execute(text("SELECT :secret / 0 WHERE :secret2 = :secret2"), {"secret": 7, "secret2": "s3cret"})
    assert "s3cret" not in str(caught.value)
    source = (Path(people.__file__).parent / "database.py").read_text()
    assert source.count("create_engine(") == 1  # the one that hides them
    for path in Path(people.__file__).parents[1].rglob("*.py"):
        assert path.name == "database.py" or "create_engine(" not in path.read_text(), path


# 11, 17: the second factor


def switch_on(portal: Running, browser: Browser, now: str | None = None) -> tuple[str, object]:
    page = browser.get("/cuenta/factor").text
    secret = re.search(r'name="secret" value="([A-Z2-7]{32})"', page)[1]
    form = {"secret": secret, "code": pyotp.TOTP(secret).at(portal.clock()), "current": PASSWORD}
    if now is not None:
        form["now"] = now
    return secret, browser.post("/cuenta/factor", form, page="/cuenta/factor")


def test_a_factor_is_replaced_and_taken_off_with_a_code_of_it(portal: Running, somebody: str) -> None:
    browser = portal.browser()
    browser.sign_in(somebody)
    secret, answer = switch_on(portal, browser)
    assert answer.status_code == 200
    for now in (None, "000000"):
        _, answer = switch_on(portal, browser, now)
        assert (answer.status_code, "código no es correcto" in answer.text) == (422, True)
    off = "/cuenta/factor/quitar"
    assert browser.post(off, {"current": PASSWORD}, page="/cuenta").status_code == 422
    answers = [browser.post(off, {"current": PASSWORD, "now": "000000"}, page="/cuenta") for _ in range(2)]
    assert [answer.status_code for answer in answers] == [422, 429]  # counted, as at sign-in
    portal.clock.turn(timedelta(minutes=20))
    code = pyotp.TOTP(secret).at(portal.clock())
    assert browser.post(off, {"current": WRONG, "now": code}, page="/cuenta").status_code == 422
    fresh, answer = switch_on(portal, browser, code)
    assert answer.status_code == 200
    portal.clock.turn(timedelta(minutes=1))
    code = pyotp.TOTP(fresh).at(portal.clock())
    assert browser.post(off, {"current": PASSWORD, "now": code}, page="/cuenta").status_code == 200
    login = signins.by_email(portal.database, somebody)
    assert login is not None
    assert login.totp_secret is None


def test_the_code_that_switched_a_factor_on_does_not_sign_in(portal: Running, somebody: str) -> None:
    browser = portal.browser()
    browser.sign_in(somebody)
    secret, _ = switch_on(portal, browser)
    other = portal.browser()
    other.sign_in(somebody)
    code = pyotp.TOTP(secret).at(portal.clock())
    assert other.post("/entrar/codigo", {"code": code}, page="/entrar/codigo").status_code == 401


def stored_factor(portal: Running, user: object) -> str:
    with portal.database.signing_in() as connection:
        query = text("SELECT totp_secret FROM eisenergy.credentials WHERE user_id = :user")
        return str(connection.execute(query, {"user": user}).scalar_one())


def test_a_factors_secret_is_sealed_in_the_database(portal: Running, somebody: str) -> None:
    browser = portal.browser()
    browser.sign_in(somebody)
    secret, _ = switch_on(portal, browser)
    user = portal.people[somebody].user
    stored = stored_factor(portal, user)
    assert secret not in stored
    assert sealing.opened(portal.context.key, user, stored) == secret
    other = portal.people["customer"].user
    assert sealing.opened(portal.context.key, other, stored) is None  # moved to another account's row
    head, rest = stored.rsplit(".", 1)
    assert sealing.opened(portal.context.key, user, f"{head}.{'A' if rest[0] != 'A' else 'B'}{rest[1:]}") is None
    key = sealing.key_of(replace(portal.context.settings, portal=PortalSettings(secret_key="A" * 43 + "=")))
    assert sealing.opened(key, user, stored) is None


def test_a_secret_from_before_is_read_and_sealed(portal: Running, somebody: str) -> None:
    user, secret = portal.people[somebody].user, pyotp.random_base32()
    with portal.database.signing_in() as connection:
        signins.set_factor(connection, user, secret, [])
    browser = portal.browser()
    browser.sign_in(somebody)
    code = pyotp.TOTP(secret).at(portal.clock())
    assert browser.post("/entrar/codigo", {"code": code}, page="/entrar/codigo").status_code == 303
    factor.seal_old(portal.context)
    stored = stored_factor(portal, user)
    assert secret not in stored
    portal.clock.turn(timedelta(minutes=1))
    browser = portal.browser()
    browser.sign_in(somebody)
    code = pyotp.TOTP(secret).at(portal.clock())
    assert browser.post("/entrar/codigo", {"code": code}, page="/entrar/codigo").status_code == 303
    factor.seal_old(portal.context)
    assert stored_factor(portal, user) == stored


def test_the_key_is_made_once_for_its_owner_alone(settings: Settings, tmp_path: Path) -> None:
    here = replace(settings, home=tmp_path / "home", portal=PortalSettings())
    found: list[object] = []
    threads = [threading.Thread(target=lambda: found.append(sealing.key_of(here).raw_value)) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    path = here.home / sealing.FILE
    assert len(set(found)) == 1
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert [entry.name for entry in here.home.iterdir()] == [sealing.FILE]
    os.chmod(path, 0o640)
    with pytest.raises(BadSetting, match="chmod 600"):
        sealing.key_of(here)
    for bad in ("", "short", "!" * 44):
        with pytest.raises(BadSetting, match="EISENERGY_SECRET_KEY: expected 32 random bytes"):
            sealing.key_of(replace(here, portal=PortalSettings(secret_key=bad)))


# 12: no session outlives a change of the password


@pytest.mark.parametrize(("what", "step"), [("password", "finish"), ("shut", "finish"), ("password", "ask_code")])
def test_no_session_begins_after_the_password_changed(
    portal: Running, somebody: str, what: str, step: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The old password was looked at; before the session begins, or the code is asked for, the owner sets another one."""
    user = portal.people[somebody].user
    finish = getattr(signing, step)
    if step == "ask_code":
        with portal.database.signing_in() as connection:
            signins.set_factor(connection, user, pyotp.random_base32(), [])

    def late(*args: object, **kwargs: object) -> object:
        if what == "shut":
            people.set_disabled(portal.database, EIS, user, True, by=BY, at=START)
        else:
            with portal.database.signing_in() as connection:
                signins.set_password(connection, user, HASH, START - timedelta(seconds=1))
        return finish(*args, **kwargs)

    monkeypatch.setattr(signing, step, late)
    browser = portal.browser()
    assert browser.sign_in(somebody).status_code == 401
    assert leads_to_sign_in(browser.get(HOME))


def test_a_half_made_sign_in_ends_with_the_password(
    portal: Running, somebody: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    user, secret = portal.people[somebody].user, pyotp.random_base32()
    with portal.database.signing_in() as connection:
        signins.set_factor(connection, user, sealing.sealed(portal.context.key, user, secret), [])
    browser = portal.browser()
    browser.sign_in(somebody)
    by_user = signins.by_user

    def late(database: Database, wanted: object) -> object:
        with portal.database.signing_in() as connection:
            signins.set_password(connection, user, HASH, START)
        return by_user(database, wanted)  # type: ignore[arg-type]

    form = {"csrf": browser.token("/entrar/codigo"), "code": pyotp.TOTP(secret).at(portal.clock())}
    monkeypatch.setattr(signins, "by_user", late)
    answer = browser.client.post("/entrar/codigo", data=form, headers={"Origin": portal.url})
    monkeypatch.undo()
    assert answer.status_code == 401
    assert leads_to_sign_in(browser.get(HOME))


# 13: the log


@pytest.mark.parametrize("name", ["2021-09.csv", "2021-09.CSV", "2021-09/x.xlsx"])
def test_tables_that_were_seen_are_noted(portal: Running, name: str) -> None:
    for customer, who, path in (("EIS-0001", "customer", f"{HOME}/sitio"), ("_operator", "operator", "/c/EIS/sitio")):
        file = portal.context.settings.sites / "EIS" / customer / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(b"1;2")
        assert portal.signed_in(who).get(f"{path}/{name}").status_code == 200
        assert portal.audit("SEEN")[-1].subject.endswith(f"/{name}")
        assert portal.audit("SEEN")[-1].actor == portal.people[who].email


def test_somebody_of_two_sellers_stands_in_both_logs(portal: Running) -> None:
    both = person(portal.database, "both@two.example", OWN, Grant(client="LUZ", role=Role.CLIENT_ADMIN))
    admin = Scope(client="EIS", role=Role.SYSTEM_ADMIN)
    link = people.new_link(portal.database, admin, both.user, by=BY, at=START)
    browser = portal.browser()
    assert set_password(browser, link.token) == 200
    assert browser.sign_in("both@two.example").status_code == 303
    for scope in (EIS, LUZ):
        found = [entry.action for entry in audit.entries(portal.database, scope) if entry.actor == "both@two.example"]
        assert found[:2] == ["SIGN_IN", "PASSWORD_SET"]


def test_a_wrong_password_of_whoever_is_signed_in_has_a_name(portal: Running, somebody: str) -> None:
    browser = portal.browser()
    browser.sign_in(somebody)
    form = {"current": WRONG, "password": "otra frase muy larga", "again": "otra frase muy larga"}
    assert browser.post("/cuenta/clave", form, page="/cuenta").status_code == 422
    assert portal.audit("SIGN_IN_FAILED")[-1].actor == somebody


def test_the_log_says_what_came_before_the_code(portal: Running, somebody: str) -> None:
    user = portal.people[somebody].user
    codes, hashes = factor.new_recovery_codes()
    with portal.database.signing_in() as connection:
        signins.set_factor(connection, user, sealing.sealed(portal.context.key, user, pyotp.random_base32()), hashes)
    for n, (purpose, how) in enumerate(
        ((tickets.CODE, "password and code"), (tickets.CODE_AFTER_OPENID, "OpenID and code"))
    ):
        browser = portal.browser()
        with portal.database.signing_in() as connection:
            token = tickets.issue(connection, purpose, user, START, signing.CODE_LIFE)
        browser.client.cookies.set("eisenergy-code", token)
        assert browser.post("/entrar/codigo", {"code": codes[n]}, page="/entrar/codigo").status_code == 303
        assert portal.audit("SIGN_IN")[-1].new == {"how": how}


# 14: passwords


@pytest.mark.parametrize(
    "password",
    [
        "qwertyuiop123",
        "1q2w3e4r5t6y",
        "abcdefghijkl",
        "ZYXWVUTSRQPO",
        "hola1hola1hola1",
        "1qaz2wsx3edc",
        "asdfghjklzxcv",
        "iloveyou1234",
        "P4ssw0rdP4ssw0rd",
        "futbol123456",
        "1234567890ab",
    ],
)
def test_common_words_and_patterns_are_no_passwords(password: str) -> None:
    assert passwords.problem(password, password, "a@b.example") == "password.weak"


@pytest.mark.parametrize("password", [PASSWORD, "otra frase bien larga", "Tr0ub4dor&3xkcd", "mesa lápiz ventana"])
def test_phrases_are_passwords(password: str) -> None:
    assert passwords.problem(password, password, "a@b.example") is None


def test_common_passwords_are_refused_by_list(portal: Running, tmp_path: Path) -> None:
    path = tmp_path / "common.txt"
    path.write_text("123456\nManchester United\nLiverpoolFC1892\n", encoding="utf-8")
    common = passwords.listed(path)
    assert common == {"manchester united", "liverpoolfc1892"}
    for password in ("Manchester United", "LIVERPOOLfc1892"):
        assert passwords.problem(password, password, "a@b.example") is None
        assert passwords.problem(password, password, "a@b.example", common) == "password.weak"
    with pytest.raises(BadSetting, match="EISENERGY_PASSWORDS"):
        passwords.listed(tmp_path / "absent.txt")
    named = replace(portal.context.settings, portal=PortalSettings(passwords=path))
    context = replace(portal.context, settings=named)
    invited = people.invite(portal.database, EIS, "common@eis.example", OWN, by=BY, at=START)
    with TestClient(guarded(context), base_url=context.url) as browser:
        page = browser.get(f"/enlace/{invited.token}").text
        csrf = re.search(r'name="csrf" value="([0-9a-f]{64})"', page)[1]
        form = {"csrf": csrf, "password": "manchester united", "again": "manchester united"}
        answer = browser.post(f"/enlace/{invited.token}", data=form, headers={"Origin": context.url})
        assert answer.status_code == 422


# 15


def test_a_token_that_is_revoked_again_keeps_its_time(portal: Running) -> None:
    user = portal.people["operator"].user
    grant = Grant(client="EIS", role=Role.CLIENT_ADMIN)
    day = timedelta(days=1)
    token = api_tokens.create(portal.database, user, grant, "again", day, client="EIS", by=BY, at=START)
    bearer = api_tokens.find(portal.database, token, START)
    assert bearer is not None
    for at in (START, START + timedelta(hours=1)):
        api_tokens.revoke(portal.database, "EIS", bearer.id, by=BY, at=at)
    with portal.database.signing_in() as connection:
        query = text("SELECT revoked_at FROM eisenergy.api_tokens WHERE id = :id")
        assert connection.execute(query, {"id": bearer.id}).scalar_one() == START
    assert [row.subject for row in portal.audit("TOKEN_REVOKED")].count("again") == 1


# 16: as it runs behind a proxy


def test_behind_https_cookies_and_headers_are_strict(portal: Running, somebody: str) -> None:
    url = "https://portal.example"
    context = Context(settings=portal.context.settings, database=portal.database, url=url, now=portal.clock)
    with TestClient(guarded(context), base_url=url, follow_redirects=False) as browser:
        page = browser.get("/entrar")
        assert page.headers["strict-transport-security"] == "max-age=31536000; includeSubDomains"
        csrf = re.search(r'name="csrf" value="([0-9a-f]{64})"', page.text)[1]
        form = {"csrf": csrf, "email": somebody, "password": PASSWORD}
        for origin in ("http://portal.example", "https://evil.example", "http://127.0.0.1"):
            assert browser.post("/entrar", data=form, headers={"Origin": origin}).status_code == 403
        answer = browser.post("/entrar", data=form, headers={"Origin": url})
        assert answer.status_code == 303
        given = [*page.headers.get_list("set-cookie"), *answer.headers.get_list("set-cookie")]
        assert {line.partition("=")[0] for line in given} >= {"__Host-eisenergy", "__Host-eisenergy-device"}
        for line in given:
            assert line.startswith("__Host-"), line
            assert "; Path=/" in line
            assert "; Secure" in line
            assert "; HttpOnly" in line
            assert "; SameSite=lax" in line
            assert "Domain" not in line
        assert browser.get(HOME).status_code == 200
        assert browser.get(HOME, headers={"Host": "127.0.0.1"}).status_code == 421
    with TestClient(guarded(context), base_url=url, follow_redirects=False) as plain:
        token = next(re.match(r"__Host-eisenergy=([^;]+)", line) for line in given if "__Host-eisenergy=" in line)
        assert token is not None
        plain.cookies.set("eisenergy", token[1])  # a cookie without the prefix: anybody's host could have set it
        assert leads_to_sign_in(plain.get(HOME))


@pytest.mark.parametrize("method", ["TRACE", "OPTIONS", "PUT", "DELETE"])
def test_other_methods_and_other_origins_are_not_served(portal: Running, method: str) -> None:
    answer = portal.signed_in("customer").client.request(method, HOME, headers={"Origin": "https://evil.example"})
    assert answer.status_code in (404, 405)
    assert "Mark-" not in answer.text
    assert not [name for name in answer.headers if name.startswith("access-control")]

"""Signing in: passwords, links, second factor, slowed guessing, sessions, forms of other sites."""

from __future__ import annotations

import re
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import timedelta

import pyotp
import pytest
from portal_cases import BY, PASSWORD, START, Browser, Running, leads_to_sign_in, person
from sqlalchemy import text

from eisenergy.accounts import Role, Scope
from eisenergy.portal import factor, guard, passwords, routes, signing
from eisenergy.portal.context import Context
from eisenergy.portal.visit import own_path
from eisenergy.store import guesses, people, sessions, signins, tickets
from eisenergy.store.grants import Grant
from eisenergy.variables import BadSetting

HOME = "/c/EIS/clientes/EIS-0001"
OWN = Grant(client="EIS", role=Role.CUSTOMER_USER, customers=frozenset({"EIS-0001"}))
ADMIN = Scope(client="EIS", role=Role.SYSTEM_ADMIN)
WRONG = "no es esta contraseña"


@pytest.fixture
def somebody(portal: Running, request: pytest.FixtureRequest) -> str:
    """An account of its own for the test."""
    name = re.sub(r"[^a-z]", "", request.node.name.lower())[:40]
    found = person(portal.database, f"{name}@eis.example", OWN)
    portal.people[name] = found
    return found.email


def user_of(portal: Running, email: str) -> object:
    return next(person.user for person in portal.people.values() if person.email == email)


def test_a_customer_signs_in_and_out(portal: Running, somebody: str) -> None:
    browser = portal.browser()
    assert leads_to_sign_in(browser.get(HOME))
    answer = browser.sign_in(somebody.upper(), wanted=HOME)
    assert (answer.status_code, answer.headers["location"]) == (303, HOME)
    assert "Mark-EIS-EIS-0001" in browser.get(HOME).text
    cookie = next(value for value in answer.headers.get_list("set-cookie") if value.startswith("eisenergy="))
    assert "HttpOnly" in cookie
    assert "SameSite=lax" in cookie
    token = browser.client.cookies["eisenergy"]
    assert browser.post("/salir", page=HOME).headers["location"] == "/entrar"
    assert leads_to_sign_in(browser.get(HOME))
    browser.client.cookies.set("eisenergy", token)  # somebody kept it
    assert leads_to_sign_in(browser.get(HOME))
    assert [row.new for row in portal.audit("SIGN_IN") if row.actor == somebody] == [{"how": "password"}]


def test_wrong_passwords_and_unknown_accounts_are_told_alike(portal: Running, somebody: str) -> None:
    answers = [
        portal.browser().sign_in(somebody, WRONG),
        portal.browser().sign_in("nobody@eis.example", WRONG),
        portal.browser().sign_in("x' OR '1'='1", PASSWORD),
    ]
    said = [re.search(r'role="alert">(.*?)<', answer.text)[1] for answer in answers]
    assert [answer.status_code for answer in answers] == [401, 401, 401]
    assert len(set(said)) == 1
    assert not any("eisenergy=" in value for answer in answers for value in answer.headers.get_list("set-cookie"))


def test_a_session_that_was_planted_is_worth_nothing(portal: Running, somebody: str) -> None:
    browser = portal.browser()
    browser.client.cookies.set("eisenergy", "planted-by-somebody-else")
    browser.sign_in(somebody)
    tokens = [cookie.value for cookie in browser.client.cookies.jar if cookie.name == "eisenergy"]
    assert "planted-by-somebody-else" not in tokens or len(set(tokens)) == 2
    thief = portal.browser()
    thief.client.cookies.set("eisenergy", "planted-by-somebody-else")
    assert leads_to_sign_in(thief.get(HOME))
    first = portal.signed_in("customer")
    old = first.client.cookies["eisenergy"]
    first.client.post(
        "/entrar",
        data={"email": somebody, "password": PASSWORD, "csrf": first.token("/cuenta")},
        headers={"Origin": portal.url},
    )
    thief.client.cookies.clear()
    thief.client.cookies.set("eisenergy", old)
    assert leads_to_sign_in(thief.get(HOME))


def test_sessions_end_by_themselves(portal: Running) -> None:
    browser = portal.signed_in("customer")
    for _ in range(8):
        portal.clock.turn(sessions.IDLE - timedelta(minutes=30))
        if portal.clock() >= START + sessions.LONGEST:
            break
        assert browser.get(HOME).status_code == 200
    assert leads_to_sign_in(browser.get(HOME))  # however much it was used
    idle = portal.signed_in("customer")
    portal.clock.turn(sessions.IDLE + timedelta(seconds=1))
    assert leads_to_sign_in(idle.get(HOME))


def test_a_right_that_is_taken_away_is_gone_at_once(portal: Running, somebody: str) -> None:
    browser = portal.browser()
    browser.sign_in(somebody)
    assert browser.get(HOME).status_code == 200
    people.revoke(portal.database, ADMIN, user_of(portal, somebody), by=BY, at=START)
    assert leads_to_sign_in(browser.get(HOME))
    browser.sign_in(somebody)
    assert browser.get(HOME).status_code == 403


def test_a_shut_account_is_out_at_once_and_stays_out(portal: Running, somebody: str) -> None:
    browser = portal.browser()
    browser.sign_in(somebody)
    user = user_of(portal, somebody)
    people.set_disabled(portal.database, ADMIN, user, True, by=BY, at=START)
    assert leads_to_sign_in(browser.get(HOME))
    assert browser.sign_in(somebody).status_code == 401
    with portal.database.signing_in() as connection:  # even a session that slipped through
        token = sessions.start(connection, user, START)
    browser.client.cookies.set("eisenergy", token)
    assert leads_to_sign_in(browser.get(HOME))
    people.set_disabled(portal.database, ADMIN, user, False, by=BY, at=START)
    assert portal.browser().sign_in(somebody).status_code == 303


def test_the_token_changes_with_the_rights(portal: Running, somebody: str) -> None:
    browser = portal.browser()
    browser.sign_in(somebody)
    old = browser.client.cookies["eisenergy"]
    more = Grant(client="LUZ", role=Role.CUSTOMER_USER, customers=frozenset({"EIS-0002"}))
    people.invite(portal.database, replace(ADMIN, client="LUZ"), somebody, more, by=BY, at=START)
    answer = browser.get("/c/LUZ/clientes/EIS-0002")
    assert answer.status_code == 200
    assert browser.client.cookies["eisenergy"] != old
    thief = portal.browser()
    thief.client.cookies.set("eisenergy", old)
    assert leads_to_sign_in(thief.get(HOME))


# links


def link(portal: Running, email: str) -> str:
    invited = people.invite(portal.database, Scope.operator("EIS"), email, OWN, by=BY, at=portal.clock())
    assert invited.token is not None
    return f"/enlace/{invited.token}"


def set_password(browser: Browser, path: str, password: str = PASSWORD) -> object:
    return browser.post(path, {"password": password, "again": password}, page="/entrar")


def test_a_link_works_once(portal: Running) -> None:
    path, browser = link(portal, "once@eis.example"), portal.browser()
    assert "once@eis.example" in browser.get(path).text
    assert browser.get(path).status_code == 200  # looking, as mail programs do, uses nothing up
    answer = set_password(browser, path)
    assert "quedó guardada" in answer.text
    for again in (browser.get(path), set_password(browser, path, "otra clave muy larga")):
        assert again.status_code == 410
        assert "ya no sirve" in again.text
    assert portal.browser().sign_in("once@eis.example").status_code == 303


def test_of_two_who_use_a_link_at_once_one_wins(portal: Running) -> None:
    path = link(portal, "race@eis.example")
    browsers = [portal.browser() for _ in range(6)]
    words = [f"frase larga del navegador {n}" for n in range(6)]
    with ThreadPoolExecutor(6) as pool:
        answers = list(
            pool.map(lambda pair: set_password(pair[0], path, pair[1]).status_code, zip(browsers, words, strict=True))
        )
    assert sorted(answers) == [200, 410, 410, 410, 410, 410]
    works = []
    for word in words:
        portal.clock.turn(timedelta(hours=12))  # wrong ones are forgiven meanwhile, and slow down nobody
        works.append(portal.browser().sign_in("race@eis.example", word).status_code == 303)
    assert works == [answer == 200 for answer in answers]


def test_a_link_expires_and_a_newer_one_ends_it(portal: Running) -> None:
    browser = portal.browser()
    old, new = link(portal, "late@eis.example"), link(portal, "late@eis.example")
    assert browser.get(old).status_code == 410
    assert browser.get(new).status_code == 200
    portal.clock.turn(people.INVITATION + timedelta(seconds=1))
    assert browser.get(new).status_code == 410
    assert set_password(browser, new).status_code == 410
    assert browser.get("/enlace/" + "a" * 43).status_code == 410


@pytest.mark.parametrize(
    "password", ["corta", "123456789012", "aaaaaaaaaaaaaaaa", "weak-secreto-largo", "eispower 2026 clave"]
)
def test_passwords_that_are_easy_to_guess_are_refused(portal: Running, password: str) -> None:
    answer = set_password(portal.browser(), link(portal, "weak@eis.example"), password)
    assert answer.status_code == 422
    assert 'role="alert"' in answer.text


def test_a_link_is_not_given_to_who_does_not_own_the_account(portal: Running, somebody: str) -> None:
    """An address that has an account here gets a right at another seller: that one must not come to own it."""
    luz = replace(ADMIN, client="LUZ")
    grant = Grant(client="LUZ", role=Role.CLIENT_ADMIN)
    assert people.invite(portal.database, luz, somebody, grant, by=BY, at=START).token is None
    neighbour = portal.signed_in("neighbour")
    user = user_of(portal, somebody)
    for deed in ("enlace", "desactivar"):
        answer = neighbour.post(f"/c/LUZ/usuarios/{user}/{deed}", page="/c/LUZ/usuarios")
        assert answer.status_code == 403
        assert "/enlace/" not in re.sub(r'action="[^"]*"', "", answer.text)
    pending = people.invite(portal.database, Scope.operator("EIS"), "pending@eis.example", OWN, by=BY, at=START)
    assert pending.token is not None
    assert people.invite(portal.database, luz, "pending@eis.example", grant, by=BY, at=START).token is None


# guessing


def guess(portal: Running, email: str, address: str, password: str = WRONG) -> object:
    return portal.browser(address=address).sign_in(email, password)


def test_guessing_is_slowed_more_and_more(portal: Running, somebody: str) -> None:
    waits = []
    for _ in range(7):
        answer = guess(portal, somebody, "203.0.113.1")
        if answer.status_code == 429:
            waits.append(int(answer.headers["retry-after"]))
            assert guess(portal, somebody, "203.0.113.1", PASSWORD).status_code == 429  # not even looked at
            portal.clock.turn(timedelta(seconds=waits[-1]))
            assert guess(portal, somebody, "203.0.113.1").status_code == 401
    assert waits == [2, 4, 8]
    portal.clock.turn(timedelta(minutes=15))
    assert guess(portal, somebody, "203.0.113.1", PASSWORD).status_code == 303


def test_many_guesses_at_once_are_counted(portal: Running, somebody: str) -> None:
    browsers = [portal.browser(address="203.0.113.2") for _ in range(12)]
    with ThreadPoolExecutor(12) as pool:
        answers = list(pool.map(lambda browser: browser.sign_in(somebody, WRONG).status_code, browsers))
    assert answers.count(401) == guesses.FREE["pair"] + 1
    assert answers.count(429) == 12 - answers.count(401)


def test_the_owner_is_not_locked_out_by_somebody_else(portal: Running, somebody: str) -> None:
    owner = portal.browser(address="198.51.100.7")
    assert owner.sign_in(somebody).status_code == 303  # this device is known now
    owner.client.cookies.delete("eisenergy")
    for n in range(guesses.FREE["account"] + 3):
        portal.clock.turn(timedelta(seconds=1))
        guess(portal, somebody, f"203.0.113.{n % 25 + 10}")
    stranger = guess(portal, somebody, "198.51.100.99", PASSWORD)
    assert stranger.status_code == 429  # the account is under attack: an unknown device waits
    assert owner.sign_in(somebody).status_code == 303  # the owner's does not
    same_place = portal.browser(address="198.51.100.7")
    assert same_place.sign_in(somebody).status_code == 429


def test_the_owner_is_not_locked_out_by_a_neighbour_at_the_same_address(portal: Running, somebody: str) -> None:
    owner = portal.browser(address="198.51.100.8")
    assert owner.sign_in(somebody).status_code == 303
    owner.client.cookies.delete("eisenergy")
    answers = [guess(portal, somebody, "198.51.100.8").status_code for _ in range(guesses.FREE["pair"] + 2)]
    assert answers[-1] == 429
    assert owner.sign_in(somebody).status_code == 303


def test_guessing_at_many_accounts_from_one_place_is_slowed(portal: Running) -> None:
    answers = [
        guess(portal, f"nobody{n}@eis.example", "203.0.113.200").status_code for n in range(guesses.FREE["address"] + 2)
    ]
    assert answers[:-1] == [401] * (guesses.FREE["address"] + 1)
    assert answers[-1] == 429
    assert guess(portal, "nobody@eis.example", "203.0.113.201").status_code == 401


def test_an_ipv6_subscriber_is_one_place(portal: Running, somebody: str) -> None:
    answers = [guess(portal, somebody, f"2001:db8:1:2::{n:x}").status_code for n in range(guesses.FREE["pair"] + 2)]
    assert answers[-1] == 429
    assert guess(portal, somebody, "2001:db8:1:3::1").status_code == 401


def test_a_device_of_one_account_opens_no_way_to_another(portal: Running, somebody: str) -> None:
    mine = portal.browser(address="203.0.113.77")
    assert mine.sign_in("customer@eis.example").status_code == 303
    mine.client.cookies.delete("eisenergy")
    plain = [guess(portal, somebody, "203.0.113.77").status_code for _ in range(guesses.FREE["pair"] + 2)]
    assert plain[-1] == 429
    assert mine.sign_in(somebody, WRONG).status_code == 429  # no place of its own for this account
    portal.clock.turn(guesses.FORGOTTEN + timedelta(minutes=1))
    answers = [mine.sign_in(somebody, WRONG).status_code for _ in range(guesses.FREE["pair"] + 2)]
    assert answers[-1] == 429


# the second factor


def with_factor(portal: Running, email: str) -> tuple[str, list[str]]:
    browser = portal.browser()
    browser.sign_in(email)
    page = browser.get("/cuenta/factor").text
    secret = re.search(r'name="secret" value="([A-Z2-7]{32})"', page)[1]
    code = pyotp.TOTP(secret).at(portal.clock())
    bad = browser.post("/cuenta/factor", {"secret": secret, "code": code, "current": WRONG}, page="/cuenta/factor")
    assert bad.status_code == 422
    answer = browser.post(
        "/cuenta/factor", {"secret": secret, "code": code, "current": PASSWORD}, page="/cuenta/factor"
    )
    codes = re.findall(r"<code>([a-z2-7]{4}(?:-[a-z2-7]{4}){3})</code>", answer.text)
    assert len(codes) == factor.RECOVERY_CODES
    return secret, codes


def enter_code(browser: Browser, code: str) -> object:
    return browser.post("/entrar/codigo", {"code": code}, page="/entrar/codigo")


def test_the_second_factor_is_asked_for_and_works_once(portal: Running, somebody: str) -> None:
    secret, codes = with_factor(portal, somebody)
    portal.clock.turn(timedelta(seconds=60))
    code = pyotp.TOTP(secret).at(portal.clock())
    browser = portal.browser()
    answer = browser.sign_in(somebody, wanted=HOME)
    assert answer.headers["location"].startswith("/entrar/codigo")
    assert leads_to_sign_in(browser.get(HOME))  # the password alone opens nothing
    assert enter_code(browser, "000000").status_code == 401
    answer = enter_code(browser, code)
    assert answer.status_code == 303
    assert browser.get(HOME).status_code == 200
    replay = portal.browser()
    replay.sign_in(somebody)
    assert enter_code(replay, code).status_code == 401
    before = pyotp.TOTP(secret).at(portal.clock() - timedelta(seconds=30))
    assert enter_code(replay, before).status_code == 401  # an older one after a newer one neither
    assert enter_code(replay, codes[0].upper()).status_code == 303
    again = portal.browser()
    again.sign_in(somebody)
    assert enter_code(again, codes[0]).status_code == 401
    login = signins.by_email(portal.database, somebody)
    assert login is not None
    assert login.recovery == factor.RECOVERY_CODES - 1


def test_codes_are_not_guessed_without_end(portal: Running, somebody: str) -> None:
    with_factor(portal, somebody)
    browser = portal.browser(address="203.0.113.90")
    browser.sign_in(somebody)
    answers = [enter_code(browser, f"{n:06d}").status_code for n in range(guesses.FREE["pair"] + 2)]
    assert answers == [401] * (guesses.FREE["pair"] + 1) + [429]
    late = portal.browser(address="203.0.113.91")
    late.sign_in(somebody)
    portal.clock.turn(signing.CODE_LIFE + timedelta(seconds=1))
    assert "cinco minutos" in late.get("/entrar/codigo").text


def test_a_link_does_not_go_around_the_second_factor(portal: Running, somebody: str) -> None:
    with_factor(portal, somebody)
    invited = people.new_link(portal.database, ADMIN, user_of(portal, somebody), by=BY, at=START)
    browser = portal.browser()
    set_password(browser, f"/enlace/{invited.token}", "una clave nueva y larga")
    answer = browser.sign_in(somebody, "una clave nueva y larga")
    assert answer.headers["location"].startswith("/entrar/codigo")


# forms and addresses


@pytest.mark.parametrize(
    "headers",
    [{"Origin": "https://evil.example"}, {"Origin": "null"}, {"Origin": ""}, {"Sec-Fetch-Site": "cross-site"}, {}],
)
def test_a_form_sent_from_elsewhere_is_refused(portal: Running, headers: dict[str, str]) -> None:
    browser = portal.signed_in("operator")
    data = {"csrf": browser.token("/cuenta"), "email": "evil@eis.example", "role": "CLIENT_ADMIN"}
    answer = browser.client.post("/c/EIS/usuarios", data=data, headers=headers)
    assert answer.status_code == 403
    assert "El formulario venció" in answer.text
    assert "evil@eis.example" not in browser.get("/c/EIS/usuarios").text


@pytest.mark.parametrize("csrf", ["", "0" * 64, "of another session", "é"])
def test_a_form_without_its_token_is_refused(portal: Running, csrf: str) -> None:
    browser, other = portal.signed_in("operator"), portal.signed_in("operator")
    csrf = other.token("/cuenta") if csrf.startswith("of") else csrf
    answer = browser.post("/c/EIS/usuarios", {"csrf": csrf, "email": "evil@eis.example", "role": "CLIENT_ADMIN"})
    assert answer.status_code == 403
    assert "evil@eis.example" not in browser.get("/c/EIS/usuarios").text
    stranger = portal.browser()
    answer = stranger.post("/entrar", {"csrf": csrf, "email": "customer@eis.example", "password": PASSWORD})
    assert answer.status_code == 403


def test_every_form_asks_for_its_token(portal: Running, monkeypatch: pytest.MonkeyPatch) -> None:
    """And a portal that does not ask is found by it."""

    def open_forms() -> list[str]:
        found = []
        for entry in (entry for module in modules() for entry in module.routes.entries if entry.method == "POST"):
            path = entry.path.replace("{client}", "EIS").replace("{customer}", "EIS-0001").replace("{token}", "x" * 43)
            path = path.replace("{user}", "0" * 32)
            browser = portal.signed_in("operator")
            answer = browser.client.post(path, data={"email": "x"}, headers={"Origin": portal.url})
            if answer.status_code != 403 or "El formulario venció" not in answer.text:
                found.append(path)
        return found

    def modules() -> tuple[object, ...]:
        from eisenergy.portal.app import MODULES

        return MODULES

    assert open_forms() == []
    monkeypatch.setattr(routes.csrf, "is_ours", lambda *_: True)
    assert len(open_forms()) > 5


@pytest.mark.parametrize(
    "wanted",
    [
        "https://evil.example/",
        "//evil.example",
        "/\\evil.example",
        "\\\\evil.example",
        "/\t/evil.example",
        "javascript:alert(1)",
        "evil.example",
        "/\r\nSet-Cookie: x=y",
        "///evil.example",
    ],
)
def test_after_signing_in_nobody_is_sent_elsewhere(portal: Running, wanted: str) -> None:
    assert own_path(wanted) == "/"
    answer = portal.browser().sign_in("customer@eis.example", wanted=wanted)
    assert (answer.status_code, answer.headers["location"]) == (303, "/")
    answer = portal.browser().post("/idioma", {"language": "en", "next": wanted})
    assert answer.headers["location"] == "/"


def test_a_path_of_ours_is_gone_to(portal: Running) -> None:
    assert own_path("/c/EIS?q=a&desde=50") == "/c/EIS?q=a&desde=50"
    browser = portal.browser()
    asked = browser.get(f"{HOME}/facturas?x=1")
    page = browser.follow(asked)
    assert 'name="next" value="/c/EIS/clientes/EIS-0001/facturas?x=1"' in page.text


@pytest.mark.parametrize("host", ["evil.example", "127.0.0.1", "localhost:1", ""])
def test_only_our_own_host_is_answered(portal: Running, host: str) -> None:
    answer = portal.browser().get("/entrar", headers={"Host": host})
    assert answer.status_code in (400, 421)
    assert "evil" not in answer.text
    assert "eisenergy-form" not in answer.text


def test_the_network_is_answered_over_https_alone(portal: Running) -> None:
    with pytest.raises(BadSetting, match="passwords would cross the network in the clear"):
        replace(portal.context, url="http://portal.example")
    behind: Context = replace(portal.context, url="https://portal.example")
    assert behind.secure
    assert behind.hosts == {"portal.example"}


def test_headers_of_every_answer(portal: Running) -> None:
    browser = portal.signed_in("customer")
    for path in ("/entrar", HOME, "/nowhere", "/c/LUZ", f"{HOME}/sitio/", "/c/EIS/clientes/EIS-0001/sitio/none.html"):
        headers = browser.get(path).headers
        policy = headers["content-security-policy"]
        assert "unsafe" not in policy
        assert "default-src 'none'" in policy
        assert "frame-ancestors 'none'" in policy
        assert headers["x-content-type-options"] == "nosniff"
        assert headers["cache-control"] == "no-store"
        assert headers["referrer-policy"] == "same-origin"
        assert "server" not in headers
    assert "public" in browser.get("/assets/portal/portal.css").headers["cache-control"]


def test_an_error_tells_a_number_and_nothing_else(portal: Running, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(guard, "scope_of", lambda *_: 1 / 0)
    answer = portal.browser().get("/entrar")
    assert answer.status_code == 500
    assert "ZeroDivision" not in answer.text
    assert answer.headers["cache-control"] == "no-store"
    assert "frame-ancestors 'none'" in answer.headers["content-security-policy"]


def test_a_huge_form_is_refused(portal: Running) -> None:
    browser = portal.browser()
    assert browser.post("/entrar", {"email": "x" * 200_000}).status_code == 413


def test_changing_the_password_ends_the_other_sessions(portal: Running, somebody: str) -> None:
    one, two = portal.browser(), portal.browser()
    one.sign_in(somebody)
    two.sign_in(somebody)
    form = {"current": WRONG, "password": "otra frase muy larga", "again": "otra frase muy larga"}
    assert one.post("/cuenta/clave", form, page="/cuenta").status_code == 422
    assert one.post("/cuenta/clave", {**form, "current": PASSWORD}, page="/cuenta").status_code == 200
    assert one.get("/cuenta").status_code == 200
    assert leads_to_sign_in(two.get("/cuenta"))
    assert portal.browser().sign_in(somebody, "otra frase muy larga").status_code == 303


def test_signing_out_everywhere(portal: Running, somebody: str) -> None:
    one, two = portal.browser(), portal.browser()
    one.sign_in(somebody)
    two.sign_in(somebody)
    one.post("/salir/todas", page="/cuenta")
    assert leads_to_sign_in(one.get("/cuenta"))
    assert leads_to_sign_in(two.get("/cuenta"))


def test_passwords_are_kept_as_argon2id_and_renewed(portal: Running, somebody: str) -> None:
    from argon2 import PasswordHasher

    weak = PasswordHasher(time_cost=1, memory_cost=8192, parallelism=1).hash(PASSWORD)
    with portal.database.signing_in() as connection:
        signins.set_password(connection, user_of(portal, somebody), weak, START)
    assert portal.browser().sign_in(somebody).status_code == 303
    login = signins.by_email(portal.database, somebody)
    assert login is not None
    assert str(login.password).startswith("$argon2id$v=19$m=19456,t=2,p=1$")
    assert not passwords.is_outdated(str(login.password))


def test_nothing_secret_is_stored_as_it_is(portal: Running, somebody: str) -> None:
    browser = portal.browser()
    browser.sign_in(somebody)
    secrets = {cookie.value for cookie in browser.client.cookies.jar} | {PASSWORD}
    with portal.database.signing_in() as connection:
        for table in ("users", "credentials", "sessions", "tickets", "guesses", "audit"):
            rows = str(connection.execute(text(f"SELECT * FROM eisenergy.{table}")).all())
            assert not [secret for secret in secrets if secret in rows], table
        assert tickets.holder(connection, (tickets.DEVICE,), browser.client.cookies["eisenergy-device"], START)

"""Links by mail, over a real SMTP server in this process."""

from __future__ import annotations

import email
import email.policy
import re
import time
from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta

import pytest
from aiosmtpd.controller import Controller
from aiosmtpd.smtp import AuthResult
from portal_cases import PASSWORD, Running, free_port, furnish, populate, serving

from eisenergy.config import Mail, PortalSettings, Settings
from eisenergy.portal import links, mail
from eisenergy.store.database import Database

pytestmark = pytest.mark.filterwarnings("ignore:Requiring AUTH:UserWarning")


class Box:
    """Keeps what arrives; refuses one address."""

    def __init__(self) -> None:
        self.messages: list[email.message.EmailMessage] = []

    async def handle_RCPT(
        self, server: object, session: object, envelope: object, address: str, options: object
    ) -> str:
        if address.startswith("refused@"):
            return "550 no such box"
        envelope.rcpt_tos.append(address)  # type: ignore[attr-defined]
        return "250 OK"

    async def handle_DATA(self, server: object, session: object, envelope: object) -> str:
        content = envelope.content  # type: ignore[attr-defined]
        self.messages.append(email.message_from_bytes(content, policy=email.policy.default))  # type: ignore[arg-type]
        return "250 OK"

    def wait(self, count: int) -> None:
        until = time.monotonic() + 20
        while len(self.messages) < count:
            assert time.monotonic() < until, "no mail came"
            time.sleep(0.02)

    def link(self) -> str:
        text = self.messages[-1].get_content()
        return re.search(r"(http://127\.0\.0\.1:\d+)(/enlace/[\w-]{43})\s", text)[2]


@pytest.fixture(scope="module")
def box() -> Box:
    return Box()


def _known(server: object, session: object, envelope: object, mechanism: str, data: object) -> AuthResult:
    return AuthResult(success=data.login == b"portal" and data.password == b"smtp-secret")  # type: ignore[attr-defined]


@pytest.fixture(scope="module")
def smtp(box: Box) -> Iterator[Controller]:
    controller = Controller(
        box, hostname="127.0.0.1", port=free_port(), auth_require_tls=False, authenticator=_known, auth_required=True
    )
    controller.start()
    yield controller
    controller.stop()


@pytest.fixture(scope="module")
def server(smtp: Controller) -> Mail:
    return Mail(
        host="127.0.0.1", port=smtp.port, tls="none", user="portal", password="smtp-secret", sender="eis@eis.example"
    )


@pytest.fixture(scope="module")
def portal(settings: Settings, database: Database, server: Mail) -> Iterator[Running]:
    furnish(settings, database)
    with serving(replace(settings, portal=PortalSettings(mail=server)), database) as running:
        running.people = populate(database)
        yield running


def test_whoever_forgot_the_password_gets_a_link(portal: Running, box: Box) -> None:
    before = len(box.messages)
    answer = portal.browser().post("/clave", {"email": "Customer@EIS.example"}, page="/clave")
    assert "Si hay una cuenta" in answer.text
    box.wait(before + 1)
    message = box.messages[-1]
    assert message["To"] == "customer@eis.example"
    assert message["From"] == "eis@eis.example"
    assert message["Subject"] == "Contraseña nueva para el portal de energía"
    browser = portal.browser()
    words = {"password": "otra frase bien larga", "again": "otra frase bien larga"}
    assert browser.post(box.link(), words).status_code == 200
    assert portal.browser().sign_in("customer@eis.example", PASSWORD).status_code == 401
    assert browser.sign_in("customer@eis.example", "otra frase bien larga").status_code == 303
    portal.clock.turn(links.RESET)
    assert portal.browser().get(box.link()).status_code == 410


def test_a_reset_link_expires_sooner_than_an_invitation(portal: Running, box: Box) -> None:
    before = len(box.messages)
    portal.browser().post("/clave", {"email": "manager@eis.example"}, page="/clave")
    box.wait(before + 1)
    assert portal.browser().get(box.link()).status_code == 200
    assert "una hora" in box.messages[-1].get_content()
    portal.clock.turn(timedelta(hours=1))
    assert portal.browser().get(box.link()).status_code == 410


def test_the_answer_does_not_tell_who_has_an_account(portal: Running, box: Box) -> None:
    before = len(box.messages)
    known, unknown = (
        re.sub(r'value="[^"]*"', "", portal.browser().post("/clave", {"email": address}, page="/clave").text)
        for address in ("operator@eis.example", "nobody@eis.example")
    )
    assert known == unknown
    box.wait(before + 1)
    assert [message["To"] for message in box.messages[before:]] == ["operator@eis.example"]


def test_links_are_of_our_address_whatever_a_request_says(portal: Running, box: Box) -> None:
    before = len(box.messages)
    browser = portal.browser()
    data = {"csrf": browser.token("/clave"), "email": "operator@eis.example"}
    headers = {"Origin": portal.url, "X-Forwarded-Host": "evil.example", "Forwarded": "host=evil.example"}
    browser.client.post("/clave", data=data, headers=headers)
    assert browser.client.post("/clave", data=data, headers={**headers, "Host": "evil.example"}).status_code == 421
    box.wait(before + 1)
    assert "evil" not in box.messages[-1].get_content()


def test_a_flood_of_resets_is_slowed(portal: Running) -> None:
    browser = portal.browser()
    answers = [browser.post("/clave", {"email": "nobody@eis.example"}, page="/clave").status_code for _ in range(5)]
    assert answers == [200, 200, 200, 200, 429]


def test_an_invitation_is_mailed_and_not_shown(portal: Running, box: Box) -> None:
    before = len(box.messages)
    form = {"email": "mailed@eis.example", "role": "CLIENT_ADMIN"}
    page = portal.signed_in("operator").post("/c/EIS/usuarios", form, page="/c/EIS")
    assert "va en camino a mailed@eis.example" in page.text
    box.wait(before + 1)
    assert box.link() not in page.text
    assert portal.browser().get(box.link()).status_code == 200


@pytest.mark.long
def test_a_mail_that_is_not_taken_is_told(portal: Running, server: Mail) -> None:
    form = {"email": "refused@eis.example", "role": "CLIENT_ADMIN"}
    page = portal.signed_in("operator").post("/c/EIS/usuarios", form, page="/c/EIS")
    assert page.status_code == 502
    assert "/enlace/" not in re.sub(r'action="[^"]*"', "", page.text)
    for bad in (replace(server, password="wrong"), replace(server, port=1), replace(server, tls="starttls")):
        with pytest.raises(mail.NotSent, match=r"did not take the mail .*Check EISENERGY_SMTP_"):
            mail.send(bad, "a@eis.example", "s", "t")


@pytest.mark.parametrize("to", ["a@eis.example\nBcc: all@eis.example", "a@eis.example\r\nX: y"])
def test_no_header_is_smuggled_in(server: Mail, box: Box, to: str) -> None:
    before = len(box.messages)
    with pytest.raises(ValueError, match="linefeed"):
        mail.send(server, to, "s", "t")
    assert len(box.messages) == before

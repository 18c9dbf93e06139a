"""Mails over SMTP: one-time links, to the account's own address."""

from __future__ import annotations

import smtplib
import ssl
from email.message import EmailMessage
from email.utils import formatdate, make_msgid
from typing import Final

from eisenergy.config import Mail

PATIENCE: Final = 20.0


class NotSent(RuntimeError):
    """A mail that the server did not take. Says what it answered; the link in it is not told."""


def send(mail: Mail, to: str, subject: str, text: str) -> None:
    """Send one mail.

    :raises NotSent: when the server cannot be reached, its certificate does not fit, or it refuses
    """
    message = EmailMessage()
    message["From"], message["To"], message["Subject"] = mail.sender, to, subject
    message["Date"], message["Message-ID"] = formatdate(localtime=False), make_msgid(domain=mail.host)
    message["Auto-Submitted"] = "auto-generated"
    message.set_content(text)
    secure = ssl.create_default_context()
    try:
        server = (
            smtplib.SMTP_SSL(mail.host, mail.port, timeout=PATIENCE, context=secure)
            if mail.tls == "tls"
            else smtplib.SMTP(mail.host, mail.port, timeout=PATIENCE)
        )
        with server:
            if mail.tls == "starttls":
                server.starttls(context=secure)
            if mail.user is not None:
                server.login(mail.user, mail.password or "")
            server.send_message(message)
    except (OSError, smtplib.SMTPException) as problem:
        raise NotSent(
            f"{mail.host}:{mail.port} did not take the mail ({type(problem).__name__}: {problem}). Check EISENERGY_SMTP_*."
        ) from problem

"""What each answer of a mail server means: come back, give up, or call a person."""

import ssl

import pytest
from aiosmtplib import (
    SMTPAuthenticationError,
    SMTPConnectError,
    SMTPDataError,
    SMTPException,
    SMTPHeloError,
    SMTPNotSupported,
    SMTPReadTimeoutError,
    SMTPRecipientRefused,
    SMTPRecipientsRefused,
    SMTPSenderRefused,
    SMTPServerDisconnected,
)

from bot.adapters.email.faults import judge
from bot.adapters.email.settings import EmailSettings
from bot.ports.carriers import Verdict

SETTINGS = EmailSettings(
    host="smtp.example.com",
    sender="bot@example.com",
    recipients=("ada@example.com",),
    secrets=("s3cret-password",),
)


def refused(code: int) -> SMTPRecipientsRefused:
    return SMTPRecipientsRefused([SMTPRecipientRefused(code, "no", "ada@example.com")])


@pytest.mark.parametrize(
    ("error", "verdict", "words"),
    [
        (SMTPAuthenticationError(535, "bad\ncredentials"), Verdict.SHUT, "535 bad credentials"),
        (SMTPAuthenticationError(454, "try later"), Verdict.LATER, "454 try later"),
        (SMTPSenderRefused(553, "not yours", "bot@x"), Verdict.SHUT, "SMTP_FROM"),
        (SMTPSenderRefused(451, "busy", "bot@x"), Verdict.LATER, "451 busy"),
        (SMTPHeloError(421, "overloaded"), Verdict.LATER, "421 overloaded"),
        (refused(550), Verdict.NEVER, "check ALERT_EMAIL"),
        (refused(450), Verdict.LATER, "450 no"),
        (SMTPDataError(554, "spam"), Verdict.NEVER, "the mail is refused"),
        (SMTPDataError(452, "full"), Verdict.LATER, "452 full"),
        (SMTPNotSupported("SMTPUTF8 is not supported"), Verdict.NEVER, "cannot take this address"),
        (SMTPException("SMTP STARTTLS extension not supported"), Verdict.SHUT, "no encryption"),
        (SMTPException("The SMTP AUTH extension is not supported"), Verdict.SHUT, "takes no login"),
        (SMTPException("odd"), Verdict.LATER, "cannot be reached: odd"),
        (SMTPServerDisconnected("gone"), Verdict.LATER, "closed the connection"),
        (SMTPReadTimeoutError("slow"), Verdict.LATER, "many hosts block outgoing mail ports"),
        (TimeoutError(), Verdict.LATER, "no answer from smtp.example.com:587 in time"),
        (SMTPConnectError("odd"), Verdict.LATER, "cannot be reached"),
        (ssl.SSLError(1, "WRONG_VERSION_NUMBER"), Verdict.SHUT, "does not speak starttls"),
        (OSError(113, "no route"), Verdict.LATER, "no route"),
    ],
)
def test_an_error_means(error, verdict, words):
    receipt = judge(error, SETTINGS)
    assert (receipt.verdict, words in receipt.reason) == (verdict, True), receipt.reason
    assert "\n" not in receipt.reason


def test_what_the_server_repeats_of_a_secret_is_not_told():
    error = SMTPAuthenticationError(535, "s3cret-password is wrong")
    assert "s3cret-password" not in judge(error, SETTINGS).reason

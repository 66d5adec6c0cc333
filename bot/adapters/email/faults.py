"""What an error of the mail server means, and what a person can do about it. Pure.

The classes are the vendor's; some derive from others, so the order matters. A
4xx answer asks to come back, a 5xx answer is final (RFC 5321, 4.2.1): final for
this message after RCPT and DATA, for every message before.
"""

import errno
import socket
import ssl

from aiosmtplib import (
    SMTPAuthenticationError,
    SMTPConnectError,
    SMTPDataError,
    SMTPException,
    SMTPNotSupported,
    SMTPRecipientsRefused,
    SMTPResponseException,
    SMTPServerDisconnected,
)

from bot.adapters.email.settings import EmailSettings
from bot.kit.secrecy import redact
from bot.ports.carriers import Receipt, Verdict

_FINAL = 500
_ANSWER_SHOWN_MAX = 200
_PORTS = "port 587 is for starttls, port 465 for tls"


def judge(error: Exception, settings: EmailSettings) -> Receipt:
    """Sort an error of one attempt."""
    verdict, reason = _said(error, settings) or _not_reached(error, settings)
    return Receipt(verdict=verdict, reason=redact(reason, settings.secrets))


def _said(error: Exception, settings: EmailSettings) -> tuple[Verdict, str] | None:
    """What the server itself said, or could not do."""
    place = settings.place
    match error:
        case SMTPRecipientsRefused():
            return _recipient_refused(error, place)
        case SMTPResponseException():
            return _answered(error, place)
        case SMTPNotSupported():
            return Verdict.NEVER, f"{place} cannot take this address: {error.message}"
        case SMTPException():
            return _not_offered(error, place)
        case _:
            return None


def _not_offered(error: SMTPException, place: str) -> tuple[Verdict, str] | None:
    """What the server does not offer. The vendor tells these by their words alone."""
    if error.message.startswith("SMTP STARTTLS"):
        return Verdict.SHUT, (
            f"{place} offers no encryption (STARTTLS): {_PORTS}; set SMTP_PORT and SMTP_SECURITY"
            " to what the provider says"
        )
    if "auth" in error.message.lower():
        return Verdict.SHUT, (
            f"{place} takes no login: use the provider's submission port (587 or 465), or leave"
            " SMTP_USER and SMTP_PASSWORD out"
        )
    return None


def _not_reached(error: Exception, settings: EmailSettings) -> tuple[Verdict, str]:
    """How the connection failed."""
    place = settings.place
    cause = error.__cause__ if isinstance(error, SMTPConnectError) else error
    match cause:
        case ssl.SSLCertVerificationError():
            return Verdict.SHUT, (
                f"the certificate of {place} is not trusted ({cause.verify_message}): check that"
                " SMTP_HOST is the name the provider gives; for a server of your own set"
                " email.ca_file"
            )
        case ssl.SSLError():
            return Verdict.SHUT, f"{place} does not speak {settings.security.value}: {_PORTS}"
        case socket.gaierror():
            why = f"the name {settings.host} is not found: check SMTP_HOST"
        case SMTPServerDisconnected():
            why = f"{place} closed the connection"
        case OSError() if _is_refusal(cause):
            why = f"nobody answers at {place} (connection refused): check SMTP_HOST and SMTP_PORT"
        case TimeoutError():
            why = (
                f"no answer from {place} in time: check SMTP_HOST and SMTP_PORT; many hosts block"
                " outgoing mail ports (Railway does below its Pro plan)"
            )
        case _:
            why = f"{place} cannot be reached: {cause or error}"
    return Verdict.LATER, why


def _answered(error: SMTPResponseException, place: str) -> tuple[Verdict, str]:
    told = f"{place} answered {error.code} {_one_line(error.message)}"
    if error.code < _FINAL:
        return Verdict.LATER, told
    match error:
        case SMTPAuthenticationError():
            return Verdict.SHUT, (
                f"{told}: the login is refused; check SMTP_USER and SMTP_PASSWORD"
                " (Gmail wants an app password, not the account's)"
            )
        case SMTPDataError():
            return Verdict.NEVER, f"{told}: the mail is refused"
        case _:
            return Verdict.SHUT, (
                f"{told}: check that SMTP_FROM is an address this login may send from"
            )


def _recipient_refused(error: SMTPRecipientsRefused, place: str) -> tuple[Verdict, str]:
    refused = error.recipients[0]
    told = f"{place} answered {refused.code} {_one_line(refused.message)} for {refused.recipient}"
    if refused.code < _FINAL:
        return Verdict.LATER, told
    return Verdict.NEVER, f"{told}: check ALERT_EMAIL"


def _is_refusal(error: OSError) -> bool:
    # Where a name has several addresses, asyncio only tells the refusals in words.
    return error.errno == errno.ECONNREFUSED or f"[Errno {errno.ECONNREFUSED}]" in str(error)


def _one_line(message: str) -> str:
    return " ".join(message.split())[:_ANSWER_SHOWN_MAX]

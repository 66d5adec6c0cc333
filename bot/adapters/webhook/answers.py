"""What an answer, or none, of a web address means. Pure."""

import email.utils
import os
import ssl
from collections.abc import Mapping

from aiohttp import (
    ClientConnectorCertificateError,
    ClientConnectorDNSError,
    ClientConnectorError,
    ClientError,
    ClientSSLError,
    ServerDisconnectedError,
)

from bot.ports.carriers import DELIVERED, Receipt, Verdict

_TOO_MANY, _TIMED_OUT = 429, 408
_ADDRESS_WRONG = {
    401: "it wants a login",
    403: "it refuses us",
    404: "there is nothing at the address",
    405: "it takes no POST",
    410: "the address is gone",
}
_RETRY_AFTER_MAX_S = 3_600.0


def judge_answer(
    status: int, headers: Mapping[str, str], place: str, variable: str, now_us: int
) -> Receipt:
    """Sort an answer; ``variable`` names the setting that holds the address."""
    told = f"{place} answered {status}"
    if status // 100 == 2:  # noqa: PLR2004 - the family of good answers
        return DELIVERED
    if status // 100 == 3:  # noqa: PLR2004 - the family of redirects
        return Receipt(
            verdict=Verdict.SHUT,
            reason=f"{told}, a redirect, which is not followed: set {variable} to its end",
        )
    if status in _ADDRESS_WRONG:
        return Receipt(
            verdict=Verdict.SHUT, reason=f"{told}, {_ADDRESS_WRONG[status]}: check {variable}"
        )
    if status in {_TOO_MANY, _TIMED_OUT} or status // 100 == 5:  # noqa: PLR2004 - its own faults
        return Receipt(
            verdict=Verdict.LATER,
            reason=told,
            retry_after_s=_retry_after_s(headers.get("Retry-After", ""), now_us),
        )
    return Receipt(verdict=Verdict.NEVER, reason=f"{told}: it does not take this message")


def judge_fault(error: ClientError | OSError, place: str, variable: str) -> Receipt:
    """Sort a request that got no answer. The error's own words may hold the address."""
    match error:
        case ClientConnectorCertificateError():
            cause = error.certificate_error
            why = cause.verify_message if isinstance(cause, ssl.SSLCertVerificationError) else cause
            return Receipt(
                verdict=Verdict.SHUT, reason=f"the certificate of {place} is not trusted ({why})"
            )
        case ClientSSLError():
            return Receipt(
                verdict=Verdict.SHUT, reason=f"{place} does not speak https: check {variable}"
            )
        case ClientConnectorDNSError():
            reason = f"the name {place} is not found: check {variable}"
        case ClientConnectorError():
            number = error.os_error.errno
            why = os.strerror(number).lower() if number else "no connection"
            reason = f"nobody answers at {place} ({why}): check {variable}"
        case ServerDisconnectedError() | ConnectionError():
            reason = f"{place} closed the connection"
        case TimeoutError():
            reason = f"no answer from {place} in time"
        case _:
            reason = f"{place}: {type(error).__name__}"
    return Receipt(verdict=Verdict.LATER, reason=reason)


def _retry_after_s(value: str, now_us: int) -> float:
    """Seconds, or a date (RFC 9110, 10.2.3); 0 where it makes no sense."""
    if value.isdigit():
        return min(float(value), _RETRY_AFTER_MAX_S)
    try:
        until_s = email.utils.parsedate_to_datetime(value).timestamp()
    except (TypeError, ValueError):
        return 0.0
    return min(max(0.0, until_s - now_us / 1_000_000), _RETRY_AFTER_MAX_S)

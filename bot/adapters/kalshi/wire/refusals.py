"""Error bodies to exceptions: five JSON shapes in, one class per reaction out.

For a write the question is whether it may have happened. What the venue states
as its refusal did not happen; a 408, any 5xx and everything unexpected may have.
"""

from dataclasses import dataclass

import msgspec

from bot.adapters.kalshi.wire.fields import decode
from bot.domain.errors import (
    BotError,
    CredentialsRefused,
    ExchangeUnavailable,
    InvalidMessage,
    OrderRejected,
    OutcomeUnknown,
    RateLimited,
    RequestRefused,
)

_TEXT_LENGTH_MAX = 500
_DEFINITIVE = frozenset({400, 403, 404, 409, 410, 429})
_DEFAULT_CODES = {404: "not_found", 429: "too_many_requests"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Refusal:
    """What an error answer says; every text may be empty but ``code``."""

    status: int
    code: str
    message: str
    details: str

    @property
    def reason(self) -> str:
        """Message and details as one text."""
        parts = (self.message, self.details)
        return ": ".join(part for part in parts if part) or f"HTTP {self.status}"


class _Flat(msgspec.Struct):
    code: str = ""
    message: str = ""
    msg: str = ""
    details: str = ""


class _Nested(msgspec.Struct):
    error: _Flat | str


_FLAT = msgspec.json.Decoder(_Flat)
_NESTED = msgspec.json.Decoder(_Nested)


def read_refusal(status: int, body: bytes) -> Refusal:
    """Make the best of an error body: any shape, a proxy's HTML page, nothing."""
    found = _shape(body)
    return Refusal(
        status=status,
        code=(found.code or _DEFAULT_CODES.get(status, f"http_{status}"))[:_TEXT_LENGTH_MAX],
        message=(found.message or found.msg)[:_TEXT_LENGTH_MAX],
        details=found.details[:_TEXT_LENGTH_MAX],
    )


def order_fault(refusal: Refusal) -> BotError:
    """What a refused create or cancel raises."""
    if refusal.status == 401:  # noqa: PLR2004 - an HTTP status is its own name
        return CredentialsRefused(f"{refusal.code}: {refusal.reason}")
    if refusal.status in _DEFINITIVE:
        return OrderRejected(refusal.code, refusal.reason)
    return OutcomeUnknown(f"HTTP {refusal.status} {refusal.code}: {refusal.reason}")


def request_fault(refusal: Refusal) -> BotError:
    """What a refused write that is no order raises (groups, cancel all)."""
    match refusal.status:
        case 401:
            return CredentialsRefused(f"{refusal.code}: {refusal.reason}")
        case 429:
            return RateLimited(refusal.reason)
        case status if status in _DEFINITIVE:
            return RequestRefused(status, refusal.code, refusal.reason)
        case _:
            return OutcomeUnknown(f"HTTP {refusal.status} {refusal.code}: {refusal.reason}")


def read_fault(refusal: Refusal) -> BotError:
    """What a refused read raises; ``ExchangeUnavailable`` and its kin are worth another try."""
    match refusal.status:
        case 401:
            return CredentialsRefused(f"{refusal.code}: {refusal.reason}")
        case 429:
            return RateLimited(refusal.reason)
        case 408:
            return ExchangeUnavailable(refusal.reason)
        case status if 400 <= status < 500:  # noqa: PLR2004 - HTTP's own ranges
            return RequestRefused(status, refusal.code, refusal.reason)
        case _:
            return ExchangeUnavailable(f"HTTP {refusal.status} {refusal.code}: {refusal.reason}")


def _shape(body: bytes) -> _Flat:
    try:
        error = decode(_NESTED, body).error
    except InvalidMessage:
        pass
    else:
        return _Flat(message=error) if isinstance(error, str) else error
    try:
        return decode(_FLAT, body)
    except InvalidMessage:
        return _Flat()

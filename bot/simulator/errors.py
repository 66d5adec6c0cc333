"""The exchange's refusals on the wire: three shapes of error bodies, and two for a 429.

Clients must cope with all of them, so the simulator keeps the venue's own
inconsistency: most answers nest ``error``, body decoding answers flat, and list
parameters answer with a bare ``msg`` or ``details``.
"""

from typing import Any

from bot.venue.results import Refusal, RefusalCode

_NOT_FOUND = frozenset(
    {
        RefusalCode.MARKET_NOT_FOUND,
        RefusalCode.NOT_FOUND,
        RefusalCode.ORDER_GROUP_NOT_FOUND,
        RefusalCode.ACCOUNT_NOT_FOUND,
    }
)
_CONFLICT = frozenset(
    {
        RefusalCode.ORDER_ALREADY_EXISTS,
        RefusalCode.FILL_OR_KILL_INSUFFICIENT_RESTING_VOLUME,
        RefusalCode.TRADING_IS_PAUSED,
        RefusalCode.EXCHANGE_IS_PAUSED,
        RefusalCode.MARKET_EXISTS,
        RefusalCode.ACCOUNT_EXISTS,
        RefusalCode.INVALID_TRANSITION,
    }
)


class WireError(Exception):
    """An answer that is not a success. ``body`` is its JSON object."""

    def __init__(self, status: int, body: dict[str, Any]) -> None:
        super().__init__(f"HTTP {status} {body}")
        self.status = status
        self.body = body


def nested(status: int, code: str, message: str = "", details: str = "") -> WireError:
    """The common shape: ``{"error": {"code", "message", "details"?}}``."""
    error = {"code": code, "message": message or code.lower().replace("_", " ")}
    if details:
        error["details"] = details
    return WireError(status, {"error": error})


def undecodable(details: str) -> WireError:
    """The flat shape of a body that does not fit its types."""
    return WireError(400, {"code": "bad_request", "message": "bad request", "details": details})


def failed_validation(operation: str, field: str, tag: str) -> WireError:
    """The shape of a query parameter outside its limits."""
    return WireError(
        400,
        {
            "msg": f"Parameter validation failed for {operation}: "
            f"Key: '{operation}Params.{field}' "
            f"Error:Field validation for '{field}' failed on the '{tag}' tag"
        },
    )


def details_only(details: str) -> WireError:
    """The shape of a list filter that makes no sense."""
    return WireError(400, {"details": details})


def too_many_requests(*, flat: bool) -> WireError:
    """A 429 in the documented (flat) or the observed shape."""
    if flat:
        return WireError(429, {"error": "too many requests"})
    return nested(429, "too_many_requests")


def not_found() -> WireError:
    """A 404 that does not say what is missing."""
    return nested(404, "not_found")


def refusal_status(code: RefusalCode) -> int:
    """The HTTP status that goes with a venue's refusal."""
    if code in _NOT_FOUND:
        return 404
    return 409 if code in _CONFLICT else 400


def refused(refusal: Refusal) -> WireError:
    """A venue's refusal as an answer."""
    return nested(refusal_status(refusal.code), str(refusal.code), refusal.message, refusal.details)


def refused_item(refusal: Refusal) -> dict[str, str]:
    """A venue's refusal inside a batch answer, which is flat."""
    item = {"code": str(refusal.code), "message": refusal.message}
    if refusal.details:
        item["details"] = refusal.details
    return item

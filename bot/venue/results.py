"""What an act on the venue gives back: a value or a refusal, and the events it caused.

A refusal is an expected answer, so it is a value and not an exception. It knows
nothing of HTTP; its code is the venue's own word, so that a server only has to
add the status.
"""

from dataclasses import dataclass
from enum import StrEnum
from typing import Generic, TypeVar

from bot.venue.events import VenueEvent

T_co = TypeVar("T_co", covariant=True)


class RefusalCode(StrEnum):
    """Why the venue said no, in the words it uses on the wire where they are known."""

    MARKET_NOT_FOUND = "market_not_found"
    MARKET_NOT_ACTIVE = "MARKET_NOT_ACTIVE"
    MARKET_INACTIVE = "MARKET_INACTIVE"
    """Edit or cancel after the close."""
    MARKET_EXISTS = "market_already_exists"
    INVALID_TRANSITION = "invalid_market_transition"
    INVALID_PRICE = "invalid_price"
    INVALID_ORDER = "invalid_order"
    INVALID_ORDER_SIZE = "invalid_order_size"
    INVALID_PARAMETERS = "invalid_parameters"
    ORDER_SIDE_MISMATCH = "order_side_mismatch"
    ORDER_TICKER_MISMATCH = "order_ticker_mismatch"
    ORDER_ID_MISMATCH = "order_id_and_client_order_id_mismatch"
    INSUFFICIENT_BALANCE = "insufficient_balance"
    ORDER_ALREADY_EXISTS = "order_already_exists"
    FILL_OR_KILL_INSUFFICIENT_RESTING_VOLUME = "fill_or_kill_insufficient_resting_volume"
    TRADING_IS_PAUSED = "trading_is_paused"
    EXCHANGE_IS_PAUSED = "exchange_is_paused"
    NOT_FOUND = "not_found"
    """An order that is not resting, whether canceled, executed or never known."""
    ORDER_GROUP_NOT_FOUND = "order_group_not_found"
    ORDER_GROUP_TRIGGERED = "exceeded_order_group_risk_limit"
    ACCOUNT_NOT_FOUND = "account_not_found"
    ACCOUNT_EXISTS = "account_already_exists"


@dataclass(frozen=True, slots=True)
class Refusal:
    """The venue said no and nothing happened. ``details`` may be empty."""

    code: RefusalCode
    details: str = ""

    @property
    def message(self) -> str:
        """The code in words, as the wire repeats it."""
        return self.code.lower().replace("_", " ")


@dataclass(frozen=True, slots=True)
class Done:
    """The act succeeded and has nothing more to say."""


@dataclass(frozen=True, slots=True)
class Outcome(Generic[T_co]):
    """A result and every event up to it, in order.

    The events include those of timers that fell due before the act, so they may
    be there although ``result`` is a refusal.
    """

    result: T_co | Refusal
    events: tuple[VenueEvent, ...]

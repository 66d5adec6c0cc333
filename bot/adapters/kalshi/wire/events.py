"""Events: which markets exclude one another, and fees that differ from the series'."""

from dataclasses import dataclass

import msgspec

from bot.adapters.kalshi.wire.account import Page
from bot.adapters.kalshi.wire.fields import decode, millionths_of, number_text
from bot.domain.errors import InvalidMessage
from bot.domain.ids import EventTicker
from bot.domain.market import FeeTerms
from bot.ports.exchange import EventTerms

_NULL = msgspec.Raw(b"null")


@dataclass(frozen=True, slots=True, kw_only=True)
class EventRow:
    """An event as listed. Either half of its fees may be left to the series."""

    event_ticker: EventTicker
    is_exclusive: bool
    fee_type: str | None
    multiplier_e6: int | None

    @property
    def needs_series(self) -> bool:
        """Whether only one half of the fees is overridden."""
        return (self.fee_type is None) != (self.multiplier_e6 is None)

    def terms(self, series: FeeTerms | None) -> EventTerms:
        """The event's terms; ``series`` fills the half that is not overridden."""
        fee_type, multiplier_e6 = self.fee_type, self.multiplier_e6
        if series is not None and self.needs_series:
            fee_type = series.fee_type if fee_type is None else fee_type
            multiplier_e6 = series.multiplier_e6 if multiplier_e6 is None else multiplier_e6
        fees = None
        if fee_type is not None and multiplier_e6 is not None:
            fees = FeeTerms(fee_type=fee_type, multiplier_e6=multiplier_e6)
        return EventTerms(event_ticker=self.event_ticker, is_exclusive=self.is_exclusive, fees=fees)


class _Event(msgspec.Struct):
    event_ticker: str
    mutually_exclusive: bool
    fee_type_override: str | None = None
    fee_multiplier_override: msgspec.Raw = _NULL


class _Events(msgspec.Struct):
    events: list[_Event] | None
    cursor: str = ""


_EVENTS = msgspec.json.Decoder(_Events)


def read_events(body: bytes) -> Page[EventRow]:
    """``GET /events``."""
    wire = decode(_EVENTS, body)
    return Page(items=tuple(_row(one) for one in wire.events or ()), cursor=wire.cursor)


def _row(wire: _Event) -> EventRow:
    if not wire.event_ticker:
        raise InvalidMessage("an event without a ticker")
    is_overridden = number_text(wire.fee_multiplier_override) is not None
    return EventRow(
        event_ticker=EventTicker(wire.event_ticker),
        is_exclusive=wire.mutually_exclusive,
        fee_type=wire.fee_type_override or None,
        multiplier_e6=millionths_of(wire.fee_multiplier_override) if is_overridden else None,
    )

"""Who listens to what: subscriptions, their sequence numbers, and the index that finds them.

``seq`` counts every message of one sid on the channels that carry it. A frame
body is shared by all its listeners; only the envelope is made for each.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Protocol

import msgspec

from bot.domain.ids import MarketTicker
from bot.simulator.frames import encode


class Channel(StrEnum):
    """The venue's channels."""

    ORDERBOOK = "orderbook_delta"
    TICKER = "ticker"
    TRADE = "trade"
    FILL = "fill"
    POSITIONS = "market_positions"
    USER_ORDERS = "user_orders"
    LIFECYCLE = "market_lifecycle_v2"
    MULTIVARIATE = "multivariate_market_lifecycle"
    COMMUNICATIONS = "communications"
    GROUPS = "order_group_updates"
    BENCHMARKS = "cfbenchmarks_value"
    BENCHMARKS_5HZ = "cfbenchmarks_value_5hz"
    PYTH = "pyth_value"


UNSEQUENCED = frozenset({Channel.TICKER, Channel.FILL, Channel.POSITIONS, Channel.USER_ORDERS})
"""Channels whose data messages carry no ``seq``."""
BY_MARKET = UNSEQUENCED | {Channel.ORDERBOOK, Channel.TRADE}
"""Channels that can be narrowed to markets."""


class FrameFault(StrEnum):
    """What may go wrong with one frame."""

    DROP = "drop_frame"
    DUPLICATE = "duplicate_frame"
    OVERFLOW = "error_25"
    CHANNEL_ERROR = "error_10"
    REORDER = "reorder_frame"
    """Sent after the one that follows it."""
    WRONG_SNAPSHOT = "wrong_snapshot"
    """A book whose sizes are all too small; its deltas are right."""
    DISCONNECT = "disconnect"
    SILENCE = "silent"
    HALF_OPEN = "half_open"
    """From now on nothing is sent, nothing is read, and nothing is closed."""


class FrameFaults(Protocol):
    """Decides about every frame."""

    def on_frame(self, channel: str, kind: str) -> FrameFault | None:
        """What happens to the next frame of a channel and type; ``None`` is nothing."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Outlet:
    """One connection as its subscriptions see it."""

    user_id: str
    send: Callable[[bytes], bool]
    """Queue a frame; false when the reader owes too many."""
    send_always: Callable[[bytes], None]
    """Queue a control frame whatever the reader owes."""
    silence: Callable[[], None]
    """Stop sending anything for a while."""
    disconnect: Callable[[], None]
    """Drop the connection."""
    freeze: Callable[[], None]
    """Leave the connection open and say nothing on it ever again."""


@dataclass(slots=True, kw_only=True, eq=False)
class Subscription:
    """One sid. ``tickers`` is ``None`` for every market."""

    sid: int
    channel: Channel
    outlet: Outlet
    tickers: dict[MarketTicker, None] | None
    use_yes_price: bool = False
    skips_ack: bool = False
    seq: int = 0
    is_over: bool = field(default=False)
    held: bytes | None = None
    """A frame that waits for the next one to overtake it."""

    def envelope(
        self, kind: str, body: bytes | None, *, command_id: int | None = None, is_data: bool = True
    ) -> bytes:
        """The next frame of this sid, its sequence number taken."""
        self.seq += 1
        parts = [b'{"type":"', kind.encode(), b'"']
        if command_id is not None:
            parts.append(b',"id":%d' % command_id)
        parts.append(b',"sid":%d' % self.sid)
        if not (is_data and self.channel in UNSEQUENCED):
            parts.append(b',"seq":%d' % self.seq)
        if body is not None:
            parts += [b',"msg":', body]
        parts.append(b"}\n")
        return b"".join(parts)


@dataclass(slots=True, eq=False)
class _Listeners:
    every: dict[Subscription, None] = field(default_factory=dict)
    by_ticker: dict[MarketTicker, dict[Subscription, None]] = field(default_factory=dict)


def too_small(snapshot: bytes) -> bytes:
    """A snapshot's body with a hundredth of a contract on each level."""
    body = msgspec.json.decode(snapshot)
    for leg in ("yes_dollars_fp", "no_dollars_fp"):
        if leg in body:
            body[leg] = [[price, "0.01"] for price, _ in body[leg]]
    return encode(body)


class Hub:
    """Finds the listeners of a message and gives it to them."""

    def __init__(self, faults: FrameFaults) -> None:
        self._faults = faults
        self._channels = {channel: _Listeners() for channel in Channel}

    def add(self, subscription: Subscription) -> None:
        """Start delivering."""
        if subscription.tickers is None:
            self._channels[subscription.channel].every[subscription] = None
        else:
            self.widen(subscription, subscription.tickers)

    def widen(self, subscription: Subscription, tickers: Iterable[MarketTicker]) -> None:
        """Deliver these markets too."""
        index = self._channels[subscription.channel].by_ticker
        for ticker in tickers:
            index.setdefault(ticker, {})[subscription] = None

    def narrow(self, subscription: Subscription, tickers: Iterable[MarketTicker]) -> None:
        """Deliver these markets no more."""
        index = self._channels[subscription.channel].by_ticker
        for ticker in tickers:
            index.get(ticker, {}).pop(subscription, None)

    def remove(self, subscription: Subscription) -> None:
        """Stop delivering."""
        subscription.is_over = True
        self._channels[subscription.channel].every.pop(subscription, None)
        self.narrow(subscription, subscription.tickers or ())

    def listeners(self, channel: Channel, ticker: MarketTicker | None) -> list[Subscription]:
        """Who listens, as a copy: delivering may end subscriptions."""
        found = self._channels[channel]
        listeners = list(found.every)
        if ticker is not None:
            listeners += found.by_ticker.get(ticker, ())
        return listeners

    def push(
        self, subscription: Subscription, kind: str, body: bytes, *, command_id: int | None = None
    ) -> None:
        """Send one data frame, unless a fault has it otherwise."""
        if subscription.is_over:
            return
        fault = self._faults.on_frame(subscription.channel, kind)
        if fault is FrameFault.WRONG_SNAPSHOT:
            fault, body = None, too_small(body)
        frame = subscription.envelope(kind, body, command_id=command_id)
        held, subscription.held = subscription.held, None
        if fault is None:
            self._send(subscription, frame)
        else:
            self._send_faulty(subscription, frame, fault)
        if held is not None:
            self._send(subscription, held)

    def end(self, subscription: Subscription, code: int, message: str) -> None:
        """Kill a subscription with an error; its socket stays open."""
        self.remove(subscription)
        body = encode({"code": code, "msg": message})
        subscription.outlet.send_always(subscription.envelope("error", body, is_data=False))

    def _send(self, subscription: Subscription, frame: bytes) -> None:
        if not subscription.outlet.send(frame):
            self.end(subscription, 25, "Subscription buffer overflow")

    def _send_faulty(self, subscription: Subscription, frame: bytes, fault: FrameFault) -> None:
        outlet = subscription.outlet
        acts = {
            FrameFault.SILENCE: outlet.silence,
            FrameFault.DISCONNECT: outlet.disconnect,
            FrameFault.HALF_OPEN: outlet.freeze,
        }
        if fault in acts:
            acts[fault]()
            return
        match fault:
            case FrameFault.REORDER:
                subscription.held = frame
            case FrameFault.DUPLICATE:
                self._send(subscription, frame)
                self._send(subscription, frame)
            case FrameFault.OVERFLOW:
                self.end(subscription, 25, "Subscription buffer overflow")
            case FrameFault.CHANNEL_ERROR:
                self.end(subscription, 10, "Channel error")
            case _:
                return  # dropped

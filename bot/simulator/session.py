"""One WebSocket connection's conversation: commands in, replies and subscriptions out.

Knows no socket. Where the venue documents no answer (an unknown ticker), the
subscription is made and an error frame names the culprit.
"""

from collections.abc import Iterable
from typing import Any, Protocol

import msgspec

from bot.domain.ids import MarketTicker
from bot.domain.quotes import BookSnapshot
from bot.simulator.catalog import Catalog
from bot.simulator.frames import encode, snapshot_msg, ticker_msg
from bot.simulator.subscriptions import BY_MARKET, UNSEQUENCED, Channel, Hub, Outlet, Subscription
from bot.venue.markets import MarketView

_PUBLIC_DATA_NEEDS_IDS = {
    Channel.BENCHMARKS: (24, "index_ids", "Index ids required"),
    Channel.BENCHMARKS_5HZ: (24, "index_ids", "Index ids required"),
    Channel.PYTH: (28, "underlying_tickers", "Underlying tickers required"),
}


class Board(Protocol):
    """What a session shows of the exchange."""

    @property
    def catalog(self) -> Catalog:
        """The market descriptions."""
        ...

    def book(self, ticker: MarketTicker) -> BookSnapshot | None:
        """A market's book now."""
        ...

    def market(self, ticker: MarketTicker) -> MarketView | None:
        """A market's summary now."""
        ...

    def now_us(self) -> int:
        """The exchange's time."""
        ...


class CommandError(Exception):
    """A command that is answered by an error frame."""

    def __init__(self, code: int, message: str) -> None:
        super().__init__(message)
        self.code = code
        self.message = message


class Session:
    """The subscriptions of one connection. Sids count from 1."""

    def __init__(
        self, board: Board, hub: Hub, outlet: Outlet, *, markets_max: int = 500_000
    ) -> None:
        self._board = board
        self._hub = hub
        self._outlet = outlet
        self._markets_max = markets_max
        self._subscriptions: dict[int, Subscription] = {}
        self._last_sid = 0

    def close(self) -> None:
        """Forget every subscription."""
        for subscription in self._subscriptions.values():
            self._hub.remove(subscription)
        self._subscriptions.clear()

    def receive(self, text: str | bytes) -> None:
        """Act on one command frame. Whatever it holds, it is answered and never raises."""
        command_id = 0
        try:
            command = _object(text)
            command_id = _id_of(command)
            self._dispatch(command, command_id)
        except CommandError as error:
            self._reply("error", command_id, {"code": error.code, "msg": error.message})

    def _dispatch(self, command: dict[str, Any], command_id: int) -> None:
        match command.get("cmd"):
            case "subscribe":
                self._subscribe(_params(command), command_id)
            case "unsubscribe":
                self._unsubscribe(_params(command), command_id)
            case "update_subscription":
                self._update(_params(command), command_id)
            case "list_subscriptions":
                self._list(command_id)
            case _:
                raise CommandError(5, "Unknown command")

    def _reply(self, kind: str, command_id: int, msg: Any) -> None:
        body: dict[str, Any] = {"type": kind}
        if command_id:
            body["id"] = command_id
        self._outlet.send_always(encode(body | {"msg": msg}) + b"\n")

    # Subscribe

    def _subscribe(self, params: dict[str, Any], command_id: int) -> None:
        channels = _channels(params)
        tickers = self._wanted(params)
        for channel in channels:
            _check_channel(channel, params, tickers)
        unknown = [ticker for ticker in tickers or () if self._board.market(ticker) is None]
        known = None if tickers is None else [t for t in tickers if t not in unknown]
        self._check_room(len(known or ()))
        fresh = [self._join(channel, known, params, command_id) for channel in channels]
        for subscription, added in fresh:
            if unknown and channel_takes_markets(subscription.channel):
                self._complain(subscription, command_id, unknown)
            self._show(subscription, added, wants_ticker=_flag(params, "send_initial_snapshot"))

    def _join(
        self,
        channel: Channel,
        tickers: list[MarketTicker] | None,
        params: dict[str, Any],
        command_id: int,
    ) -> tuple[Subscription, list[MarketTicker]]:
        existing = next((s for s in self._live() if s.channel is channel), None)
        if existing is not None:
            added = self._widen(existing, tickers or [])
            self._acknowledge(existing, command_id)
            return existing, added
        narrowed = None if tickers is None or channel not in BY_MARKET else dict.fromkeys(tickers)
        self._last_sid += 1
        subscription = Subscription(
            sid=self._last_sid,
            channel=channel,
            outlet=self._outlet,
            tickers=narrowed,
            use_yes_price=_flag(params, "use_yes_price"),
            skips_ack=_flag(params, "skip_ticker_ack"),
        )
        self._subscriptions[subscription.sid] = subscription
        self._hub.add(subscription)
        self._reply("subscribed", command_id, {"channel": channel, "sid": subscription.sid})
        return subscription, list(narrowed or ())

    def _show(
        self, subscription: Subscription, tickers: Iterable[MarketTicker], *, wants_ticker: bool
    ) -> None:
        if subscription.channel is Channel.ORDERBOOK:
            for ticker in tickers:
                self._send_snapshot(subscription, ticker, None)
        elif subscription.channel is Channel.TICKER and wants_ticker:
            every = subscription.tickers is None
            for ticker in self._board.catalog.markets if every else tickers:
                self._send_ticker(subscription, ticker)

    def _send_snapshot(
        self, subscription: Subscription, ticker: MarketTicker, command_id: int | None
    ) -> None:
        info, book = self._board.catalog.markets[ticker], self._board.book(ticker)
        if book is not None:
            body = snapshot_msg(info, book, use_yes_price=subscription.use_yes_price)
            self._hub.push(subscription, "orderbook_snapshot", body, command_id=command_id)

    def _send_ticker(self, subscription: Subscription, ticker: MarketTicker) -> None:
        info, view = self._board.catalog.markets[ticker], self._board.market(ticker)
        if view is not None:
            self._hub.push(subscription, "ticker", ticker_msg(info, view, self._board.now_us()))

    def _complain(
        self, subscription: Subscription, command_id: int, unknown: list[MarketTicker]
    ) -> None:
        body = encode({"code": 11, "msg": "Invalid parameter", "market_tickers": unknown})
        frame = subscription.envelope("error", body, command_id=command_id, is_data=False)
        self._outlet.send_always(frame)

    # Update, unsubscribe, list

    def _update(self, params: dict[str, Any], command_id: int) -> None:
        action = params.get("action")
        if not action:
            raise CommandError(15, "Action required")
        subscription = self._one(params)
        tickers = self._wanted(params)
        if action not in {"add_markets", "delete_markets", "get_snapshot"}:
            raise CommandError(13, "Unsupported action")
        if tickers is None:
            raise CommandError(14, "Market Ticker required")
        if subscription.tickers is None:
            raise CommandError(11, "Invalid parameter: the subscription has every market")
        self._apply(str(action), subscription, tickers, params, command_id)

    def _apply(
        self,
        action: str,
        subscription: Subscription,
        tickers: list[MarketTicker],
        params: dict[str, Any],
        command_id: int,
    ) -> None:
        known = [ticker for ticker in tickers if self._board.market(ticker) is not None]
        unknown = [ticker for ticker in tickers if ticker not in known]
        match action:
            case "add_markets":
                self._check_room(len(known))
                added = self._widen(subscription, known)
                self._acknowledge(subscription, command_id)
                wants_ticker = _flag(params, "send_initial_snapshot")
                self._show(subscription, added, wants_ticker=wants_ticker)
            case "delete_markets":
                self._hub.narrow(subscription, tickers)
                for ticker in tickers:
                    (subscription.tickers or {}).pop(ticker, None)
                self._acknowledge(subscription, command_id)
            case _:
                self._snapshots(subscription, known, command_id)
        if unknown and action != "delete_markets":
            self._complain(subscription, command_id, unknown)

    def _snapshots(
        self, subscription: Subscription, tickers: list[MarketTicker], command_id: int
    ) -> None:
        if subscription.channel is not Channel.ORDERBOOK:
            raise CommandError(13, "Unsupported action")
        for ticker in tickers:
            self._send_snapshot(subscription, ticker, command_id)

    def _unsubscribe(self, params: dict[str, Any], command_id: int) -> None:
        sids = params.get("sids")
        if not isinstance(sids, list) or not sids:
            raise CommandError(4, "Sids required")
        found = [self._known(sid) for sid in sids]
        for subscription in found:
            self._hub.remove(subscription)
            self._subscriptions.pop(subscription.sid, None)
            frame = subscription.envelope(
                "unsubscribed", None, command_id=command_id or None, is_data=False
            )
            self._outlet.send_always(frame)

    def _list(self, command_id: int) -> None:
        listed = [{"channel": s.channel, "sid": s.sid} for s in self._live()]
        self._reply("ok", command_id, listed)

    def _acknowledge(self, subscription: Subscription, command_id: int) -> None:
        body = None
        if not subscription.skips_ack:
            body = encode({"market_tickers": list(subscription.tickers or ())})
        is_data = subscription.channel in UNSEQUENCED
        frame = subscription.envelope("ok", body, command_id=command_id or None, is_data=is_data)
        self._outlet.send_always(frame)

    # Helpers

    def _live(self) -> list[Subscription]:
        return [s for s in self._subscriptions.values() if not s.is_over]

    def _widen(
        self, subscription: Subscription, tickers: Iterable[MarketTicker]
    ) -> list[MarketTicker]:
        if subscription.tickers is None:
            return []
        added = [ticker for ticker in tickers if ticker not in subscription.tickers]
        subscription.tickers.update(dict.fromkeys(added))
        self._hub.widen(subscription, added)
        return added

    def _check_room(self, more: int) -> None:
        held = sum(len(s.tickers or ()) for s in self._live())
        if held + more > self._markets_max:
            raise CommandError(26, "Subscription market limit exceeded")

    def _known(self, sid: object) -> Subscription:
        found = self._subscriptions.get(sid) if isinstance(sid, int) else None
        if found is None or found.is_over:
            raise CommandError(7, "Unknown subscription ID")
        return found

    def _one(self, params: dict[str, Any]) -> Subscription:
        sid, sids = params.get("sid"), params.get("sids")
        if (sid is None) == (sids is None):
            raise CommandError(12, "Exactly one subscription ID is required")
        if sid is not None:
            return self._known(sid)
        if not isinstance(sids, list) or len(sids) != 1:
            raise CommandError(12, "Exactly one subscription ID is required")
        return self._known(sids[0])

    def _wanted(self, params: dict[str, Any]) -> list[MarketTicker] | None:
        named = [key for key in ("market_ticker", "market_tickers") if key in params]
        by_id = [key for key in ("market_id", "market_ids") if key in params]
        if len(named) + len(by_id) > 1:
            raise CommandError(11, "Invalid parameter: name markets in one way")
        if named:
            return [MarketTicker(name) for name in _names(params[named[0]])]
        if by_id:
            return [self._by_id(name) for name in _names(params[by_id[0]])]
        return None

    def _by_id(self, market_id: str) -> MarketTicker:
        return self._board.catalog.ticker_of_id(market_id) or MarketTicker(market_id)


def channel_takes_markets(channel: Channel) -> bool:
    """Whether a channel looks at tickers at all."""
    return channel in BY_MARKET


def _object(text: str | bytes) -> dict[str, Any]:
    try:
        command = msgspec.json.decode(text)
    except msgspec.DecodeError as error:
        raise CommandError(1, "Unable to process message") from error
    if not isinstance(command, dict):
        raise CommandError(1, "Unable to process message")
    return command


def _id_of(command: dict[str, Any]) -> int:
    command_id = command.get("id", 0)
    return command_id if isinstance(command_id, int) and command_id > 0 else 0


def _params(command: dict[str, Any]) -> dict[str, Any]:
    params = command.get("params")
    if not isinstance(params, dict):
        raise CommandError(2, "Params required")
    return params


def _channels(params: dict[str, Any]) -> list[Channel]:
    channels = params.get("channels")
    if not isinstance(channels, list) or not channels:
        raise CommandError(3, "Channels required")
    try:
        return [Channel(name) for name in dict.fromkeys(channels)]
    except (ValueError, TypeError) as error:
        raise CommandError(8, "Unknown channel name") from error


def _check_channel(
    channel: Channel, params: dict[str, Any], tickers: list[MarketTicker] | None
) -> None:
    if channel is Channel.ORDERBOOK and not tickers:
        raise CommandError(14, "Market Ticker required")
    if ("market_id" in params or "market_ids" in params) and channel is not Channel.TICKER:
        raise CommandError(11, "Invalid parameter: market ids are for the ticker channel")
    code, key, message = _PUBLIC_DATA_NEEDS_IDS.get(channel, (0, "", ""))
    if code and not params.get(key):
        raise CommandError(code, message)


def _flag(params: dict[str, Any], name: str) -> bool:
    value = params.get(name, False)
    if not isinstance(value, bool):
        raise CommandError(11, f"Invalid parameter: {name}")
    return value


def _names(value: object) -> list[str]:
    names = value if isinstance(value, list) else [value]
    if not names or not all(isinstance(name, str) and name for name in names):
        raise CommandError(11, "Invalid parameter: market tickers are a list of text")
    return list(dict.fromkeys(names))

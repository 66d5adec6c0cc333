"""The WebSocket conversation without the socket: frames in, a listener told, commands out.

Never awaits, never reads a clock. It guarantees that a book delta is handed on
only if every change before it was: after a lost message the books of that
subscription are silent until their next snapshot, which it asks for itself.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from types import MappingProxyType

import msgspec

from bot.adapters.kalshi.placement import Placement
from bot.adapters.kalshi.settings import SessionSettings
from bot.adapters.kalshi.subscriptions import BookMark, Channel, Subscription, Trouble
from bot.adapters.kalshi.wire import stream
from bot.domain.errors import InvalidMessage
from bot.domain.ids import MarketTicker
from bot.domain.orders import BookSide
from bot.domain.quotes import BookDelta, BookSnapshot, PublicTrade, TickerUpdate
from bot.kit.times import SECOND_US
from bot.ports.exchange import (
    FeedAlive,
    FeedDown,
    FeedGap,
    FeedListener,
    FeedNews,
    FeedUp,
    MarketLifecycle,
)

# Terminal by the venue's words, busy (18, 27) or a passing inability (1): the same again, later.
_TERMINAL = frozenset({10, 25})
_PASSING = _TERMINAL | {1, 18, 27}
GAP = "websocket gap"
"""The phrase of a lost message, for the log and for recordings."""
# A run of lower numbers this long is a restarted count, not a repeated frame.
_REPEATS_MAX = 20
# Deltas of a snapshot's own moment may still follow it; later ones with an older clock may not.
_OVERLAP_US = 5 * SECOND_US


_PRIVATE = frozenset({Channel.FILL, Channel.ORDERS, Channel.GROUPS})
_READERS: Mapping[str, Callable[[msgspec.Raw, int], FeedNews]] = MappingProxyType(
    {
        "ticker": stream.read_ticker,
        "trade": stream.read_trade,
        "fill": stream.read_own_fill,
        "user_order": stream.read_own_order,
        "market_lifecycle_v2": stream.read_lifecycle,
        "order_group_updates": stream.read_group_change,
    }
)


class FeedSession:
    """Everything known about one connection, and what is wanted of every connection.

    Call ``connected`` for each new socket, ``receive`` for each frame, ``tick`` at
    least every second, ``disconnected`` at the end; after each of them send what
    ``frames_to_send`` returns and honour ``reconnect_reason``.
    """

    def __init__(self, settings: SessionSettings) -> None:
        self._settings = settings
        self._decode_delta = stream.delta_decoder()
        self._bid_prices = stream.usual_prices(is_complement=False)
        self._ask_prices = stream.usual_prices(is_complement=not settings.uses_yes_price)
        self._counts = stream.UsualCounts()
        self._wanted: dict[MarketTicker, None] = {}
        self._placed = Placement(settings)
        self._by_sid: dict[int, Subscription] = {}
        self._by_command: dict[int, Subscription] = {}
        self._refused_us: dict[MarketTicker, int] = {}
        self._outgoing: list[bytes] = []
        self._troubles: list[Trouble] = []
        self._last_id = 0
        self._is_connected = False
        self._alive_us: int | None = None
        self._listener: FeedListener | None = None
        self.reconnect_reason: str | None = None
        """Why this connection cannot be trusted any more, else ``None``."""

    # --- what the socket calls --------------------------------------------------------------

    def watch(self, tickers: Iterable[MarketTicker], now_us: int) -> None:
        """Make this the set of wanted markets, keeping the subscriptions that stay."""
        wanted = dict.fromkeys(tickers)
        dropped = [ticker for ticker in self._wanted if ticker not in wanted]
        added = [ticker for ticker in wanted if ticker not in self._wanted]
        self._wanted = wanted
        if self._is_connected:
            self._placed.drop(dropped)
            self._placed.place(added)
            self._sync(now_us)

    def refresh(self, tickers: Iterable[MarketTicker], now_us: int) -> None:
        """Distrust these books. Their snapshots are asked for when overdue, so nothing can spin."""
        for ticker in tickers:
            subscription = self._placed.by_ticker.get(ticker)
            if subscription is not None and ticker in subscription.books:
                subscription.forget_book(ticker, now_us)
                self._note("websocket book refused", market=ticker)

    def connected(self, listener: FeedListener, now_us: int) -> None:
        """A new socket is up, and what it says is told: nothing of the last one counts any more."""
        self._listener = listener
        self._placed = Placement(self._settings)
        self._by_sid, self._by_command = {}, {}
        self._outgoing, self._last_id, self._refused_us = [], 0, {}
        self._is_connected, self.reconnect_reason, self._alive_us = True, None, None
        self._placed.place(self._wanted)
        self._sync(now_us)
        self._tell(FeedUp(received_us=now_us))

    def disconnected(self, now_us: int, reason: str) -> None:
        """The socket is gone, and every book with it."""
        self._is_connected = False
        self._outgoing = []
        self._tell(FeedDown(received_us=now_us, reason=reason))

    def receive(self, frame: bytes | str, received_us: int) -> None:
        """One frame, after which the listener knows all it says.

        Raises:
            InvalidMessage: the frame names no subscription whose data could be distrusted.
        """
        # The next change of a trusted book, in the usual notation, is most of the traffic, and
        # calls are most of what it costs: it is looked up right here. Whatever is in no table,
        # or not next, has changed nothing yet and goes the long way, which means the same.
        decode = self._decode_delta
        try:
            found = decode(frame)
            wire = found.msg
            subscription = self._by_sid[found.sid]
            mark = subscription.books[wire.market_ticker]
            is_bid = wire.side == "yes"
            price = (self._bid_prices if is_bid else self._ask_prices)[wire.price_dollars]
            change = self._counts[wire.delta_fp]
        except stream.UNUSUAL:
            self._receive_any(frame, received_us)
            return
        clock, seq = wire.clock, found.seq
        if seq - 1 != subscription.last_seq:
            self._receive_any(frame, received_us)
            return
        if clock is not None and mark.clock is not None:
            if clock <= mark.clock and not mark.may_follow(clock):
                self._receive_any(frame, received_us)
                return
            mark.clock = clock
            mark.is_untouched = False
        subscription.last_seq = seq
        if subscription.repeats:
            subscription.repeats = 0
        if is_bid:
            mark.book.change_bid(price, change, received_us, wire.ts_ms)
        else:
            mark.book.change_ask(price, change, received_us, wire.ts_ms)

    def _receive_any(self, frame: bytes | str, received_us: int) -> None:
        """See ``receive``."""
        envelope = stream.read_envelope(frame)
        subscription = self._by_sid.get(envelope.sid) if envelope.sid else None
        if (
            subscription is not None
            and envelope.seq
            and subscription.channel.is_sequenced
            and self._is_repeated(subscription, envelope.seq, received_us)
        ):
            return
        self._handle(envelope, subscription, received_us)

    def heard(self, now_us: int) -> None:
        """A frame of any kind arrived, pings included."""
        if self._alive_us is None or not 0 <= now_us - self._alive_us < SECOND_US:
            self._alive_us = now_us
            self._tell(FeedAlive(received_us=now_us))

    def tick(self, now_us: int) -> None:
        """Ask again for what is overdue."""
        if not self._is_connected:
            return
        for subscription in self._placed.subscriptions:
            command = subscription.pending
            limit_us = self._settings.command_timeout_us
            if command is not None and now_us - command.sent_us > limit_us:
                self.reconnect_reason = f"no answer to {command.verb} on {subscription.channel}"
            overdue = subscription.overdue(now_us, self._settings.snapshot_timeout_us)
            self._ask_snapshots(subscription, overdue, now_us)
        self._retry_refused(now_us)
        self._sync(now_us)

    def spoken_of(self) -> list[dict[str, object]]:
        """Each subscription as plain values, without which later frames mean nothing."""
        return [one.facts() for one in self._placed.subscriptions if one.sid is not None]

    @property
    def is_settled(self) -> bool:
        """Whether every command was answered."""
        return all(one.pending is None for one in self._placed.subscriptions)

    def held_books(self) -> list[MarketTicker]:
        """Markets whose books are trusted."""
        return [ticker for one in self._placed.subscriptions for ticker in one.books]

    def look_again(self, tickers: Iterable[MarketTicker], now_us: int) -> None:
        """Ask for the snapshots of trusted books as well; they stay trusted meanwhile."""
        wanted = set(tickers)
        for subscription in self._placed.subscriptions:
            held = [ticker for ticker in subscription.books if ticker in wanted]
            self._ask_snapshots(subscription, held, now_us)

    def frames_to_send(self) -> list[bytes]:
        """Commands since the last call, in order."""
        frames, self._outgoing = self._outgoing, []
        return frames

    def troubles(self) -> list[Trouble]:
        """What went wrong since the last call, for the log."""
        troubles, self._troubles = self._troubles, []
        return troubles

    # --- sequence and books -----------------------------------------------------------------

    def _is_repeated(self, subscription: Subscription, seq: int, received_us: int) -> bool:
        """Count a message. One that is not the next but no repetition reveals a gap."""
        last = subscription.last_seq
        if last is not None and seq <= last and subscription.repeats < _REPEATS_MAX:
            subscription.repeats += 1
            return True
        subscription.last_seq = seq
        subscription.repeats = 0
        if last is not None and seq != last + 1:
            reason = f"{subscription.channel}: expected message {last + 1}, got {seq}"
            self._lose(subscription, reason, received_us)
        return False

    def _lose(self, subscription: Subscription, reason: str, received_us: int) -> None:
        """Distrust everything of a subscription and ask for its books anew."""
        tickers = subscription.forget_books(received_us)
        self._note(GAP, reason=reason, markets=len(tickers))
        if subscription.channel is Channel.BOOK:
            self._ask_snapshots(subscription, tickers, received_us)
        self._tell(FeedGap(tickers=tuple(tickers), reason=reason, received_us=received_us))

    def _lose_one(
        self, subscription: Subscription, ticker: MarketTicker, reason: str, received_us: int
    ) -> None:
        """Distrust one book. Its snapshot is asked for when overdue, so no reply can spin."""
        subscription.forget_book(ticker, received_us)
        self._note(GAP, reason=reason, market=ticker)
        self._tell(FeedGap(tickers=(ticker,), reason=reason, received_us=received_us))

    def _handle(
        self, envelope: stream.Envelope, subscription: Subscription | None, received_us: int
    ) -> None:
        """Route by type; an unknown type is counted above and left alone."""
        match envelope.type:
            case "orderbook_delta" | "orderbook_snapshot":
                if subscription is not None:
                    self._book_message(envelope, subscription, received_us)
            case "subscribed" | "ok" | "unsubscribed" | "error":
                self._reply(envelope, subscription, received_us)
            case _:
                self._other(envelope, subscription, received_us)

    def _book_message(
        self, envelope: stream.Envelope, subscription: Subscription, received_us: int
    ) -> None:
        leg = self._settings.uses_yes_price
        read = stream.read_delta if envelope.type == "orderbook_delta" else stream.read_snapshot
        try:
            message = read(envelope.msg, received_us, uses_yes_price=leg)
        except InvalidMessage as error:
            self._unreadable_book(envelope, subscription, error, received_us)
            return
        if isinstance(message, BookDelta):
            self._delta(subscription, message)
        else:
            self._snapshot(subscription, message)

    def _unreadable_book(
        self,
        envelope: stream.Envelope,
        subscription: Subscription,
        error: InvalidMessage,
        received_us: int,
    ) -> None:
        ticker = stream.market_named(envelope.msg)
        reason = f"unreadable book: {error}"
        if ticker is None:
            self._lose(subscription, reason, received_us)
        elif ticker in subscription.wanted:
            self._lose_one(subscription, ticker, reason, received_us)

    def _snapshot(self, subscription: Subscription, book: BookSnapshot) -> None:
        if book.ticker in subscription.wanted:
            assert self._listener is not None
            mark = BookMark(
                clock=book.clock, snapshot_us=book.received_us, book=self._listener.book(book)
            )
            subscription.trust_book(book.ticker, mark)

    def _delta(self, subscription: Subscription, delta: BookDelta) -> None:
        mark = subscription.books.get(delta.ticker)
        if mark is None:
            return
        if mark.may_follow(delta.clock):
            mark.follow(delta.clock)
            stamp_us = delta.exchange_us
            stamp_ms = None if stamp_us is None else stamp_us // 1_000
            is_bid = delta.side is BookSide.BID
            take = mark.book.change_bid if is_bid else mark.book.change_ask
            take(delta.price, delta.change, delta.received_us, stamp_ms)
        elif delta.received_us - mark.snapshot_us > _OVERLAP_US:
            reason = f"book clock went back from {mark.clock} to {delta.clock}"
            self._lose_one(subscription, delta.ticker, reason, delta.received_us)

    def _other(
        self, envelope: stream.Envelope, subscription: Subscription | None, received_us: int
    ) -> None:
        read = _READERS.get(envelope.type)
        if read is None:
            return
        try:
            event = read(envelope.msg, received_us)
        except InvalidMessage as error:
            if subscription is None or subscription.channel not in _PRIVATE:
                raise
            # Something was said about our orders, and we do not know what.
            self._lose(subscription, f"unreadable {envelope.type}: {error}", received_us)
            return
        match event:
            case TickerUpdate() | PublicTrade() | MarketLifecycle():
                if event.ticker in self._wanted:
                    self._tell(event)
            case _:
                self._tell(event)

    # --- commands and replies ---------------------------------------------------------------

    def _reply(
        self, envelope: stream.Envelope, subscription: Subscription | None, received_us: int
    ) -> None:
        asked = self._by_command.pop(envelope.id, None) if envelope.id else None
        if envelope.type == "error":
            self._refused(envelope, subscription, asked, received_us)
        elif asked is not None and asked.pending is not None:
            self._accepted(envelope, asked, received_us)
        elif envelope.type == "unsubscribed" and subscription is not None:
            self._die(subscription, "unsubscribed by the venue", received_us)
        self._sync(received_us)

    def _accepted(self, envelope: stream.Envelope, asked: Subscription, received_us: int) -> None:
        match envelope.type:
            case "subscribed":
                said = stream.read_subscribed(envelope.msg)
                self._enter(asked, said.sid, received_us)
            case "ok":
                listed = stream.read_ok(envelope.msg).market_tickers
                if asked.sid is None and envelope.sid:
                    asked = self._enter(asked, envelope.sid, received_us)
                else:
                    asked.confirm(received_us)
                if listed is not None:
                    self._accept_list(asked, set(map(MarketTicker, listed)), received_us)
            case _:
                self._retire(asked)

    def _enter(self, asked: Subscription, sid: int, received_us: int) -> Subscription:
        """Bind a sid. A repeated subscribe may be merged by the venue into an older sid."""
        asked.confirm(received_us)
        owner = self._by_sid.get(sid)
        if owner is None or owner is asked:
            asked.sid = sid
            self._by_sid[sid] = asked
            return asked
        self._placed.merge(asked, owner)
        return owner

    def _accept_list(
        self, subscription: Subscription, listed: set[MarketTicker], received_us: int
    ) -> None:
        """The venue's full list is the truth."""
        missing = subscription.confirmed - listed
        self._refuse(subscription, missing, "left out of the subscription", received_us)

    def _refused(
        self,
        envelope: stream.Envelope,
        subscription: Subscription | None,
        asked: Subscription | None,
        received_us: int,
    ) -> None:
        error = stream.read_stream_error(envelope.msg)
        target = asked or subscription
        self._note("websocket command refused", code=error.code, reason=error.msg)
        if target is None:
            return
        if asked is None and error.code in _TERMINAL:
            self._die(target, f"{error.code} {error.msg}", received_us)
        elif asked is not None and target.pending is not None:
            self._command_failed(target, error, received_us)
        else:
            # Said beside an accepted command: all but these markets are on.
            self._refuse(target, set(map(MarketTicker, error.culprits)), error.msg, received_us)

    def _die(self, subscription: Subscription, reason: str, received_us: int) -> None:
        """The venue ended a subscription; the socket stays open and silent about it."""
        if subscription.sid is not None:
            self._by_sid.pop(subscription.sid, None)
        tickers = subscription.forget_books(received_us)
        self._forget_command(subscription)
        subscription.reset()
        subscription.delay(received_us, self._settings)
        self._tell(FeedGap(tickers=tuple(tickers), reason=reason, received_us=received_us))

    def _command_failed(
        self, subscription: Subscription, error: stream.ErrorMsg, received_us: int
    ) -> None:
        command = subscription.pending
        assert command is not None
        subscription.pending = None
        culprits = {MarketTicker(name) for name in error.culprits} & command.tickers
        if error.code in _PASSING or command.verb == "get_snapshot":
            subscription.delay(received_us, self._settings)
        elif culprits:
            self._refuse(subscription, culprits, error.msg, received_us)
        elif len(command.tickers) > 1:
            # One bad ticker refuses the whole command unnamed: halve until it stands alone.
            subscription.batch_max = max(1, len(command.tickers) // 2)
        elif command.tickers:
            self._refuse(subscription, set(command.tickers), error.msg, received_us)
        else:
            subscription.is_refused = True

    def _refuse(
        self, subscription: Subscription, tickers: set[MarketTicker], why: str, received_us: int
    ) -> None:
        """Do without these markets for a while: one may be too new, or gone."""
        subscription.confirmed -= tickers
        refused = sorted(tickers & subscription.wanted)
        for ticker in refused:
            subscription.remove(ticker)
            self._refused_us[ticker] = received_us
            if subscription.channel is Channel.BOOK:
                self._placed.by_ticker.pop(ticker, None)
        if refused:
            self._note("websocket market refused", markets=refused, reason=why)

    def _retry_refused(self, now_us: int) -> None:
        wait_us = self._settings.refused_retry_us
        due = [one for one, since in self._refused_us.items() if now_us - since >= wait_us]
        for ticker in due:
            del self._refused_us[ticker]
        self._placed.place([ticker for ticker in due if ticker in self._wanted])

    # --- subscriptions ----------------------------------------------------------------------

    def _sync(self, now_us: int) -> None:
        """Send each subscription's next command, one at a time."""
        for subscription in list(self._placed.subscriptions):
            if subscription.is_idle:
                self._placed.subscriptions.remove(subscription)
                continue
            request = subscription.next_command(now_us, self._settings.uses_yes_price)
            if request is not None:
                verb, tickers, params = request
                self._send(subscription, verb, tickers, params, now_us)

    def _ask_snapshots(
        self, subscription: Subscription, tickers: Sequence[MarketTicker], now_us: int
    ) -> None:
        """Snapshots are no state to keep: a lost reply is overdue again in the next tick."""
        if not tickers or subscription.sid is None:
            return
        subscription.snapshots_asked(tickers, now_us)
        params: dict[str, object] = {
            "sids": [subscription.sid],
            "market_tickers": sorted(tickers),
            "action": "get_snapshot",
        }
        self._last_id += 1
        self._queue(self._last_id, "update_subscription", params)

    def _send(
        self,
        subscription: Subscription,
        verb: str,
        tickers: frozenset[MarketTicker],
        params: dict[str, object],
        now_us: int,
    ) -> None:
        self._last_id += 1
        self._by_command[self._last_id] = subscription
        subscription.begin(self._last_id, verb, tickers, now_us)
        command = "update_subscription" if "action" in params else verb
        self._queue(self._last_id, command, params)

    def _queue(self, command_id: int, command: str, params: dict[str, object]) -> None:
        frame = {"id": command_id, "cmd": command, "params": params}
        self._outgoing.append(msgspec.json.encode(frame))

    def _retire(self, subscription: Subscription) -> None:
        if subscription.sid is not None:
            self._by_sid.pop(subscription.sid, None)
        subscription.reset()

    def _forget_command(self, subscription: Subscription) -> None:
        if subscription.pending is not None:
            self._by_command.pop(subscription.pending.command_id, None)

    def _tell(self, event: FeedNews) -> None:
        assert self._listener is not None
        self._listener.news(event)

    def _note(self, phrase: str, **facts: object) -> None:
        self._troubles.append(Trouble(phrase=phrase, facts=tuple(facts.items())))

"""A recorded conversation lived through again: the same session, told what was said.

It makes no commands of its own. Which subscription an answer belongs to follows
from the commands that were recorded, so that nothing of the timing that led to
them has to be repeated. Pure.
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import msgspec
from typing_extensions import override

from bot.adapters.kalshi.session import FeedSession
from bot.adapters.kalshi.settings import SessionSettings
from bot.adapters.kalshi.subscriptions import Channel, Subscription
from bot.domain.ids import MarketTicker
from bot.ports.exchange import FeedListener


class ReplayedSession(FeedSession):
    """Call ``began``, then ``said`` and ``receive`` in the recorded order."""

    def __init__(self, facts: Mapping[str, Any]) -> None:
        """``facts`` are those that a recording's file begins with."""
        super().__init__(
            SessionSettings(
                uses_yes_price=bool(facts.get("uses_yes_price", True)),
                wants_private=bool(facts.get("wants_private", False)),
                wants_trades=bool(facts.get("wants_trades", True)),
            )
        )
        self._facts = facts

    def began(self, listener: FeedListener, now_us: int) -> None:
        """The conversation begins, or is joined where the file begins."""
        self.connected(listener, now_us)
        for held in self._facts.get("subscriptions", ()):
            channel, tickers = Channel(held["channel"]), set(map(MarketTicker, held["tickers"]))
            subscription = self._of(channel, tickers)
            subscription.confirmed |= tickers
            subscription.sid, subscription.last_seq = held["sid"], held["last_seq"]
            self._by_sid[held["sid"]] = subscription

    def said(self, frame: bytes, now_us: int) -> None:
        """A command that was sent.

        Raises:
            ValueError: it is none of ours.
        """
        try:
            command = msgspec.json.decode(frame)
            command_id, params = int(command["id"]), command["params"]
            tickers = frozenset(map(MarketTicker, params.get("market_tickers", ())))
            action = params.get("action", command["cmd"])
            if action != "get_snapshot":
                self._begin(command_id, action, tickers, params, now_us)
        except (msgspec.DecodeError, KeyError, TypeError, AttributeError) as fault:
            raise ValueError(f"no command: {fault!r}") from fault

    def _begin(
        self,
        command_id: int,
        verb: str,
        tickers: frozenset[MarketTicker],
        params: Mapping[str, Any],
        now_us: int,
    ) -> None:
        if verb == "subscribe":
            subscription = self._of(Channel(params["channels"][0]), tickers)
        else:
            subscription = self._by_sid[params["sids"][0]]
            if verb == "delete_markets":
                self._placed.drop(tickers)
            else:
                self._want(subscription, tickers)
        self._by_command[command_id] = subscription
        subscription.begin(command_id, verb, tickers, now_us)

    def _of(self, channel: Channel, tickers: Iterable[MarketTicker]) -> Subscription:
        """The subscription of a channel; books have several, and this is a new one."""
        found = next((one for one in self._placed.subscriptions if one.channel is channel), None)
        if channel is Channel.BOOK or found is None:
            found = Subscription(channel)
            self._placed.subscriptions.append(found)
        self._want(found, tickers)
        return found

    def _want(self, subscription: Subscription, tickers: Iterable[MarketTicker]) -> None:
        for ticker in tickers:
            self._wanted[ticker] = None
            subscription.add(ticker)
            if subscription.channel is Channel.BOOK:
                self._placed.by_ticker[ticker] = subscription

    @override
    def _sync(self, now_us: int) -> None:
        """Commands are recorded ones."""

    @override
    def _ask_snapshots(
        self, subscription: Subscription, tickers: Sequence[MarketTicker], now_us: int
    ) -> None:
        """See ``_sync``."""

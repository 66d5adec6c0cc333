"""One subscription's way from what it holds to what it should hold."""

import pytest

from bot.adapters.kalshi.settings import SessionSettings
from bot.adapters.kalshi.subscriptions import BookMark, Channel, Subscription
from bot.domain.ids import MarketTicker

A, B = MarketTicker("A"), MarketTicker("B")
S = 1_000_000


def confirmed(*tickers: MarketTicker, channel: Channel = Channel.BOOK) -> Subscription:
    subscription = Subscription(channel, wanted=set(tickers))
    subscription.begin(1, "subscribe", frozenset(tickers), 0)
    subscription.confirm(0)
    subscription.sid = 9
    return subscription


def step(subscription: Subscription, now_us: int = 0) -> tuple[str, list[str]] | None:
    request = subscription.next_command(now_us, uses_yes_price=True)
    return None if request is None else (request[0], sorted(request[1]))


def test_only_one_command_is_under_way() -> None:
    subscription = Subscription(Channel.BOOK, wanted={A})
    assert step(subscription) == ("subscribe", ["A"])
    subscription.begin(1, "subscribe", frozenset({A}), 0)
    assert step(subscription) is None


def test_steps_lead_from_held_to_wanted() -> None:
    subscription = confirmed(A)
    assert step(subscription) is None
    subscription.wanted = {B}
    assert step(subscription) == ("add_markets", ["B"])
    subscription.begin(2, "add_markets", frozenset({B}), 0)
    subscription.confirm(0)
    assert step(subscription) == ("delete_markets", ["A"])
    subscription.begin(3, "delete_markets", frozenset({A}), 0)
    subscription.confirm(0)
    assert step(subscription) is None
    subscription.wanted = set()
    assert step(subscription) == ("unsubscribe", [])
    subscription.reset()
    assert subscription.is_idle


def test_a_channel_without_markets_is_subscribed_once_and_never_changed() -> None:
    subscription = Subscription(Channel.FILL)
    assert step(subscription) == ("subscribe", [])
    subscription.sid = 3
    assert step(subscription) is None
    assert not subscription.is_idle


def test_a_ticker_channel_without_markets_is_not_subscribed_to_everything() -> None:
    assert step(Subscription(Channel.TICKER)) is None


def test_large_sets_go_in_batches() -> None:
    tickers = {MarketTicker(f"M{number:04}") for number in range(1_200)}
    subscription = Subscription(Channel.TICKER, wanted=set(tickers))
    sizes = []
    for number in range(3):
        request = subscription.next_command(0, uses_yes_price=True)
        assert request is not None
        sizes.append(len(request[1]))
        subscription.begin(number, request[0], request[1], 0)
        subscription.confirm(0)
        subscription.sid = 4
    assert sizes == [500, 500, 200]
    assert subscription.confirmed == tickers


def test_delays_grow_and_are_forgotten_after_a_calm_time() -> None:
    settings, subscription = SessionSettings(), Subscription(Channel.BOOK, wanted={A})
    waits, now_us = [], 0
    for _ in range(8):
        subscription.delay(now_us, settings)
        waits.append((subscription.not_before_us - now_us) // S)
        now_us = subscription.not_before_us
    assert waits == [0, 1, 2, 4, 8, 16, 30, 30]
    assert step(subscription, now_us - 1) is None
    assert step(subscription, now_us) is not None
    subscription.delay(now_us + 61 * S, settings)
    assert subscription.not_before_us == now_us + 61 * S


def test_a_missing_snapshot_is_overdue_after_its_time() -> None:
    subscription = confirmed(A, B)
    subscription.trust_book(A, BookMark(clock=5, snapshot_us=0, book=None))
    assert subscription.overdue(6 * S, 5 * S) == ["B"]
    subscription.snapshots_asked(["B"], 6 * S)  # type: ignore[list-item]
    assert subscription.overdue(7 * S, 5 * S) == []
    assert subscription.forget_books(8 * S) == ["A", "B"]
    assert subscription.books == {}


def test_a_merged_subscription_brings_its_markets() -> None:
    first, second = confirmed(A), confirmed(B)
    first.absorb(second)
    assert first.wanted == first.confirmed == {A, B}
    assert step(first) is None


@pytest.mark.parametrize("channel", [Channel.TICKER, Channel.FILL, Channel.ORDERS])
def test_some_channels_carry_no_numbers(channel: Channel) -> None:
    assert not channel.is_sequenced
    assert Channel.BOOK.is_sequenced

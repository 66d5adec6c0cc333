"""The conversation, frame by frame: no book is handed on that may be wrong."""

import json
from collections.abc import Iterable
from dataclasses import asdict, replace
from random import Random
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bot.adapters.kalshi.settings import SessionSettings
from bot.adapters.kalshi.subscriptions import Subscription
from bot.domain.errors import InvalidMessage
from bot.domain.ids import MarketTicker
from bot.domain.orders import BookSide
from bot.domain.quotes import BookDelta, BookSnapshot, PublicTrade, TickerUpdate
from bot.ports.exchange import (
    FeedAlive,
    FeedDown,
    FeedEvent,
    FeedGap,
    FeedUp,
    MarketLifecycle,
    OrderGroupChanged,
    OwnFill,
)
from tests.support.feeds import ToldSession

A, B, C = MarketTicker("A"), MarketTicker("B"), MarketTicker("C")
S = 1_000_000
BOOKS_ONLY = SessionSettings(wants_private=False, wants_trades=False)


def frame(kind: str, **fields: object) -> bytes:
    return json.dumps({"type": kind, **fields}).encode() + b"\n"


def snapshot(seq: int, ticker: str = "A", sid: int = 9, clock: int | None = None) -> bytes:
    msg = {"market_ticker": ticker, "yes_dollars_fp": [["0.4700", "3.00"]], "clock": clock}
    return frame("orderbook_snapshot", sid=sid, seq=seq, msg=msg)


def delta(seq: int, ticker: str = "A", sid: int = 9, clock: int | None = None) -> bytes:
    msg = {"market_ticker": ticker, "price_dollars": "0.4600", "delta_fp": "1.00", "side": "yes"}
    return frame("orderbook_delta", sid=sid, seq=seq, msg=msg | {"clock": clock})


def commands(session: ToldSession) -> list[dict[str, Any]]:
    return [json.loads(one) for one in session.frames_to_send()]


def find(sent: Iterable[dict[str, Any]], channel: str) -> dict[str, Any]:
    (found,) = [one for one in sent if one["params"].get("channels") == [channel]]
    return found


def watching(
    *tickers: MarketTicker, settings: SessionSettings = BOOKS_ONLY
) -> tuple[ToldSession, dict[str, Any]]:
    """A session whose only book subscription is confirmed under sid 9."""
    session = ToldSession(settings)
    session.watch(tickers, 0)
    session.connected(0)
    sent = commands(session)
    command = find(sent, "orderbook_delta")
    session.receive(
        frame("subscribed", id=command["id"], msg={"channel": "orderbook_delta", "sid": 9}), 0
    )
    return session, command


def kinds(events: Iterable[FeedEvent]) -> list[type]:
    return [type(event) for event in events]


# --- subscribing --------------------------------------------------------------------------------


def test_connecting_subscribes_to_everything_wanted_with_an_explicit_leg() -> None:
    session = ToldSession(SessionSettings())
    session.watch([A, B], 0)
    assert session.frames_to_send() == []
    assert session.connected(7) == [FeedUp(received_us=7)]
    sent = commands(session)
    assert [one["params"]["channels"][0] for one in sent] == [
        "fill",
        "user_orders",
        "order_group_updates",
        "market_lifecycle_v2",
        "ticker",
        "trade",
        "orderbook_delta",
    ]
    assert len({one["id"] for one in sent}) == len(sent)
    book = find(sent, "orderbook_delta")["params"]
    assert book["market_tickers"] == ["A", "B"]
    assert book["use_yes_price"] is True


def test_books_are_spread_over_bounded_subscriptions() -> None:
    session = ToldSession(SessionSettings(markets_per_subscription=2, wants_private=False))
    session.watch([MarketTicker(f"M{number}") for number in range(5)], 0)
    session.connected(0)
    groups = [
        one["params"]["market_tickers"]
        for one in commands(session)
        if one["params"]["channels"] == ["orderbook_delta"]
    ]
    assert groups == [["M0", "M1"], ["M2", "M3"], ["M4"]]


def test_added_and_removed_markets_change_the_subscription_in_place() -> None:
    session, _ = watching(A, B)
    session.receive(snapshot(1), 0)
    session.watch([A, C], 1)
    (added,) = commands(session)
    assert added["params"] == {"sids": [9], "market_tickers": ["C"], "action": "add_markets"}
    session.receive(
        frame("ok", id=added["id"], sid=9, seq=2, msg={"market_tickers": ["A", "B", "C"]}), 1
    )
    (removed,) = commands(session)
    assert removed["params"]["action"] == "delete_markets"
    assert removed["params"]["market_tickers"] == ["B"]
    session.receive(frame("ok", id=removed["id"], sid=9, seq=3), 1)
    assert commands(session) == []
    assert kinds(session.receive(delta(4), 1)) == [BookDelta]
    assert kinds(session.receive(snapshot(5, "C"), 1)) == [BookSnapshot]


def test_nothing_wanted_any_more_ends_the_subscription() -> None:
    session, _ = watching(A)
    session.watch([], 1)
    (command,) = [one for one in commands(session) if one["cmd"] == "unsubscribe"]
    assert command["params"] == {"sids": [9]}
    session.receive(frame("unsubscribed", id=command["id"], sid=9, seq=1), 1)
    session.watch([A], 2)
    assert find(commands(session), "orderbook_delta")["params"]["market_tickers"] == ["A"]


def test_a_market_dropped_and_wanted_again_gets_a_new_snapshot() -> None:
    session, _ = watching(A, B)
    session.receive(snapshot(1), 0)
    session.watch([B], 1)
    session.watch([A, B], 1)
    session.frames_to_send()
    session.tick(6 * S)
    asked = [
        one["params"]["market_tickers"] for one in commands(session) if "action" in one["params"]
    ]
    assert any("A" in tickers for tickers in asked)
    assert kinds(session.receive(delta(2), 1)) == []


def test_a_subscribe_the_venue_merges_into_an_older_one_shares_its_sequence() -> None:
    session = ToldSession(
        SessionSettings(markets_per_subscription=1, wants_private=False, wants_trades=False)
    )
    session.watch([A, B], 0)
    session.connected(0)
    first, second = [
        one for one in commands(session) if one["params"]["channels"] == ["orderbook_delta"]
    ]
    session.receive(
        frame("subscribed", id=first["id"], msg={"channel": "orderbook_delta", "sid": 9}), 0
    )
    session.receive(snapshot(1, "A"), 0)
    session.receive(
        frame("ok", id=second["id"], sid=9, seq=2, msg={"market_tickers": ["A", "B"]}), 0
    )
    assert kinds(session.receive(snapshot(3, "B"), 0)) == [BookSnapshot]
    assert kinds(session.receive(delta(4, "A"), 0)) == [BookDelta]
    (gap,) = [one for one in session.receive(delta(6, "A"), 0) if isinstance(one, FeedGap)]
    assert gap.tickers == ("A", "B")


def test_one_bad_ticker_is_found_by_halving_and_tried_again_later() -> None:
    session = ToldSession(BOOKS_ONLY)
    session.watch([A, B, C], 0)
    session.connected(0)
    pending = [one for one in commands(session) if one["params"]["channels"] == ["orderbook_delta"]]
    taken: set[str] = set()
    sid: int | None = None
    for _ in range(12):
        if not pending:
            break
        command = pending.pop(0)
        tickers = command["params"]["market_tickers"]
        if "B" in tickers:
            session.receive(frame("error", id=command["id"], msg={"code": 11, "msg": "bad"}), 0)
        else:
            taken.update(tickers)
            kind = "subscribed" if sid is None else "ok"
            msg = {"channel": "orderbook_delta", "sid": 9} if sid is None else None
            sid = 9
            session.receive(frame(kind, id=command["id"], msg=msg), 0)
        pending += [
            one
            for one in commands(session)
            if one["params"].get("channels", ["orderbook_delta"]) == ["orderbook_delta"]
            and one["params"].get("action") != "get_snapshot"
        ]
    assert taken == {"A", "C"}
    session.tick(BOOKS_ONLY.refused_retry_us)
    retried = [one["params"]["market_tickers"] for one in commands(session)]
    assert ["B"] in retried


def test_markets_named_beside_an_accepted_command_are_left_out() -> None:
    session, command = watching(A, B)
    error = {"code": 11, "msg": "Invalid parameter", "market_tickers": ["B"]}
    session.receive(frame("error", id=command["id"], sid=9, seq=1, msg=error), 0)
    session.frames_to_send()
    session.tick(BOOKS_ONLY.snapshot_timeout_us + 1)
    (asked,) = [one for one in commands(session) if one["params"].get("action") == "get_snapshot"]
    assert asked["params"]["market_tickers"] == ["A"]


def test_a_command_without_a_reply_ends_the_connection() -> None:
    session = ToldSession(BOOKS_ONLY)
    session.connected(0)
    session.tick(BOOKS_ONLY.command_timeout_us)
    assert session.reconnect_reason is None
    session.tick(BOOKS_ONLY.command_timeout_us + 1)
    assert session.reconnect_reason is not None
    session.connected(20 * S)
    assert session.reconnect_reason is None


# --- sequence -----------------------------------------------------------------------------------


def test_deltas_before_the_snapshot_are_held_back() -> None:
    session, _ = watching(A)
    assert kinds(session.receive(delta(1), 0)) == []
    assert kinds(session.receive(snapshot(2), 0)) == [BookSnapshot]
    assert kinds(session.receive(delta(3), 0)) == [BookDelta]


def test_a_gap_distrusts_every_book_of_the_subscription_and_asks_for_all() -> None:
    session, _ = watching(A, B)
    session.receive(snapshot(1), 0)
    session.receive(snapshot(2, "B"), 0)
    session.frames_to_send()
    (gap,) = session.receive(delta(4), 5)
    assert isinstance(gap, FeedGap)
    assert gap.tickers == ("A", "B")
    assert "expected message 3, got 4" in gap.reason
    (command,) = commands(session)
    assert command["params"] == {
        "sids": [9],
        "market_tickers": ["A", "B"],
        "action": "get_snapshot",
    }
    assert kinds(session.receive(delta(5, "B"), 5)) == []
    assert kinds(session.receive(snapshot(6, "B"), 5)) == [BookSnapshot]
    assert kinds(session.receive(delta(7, "B"), 5)) == [BookDelta]
    assert kinds(session.receive(delta(8, "A"), 5)) == []


def test_a_gap_in_one_subscription_leaves_the_others_trusted() -> None:
    session = ToldSession(
        SessionSettings(markets_per_subscription=1, wants_private=False, wants_trades=False)
    )
    session.watch([A, B], 0)
    session.connected(0)
    books = [one for one in commands(session) if one["params"]["channels"] == ["orderbook_delta"]]
    for sid, command in enumerate(books, 9):
        session.receive(
            frame("subscribed", id=command["id"], msg={"channel": "orderbook_delta", "sid": sid}), 0
        )
        session.receive(snapshot(1, command["params"]["market_tickers"][0], sid), 0)
    assert kinds(session.receive(delta(3, "A", 9), 0)) == [FeedGap]
    assert kinds(session.receive(delta(2, "B", 10), 0)) == [BookDelta]


def test_a_snapshot_may_reveal_the_gap_it_heals() -> None:
    session, _ = watching(A)
    session.receive(snapshot(1), 0)
    assert kinds(session.receive(snapshot(3), 0)) == [FeedGap, BookSnapshot]
    assert kinds(session.receive(delta(4), 0)) == [BookDelta]


def test_a_repeated_message_is_dropped() -> None:
    session, _ = watching(A)
    session.receive(snapshot(1), 0)
    assert kinds(session.receive(delta(2), 0)) == [BookDelta]
    assert kinds(session.receive(delta(2), 0)) == []
    assert kinds(session.receive(delta(1), 0)) == []
    assert kinds(session.receive(delta(3), 0)) == [BookDelta]


def test_a_restarted_count_does_not_silence_the_feed_for_ever() -> None:
    session, _ = watching(A)
    session.receive(snapshot(1_000_000), 0)
    seen = [event for seq in range(1, 60) for event in session.receive(delta(seq), 0)]
    assert kinds(seen) == [FeedGap]


def test_replies_count_in_the_sequence_and_unknown_types_too() -> None:
    session, _ = watching(A)
    session.receive(snapshot(1), 0)
    assert session.receive(frame("of_2027", sid=9, seq=2, msg={"x": 1}), 0) == []
    session.receive(frame("ok", id=99, sid=9, seq=3, msg={}), 0)
    assert kinds(session.receive(delta(4), 0)) == [BookDelta]


def test_numbers_on_an_unnumbered_channel_mean_nothing() -> None:
    session = ToldSession(SessionSettings())
    session.connected(0)
    command = find(commands(session), "fill")
    session.receive(frame("subscribed", id=command["id"], msg={"channel": "fill", "sid": 3}), 0)
    assert session.receive(frame("ok", id=77, sid=3, seq=4, msg={}), 0) == []
    assert session.receive(frame("ok", id=78, sid=3, seq=9, msg={}), 0) == []
    assert session.troubles() == []


def test_a_snapshot_that_does_not_come_is_asked_for_again() -> None:
    session, _ = watching(A)
    session.frames_to_send()
    limit_us = BOOKS_ONLY.snapshot_timeout_us
    session.tick(limit_us)
    assert not [one for one in commands(session) if one["params"].get("action") == "get_snapshot"]
    session.tick(limit_us + 1)
    (asked,) = [one for one in commands(session) if one["params"].get("action") == "get_snapshot"]
    assert asked["params"]["market_tickers"] == ["A"]
    session.tick(limit_us + 2)
    assert not [one for one in commands(session) if one["params"].get("action") == "get_snapshot"]


# --- the short way of usual book changes ---------------------------------------------------------


def change(notation: str, step: tuple[int, str, str, int, int, int | None, int]) -> bytes:
    """One book change: in the usual notation, or the same in another one."""
    seq, ticker, side, price, count, clock, stamp_ms = step
    usual = notation == "usual"
    msg = {
        "market_ticker": ticker,
        "price_dollars": f"0.{price:04d}" if usual else f"00.{price:04d}00",
        "delta_fp": f"{count}.00" if usual else f"{count}",
        "side": side,
        "clock": clock,
        "ts_ms": stamp_ms,
    }
    return frame("orderbook_delta", sid=9, seq=seq, msg=msg)


STEPS = st.lists(
    st.tuples(
        st.integers(-2, 3), st.sampled_from("AB"), st.sampled_from(["yes", "no"]),
        st.sampled_from([1, 4_600, 9_999, 0]), st.integers(-9, 9),
        st.none() | st.integers(1, 4), st.sampled_from([0, 1_790_000_000_000, -1, 10**15]),
    ),
    max_size=60,
)  # fmt: skip


def state_of(subscription: Subscription) -> dict[str, Any]:
    state = asdict(subscription)
    for mark in state["books"].values():
        del mark["book"]
    return state


@pytest.mark.parametrize("uses_yes_price", [True, False])
@given(steps=STEPS, snapshot_clock=st.none() | st.integers(1, 3))
def test_the_short_way_and_the_long_way_mean_the_same(
    uses_yes_price: bool, steps: list[Any], snapshot_clock: int | None
) -> None:
    chosen = SessionSettings(wants_private=False, wants_trades=False, uses_yes_price=uses_yes_price)
    told, states = [], []
    for notation in ("usual", "unusual"):
        session, _ = watching(A, B, settings=chosen)
        session.receive(snapshot(1, clock=snapshot_clock), 0)
        session.receive(snapshot(2, "B"), 0)
        seq, heard = 2, list[FeedEvent]()
        for number, (skip, *rest) in enumerate(steps):
            # Mostly the next number, sometimes a repeated one or one too far.
            seq = max(0, seq + (skip if number % 3 == 0 else 1))
            events = session.receive(change(notation, (seq, *rest)), number * S)
            # A complaint quotes the text that it is about.
            heard += [replace(e, reason="") if isinstance(e, FeedGap) else e for e in events]
        told.append(heard)
        states.append([state_of(one) for one in session._placed.subscriptions])
    assert told[0] == told[1]
    assert states[0] == states[1]


def test_repeats_do_not_add_up_over_a_calm_time() -> None:
    session, _ = watching(A)
    session.receive(snapshot(1), 0)
    for seq in range(2, 60):
        usual = (seq, "A", "yes", 4_600, 1, None, 1)
        assert kinds(session.receive(change("usual", usual), 0)) == [BookDelta]
        assert kinds(session.receive(change("usual", usual), 0)) == []


def test_a_refused_book_is_silent_until_its_next_snapshot_which_is_asked_for() -> None:
    session, _ = watching(A, B)
    session.receive(snapshot(1), 0)
    session.receive(snapshot(2, "B"), 0)
    session.refresh([A, C], S)
    assert kinds(session.receive(delta(3), S)) == []
    assert kinds(session.receive(delta(4, "B"), S)) == [BookDelta]
    commands(session)
    session.tick(S + BOOKS_ONLY.snapshot_timeout_us + 1)
    (asked,) = [one for one in commands(session) if one["params"].get("action") == "get_snapshot"]
    assert asked["params"]["market_tickers"] == ["A"]
    assert kinds(session.receive(snapshot(5), S)) == [BookSnapshot]
    assert kinds(session.receive(delta(6), S)) == [BookDelta]


# --- books --------------------------------------------------------------------------------------


def test_deltas_the_snapshot_already_holds_are_dropped() -> None:
    session, _ = watching(A)
    session.receive(snapshot(1, clock=10), 0)
    assert kinds(session.receive(delta(2, clock=9), 0)) == []
    assert kinds(session.receive(delta(3, clock=10), 0)) == []
    assert kinds(session.receive(delta(4, clock=11), 0)) == [BookDelta]
    assert kinds(session.receive(delta(5, clock=11), 0)) == [BookDelta]


def test_a_clock_that_goes_back_later_distrusts_the_book() -> None:
    session, _ = watching(A)
    session.receive(snapshot(1, clock=10), 0)
    session.receive(delta(2, clock=20), 6 * S)
    assert kinds(session.receive(delta(3, clock=5), 7 * S)) == [FeedGap]
    assert kinds(session.receive(delta(4, clock=6), 7 * S)) == []


def test_an_unreadable_delta_distrusts_its_market_alone() -> None:
    session, _ = watching(A, B)
    session.receive(snapshot(1), 0)
    session.receive(snapshot(2, "B"), 0)
    bad = {"market_ticker": "A", "price_dollars": 0.46, "delta_fp": "1.00", "side": "yes"}
    (gap,) = session.receive(frame("orderbook_delta", sid=9, seq=3, msg=bad), 0)
    assert isinstance(gap, FeedGap)
    assert gap.tickers == (A,)
    assert kinds(session.receive(delta(4, "B"), 0)) == [BookDelta]
    assert kinds(session.receive(delta(5, "A"), 0)) == []


def test_an_unreadable_book_without_a_name_distrusts_the_subscription() -> None:
    session, _ = watching(A, B)
    (gap,) = session.receive(frame("orderbook_delta", sid=9, seq=1, msg=[1]), 0)
    assert isinstance(gap, FeedGap)
    assert gap.tickers == (A, B)


def test_a_crossed_snapshot_is_not_handed_on() -> None:
    session, _ = watching(A)
    crossed = {
        "market_ticker": "A",
        "yes_dollars_fp": [["0.5300", "3.00"]],
        "no_dollars_fp": [["0.5200", "1.00"]],
    }
    assert kinds(session.receive(frame("orderbook_snapshot", sid=9, seq=1, msg=crossed), 0)) == [
        FeedGap
    ]
    assert kinds(session.receive(delta(2), 0)) == []


# --- endings ------------------------------------------------------------------------------------


@pytest.mark.parametrize("code", [10, 25])
def test_a_terminal_error_distrusts_and_subscribes_again(code: int) -> None:
    session, _ = watching(A)
    session.receive(snapshot(1), 0)
    session.frames_to_send()
    (gap,) = session.receive(frame("error", sid=9, seq=2, msg={"code": code, "msg": "x"}), 5)
    assert isinstance(gap, FeedGap)
    assert gap.tickers == (A,)
    again = find(commands(session), "orderbook_delta")
    assert again["params"]["market_tickers"] == ["A"]
    assert kinds(session.receive(delta(3), 5)) == []
    session.receive(
        frame("subscribed", id=again["id"], msg={"channel": "orderbook_delta", "sid": 12}), 5
    )
    assert kinds(session.receive(snapshot(1, sid=12), 5)) == [BookSnapshot]


def test_a_subscription_that_keeps_dying_is_renewed_ever_more_slowly() -> None:
    session, _ = watching(A)
    now_us, sid, died_us = 0, 9, []
    for _ in range(200):
        session.receive(frame("error", sid=sid, msg={"code": 25, "msg": "slow"}), now_us)
        sent: list[dict[str, Any]] = []
        while not sent:
            session.tick(now_us)
            sent = [one for one in commands(session) if one["cmd"] == "subscribe"]
            sent = [one for one in sent if one["params"]["channels"] == ["orderbook_delta"]]
            if not sent:
                now_us += S // 2
        died_us.append(now_us)
        sid += 1
        reply = {"channel": "orderbook_delta", "sid": sid}
        session.receive(frame("subscribed", id=sent[0]["id"], msg=reply), now_us)
        if now_us > 300 * S:
            break
    assert died_us[0] == 0
    assert died_us[-1] - died_us[-2] >= 30 * S


def test_a_subscription_ended_by_the_venue_is_made_again() -> None:
    session, _ = watching(A)
    session.frames_to_send()
    assert kinds(session.receive(frame("unsubscribed", sid=9, seq=1), 5)) == [FeedGap]
    assert find(commands(session), "orderbook_delta")


def test_a_new_connection_starts_from_nothing() -> None:
    session, _ = watching(A)
    session.receive(snapshot(1), 0)
    assert session.disconnected(5, "reset") == [FeedDown(received_us=5, reason="reset")]
    session.watch([A, B], 6)
    assert session.frames_to_send() == []
    session.connected(7)
    assert find(commands(session), "orderbook_delta")["params"]["market_tickers"] == ["A", "B"]
    assert kinds(session.receive(delta(2), 7)) == []


def test_life_is_told_once_a_second() -> None:
    session = ToldSession(BOOKS_ONLY)
    session.connected(0)
    assert session.heard(10) == [FeedAlive(received_us=10)]
    assert session.heard(11) == []
    assert session.heard(10 + S) == [FeedAlive(received_us=10 + S)]
    assert session.heard(5) == [FeedAlive(received_us=5)]


# --- other messages -----------------------------------------------------------------------------

TICKER_MSG = {
    "market_ticker": "A",
    "yes_bid_dollars": "0.4700",
    "yes_ask_dollars": "0.5200",
    "volume_fp": "1.00",
    "open_interest_fp": "1.00",
    "ts_ms": 1,
}
FILL_MSG = {
    "trade_id": "t",
    "order_id": "o",
    "market_ticker": "Z",
    "is_taker": False,
    "book_side": "bid",
    "yes_price_dollars": "0.5200",
    "count_fp": "1.00",
    "fee_cost": "0.0175",
    "ts_ms": 1,
}


def test_public_messages_of_unwatched_markets_are_left_out_and_ours_never() -> None:
    session, _ = watching(A)
    trade = {"trade_id": "t", "market_ticker": "A", "yes_price_dollars": "0.5", "count_fp": "1"}
    trade |= {"taker_side": "yes", "ts": 1}
    life = {"market_ticker": "A", "event_type": "deactivated"}
    for kind, msg, event in (
        ("ticker", TICKER_MSG, TickerUpdate),
        ("trade", trade, PublicTrade),
        ("market_lifecycle_v2", life, MarketLifecycle),
    ):
        assert kinds(session.receive(frame(kind, msg=msg), 0)) == [event]
        assert kinds(session.receive(frame(kind, msg=msg | {"market_ticker": "Z"}), 0)) == []
    assert kinds(session.receive(frame("fill", msg=FILL_MSG), 0)) == [OwnFill]
    group = {"event_type": "triggered", "order_group_id": "g"}
    assert kinds(session.receive(frame("order_group_updates", msg=group), 0)) == [OrderGroupChanged]


def test_a_lost_word_about_ourselves_is_a_gap_without_markets() -> None:
    session = ToldSession(SessionSettings())
    session.connected(0)
    sent = commands(session)
    for sid, channel in ((3, "fill"), (4, "order_group_updates")):
        command = find(sent, channel)
        session.receive(
            frame("subscribed", id=command["id"], msg={"channel": channel, "sid": sid}), 0
        )
    (gap,) = session.receive(frame("fill", sid=3, msg=FILL_MSG | {"fee_cost": 1}), 0)
    assert isinstance(gap, FeedGap)
    assert gap.tickers == ()
    group = {"event_type": "reset", "order_group_id": "g"}
    session.receive(frame("order_group_updates", sid=4, seq=1, msg=group), 0)
    events = session.receive(frame("order_group_updates", sid=4, seq=3, msg=group), 0)
    assert kinds(events) == [FeedGap, OrderGroupChanged]


def test_an_unreadable_public_message_is_refused() -> None:
    session, _ = watching(A)
    with pytest.raises(InvalidMessage):
        session.receive(frame("ticker", msg=TICKER_MSG | {"ts_ms": "1"}), 0)


# --- anything -----------------------------------------------------------------------------------


def feed(session: ToldSession, data: bytes) -> None:
    try:
        events = session.receive(data, 5)
    except InvalidMessage:
        return
    assert all(isinstance(event, FeedEvent.__args__) for event in events)  # type: ignore[attr-defined]


@given(st.lists(st.binary(max_size=120), max_size=5))
def test_any_bytes_give_events_or_one_kind_of_refusal(frames: list[bytes]) -> None:
    session, _ = watching(A, B)
    for data in frames:
        feed(session, data)
    session.tick(5)


values = (
    st.none() | st.booleans() | st.integers(-3, 12) | st.sampled_from(["A", "B", "0.47", "yes"])
)
messages = st.fixed_dictionaries(
    {
        "type": st.sampled_from(
            [
                "orderbook_snapshot",
                "orderbook_delta",
                "ok",
                "error",
                "subscribed",
                "unsubscribed",
                "ticker",
                "trade",
                "fill",
                "user_order",
                "market_lifecycle_v2",
                "order_group_updates",
                "other",
            ]
        )
    },
    optional={
        "id": st.integers(0, 8),
        "sid": st.integers(0, 11),
        "seq": st.integers(0, 9),
        "msg": st.dictionaries(
            st.sampled_from(
                [
                    "market_ticker",
                    "market_tickers",
                    "code",
                    "msg",
                    "sid",
                    "channel",
                    "price_dollars",
                    "delta_fp",
                    "side",
                    "clock",
                    "yes_dollars_fp",
                ]
            ),
            values | st.lists(st.sampled_from(["A", "B", "C"])),
        ),
    },
)


@settings(max_examples=300)
@given(st.lists(messages, max_size=25))
def test_any_conversation_leaves_the_session_usable(conversation: list[dict[str, object]]) -> None:
    session, _ = watching(A, B, settings=SessionSettings(markets_per_subscription=2))
    for number, message in enumerate(conversation):
        feed(session, json.dumps(message).encode())
        if number % 7 == 3:
            session.watch([A, C] if number % 2 else [B], number)
            session.tick(number * S)
        session.frames_to_send()
    session.watch([A], 100)
    session.connected(100)
    assert find(commands(session), "orderbook_delta")["params"]["market_tickers"] == ["A"]


class TinyVenue:
    """One book subscription over a lossy line: frames may be lost or doubled."""

    def __init__(self, session: ToldSession, random: Random) -> None:
        self.session = session
        self.random = random
        self.seq = 0
        self.books: dict[str, dict[int, int]] = {"A": {}, "B": {}}
        self.seen: dict[str, dict[int, int] | None] = {"A": None, "B": None}
        self.now_us = 0

    def deliver(self, kind: str, msg: dict[str, object], *, is_lossy: bool) -> None:
        self.seq += 1
        data = frame(kind, sid=9, seq=self.seq, msg=msg)
        chance = self.random.random() if is_lossy else 1.0
        if chance < 0.15:
            return
        for _ in range(2 if chance < 0.3 else 1):
            self.apply(self.session.receive(data, self.now_us))

    def change(self, *, is_lossy: bool) -> None:
        ticker = self.random.choice("AB")
        price = self.random.randrange(1, 99)
        amount = self.random.randrange(1, 9)
        book = self.books[ticker]
        if book.get(price) and self.random.random() < 0.5:
            amount = -book[price]
        book[price] = book.get(price, 0) + amount
        msg: dict[str, object] = {
            "market_ticker": ticker,
            "price_dollars": f"0.{price:02d}00",
            "delta_fp": f"{amount}.00",
            "side": "yes",
        }
        self.deliver("orderbook_delta", msg, is_lossy=is_lossy)

    def answer(self, *, is_lossy: bool) -> None:
        for command in commands(self.session):
            if command["params"].get("action") == "get_snapshot":
                for ticker in command["params"]["market_tickers"]:
                    self.show(ticker, is_lossy=is_lossy)

    def show(self, ticker: str, *, is_lossy: bool) -> None:
        levels = [[f"0.{p:02d}00", f"{n}.00"] for p, n in sorted(self.books[ticker].items()) if n]
        msg: dict[str, object] = {"market_ticker": ticker, "yes_dollars_fp": levels}
        self.deliver("orderbook_snapshot", msg, is_lossy=is_lossy)

    def apply(self, events: Iterable[FeedEvent]) -> None:
        for event in events:
            match event:
                case BookSnapshot():
                    self.seen[event.ticker] = {
                        level.price // 100: level.quantity // 100 for level in event.bids
                    }
                case BookDelta():
                    assert event.side is BookSide.BID
                    book = self.seen[event.ticker]
                    assert book is not None, "a delta of a book that is not trusted"
                    price = event.price // 100
                    book[price] = book.get(price, 0) + event.change // 100
                    assert book[price] >= 0
                case FeedGap():
                    for ticker in event.tickers:
                        self.seen[ticker] = None

    def agrees(self) -> bool:
        return all(
            seen is not None
            and {p: n for p, n in seen.items() if n}
            == {p: n for p, n in self.books[ticker].items() if n}
            for ticker, seen in self.seen.items()
        )


@settings(max_examples=100)
@given(st.integers(0, 1 << 32), st.integers(1, 80))
def test_over_a_lossy_line_a_trusted_book_is_a_right_book(seed: int, steps: int) -> None:
    session, _ = watching(A, B)
    venue = TinyVenue(session, Random(seed))
    for ticker in "AB":
        venue.show(ticker, is_lossy=True)
    for _ in range(steps):
        venue.now_us += S
        venue.change(is_lossy=True)
        session.tick(venue.now_us)
        venue.answer(is_lossy=True)
    # One message after the last loss reveals it; the overdue snapshot does the rest.
    venue.change(is_lossy=False)
    for _ in range(3):
        venue.now_us += 6 * S
        session.tick(venue.now_us)
        venue.answer(is_lossy=False)
    assert venue.agrees()

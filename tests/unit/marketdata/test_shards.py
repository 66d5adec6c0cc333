"""Every market has one shard, and everyone gets a turn."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.domain.ids import EventTicker, MarketTicker
from bot.marketdata.shards import Shard, shard_of, take_turn

NAMES = st.text(min_size=1, max_size=30)
TICKERS = st.sets(NAMES.map(MarketTicker), max_size=40)


@given(
    ticker=NAMES, event=NAMES, count=st.integers(1, 64), key=st.sampled_from(["event", "market"])
)
def test_each_market_is_in_exactly_one_shard(ticker, event, count, key) -> None:
    shards = [Shard(count=count, number=number, key=key) for number in range(count)]
    holding = [one for one in shards if one.holds(MarketTicker(ticker), EventTicker(event))]
    assert len(holding) == 1


@given(event=NAMES, tickers=TICKERS, count=st.integers(1, 16))
def test_markets_of_one_event_stay_together(event, tickers, count) -> None:
    for number in range(count):
        shard = Shard(count=count, number=number, key="event")
        assert len({shard.holds(ticker, EventTicker(event)) for ticker in tickers}) <= 1


def test_shards_are_about_equal_and_never_move() -> None:
    sizes = [0] * 8
    for number in range(8_000):
        sizes[shard_of(f"KXHIGHNY-26NOV{number}", 8)] += 1
    assert min(sizes) > 850
    # Another version of the bot must find the same: a change here would double and lose markets.
    assert [shard_of(name, 7) for name in ("KXFED-26DEC", "KXCPI", "KXÜ")] == [6, 1, 5]


@pytest.mark.parametrize(("count", "number"), [(0, 0), (1, 1), (3, 3), (2, -1)])
def test_a_shard_that_does_not_exist_is_refused(count, number) -> None:
    with pytest.raises(ValueError, match="shard"):
        Shard(count=count, number=number)


@given(markets=TICKERS, limit=st.integers(1, 50), cursor=st.just("") | NAMES)
def test_a_turn_never_takes_more_than_there_is_room_for(markets, limit, cursor) -> None:
    turn = take_turn(markets, limit, cursor, goes_round=True)
    assert len(turn.watched) == len(set(turn.watched)) == min(limit, len(markets))
    assert set(turn.watched) <= markets
    assert turn.left_out == len(markets) - len(turn.watched)


@given(markets=TICKERS.filter(len), limit=st.integers(1, 50))
def test_going_round_everyone_has_a_turn(markets, limit) -> None:
    seen, cursor = set(), ""
    for _ in range(-(-len(markets) // limit)):
        turn = take_turn(markets, limit, cursor, goes_round=True)
        seen |= set(turn.watched)
        cursor = turn.cursor
    assert seen == markets


def test_without_turns_the_same_are_watched_always() -> None:
    markets = [MarketTicker(name) for name in "edcba"]
    for cursor in ("", "c"):
        turn = take_turn(markets, 2, cursor, goes_round=False)
        assert (turn.watched, turn.left_out, turn.cursor) == (("a", "b"), 3, "")

"""Each rule finds what breaks it, and nothing in quotes that an honest market could show."""

import itertools
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.collect.quality import (
    Rule,
    Severity,
    books,
    duplicates,
    event_sums,
    frozen,
    ladders,
    skews,
    times,
)
from bot.domain.ids import EventTicker, MarketTicker
from bot.domain.money import Price, complement
from bot.kit.times import HOUR_US, SECOND_US, parse_rfc3339
from bot.ports.quality import FrozenQuote, QuoteSource, SeenQuote

HOUR = parse_rfc3339("2026-11-21T07:00:00Z")
SIDE = st.one_of(st.none(), st.integers(1, 9_999))


def quote(bid: int | None, ask: int | None, name: str = "M", **more) -> SeenQuote:
    plain = SeenQuote(
        market=MarketTicker(name),
        event=EventTicker("E"),
        source=QuoteSource.SNAPSHOT,
        bid=None if bid is None else Price(bid),
        ask=None if ask is None else Price(ask),
        seen_us=HOUR + 5 * SECOND_US,
        close_us=HOUR + HOUR_US,
    )
    return replace(plain, **more)


@pytest.mark.parametrize(
    ("bid", "ask", "rule", "excess"),
    [
        (4_000, 4_100, None, 0),
        (4_100, 4_000, Rule.CROSSED, 100),
        (4_000, 4_000, Rule.LOCKED, 0),
        (None, 4_000, Rule.ONE_SIDED, 0),
        (4_000, None, Rule.ONE_SIDED, 0),
        (None, None, Rule.EMPTY, 0),
    ],
)
def test_a_book_breaks_at_most_one_rule(bid, ask, rule, excess) -> None:
    found = list(books([quote(bid, ask)]))
    assert [(one.rule, one.excess) for one in found] == ([(rule, excess)] if rule else [])


@given(SIDE, SIDE)
def test_seen_from_the_no_side_a_book_breaks_the_same_rule(bid, ask) -> None:
    turned = quote(
        None if ask is None else complement(Price(ask)),
        None if bid is None else complement(Price(bid)),
    )
    ours, theirs = list(books([quote(bid, ask)])), list(books([turned]))
    assert [(one.rule, one.excess) for one in ours] == [(one.rule, one.excess) for one in theirs]


@pytest.mark.parametrize(
    ("changes", "rules"),
    [
        ({}, []),
        ({"seen_us": HOUR - 1}, [Rule.OUTSIDE_HOUR]),
        ({"seen_us": HOUR + HOUR_US, "close_us": None}, [Rule.OUTSIDE_HOUR]),
        ({"seen_us": HOUR + HOUR_US - 1, "close_us": None}, []),
        ({"close_us": HOUR - 54 * SECOND_US}, []),
        ({"close_us": HOUR - 56 * SECOND_US}, [Rule.AFTER_CLOSE]),
        ({"venue_us": HOUR + 7 * SECOND_US}, []),
        ({"venue_us": HOUR + 8 * SECOND_US}, [Rule.CLOCK]),
    ],
)
def test_times_that_cannot_be_right(changes, rules) -> None:
    found = list(times([quote(1, 2, **changes)], HOUR))
    assert [one.rule for one in found] == rules
    assert all(one.severity is Severity.WRONG and one.excess > 0 for one in found)


def test_a_market_twice_in_an_hour_is_found_with_how_often() -> None:
    found = list(duplicates([quote(1, 2, "A"), quote(1, 2, "B"), quote(1, 3, "A")]))
    assert [(one.subject, one.excess) for one in found] == [("A", 1)]


def test_quotes_that_stood_still_are_odd() -> None:
    one = FrozenQuote(market=MarketTicker("A"), hours=24, bid=Price(100), ask=None)
    [found] = frozen([one])
    assert (found.severity, found.detail) == (Severity.ODD, "0.0100 / - in all of 24 snapshots")


def exclusive(*sides: tuple[int | None, int | None], **more) -> list[SeenQuote]:
    return [
        quote(bid, ask, f"M{number}", is_exclusive=True, **more)
        for number, (bid, ask) in enumerate(sides)
    ]


def test_exclusive_outcomes_that_can_be_sold_for_more_than_a_dollar_are_wrong() -> None:
    [found] = event_sums(exclusive((6_000, 6_100), (4_500, 4_600), (None, 100)))
    assert (found.rule, found.severity) == (Rule.BIDS_ABOVE_ONE, Severity.WRONG)
    assert found.detail == "bids sum to 1.0500"
    # 5 cents, less the fees of 0.07 * 0.6 * 0.4 and 0.07 * 0.45 * 0.55.
    assert found.excess == 50_000 - 16_800 - 17_325


def test_what_fees_eat_is_no_finding() -> None:
    assert list(event_sums(exclusive((5_100, 5_200), (5_200, 5_300)))) == []
    free = exclusive((5_100, 5_200), (5_200, 5_300), fee_multiplier_e6=0)
    assert [one.excess for one in event_sums(free)] == [30_000]


def test_asks_below_a_dollar_are_odd_where_every_outcome_has_one() -> None:
    [found] = event_sums(exclusive((100, 3_000), (100, 3_000)))
    assert (found.rule, found.severity) == (Rule.ASKS_BELOW_ONE, Severity.ODD)
    assert list(event_sums(exclusive((100, 3_000), (100, None)))) == []
    assert list(event_sums(exclusive((100, 3_000)))) == []


def test_outcomes_that_do_not_exclude_each_other_are_not_summed() -> None:
    free = [replace(one, is_exclusive=False) for one in exclusive((9_000, 9_100), (9_000, 9_100))]
    assert list(event_sums(free)) == []
    unknown = [replace(one, is_exclusive=None) for one in free]
    assert list(event_sums(unknown)) == []


@given(st.lists(st.integers(1, 1_000), min_size=2, max_size=12), st.data())
def test_quotes_around_true_chances_never_break_a_sum(weights, data) -> None:
    total = sum(weights)
    sides = []
    for weight in weights:
        chance = weight * 10_000 // total
        low = data.draw(st.integers(0, chance))
        high = data.draw(st.integers(-(-weight * 10_000 // total), 10_000))
        sides.append((low or None, high))
    assert list(event_sums(exclusive(*sides, fee_multiplier_e6=0))) == []


def rung(strike: str, bid: int | None, ask: int | None, kind: str = "greater") -> SeenQuote:
    place = {"floor_strike": strike} if kind.startswith("greater") else {"cap_strike": strike}
    return quote(bid, ask, f"{kind}-{strike}", strike_type=kind, **place)


def test_a_higher_strike_must_not_be_bid_above_a_lower_one() -> None:
    [found] = ladders([rung("4.5", 3_000, 3_100), rung("4.25", 2_500, 2_800)])
    assert (found.rule, found.subject, found.excess) == (Rule.LADDER, "greater-4.5", 200)
    assert found.detail == "bid 0.3000, greater-4.25 asks 0.2800"
    assert list(ladders([rung("4.25", 3_000, 3_100), rung("4.5", 2_500, 2_800)])) == []


def test_a_ladder_of_less_runs_the_other_way() -> None:
    [found] = ladders([rung("2", 5_000, 5_100, "less"), rung("3", 4_000, 4_500, "less")])
    assert (found.subject, found.excess) == ("less-2", 500)


def test_strikes_are_numbers_and_what_is_none_is_left_out() -> None:
    ten, nine = rung("10", 3_000, 3_100), rung("9.50", 3_500, 3_600)
    assert list(ladders([ten, nine])) == []
    for strange in (None, "", "ten", "NaN", "Infinity"):
        odd = replace(rung("1", 9_000, 9_100), floor_strike=strange)
        assert list(ladders([odd, rung("0", 1, 2)])) == []
    assert list(ladders([replace(ten, strike_type="between"), rung("1", 1, 2)])) == []
    other = replace(rung("11", 9_000, 9_100), event=EventTicker("F"))
    assert list(ladders([rung("9", 1, 2), other])) == []


@given(
    st.lists(st.tuples(st.integers(-5, 5), SIDE, SIDE), max_size=10, unique_by=lambda one: one[0]),
    st.booleans(),
)
def test_a_ladder_is_wrong_exactly_where_two_of_its_rungs_contradict(rungs, is_less) -> None:
    kind = "less" if is_less else "greater"
    found = list(ladders([rung(str(strike), bid, ask, kind) for strike, bid, ask in rungs]))
    worst: dict[str, int] = {}
    for (likelier, _, ask), (rarer, bid, _) in itertools.permutations(rungs, 2):
        is_ordered = likelier > rarer if is_less else likelier < rarer
        if is_ordered and bid is not None and ask is not None and bid > ask:
            name = f"{kind}-{rarer}"
            worst[name] = max(worst.get(name, 0), bid - ask)
    assert {one.subject: one.excess for one in found} == worst


def test_equal_strikes_say_nothing_of_each_other() -> None:
    same = [rung("3", 5_000, 5_100), replace(rung("3.0", 5_300, 5_400), market=MarketTicker("B"))]
    assert list(ladders(same)) == []


def test_ticks_are_judged_by_the_venues_stamp() -> None:
    late = quote(1, 2, venue_us=HOUR + 60 * SECOND_US)
    [found] = skews([late])
    assert (found.rule, found.excess) == (Rule.CLOCK, 55 * SECOND_US)

"""Calibration is arithmetic that can be checked by hand, and leaves out what is no forecast."""

from dataclasses import replace
from math import isclose, log

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.collect.calibration import CalibrationRules, calibrate, wilson
from bot.domain.money import Price
from bot.kit.times import HOUR_US, MINUTE_US
from bot.ports.market_history import PriceBefore
from tests.fakes.market_history import settled

CLOSE_US = 10**15
RULES = CalibrationRules()


def seen(bid: int | None, ask: int | None, *, horizon: int = 60, age_us: int = 0, last=None):
    return PriceBefore(
        horizon_minutes=horizon,
        yes_bid=None if bid is None else Price(bid),
        yes_ask=None if ask is None else Price(ask),
        last_price=last,
        observed_us=CLOSE_US - horizon * MINUTE_US - age_us,
        source="candle_1",
    )


def row(middle: int, result: str = "yes", number: int = 1, **changes):
    given = {
        "close_us": CLOSE_US,
        "first_close_us": CLOSE_US,
        "result": result,
        "settlement_value": {"yes": 10_000, "no": 0}.get(result),
        "prices": (seen(middle - 100, middle + 100),),
    }
    return settled(f"KXFED-26DEC{number}-T1", **(given | changes))


def test_the_table_by_hand() -> None:
    ledger = [
        row(9_000, "yes", 1),
        row(9_200, "yes", 2),
        row(9_400, "no", 3),
        row(2_000, "no", 4),
        row(2_400, "yes", 5),
    ]
    made = calibrate(ledger, RULES)
    assert (made.settled, made.count, made.events) == (5, 5, 5)
    low, high = made.buckets
    assert (low.low, low.high, low.count, low.yes_rate) == (0.15, 0.35, 2, 0.5)
    assert isclose(low.forecast_mean, 0.22)
    assert (high.count, round(high.forecast_mean, 6), round(high.yes_rate, 6)) == (
        3,
        0.92,
        0.666667,
    )
    brier = (0.1**2 + 0.08**2 + 0.94**2 + 0.2**2 + 0.76**2) / 5
    assert isclose(made.brier, brier)
    assert isclose(made.uncertainty, 0.6 * 0.4)
    assert isclose(made.reliability, (2 * 0.28**2 + 3 * (0.92 - 2 / 3) ** 2) / 5)
    assert isclose(made.resolution, (2 * 0.1**2 + 3 * (2 / 3 - 0.6) ** 2) / 5)
    assert isclose(made.skill, 1 - brier / 0.24)
    surprise = -(log(0.9) + log(0.92) + log(0.06) + log(0.8) + log(0.24)) / 5
    assert isclose(made.log_loss, surprise)


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"market_type": "scalar", "result": "scalar"}, "not_binary"),
        ({"result": "scalar", "settlement_value": Price(3_000)}, "void"),
        ({"result": "", "settlement_value": None}, "void"),
        ({"settlement_value": Price(5_000)}, "void"),
        ({"first_close_us": CLOSE_US + 1}, "closed_early"),
        ({"prices": ()}, "no_price"),
        ({"prices": (seen(4_900, 5_100, horizon=15),)}, "no_price"),
        ({"prices": (seen(None, 5_100, last=5_000),)}, "no_price"),
        ({"prices": (seen(4_900, 5_100, age_us=25 * HOUR_US),)}, "too_old"),
        ({"prices": (seen(3_000, 7_000),)}, "too_wide"),
    ],
)
def test_what_is_no_forecast_is_left_out_and_told(changes, reason) -> None:
    made = calibrate([row(5_000, **changes)], RULES)
    assert made.count == 0
    assert getattr(made.left_out, reason) == 1
    assert made.brier is None
    assert made.buckets == ()


def test_an_early_close_and_a_last_trade_count_when_asked_for() -> None:
    early = row(5_000, first_close_us=CLOSE_US + 1)
    assert calibrate([early], replace(RULES, includes_early_close=True)).count == 1
    one_sided = row(5_000, prices=(seen(None, 1_000, last=Price(700)),))
    made = calibrate([one_sided], replace(RULES, uses_last_price=True))
    assert made.buckets[0].forecast_mean == 0.07


def test_a_certain_forecast_that_fails_costs_much_and_not_everything() -> None:
    wrong = row(5_000, "no", prices=(seen(None, None, last=Price(10_000)),))
    made = calibrate([wrong], replace(RULES, uses_last_price=True))
    assert made.buckets[0].high == 1.0
    assert 9 < made.log_loss < 11
    assert made.skill is None


def test_wilsons_interval_has_the_published_values() -> None:
    # Wilson (1927) for 8 of 10 and 0 of 10, as in any table of it.
    assert [round(edge, 3) for edge in wilson(8, 10)] == [0.490, 0.943]
    assert [round(edge, 3) for edge in wilson(0, 10)] == [0.0, 0.278]


@given(
    st.lists(st.tuples(st.integers(100, 9_900), st.booleans()), min_size=1, max_size=60),
)
def test_the_parts_make_the_whole(said: list[tuple[int, bool]]) -> None:
    ledger = [row(middle, "yes" if hit else "no", n) for n, (middle, hit) in enumerate(said)]
    made = calibrate(ledger, RULES)
    assert made.count == len(said) == sum(bucket.count for bucket in made.buckets)
    whole = made.reliability - made.resolution + made.uncertainty + made.within
    assert isclose(whole, made.brier, abs_tol=1e-12)
    # What lies inside buckets is bounded by their width.
    assert abs(made.within) <= 0.3
    for bucket in made.buckets:
        low, high = bucket.interval
        assert 0 <= low <= bucket.yes_rate <= high <= 1
        assert bucket.low <= bucket.forecast_mean + 1e-9
        assert bucket.forecast_mean <= bucket.high + 1e-9


@given(st.integers(1, 500), st.data())
def test_an_interval_holds_its_rate_and_narrows(count: int, data) -> None:
    hits = data.draw(st.integers(0, count))
    low, high = wilson(hits, count)
    assert 0 <= low <= hits / count + 1e-12
    assert hits / count - 1e-12 <= high <= 1
    wide = high - low
    low, high = wilson(hits * 4, count * 4)
    assert high - low <= wide

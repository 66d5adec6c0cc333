"""Ladders of claims."""

from bot.simulator.ladders import above, around, between, outcomes
from bot.simulator.latent import Uncertainty

SOMETHING = Uncertainty(centre=84_010, drift=1, release=1)


def test_ladders_carry_their_strikes() -> None:
    cpi = above([0.0, 0.3], "{:.1f}%")(SOMETHING)
    assert [(q.suffix, q.sub_title, q.floor_strike) for q in cpi] == [
        ("T0", "Above 0.0%", 0.0), ("T0.3", "Above 0.3%", 0.3),
    ]  # fmt: skip
    price = around(3, 250, "{:.0f}")(SOMETHING)
    assert [q.floor_strike for q in price] == [83_750, 84_000, 84_250]
    brackets = between([46, 48], "{:.0f}")(SOMETHING)
    assert [q.strike_type for q in brackets] == ["less_or_equal", "between", "greater"]
    assert (brackets[1].floor_strike, brackets[1].cap_strike) == (46, 48)


def test_named_outcomes_keep_their_names() -> None:
    two = outcomes([("NYK", "New York", 0.0, None), ("BOS", "Boston", None, 0.0)])(SOMETHING)
    assert [(q.suffix, q.strike_type, q.custom_strike) for q in two] == [
        ("NYK", "custom", "New York"), ("BOS", "custom", "Boston"),
    ]  # fmt: skip
    assert [q.claim.holds(0.0) for q in two] == [False, True]

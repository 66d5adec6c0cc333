"""Strategies by name, with checked parameters."""

import pytest

from bot.strategies.near_expiry import NearExpiry
from bot.strategies.registry import STRATEGIES, build_strategies


def test_chosen_strategies_are_built_in_order_with_their_parameters() -> None:
    first, second = build_strategies({"near_expiry": {"bid_min_e4": 9_200}, "wide_spread": {}})
    assert isinstance(first, NearExpiry)
    assert first.params.bid_min_e4 == 9_200
    assert second.strategy_id == "wide_spread"


def test_every_strategy_answers_to_the_name_it_is_chosen_by() -> None:
    for name in STRATEGIES:
        (built,) = build_strategies({name: {}})
        assert built.strategy_id == name


@pytest.mark.parametrize(
    ("chosen", "message"),
    [
        ({"moonshot": {}}, "no strategy 'moonshot'; known: near_expiry, wide_spread"),
        ({"near_expiry": {"bid_mim_e4": 1}}, "unknown parameter bid_mim_e4; known: .*bid_min_e4"),
        ({"near_expiry": {"bid_min_e4": 0.9}}, "bid_min_e4 must be a whole number"),
        ({"near_expiry": {"bid_min_e4": True}}, "bid_min_e4 must be a whole number"),
        ({"near_expiry": {"bid_min_e4": 9_950}}, "strategy near_expiry: bid_min_e4"),
    ],
)
def test_faults_name_the_strategy_and_the_parameter(
    chosen: dict[str, dict[str, object]], message: str
) -> None:
    with pytest.raises(ValueError, match=message):
        build_strategies(chosen)

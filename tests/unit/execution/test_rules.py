"""Rules of protection that contradict each other are refused by name."""

import pytest

from bot.execution.rules import BracketRules


@pytest.mark.parametrize(
    "wrong",
    [
        {"stop_confirm_quotes": 0},
        {"exit_step_e4": 0},
        {"exit_step_e4": 2_000},
        {"stop_spread_max_e4": 3_000},
        {"exit_pause_us": 0},
        {"trail_by_e4": -1},
        {"trail_step_e4": 0},
    ],
)
def test_rules_that_make_no_sense_are_refused(wrong: dict[str, int]) -> None:
    with pytest.raises(ValueError, match=next(iter(wrong))):
        BracketRules(**wrong)

"""What is told of the ledger's judgement."""

import pytest

from bot.app.calibration import CalibrationAnswer, title_of
from bot.collect.calibration import CalibrationRules, calibrate
from tests.fakes.market_history import settled


@pytest.mark.parametrize(
    ("count", "told"),
    [(1, "0 of 1 settled market, 0 events"), (2, "0 of 2 settled markets, 0 events")],
)
def test_one_is_not_told_as_several(count: int, told: str) -> None:
    ledger = [settled(f"KXFED-{number}-T1") for number in range(count)]
    made = calibrate(ledger, CalibrationRules())
    answer = CalibrationAnswer(made=made, series=(), picture=None)
    assert answer.lines[0].endswith(told)


def test_the_picture_says_of_what_it_is() -> None:
    made = calibrate([], CalibrationRules())
    assert title_of(made, ("KXFED",)) == (
        "KXFED: price and outcome\n1 h before the close, 0 markets of 0 events"
    )
    assert title_of(made, ()).startswith("all series: ")
    assert title_of(made, ("A", "B", "C")).startswith("3 series: ")

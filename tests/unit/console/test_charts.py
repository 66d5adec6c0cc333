"""Pictures are PNG of a phone's shape, whatever was judged."""

import struct

import pytest

from bot.collect.calibration import CalibrationRules, calibrate
from bot.console.charts import calibration_picture
from tests.unit.collect.test_calibration import row


@pytest.mark.parametrize("count", [1, 9, 200])
def test_a_reliability_diagram_is_a_picture_for_a_phone(count: int) -> None:
    ledger = [
        row(100 + (number * 731) % 9_800, "yes" if number % 3 else "no", number)
        for number in range(count)
    ]
    made = calibrate(ledger, CalibrationRules())
    picture = calibration_picture(made, "KXFED: price and outcome\n1 h before the close")
    assert picture.startswith(b"\x89PNG\r\n")
    assert struct.unpack(">II", picture[16:24]) == (1_080, 1_350)
    assert len(picture) > 10_000

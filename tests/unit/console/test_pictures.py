"""Every picture is a PNG of a phone's shape, also where there is hardly anything to draw."""

import struct

import pytest

from bot.collect.calibration import CalibrationRules, calibrate
from bot.console.chart_data import (
    Bar,
    CalibrationChart,
    ChartData,
    FunnelChart,
    Line,
    Mark,
    MoneyChart,
    Point,
    PriceChart,
    packed,
    unpacked,
)
from bot.console.pictures import draw
from tests.unit.collect.test_calibration import row

NOW_US = 1_795_245_300_000_000
MINUTE_US = 60_000_000


def money(*values: float, **changes: object) -> MoneyChart:
    points = tuple(Point(NOW_US + place * MINUTE_US, value) for place, value in enumerate(values))
    fields = {
        "title": "P&L: $0.00\n1 closed trade",
        "note": "PAPER",
        "zone": "Asia/Kathmandu",
        "closed": points,
        "marked": points,
    }
    return MoneyChart(**(fields | changes))  # type: ignore[arg-type]


def prices(*values: float | None, **changes: object) -> PriceChart:
    points = tuple(Point(NOW_US + place * MINUTE_US, value) for place, value in enumerate(values))
    fields = {"title": "Fed", "note": "T", "zone": "UTC", "side": "NO", "bids": points, "asks": ()}
    return PriceChart(**(fields | changes))  # type: ignore[arg-type]


SOLD = Mark(at_us=NOW_US, price=0.95, contracts=2.5, is_buy=False)
STOP = Line(name="stop", price=0.9, is_good=False)
ENTRY = Line(name="entry", price=0.9001, is_good=None)

DATA: dict[str, ChartData] = {
    "one point": money(0.0),
    "only losses": money(0.0, -3.0, -12.5, is_drawdown=True),
    "never below its peak": money(0.0, 1.0, 2.0, is_drawdown=True),
    "nothing closed": money(1.0, 2.0, closed=()),
    "large sums": money(0.0, 1_234_567.89),
    "prices with gaps": prices(0.95, None, 0.96, marks=(SOLD,), lines=(STOP, ENTRY)),
    "one price at the edge": prices(1.0),
    "only an execution": prices(bids=(), marks=(SOLD,)),
    "a funnel": FunnelChart(
        title="1,240 markets seen, 0 left",
        note="PAPER",
        bars=(Bar(name="markets seen", left=1_240, taken=0), Bar(name="late", left=0, taken=1_240)),
    ),
    "an empty funnel": FunnelChart(title="0", note="", bars=(Bar(name="seen", left=0, taken=0),)),
    "calibration": CalibrationChart(
        title="price and outcome",
        made=calibrate([row(9_000, "yes", 1), row(8_000, "no", 2)], CalibrationRules()),
    ),
}


@pytest.mark.parametrize("name", DATA)
def test_a_picture_is_for_a_phone_whatever_there_is_to_draw(name: str) -> None:
    sent = packed(DATA[name])
    assert packed(unpacked(sent)) == sent, "it is drawn by another process"
    picture = draw(unpacked(sent))
    assert picture.startswith(b"\x89PNG\r\n")
    assert struct.unpack(">II", picture[16:24]) == (1_080, 1_350)
    assert len(picture) > 5_000

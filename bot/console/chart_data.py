"""What a picture is drawn from, as values that can be sent to the process that draws. Pure.

Amounts are floats in dollars here: they are only looked at.
"""

from typing import TypeAlias

import msgspec

from bot.collect.calibration import Calibration


class Point(msgspec.Struct, frozen=True, array_like=True):
    """A value at a moment; ``None`` interrupts the line."""

    at_us: int
    value: float | None


class MoneyChart(msgspec.Struct, frozen=True, kw_only=True, tag="money"):
    """A result over time, in dollars."""

    title: str
    note: str
    zone: str
    closed: tuple[Point, ...]
    """After each closed trade, after fees; a staircase."""
    marked: tuple[Point, ...]
    """The same with what was open at its worth then."""
    is_drawdown: bool = False
    """Whether how far it lay below its peak is drawn beneath."""


class Mark(msgspec.Struct, frozen=True, kw_only=True):
    """An execution of ours."""

    at_us: int
    price: float
    contracts: float
    is_buy: bool
    """Of the shown side."""


class Line(msgspec.Struct, frozen=True, kw_only=True):
    """A level with its name."""

    name: str
    price: float
    is_good: bool | None
    """Whether reaching it is a gain; ``None`` for neither."""


class PriceChart(msgspec.Struct, frozen=True, kw_only=True, tag="price"):
    """A market's prices in dollars, of one side's own."""

    title: str
    note: str
    zone: str
    side: str
    """``YES`` or ``NO``: whose prices they are."""
    bids: tuple[Point, ...]
    asks: tuple[Point, ...]
    marks: tuple[Mark, ...] = ()
    lines: tuple[Line, ...] = ()


class Bar(msgspec.Struct, frozen=True, kw_only=True):
    """One stage of a funnel: how many were left, and how many it took away."""

    name: str
    left: int
    taken: int


class FunnelChart(msgspec.Struct, frozen=True, kw_only=True, tag="funnel"):
    """How many markets each reason leaves."""

    title: str
    note: str
    bars: tuple[Bar, ...]


class CalibrationChart(msgspec.Struct, frozen=True, kw_only=True, tag="calibration"):
    """How often prices came true."""

    title: str
    made: Calibration


ChartData: TypeAlias = MoneyChart | PriceChart | FunnelChart | CalibrationChart


def packed(data: ChartData) -> bytes:
    """For the other process."""
    return msgspec.json.encode(data)


def unpacked(sent: bytes) -> ChartData:
    """What was sent.

    Raises:
        msgspec.MsgspecError: it is no such value.
    """
    found: ChartData = msgspec.json.decode(sent, type=ChartData)
    return found

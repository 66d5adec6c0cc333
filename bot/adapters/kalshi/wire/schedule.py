"""``GET /exchange/schedule``: when the exchange plans to be closed.

Its hours are sessions of each weekday in New York's time; what no session covers is closed.
A session that ends at ``00:00`` ends with the day. Maintenance comes as moments.
"""

from collections.abc import Iterator, Sequence
from datetime import date, datetime, time, timedelta
from zoneinfo import ZoneInfo

import msgspec

from bot.adapters.kalshi.wire.fields import decode, instant_of
from bot.domain.errors import InvalidMessage
from bot.kit.times import DAY_US, to_datetime, to_us
from bot.ports.gaps import Closure, ClosureKind

_NEW_YORK = ZoneInfo("America/New_York")
_DAYS_MAX = 400


class _Session(msgspec.Struct):
    open_time: str
    close_time: str


class _Week(msgspec.Struct):
    start_time: str
    end_time: str
    monday: list[_Session] = msgspec.field(default_factory=list)
    tuesday: list[_Session] = msgspec.field(default_factory=list)
    wednesday: list[_Session] = msgspec.field(default_factory=list)
    thursday: list[_Session] = msgspec.field(default_factory=list)
    friday: list[_Session] = msgspec.field(default_factory=list)
    saturday: list[_Session] = msgspec.field(default_factory=list)
    sunday: list[_Session] = msgspec.field(default_factory=list)

    def sessions(self, day: date) -> list[_Session]:
        """Those of the day's weekday."""
        days = (
            self.monday,
            self.tuesday,
            self.wednesday,
            self.thursday,
            self.friday,
            self.saturday,
            self.sunday,
        )
        return days[day.weekday()]


class _Maintenance(msgspec.Struct):
    start_datetime: str
    end_datetime: str


class _Schedule(msgspec.Struct):
    standard_hours: list[_Week] | None = None
    maintenance_windows: list[_Maintenance] | None = None


class _Answer(msgspec.Struct):
    schedule: _Schedule


_ANSWER = msgspec.json.Decoder(_Answer)

_Span = tuple[int, int]


def read_closures(body: bytes, from_us: int, to_us: int) -> tuple[Closure, ...]:
    """What is planned to be closed between two moments, oldest first.

    A time no week of the schedule speaks of is not claimed to be closed.

    Raises:
        InvalidMessage: not the documented shape.
        ValueError: more than 400 days are asked for.
    """
    if to_us - from_us > _DAYS_MAX * DAY_US:
        raise ValueError(f"a schedule is read for at most {_DAYS_MAX} days")
    schedule = decode(_ANSWER, body).schedule
    planned = [
        Closure(start_us=start_us, end_us=end_us, kind=ClosureKind.HOURS)
        for week in schedule.standard_hours or ()
        for start_us, end_us in _closed(week, from_us, to_us)
    ]
    for each in schedule.maintenance_windows or ():
        start_us, end_us = instant_of(each.start_datetime), instant_of(each.end_datetime)
        if start_us < to_us and end_us > from_us:
            planned.append(Closure(start_us=start_us, end_us=end_us, kind=ClosureKind.MAINTENANCE))
    return tuple(sorted(planned, key=lambda one: (one.start_us, one.end_us)))


def _closed(week: _Week, from_us: int, to_us: int) -> Iterator[_Span]:
    """The times within the week's validity that no session covers, as whole pieces."""
    begin_us = max(from_us, instant_of(week.start_time))
    end_us = min(to_us, instant_of(week.end_time))
    at_us = begin_us
    for start_us, stop_us in sorted(_open(week, begin_us, end_us)):
        if start_us > at_us:
            yield at_us, min(start_us, end_us)
        at_us = max(at_us, stop_us)
        if at_us >= end_us:
            return
    if at_us < end_us:
        yield at_us, end_us


def _open(week: _Week, begin_us: int, end_us: int) -> Iterator[_Span]:
    if begin_us >= end_us:
        return
    day = to_datetime(begin_us).astimezone(_NEW_YORK).date() - timedelta(days=1)
    last = to_datetime(end_us).astimezone(_NEW_YORK).date()
    while day <= last:
        yield from _sessions(day, week.sessions(day))
        day += timedelta(days=1)


def _sessions(day: date, sessions: Sequence[_Session]) -> Iterator[_Span]:
    for each in sessions:
        opens, closes = _time(each.open_time), _time(each.close_time)
        last_day = day + timedelta(days=1) if closes == time() else day
        yield _moment(day, opens), _moment(last_day, closes)


def _time(text: str) -> time:
    try:
        return time.fromisoformat(text)
    except ValueError as error:
        raise InvalidMessage(f"not a time of day: {text!r}") from error


def _moment(day: date, at: time) -> int:
    return to_us(datetime.combine(day, at, tzinfo=_NEW_YORK))

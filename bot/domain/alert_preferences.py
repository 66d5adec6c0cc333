"""How alerts may interrupt a person: by kind, for a while, by the hour of the day. Pure."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, time, timedelta
from enum import StrEnum
from typing import TypeAlias, assert_never
from zoneinfo import ZoneInfo

from bot.domain.alerts import AlertKind
from bot.kit.times import to_datetime, to_us

_DAY_MINUTES = 24 * 60
_SPAN = re.compile(r"(\d{1,2})(?::(\d{2}))?-(\d{1,2})(?::(\d{2}))?")


class Verbosity(StrEnum):
    """How one kind of alert arrives."""

    ON = "on"
    SILENT = "silent"
    """Without a sound."""
    OFF = "off"
    """On the page and in the log only."""


@dataclass(frozen=True, slots=True, kw_only=True)
class QuietHours:
    """From one minute of the day to another, through midnight where the end comes first.

    Equal ends are no quiet hours at all.
    """

    from_minute: int
    to_minute: int

    def __post_init__(self) -> None:
        if not all(0 <= one < _DAY_MINUTES for one in (self.from_minute, self.to_minute)):
            raise ValueError("quiet hours: give times of the day, for example 23-07 or 22:30-06:45")

    def ends_us(self, at_us: int, zone: ZoneInfo) -> int | None:
        """When the quiet that holds this moment is over; ``None`` outside of quiet hours."""
        local = to_datetime(at_us).astimezone(zone)
        minute = local.hour * 60 + local.minute
        length = (self.to_minute - self.from_minute) % _DAY_MINUTES
        if (minute - self.from_minute) % _DAY_MINUTES >= length:
            return None
        day = local.date() + timedelta(days=self.to_minute <= minute)
        end = time(self.to_minute // 60, self.to_minute % 60)
        return to_us(datetime.combine(day, end, zone))

    @property
    def shown(self) -> str:
        """``23:00-07:00``, or ``off``; ``quiet_hours`` reads it back."""
        ends = (self.from_minute, self.to_minute)
        if ends[0] == ends[1]:
            return "off"
        return "-".join(f"{one // 60:02d}:{one % 60:02d}" for one in ends)


NOT_QUIET = QuietHours(from_minute=0, to_minute=0)


def quiet_hours(text: str) -> QuietHours:
    """Read ``23-07``, ``22:30-06:45`` or ``off``.

    Raises:
        ValueError: it is none of these.
    """
    if text.strip().lower() == "off":
        return NOT_QUIET
    found = _SPAN.fullmatch(text.strip())
    numbers = [int(one or 0) for one in found.groups()] if found else [24, 0, 0, 0]
    hours, minutes = numbers[::2], numbers[1::2]
    if max(hours) > 23 or max(minutes) > 59:  # noqa: PLR2004 - a clock's face
        raise ValueError("quiet hours: give times of the day, for example 23-07 or 22:30-06:45")
    begin, end = (hour * 60 + minute for hour, minute in zip(hours, minutes, strict=True))
    return QuietHours(from_minute=begin, to_minute=end)


@dataclass(frozen=True, slots=True, kw_only=True)
class Preferences:
    """What was chosen. What was not is as configured."""

    verbosity: Mapping[AlertKind, Verbosity] = field(default_factory=dict)
    muted_until_us: Mapping[AlertKind, int] = field(default_factory=dict)
    all_muted_until_us: int = 0
    """Everything but what is critical."""
    quiet: QuietHours | None = None

    def over(self, configured: "Preferences") -> "Preferences":
        """With the configured value wherever nothing was chosen."""
        return replace(
            self,
            verbosity={**configured.verbosity, **self.verbosity},
            quiet=self.quiet or configured.quiet,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Mute:
    """Hold back one kind, or with ``None`` all that are not critical."""

    kind: AlertKind | None
    until_us: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Unmute:
    """End the mute of one kind, or with ``None`` every mute."""

    kind: AlertKind | None


@dataclass(frozen=True, slots=True, kw_only=True)
class SetQuiet:
    """Other quiet hours."""

    hours: QuietHours


@dataclass(frozen=True, slots=True, kw_only=True)
class SetVerbosity:
    """Another verbosity for one kind."""

    kind: AlertKind
    verbosity: Verbosity


PreferenceChange: TypeAlias = Mute | Unmute | SetQuiet | SetVerbosity


def changed(before: Preferences, change: PreferenceChange) -> Preferences:
    """The preferences after a change."""
    match change:
        case Mute(kind=kind, until_us=until_us):
            if kind is None:
                return replace(before, all_muted_until_us=until_us)
            return replace(before, muted_until_us={**before.muted_until_us, kind: until_us})
        case Unmute(kind=kind):
            return _unmuted(before, kind)
        case SetQuiet(hours=hours):
            return replace(before, quiet=hours)
        case SetVerbosity(kind=kind, verbosity=verbosity):
            return replace(before, verbosity={**before.verbosity, kind: verbosity})
        case _:
            assert_never(change)


def _unmuted(before: Preferences, kind: AlertKind | None) -> Preferences:
    if kind is None:
        return replace(before, muted_until_us={}, all_muted_until_us=0)
    return replace(before, muted_until_us={**before.muted_until_us, kind: 0})

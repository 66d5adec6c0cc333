"""When an alert may interrupt a person, and how. Pure.

Breakers, halts, panic and deaths interrupt at once, always. The first of any
other kind goes out at once too; repeats within the window are held back and go
out together at its end. Nothing is left untold: what a mute or the quiet hours
hold back follows when they are over.
"""

from dataclasses import dataclass
from zoneinfo import ZoneInfo

from bot.alerts.catalogue import text_of
from bot.domain.alert_preferences import NOT_QUIET, Preferences, Verbosity
from bot.domain.alerts import AlertKind
from bot.domain.operations import Severity
from bot.kit.times import MINUTE_US

WINDOW_US = 5 * MINUTE_US


@dataclass(frozen=True, slots=True, kw_only=True)
class Way:
    """How an alert is delivered."""

    held_until_us: int | None = None
    is_silent: bool = False


@dataclass(slots=True)
class _Window:
    opened_us: int
    gathers: bool = False


class Throttle:
    """One open window for each kind that was told lately.

    It is arithmetic alone: what is held back lies in the outbox with the time it is due, so
    that it survives whoever held it back.
    """

    def __init__(self, window_us: int = WINDOW_US) -> None:
        if window_us < 0:
            raise ValueError("window_us: must not be negative; 0 turns the limit off")
        self._window_us = window_us
        self._windows: dict[AlertKind, _Window] = {}

    def resume(self, kind: AlertKind, due_us: int, now_us: int) -> None:
        """Go on where an earlier process stopped: its last alert of a kind was, or is, due then."""
        gathers = due_us > now_us
        opened_us = due_us - self._window_us if gathers else due_us
        self._windows.setdefault(kind, _Window(opened_us=opened_us, gathers=gathers))

    def book(self, kind: AlertKind, now_us: int) -> int | None:
        """When this one goes out with others of its kind; ``None``: now."""
        window = self._windows.get(kind)
        # A wall clock that was set back must not hold alerts for ever.
        if window is None or now_us < window.opened_us:
            self._windows[kind] = _Window(opened_us=now_us)
            return None
        end_us = window.opened_us + self._window_us
        if now_us < end_us:
            window.gathers = True
            return end_us
        if window.gathers and now_us < end_us + self._window_us:
            # What was gathered went out then, which opened the next window.
            self._windows[kind] = _Window(opened_us=end_us, gathers=True)
            return end_us + self._window_us
        self._windows[kind] = _Window(opened_us=now_us)
        return None


def way_of(
    kind: AlertKind,
    preferences: Preferences,
    zone: ZoneInfo,
    now_us: int,
    window_us: int | None = None,
) -> Way | None:
    """How an alert is delivered to a person; ``None`` where this kind is off.

    Args:
        kind: what happened.
        preferences: over what is configured.
        zone: of the operator's day.
        now_us: when it happened.
        window_us: until when the throttle gathers its kind, if it does.
    """
    told, quiet = text_of(kind), preferences.quiet or NOT_QUIET
    severity = told.severity
    if told.is_vital:
        is_quiet = quiet.ends_us(now_us, zone) is not None
        return Way(is_silent=is_quiet and severity is not Severity.CRITICAL)
    verbosity = preferences.verbosity.get(kind, Verbosity.ON)
    if verbosity is Verbosity.OFF:
        return None
    at_us = max(now_us, window_us or 0, muted_until_us(kind, preferences))
    quiet_us = quiet.ends_us(at_us, zone)
    if severity is Severity.INFO and quiet_us is not None:
        at_us, quiet_us = quiet_us, None
    is_hushed = quiet_us is not None and severity is not Severity.CRITICAL
    return Way(
        held_until_us=at_us if at_us > now_us else None,
        is_silent=is_hushed or verbosity is Verbosity.SILENT,
    )


def muted_until_us(kind: AlertKind, preferences: Preferences) -> int:
    """When the mute of a kind is over. What is critical is muted by its name alone."""
    by_all = 0 if text_of(kind).severity is Severity.CRITICAL else preferences.all_muted_until_us
    return max(by_all, preferences.muted_until_us.get(kind, 0))

"""UTC microseconds to text and back."""

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

SECOND_US = 1_000_000
MINUTE_US = 60 * SECOND_US
HOUR_US = 3_600 * SECOND_US
DAY_US = 24 * HOUR_US
GREENWICH = ZoneInfo("UTC")
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def parse_rfc3339(text: str) -> int:
    """Read ``2026-06-11T06:29:30.164956Z``; fractions past the microsecond are cut.

    Raises:
        ValueError: the text is not a timestamp with a zone.
    """
    if "." in text:
        head, _, tail = text.partition(".")
        digits = tail.rstrip("Zz").partition("+")[0].partition("-")[0]
        zone = tail[len(digits) :]
        text = f"{head}.{digits[:6].ljust(6, '0')}{zone}"
    moment = datetime.fromisoformat(text)
    if moment.tzinfo is None:
        raise ValueError(f"{text!r} names no zone")
    return to_us(moment)


def format_rfc3339(at_us: int) -> str:
    """Write ``2026-06-11T06:29:30.164956Z``."""
    return to_datetime(at_us).strftime("%Y-%m-%dT%H:%M:%S.%fZ")


def format_seconds(at_us: int) -> str:
    """Write ``2026-06-11T06:29:30Z``, the form of the status table."""
    return to_datetime(at_us).strftime("%Y-%m-%dT%H:%M:%SZ")


def seconds(duration_us: int) -> float:
    """A duration as the event loop wants it."""
    return duration_us / SECOND_US


def hour_key(at_us: int) -> str:
    """The start of the hour that holds ``at_us``, as ``YYYY-MM-DDTHH:00:00Z``."""
    return format_seconds(at_us - at_us % HOUR_US)


def to_datetime(at_us: int) -> datetime:
    """An aware UTC datetime."""
    return _EPOCH + timedelta(microseconds=at_us)


def to_us(moment: datetime) -> int:
    """Microseconds UTC of an aware moment, exactly."""
    return (moment - _EPOCH) // timedelta(microseconds=1)

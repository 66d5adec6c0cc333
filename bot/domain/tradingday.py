"""The trading day: the calendar day of New York, where the exchange lives."""

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

from bot.kit.times import to_datetime

NEW_YORK = "America/New_York"
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def trading_day(at_us: int, zone: str = NEW_YORK) -> str:
    """The day that holds this moment, ``YYYY-MM-DD``. Days of 23 and 25 hours included."""
    return to_datetime(at_us).astimezone(ZoneInfo(zone)).date().isoformat()


def day_start_us(day: str, zone: str = NEW_YORK) -> int:
    """The day's first moment.

    Raises:
        ValueError: not a date.
    """
    midnight = datetime.fromisoformat(day).replace(tzinfo=ZoneInfo(zone))
    return (midnight - _EPOCH) // timedelta(microseconds=1)

"""Text as chats take it: escaped, small amounts of bold, cut to a message's length.

A tag never crosses a line, so a text may be cut between any two lines. Pure.
"""

import html
import re
from zoneinfo import ZoneInfo

from bot.kit.times import DAY_US, GREENWICH, HOUR_US, MINUTE_US, SECOND_US, to_datetime

MESSAGE_LENGTH_MAX = 4096
"""Telegram's limit, in UTF-16 code units."""
CAPTION_LENGTH_MAX = 1024

_TAG = re.compile(r"</?(?:b|i|u|s|code|pre)>")


def clean(text: str) -> str:
    """What can be stored and shown anywhere: control characters but line breaks are dropped."""
    return "".join(c for c in text if c == "\n" or c.isprintable())


def escape(text: str) -> str:
    """Make any text safe to show."""
    return html.escape(clean(text), quote=False)


def bold(text: str) -> str:
    """Escaped and bold."""
    return f"<b>{escape(text)}</b>"


def code(text: str) -> str:
    """Escaped, in the fixed-width font, copied by a tap."""
    return f"<code>{escape(text)}</code>"


def plain(markup: str) -> str:
    """The same text without markup, for terminals and for a chat that refuses the markup."""
    return html.unescape(_TAG.sub("", markup))


def length(text: str) -> int:
    """Length as Telegram counts it; counting the tags too errs on the safe side."""
    return len(text) if text.isascii() else len(text.encode("utf-16-le", "surrogatepass")) // 2


def split(text: str, limit: int = MESSAGE_LENGTH_MAX) -> tuple[str, ...]:
    """Cut into messages at line borders; a line that is too long loses its tags and is cut."""
    parts: list[str] = []
    current = ""
    for line in text.split("\n"):
        for piece in _pieces(line, limit):
            joined = f"{current}\n{piece}" if current else piece
            if length(joined) <= limit:
                current = joined
                continue
            parts.append(current)
            current = piece
    parts.append(current)
    return tuple(part for part in parts if part.strip())


def _pieces(line: str, limit: int) -> list[str]:
    if length(line) <= limit:
        return [line]
    pieces: list[str] = []
    current, used = "", 0
    for character in plain(line):
        shown = html.escape(character, quote=False)
        size = length(shown)
        if used + size > limit:
            pieces.append(current)
            current, used = "", 0
        current += shown
        used += size
    return [*pieces, current]


def moment(at_us: int, zone: ZoneInfo = GREENWICH) -> str:
    """``21 Nov 07:15:09 UTC``: on the clock of the reader, whose zone is always named."""
    return f"{to_datetime(at_us).astimezone(zone):%d %b %H:%M:%S} {zone_name(at_us, zone)}"


def zone_name(at_us: int, zone: ZoneInfo) -> str:
    """``EST``, ``CET``; ``UTC-03`` where the zone has no letters of its own."""
    name = to_datetime(at_us).astimezone(zone).tzname() or zone.key
    return f"UTC{name}" if name.startswith(("+", "-")) else name


def span(duration_us: int) -> str:
    """``45 s``, ``12 min``, ``3 h 20 min``, ``2 d 4 h``."""
    duration = max(0, duration_us)
    if duration < MINUTE_US:
        return f"{duration // SECOND_US} s"
    if duration < HOUR_US:
        return f"{duration // MINUTE_US} min"
    if duration < DAY_US:
        hours, rest = divmod(duration, HOUR_US)
        return f"{hours} h {rest // MINUTE_US} min" if rest >= MINUTE_US else f"{hours} h"
    days, rest = divmod(duration, DAY_US)
    return f"{days} d {rest // HOUR_US} h" if rest >= HOUR_US else f"{days} d"


def ago(at_us: int | None, now_us: int) -> str:
    """``12 s ago``, or ``never``."""
    return "never" if at_us is None else f"{span(now_us - at_us)} ago"

"""Alerts that wait behind each other, joined into as few messages as hold them. Pure.

Every channel does it alike: nothing is left out, each alert keeps its name, and
who speaks is said once. Replies, questions and files go by themselves.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from zoneinfo import ZoneInfo

from bot.domain.operations import Severity
from bot.kit.markup import bold, length
from bot.kit.times import GREENWICH, MINUTE_US, to_datetime
from bot.ports.messages import OutgoingMessage, QueuedMessage

_REPLY = "reply"
_LATE_US = MINUTE_US
_WEIGHTS = {Severity.INFO: 0, Severity.WARNING: 1, Severity.CRITICAL: 2}


@dataclass(frozen=True, slots=True, kw_only=True)
class Letter:
    """Queued messages that leave as one."""

    parts: tuple[QueuedMessage, ...]
    message: OutgoingMessage

    @property
    def ids(self) -> tuple[int, ...]:
        """What is delivered with it."""
        return tuple(part.id for part in self.parts)

    @property
    def attempts(self) -> int:
        """How often it was tried."""
        return self.parts[0].attempts


@dataclass(slots=True)
class _Told:
    """One text, and the alerts that say it one after the other."""

    at: str
    body: str
    names: list[str] = field(default_factory=list)

    def shown(self) -> str:
        first, line_break, rest = self.body.partition("\n")
        names = "".join(f" #{name}" for name in self.names if name)
        times = f" ({len(self.names)} times)" if len(self.names) > 1 else ""
        return f"{self.at}{first}{times}{names}{line_break}{rest}"


def letters(
    queue: Sequence[QueuedMessage], length_max: int, now_us: int, zone: ZoneInfo = GREENWICH
) -> list[Letter]:
    """One recipient's messages in their order, as they leave.

    Args:
        queue: what may leave now.
        length_max: of a message, as ``bot.kit.markup.length`` counts it. A longer single one
            stays as it is.
        now_us: an alert that is a minute old names its time.
        zone: of the reader's clock.
    """
    made: list[Letter] = []
    open_parts: list[QueuedMessage] = []
    for queued in queue:
        joined = [*open_parts, queued]
        if open_parts and _fit(open_parts[-1].message, queued.message):
            message = _joined(joined, now_us, zone)
            if length(message.text) <= length_max:
                made[-1] = Letter(parts=tuple(joined), message=message)
                open_parts = joined
                continue
        open_parts = [queued]
        made.append(Letter(parts=(queued,), message=_single(queued, now_us, zone)))
    return made


def _fit(one: OutgoingMessage, other: OutgoingMessage) -> bool:
    """Whether both may stand in one letter. A breaker does not hide among notices."""
    is_alike = (one.footer, one.is_urgent) == (other.footer, other.is_urgent)
    return is_alike and not any(
        each.kind == _REPLY or each.buttons or each.attachment or each.edits is not None
        for each in (one, other)
    )


def _single(queued: QueuedMessage, now_us: int, zone: ZoneInfo) -> OutgoingMessage:
    at = _time(queued, now_us, zone)
    return replace(queued.message, text=at + queued.message.text) if at else queued.message


def _joined(parts: Sequence[QueuedMessage], now_us: int, zone: ZoneInfo) -> OutgoingMessage:
    told: list[_Told] = []
    for part in parts:
        body = _body(part.message)
        if not told or told[-1].body != body:
            told.append(_Told(at=_time(part, now_us, zone), body=body))
        told[-1].names.append(part.message.alert)
    first = parts[0].message
    footer = (first.footer,) if first.footer else ()
    texts = (bold(f"{len(parts)} alerts"), *(one.shown() for one in told), *footer)
    kinds = {part.message.kind for part in parts}
    return replace(
        first,
        text="\n\n".join(texts),
        kind=first.kind if len(kinds) == 1 else "alerts",
        severity=max((part.message.severity for part in parts), key=_WEIGHTS.__getitem__),
        is_silent=all(part.message.is_silent for part in parts),
        alert="",
    )


def _body(message: OutgoingMessage) -> str:
    """The text without the line that says who speaks."""
    return message.text.removesuffix(f" | #{message.alert}").removesuffix(f"\n{message.footer}")


def _time(queued: QueuedMessage, now_us: int, zone: ZoneInfo) -> str:
    """When it happened, for an alert that comes late."""
    if not queued.message.alert or now_us - queued.created_us < _LATE_US:
        return ""
    at, now = (to_datetime(us).astimezone(zone) for us in (queued.created_us, now_us))
    return f"{at:%H:%M} " if at.date() == now.date() else f"{at:%d %b %H:%M} "

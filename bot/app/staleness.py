"""Is the periodic work fresh? One judgement for ``/healthz``, ``healthcheck`` and the watch."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from bot.app.settings import BotSettings
from bot.kit.times import SECOND_US, parse_rfc3339

COLLECT, DISCOVERY, BACKFILL = "collect", "discovery", "backfill"
_STALE_MIN_S = 600.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """Work that comes round: what its completion is called, and how old the newest may be."""

    name: str
    what: str
    limit_us: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Marks:
    """When each part was complete last; a part that never was is missing.

    ``led_until_us`` is when the last lease ended, where nobody leads.
    """

    leader: str | None
    done_us: Mapping[str, int]
    led_until_us: int | None = None


def parts_of(settings: BotSettings) -> tuple[Part, ...]:
    """What comes round with these settings. A period of 0 leaves its job out."""
    web, history = settings.web, settings.history
    found = [_part(COLLECT, "cycle", web.stale_after_s)]
    for name, period_s, chosen in (
        (DISCOVERY, history.discovery_s, web.discovery_stale_s),
        (BACKFILL, history.backfill_s, web.backfill_stale_s),
    ):
        if period_s:
            found.append(_part(name, "pass", chosen or max(2.0 * period_s, _STALE_MIN_S)))
    return tuple(found)


def done_of(status: Mapping[str, str], marks_us: Mapping[str, int]) -> dict[str, int]:
    """When each part was complete last, from the status rows and the marks of the past."""
    success = status.get("last_success_at_utc")
    done_us = {name: marks_us[name] for name in (DISCOVERY, BACKFILL) if name in marks_us}
    return done_us if success is None else done_us | {COLLECT: parse_rfc3339(success)}


def judge_staleness(
    parts: Sequence[Part], marks: Marks, now_us: int
) -> tuple[bool, dict[str, object]]:
    """Each check as ``ok``, ``stale`` or ``missing``, and whether all are ``ok``."""
    checks: dict[str, object] = {"leader": _leader(marks, now_us)}
    for part in parts:
        checks[part.name] = _told(part, marks.done_us.get(part.name), now_us)
    return not faults_of(checks), checks


def faults_of(checks: Mapping[str, object]) -> str:
    """What is not ``ok``, in one line; empty when all is."""
    wrong = [(name, str(told)) for name, told in checks.items()]
    return "; ".join(f"{name} {told}" for name, told in wrong if not told.startswith("ok"))


def _leader(marks: Marks, now_us: int) -> str:
    if marks.leader is not None:
        return f"ok: {marks.leader}"
    if marks.led_until_us is None:
        return "missing: nobody leads"
    return f"missing: nobody leads, for {max(0, now_us - marks.led_until_us) // SECOND_US} s"


def _told(part: Part, done_us: int | None, now_us: int) -> str:
    if done_us is None:
        return f"missing: no complete {part.what} yet"
    age_s, limit_s = (now_us - done_us) // SECOND_US, part.limit_us // SECOND_US
    word = "ok" if age_s <= limit_s else "stale"
    return f"{word}: last complete {part.what} {age_s} s ago, limit {limit_s} s"


def _part(name: str, what: str, limit_s: float) -> Part:
    return Part(name=name, what=what, limit_us=round(limit_s * SECOND_US))

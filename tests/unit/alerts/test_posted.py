"""Every event of the alert catalogue (requirements, section 2.5) is told by code that exists."""

import ast
from functools import cache
from pathlib import Path

import pytest

from bot.alerts.catalogue import text_of
from bot.domain.alerts import AlertKind

BOT = Path(__file__).parents[3] / "bot"
KIND = AlertKind
REQUIRED: dict[str, tuple[AlertKind, ...]] = {
    "breaker tripped (never rate-limited)": (KIND.BREAKER_TRIPPED,),
    "breaker reset / auto-reset": (KIND.BREAKER_RESET,),
    "halt set / cleared": (KIND.HALT_SET, KIND.HALT_CLEARED),
    "position opened": (KIND.POSITION_OPENED,),
    "position closed": (KIND.POSITION_CLOSED,),
    "daily summary": (KIND.DAILY_SUMMARY,),
    "critical error": (KIND.CRITICAL_ERROR,),
    "collect cycle failed / recovered": (KIND.COLLECT_FAILED, KIND.COLLECT_RECOVERED),
    "gap found": (KIND.GAP_FOUND,),
    "stale signal (ws, rag, discovery, backfill, worker)": (KIND.STALE, KIND.WEBSOCKET_DOWN),
    "API error rate above 5 %": (KIND.API_ERROR_RATE,),
    "WebSocket down / up": (KIND.WEBSOCKET_DOWN, KIND.WEBSOCKET_UP),
    "leader started / deposed / standby exit": (
        KIND.LEADER_STARTED,
        KIND.LEADER_DEPOSED,
        KIND.LEADER_STANDBY,
    ),
    "backup done / failed": (KIND.BACKUP_DONE, KIND.BACKUP_FAILED),
    "restore done": (KIND.RESTORE_DONE,),
    "cost limit hit": (KIND.COST_LIMIT_HIT,),
    "live trading enabled": (KIND.LIVE_TRADING_ENABLED,),
}
NOT_YET = {KIND.COST_LIMIT_HIT: "nothing is bought from a language model yet (mode analyze)"}
_DEFINED_IN = (
    "domain/alerts.py",
    "alerts/catalogue.py",
    "alerts/streams.py",
    "engine/effects.py",
)
"""Where kinds are named and sorted, not told."""


@cache
def told_by() -> dict[str, list[str]]:
    """The files that name a kind in order to tell it, by the kind's name."""
    found: dict[str, list[str]] = {}
    for path in sorted(BOT.rglob("*.py")):
        name = path.relative_to(BOT).as_posix()
        if name in _DEFINED_IN:
            continue
        text = path.read_text(encoding="utf-8")
        if "Kind." not in text:
            continue
        for node in ast.walk(ast.parse(text)):
            match node:
                case ast.Attribute(value=ast.Name(id="AlertKind" | "NoticeKind"), attr=kind):
                    found.setdefault(kind, []).append(name)
    return found


@pytest.mark.parametrize("event", REQUIRED)
def test_an_event_of_the_catalogue_has_a_text_and_is_told(event: str) -> None:
    told = told_by()
    for kind in REQUIRED[event]:
        assert text_of(kind).title
        assert kind.name in told or kind in NOT_YET, f"{kind} is never told"


def test_there_is_no_kind_that_nobody_tells_and_none_is_excused_without_need() -> None:
    assert {kind for kind in AlertKind if kind.name not in told_by()} == set(NOT_YET)


def test_what_repeats_is_limited_and_what_cannot_wait_is_not() -> None:
    for event in ("breaker tripped (never rate-limited)", "halt set / cleared"):
        assert all(not text_of(kind).is_limited for kind in REQUIRED[event])
    for kind in (KIND.COLLECT_FAILED, KIND.STALE, KIND.API_ERROR_RATE, KIND.WEBSOCKET_DOWN):
        assert text_of(kind).is_limited

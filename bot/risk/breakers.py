"""Circuit breakers: a table of conditions, and one small state machine for all of them.

A tripped breaker closes entries and nothing else: positions stay, protective
exits keep working. State is a value that is stored at every change, so neither a
restart nor a fail-over re-arms anything. ``/halt`` is not a breaker; nothing here
clears it.
"""

import json
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from enum import StrEnum

from bot.domain.errors import InvariantBroken
from bot.domain.records import BreakerRecord
from bot.kit.times import HOUR_US
from bot.kit.values import from_plain, to_plain
from bot.risk import conditions
from bot.risk.conditions import Judge, Reading
from bot.risk.limits import BASIS
from bot.risk.readings import BreakerLimits, Readings


class Rearm(StrEnum):
    """What ends a trip without a person, in the words shown to one."""

    NEW_DAY = "on the new trading day, once the condition is gone"
    NEW_DAY_FLAT = "on the new trading day when flat, or when a person resets it"
    ITSELF = "after 30 s without the condition, at most three times an hour"
    PERSON = "only when a person resets it"


class Grant(StrEnum):
    """What a forced reset allows, in the words shown before it is confirmed."""

    MORE_LOSS = "another 1 % beyond the present loss, today"
    PAUSE = "5 minutes without this breaker"


@dataclass(frozen=True, slots=True, kw_only=True)
class BreakerState:
    """What one breaker remembers."""

    name: str
    is_tripped: bool = False
    reason: str = ""
    changed_us: int = 0
    tripped_day: str = ""
    met_since_us: int | None = None
    good_since_us: int | None = None
    allowance_bp: int = 0
    allowance_day: str = ""
    muted_until_us: int = 0
    counted_from_us: int = 0
    """What it counts (losses, rejections ...) counts from here."""
    marks: tuple[int, ...] = ()
    """Moments it counts itself: its own clearings, or take-overs."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Breaker:
    """One row of the table."""

    name: str
    condition: str
    judge: Judge
    rearm: Rearm
    grant: Grant = Grant.PAUSE
    is_history: bool = False
    """Whether it looks at a count that a reset starts anew, so nothing can still hold."""
    confirm_us: Callable[[BreakerLimits], int] = lambda _: 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """A breaker tripped or came back."""

    state: BreakerState
    by: str


def _confirm(limits: BreakerLimits) -> int:
    return limits.confirm_us


BREAKERS: tuple[Breaker, ...] = (
    Breaker(
        name="daily_loss",
        condition="equity at liquidation 5 % or more below the day's baseline",
        judge=conditions.daily_loss,
        rearm=Rearm.NEW_DAY_FLAT,
        grant=Grant.MORE_LOSS,
        confirm_us=_confirm,
    ),
    Breaker(
        name="consecutive_losses",
        condition="5 closed positions in a row lost money after fees",
        judge=conditions.consecutive_losses,
        rearm=Rearm.NEW_DAY,
        is_history=True,
    ),
    Breaker(
        name="api_error_rate",
        condition="10 % or more of at least 20 calls failed within 5 minutes",
        judge=conditions.api_error_rate,
        rearm=Rearm.NEW_DAY,
    ),
    Breaker(
        name="websocket_silence",
        condition="no frame of any kind for 15 s while the exchange is open",
        judge=conditions.websocket_silence,
        rearm=Rearm.ITSELF,
    ),
    Breaker(
        name="unknown_orders",
        condition="too many orders whose outcome is unknown",
        judge=conditions.unknown_orders,
        rearm=Rearm.NEW_DAY,
    ),
    Breaker(
        name="single_position_loss",
        condition="one open position has lost too large a share of equity",
        judge=conditions.single_position_loss,
        rearm=Rearm.NEW_DAY,
        grant=Grant.MORE_LOSS,
        confirm_us=_confirm,
    ),
    Breaker(
        name="drawdown",
        condition="equity too far below its highest value",
        judge=conditions.drawdown,
        rearm=Rearm.PERSON,
        grant=Grant.MORE_LOSS,
        confirm_us=_confirm,
    ),
    Breaker(
        name="clock_skew",
        condition="our clock and the exchange's differ by 2 s or more",
        judge=conditions.clock_skew,
        rearm=Rearm.ITSELF,
    ),
    Breaker(
        name="stale_books",
        condition="half of the watched books have not been trusted for a minute",
        judge=conditions.stale_books,
        rearm=Rearm.ITSELF,
        confirm_us=lambda limits: limits.stale_books_us,
    ),
    Breaker(
        name="rejected_orders",
        condition="the exchange refused 5 orders in a row",
        judge=conditions.rejected_orders,
        rearm=Rearm.NEW_DAY,
        is_history=True,
    ),
    Breaker(
        name="order_group",
        condition="an order group tripped on its own contracts limit",
        judge=conditions.order_group,
        rearm=Rearm.PERSON,
        is_history=True,
    ),
    Breaker(
        name="flapping",
        condition="the lead was lost uncleanly too often within an hour",
        judge=conditions.flapping,
        rearm=Rearm.PERSON,
        is_history=True,
    ),
)
_BY_NAME: Mapping[str, Breaker] = {breaker.name: breaker for breaker in BREAKERS}
"""The order is the order in which reasons are shown."""


def breaker_named(name: str) -> Breaker | None:
    """The row of the table, if there is one."""
    return _BY_NAME.get(name)


def evaluate(
    states: Iterable[BreakerState], readings: Readings, limits: BreakerLimits, now_us: int
) -> tuple[tuple[BreakerState, ...], tuple[Change, ...]]:
    """Judge every breaker at this moment. Changes are in the table's order."""
    after: list[BreakerState] = []
    changes: list[Change] = []
    for before in states:
        breaker = _BY_NAME[before.name]
        state = _advanced(before, breaker, readings, limits, now_us)
        after.append(state)
        if state.is_tripped != before.is_tripped:
            changes.append(Change(state=state, by=breaker.name if state.is_tripped else "itself"))
    return tuple(after), tuple(changes)


def judged(state: BreakerState, readings: Readings, limits: BreakerLimits) -> Reading:
    """What a breaker sees now."""
    allowance = state.allowance_bp if state.allowance_day == readings.trading_day else 0
    return _BY_NAME[state.name].judge(readings, limits, allowance)


def refusal(state: BreakerState, readings: Readings, limits: BreakerLimits) -> str:
    """Why an ordinary reset would be refused now; empty when it would not."""
    if not state.is_tripped:
        return f"{state.name} is not tripped"
    if _BY_NAME[state.name].is_history:
        return ""
    reading = judged(state, readings, limits)
    if not reading.is_known:
        return "what it measures is not known now"
    return f"still {reading.value}, the limit is {reading.limit}" if reading.is_met else ""


def reset(
    state: BreakerState, readings: Readings, limits: BreakerLimits, now_us: int, *, is_forced: bool
) -> BreakerState:
    """The breaker after a person reset it. The caller has asked ``refusal`` unless forced.

    A count starts anew. A forced reset against a condition that holds grants
    what the table says, and stores it.
    """
    still = judged(state, readings, limits).is_met and not _BY_NAME[state.name].is_history
    state = replace(_cleared(state, now_us), counted_from_us=now_us, marks=())
    if not is_forced or not still:
        return state
    if _BY_NAME[state.name].grant is Grant.PAUSE:
        return replace(state, muted_until_us=now_us + limits.forced_pause_us)
    return replace(
        state,
        allowance_bp=_allowance(state, readings, limits),
        allowance_day=readings.trading_day,
    )


def marked(state: BreakerState, now_us: int, window_us: int) -> BreakerState:
    """Remember a moment it counts."""
    recent = tuple(mark for mark in state.marks if now_us - mark < window_us)
    return replace(state, marks=(*recent, now_us))


def fresh(name: str) -> BreakerState:
    """A breaker that has never tripped."""
    return BreakerState(name=name)


def to_record(state: BreakerState) -> BreakerRecord:
    """What is stored."""
    return BreakerRecord(
        name=state.name,
        tripped=state.is_tripped,
        reason=state.reason,
        data_json=json.dumps(to_plain(state), separators=(",", ":")),
        changed_us=state.changed_us,
    )


def from_records(records: Iterable[BreakerRecord]) -> tuple[BreakerState, ...]:
    """Every breaker of the table, as stored or fresh. Rows of unknown breakers are left alone.

    The columns win over the JSON: a person may have set ``tripped`` by SQL.

    Raises:
        InvariantBroken: a row cannot be read; guessing might re-arm it.
    """
    stored = {record.name: record for record in records}
    return tuple(
        _restored(stored[breaker.name]) if breaker.name in stored else fresh(breaker.name)
        for breaker in BREAKERS
    )


def _restored(record: BreakerRecord) -> BreakerState:
    try:
        data = json.loads(record.data_json) if record.data_json not in ("", "{}") else None
        state = from_plain(BreakerState, data) if data is not None else fresh(record.name)
    except ValueError as fault:
        raise InvariantBroken(f"breaker {record.name} cannot be read: {fault}") from fault
    return replace(
        state, is_tripped=record.tripped, reason=record.reason, changed_us=record.changed_us
    )


def _advanced(
    state: BreakerState,
    breaker: Breaker,
    readings: Readings,
    limits: BreakerLimits,
    now_us: int,
) -> BreakerState:
    reading = judged(state, readings, limits)
    if not reading.is_known:
        return state
    is_met = reading.is_met and now_us >= state.muted_until_us
    state = replace(
        state,
        met_since_us=(_first(state.met_since_us, now_us) if is_met else None),
        good_since_us=(None if is_met else _first(state.good_since_us, now_us)),
    )
    if state.is_tripped:
        return _rearmed(state, breaker, readings, limits, now_us)
    since_us = state.met_since_us
    if since_us is None:
        return state
    if not reading.is_certain and now_us - since_us < breaker.confirm_us(limits):
        return state
    return replace(
        state,
        is_tripped=True,
        reason=f"{reading.value}, limit {reading.limit}",
        changed_us=now_us,
        tripped_day=readings.trading_day,
    )


def _rearmed(
    state: BreakerState,
    breaker: Breaker,
    readings: Readings,
    limits: BreakerLimits,
    now_us: int,
) -> BreakerState:
    """The state after what may end a trip by itself."""
    is_new_day = bool(state.tripped_day) and readings.trading_day > state.tripped_day
    is_good = state.good_since_us is not None
    if is_new_day and _may_rearm(breaker, readings, is_good=is_good):
        return replace(_cleared(state, now_us), counted_from_us=now_us)
    since_us = state.good_since_us
    if breaker.rearm is not Rearm.ITSELF or since_us is None:
        return state
    recent = tuple(mark for mark in state.marks if now_us - mark < HOUR_US)
    is_long = now_us - since_us >= limits.recovery_us
    if not is_long or len(recent) >= limits.self_clears_per_hour:
        return state
    return replace(_cleared(state, now_us), marks=(*recent, now_us))


def _may_rearm(breaker: Breaker, readings: Readings, *, is_good: bool) -> bool:
    if breaker.rearm is Rearm.PERSON:
        return False
    if breaker.rearm is Rearm.NEW_DAY_FLAT:
        return is_good and readings.is_flat
    return is_good or breaker.is_history


def _cleared(state: BreakerState, now_us: int) -> BreakerState:
    return replace(
        state,
        is_tripped=False,
        reason="",
        changed_us=now_us,
        tripped_day="",
        met_since_us=None,
        good_since_us=None,
    )


def _allowance(state: BreakerState, readings: Readings, limits: BreakerLimits) -> int:
    """The smallest allowance that lies ``forced_allowance_bp`` beyond the present loss."""
    step = limits.forced_allowance_bp
    breaker = _BY_NAME[state.name]
    allowance = step
    while breaker.judge(readings, limits, allowance - step).is_met and allowance < BASIS:
        allowance += 1
    return allowance


def _first(since_us: int | None, now_us: int) -> int:
    return now_us if since_us is None else since_us

"""What an operator would keep an eye on, judged from facts; each with a way in and a way out. Pure.

A watch that has begun ends only where its figure has clearly left the limit, so that one
that stands at the limit does not tell of it every minute. Unknown facts change nothing.
"""

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from enum import IntEnum

from bot.domain.alerts import AlertKind
from bot.domain.errors import InvariantBroken
from bot.domain.money import Money, format_dollars
from bot.kit.times import DAY_US, HOUR_US, MINUTE_US, SECOND_US

MILLION = 1_000_000
_CALLS_MIN = 20


class Level(IntEnum):
    """How a watch stands."""

    CALM = 0
    BEGUN = 1
    FULL = 2
    """At the limit itself, where there is one before which it begins."""


@dataclass(frozen=True, slots=True, kw_only=True)
class WatchRules:
    """Where watches begin and end."""

    win_rate_trades_min: int = 20
    win_rate_target_e6: int = 600_000
    """Only shown: without the break-even rate beside it a win rate says nothing."""
    positions_bp: int = 8_000
    loss_bp: int = 5_000
    """Share of the daily limit."""
    expiry_us: int = 7 * DAY_US
    pause_ahead_us: int = 30 * MINUTE_US

    def __post_init__(self) -> None:
        if self.win_rate_trades_min < 1 or self.expiry_us <= 0 or self.pause_ahead_us < 0:
            raise ValueError("win_rate_trades_min, expiry_us > 0 and pause_ahead_us >= 0 must hold")


@dataclass(frozen=True, slots=True, kw_only=True)
class Purse:
    """Money where an entry would need it. ``shard`` ``None``: the account as a whole."""

    shard: int | None
    cash: Money
    need: Money
    """What the next entry may cost at most."""


@dataclass(frozen=True, slots=True, kw_only=True)
class WatchFacts:
    """Everything that is watched; ``None`` or empty: not known now."""

    now_us: int
    won: int | None = None
    lost: int = 0
    break_even_e6: int | None = None
    calls: int | None = None
    failed: int = 0
    positions: int | None = None
    positions_max: int = 0
    result_today: Money | None = None
    loss_limit: Money | None = None
    is_connected: bool | None = None
    key_expires_us: int | None = None
    attested_until_us: int | None = None
    purses: tuple[Purse, ...] = ()
    silent_us: int | None = None
    """Since the last complete cycle of the collection."""
    silent_max_us: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """How one watch stands, in words."""

    name: str
    level: Level
    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """A watch begins, reaches its limit, or ends."""

    name: str
    kind: AlertKind
    text: str

    @property
    def is_end(self) -> bool:
        """Whether all is well again."""
        return self.kind is AlertKind.WATCH_ENDED


@dataclass(frozen=True, slots=True, kw_only=True)
class WatchState:
    """What has to be remembered: the level that was told of each watch, and pauses told."""

    told: Mapping[str, int]
    pauses_us: tuple[int, ...] = ()
    """When the pauses begin that were announced."""

    def to_json(self) -> str:
        """As it is stored."""
        return json.dumps({"told": dict(self.told), "pauses_us": list(self.pauses_us)})


FRESH = WatchState(told={})
_Judge = Callable[[WatchFacts, WatchRules, bool], tuple[Level, str] | None]


def from_json(text: str) -> WatchState:
    """Read a state back.

    Raises:
        InvariantBroken: it cannot be read.
    """
    try:
        data = json.loads(text)
        told = {str(name): int(level) for name, level in data["told"].items()}
        return WatchState(told=told, pauses_us=tuple(int(one) for one in data["pauses_us"]))
    except (ValueError, KeyError, TypeError, AttributeError) as fault:
        raise InvariantBroken(f"stored watches cannot be read: {fault}") from fault


def look(
    facts: WatchFacts, rules: WatchRules, state: WatchState
) -> tuple[WatchState, tuple[Finding, ...], tuple[Change, ...]]:
    """Judge everything that is known; what changed is told once."""
    told = dict(state.told)
    findings: list[Finding] = []
    changes: list[Change] = []
    for name, kind, judge in _WATCHES:
        before = told.get(name, Level.CALM)
        found = judge(facts, rules, before > Level.CALM)
        if found is None:
            continue
        level, text = found
        findings.append(Finding(name=name, level=level, text=text))
        if level > before and kind is not None:
            changes.append(Change(name=name, kind=kind, text=text))
        elif level is Level.CALM and before > Level.CALM and kind is not None:
            changes.append(Change(name=name, kind=AlertKind.WATCH_ENDED, text=text))
        # The limit is told once until all is well: going down from it to near it is no news.
        told[name] = level if level is Level.CALM else max(level, before)
    return replace(state, told=told), tuple(findings), tuple(changes)


@dataclass(frozen=True, slots=True, kw_only=True)
class Pause:
    """When the exchange plans not to trade."""

    start_us: int
    end_us: int
    why: str


def announce(
    pauses: Sequence[Pause], rules: WatchRules, state: WatchState, now_us: int
) -> tuple[WatchState, tuple[Pause, ...]]:
    """The pauses to tell now: each once, a while before it begins."""
    due = tuple(
        one
        for one in pauses
        if now_us < one.start_us <= now_us + rules.pause_ahead_us
        and one.start_us not in state.pauses_us
    )
    kept = tuple(one for one in state.pauses_us if one > now_us - DAY_US)
    return replace(state, pauses_us=(*kept, *(one.start_us for one in due))), due


def _win_rate(facts: WatchFacts, rules: WatchRules, was: bool) -> tuple[Level, str] | None:
    """Begins below break-even, ends a percentage point above it."""
    even = facts.break_even_e6
    if facts.won is None or even is None or not (judged := facts.won + facts.lost):
        return None
    rate = facts.won * MILLION // judged
    text = (
        f"{facts.won} of the last {judged} won ({_percent(rate)}), break-even "
        f"{_percent(even)}, target {_percent(rules.win_rate_target_e6)}"
    )
    if judged < rules.win_rate_trades_min:
        few = f"{text}; too few to judge, {rules.win_rate_trades_min} are needed"
        return (Level.BEGUN if was else Level.CALM), few
    is_low = rate < even + (MILLION // 100 if was else 0)
    return (Level.BEGUN if is_low else Level.CALM), text


def _api_errors(facts: WatchFacts, _: WatchRules, was: bool) -> tuple[Level, str] | None:
    """Begins at 5 % of at least 20 calls, half of what trips the breaker; ends below 4 %."""
    if facts.calls is None:
        return None
    text = f"{facts.failed} of {facts.calls} calls failed in 5 minutes"
    if was:
        # With few calls a single failure is a large share: quiet is not well, unless none fails.
        is_high = facts.failed * 25 >= facts.calls and facts.failed > 0
    else:
        is_high = facts.calls >= _CALLS_MIN and facts.failed * 20 >= facts.calls
    return (Level.BEGUN if is_high else Level.CALM), text


def _positions(facts: WatchFacts, rules: WatchRules, was: bool) -> tuple[Level, str] | None:
    """Begins at 80 % of the limit, ends below 70 %."""
    if facts.positions is None or not facts.positions_max:
        return None
    share_bp = facts.positions * 10_000 // facts.positions_max
    text = f"{facts.positions} of at most {facts.positions_max} are open or being opened"
    if facts.positions >= facts.positions_max:
        return Level.FULL, f"{text}: no new entry until one is closed"
    begins_bp = rules.positions_bp - (1_000 if was else 0)
    return (Level.BEGUN if share_bp >= begins_bp else Level.CALM), text


def _daily_loss(facts: WatchFacts, rules: WatchRules, was: bool) -> tuple[Level, str] | None:
    """Begins at half of the limit, ends below two fifths of it."""
    if facts.result_today is None or not facts.loss_limit or facts.loss_limit < 0:
        return None
    lost = max(0, -facts.result_today)
    share_bp = lost * 10_000 // facts.loss_limit
    result, limit = format_dollars(facts.result_today), format_dollars(facts.loss_limit)
    text = f"{result} today; at -{limit} entries stop"
    begins_bp = rules.loss_bp - (1_000 if was else 0)
    return (Level.BEGUN if share_bp >= begins_bp else Level.CALM), text


def _connection(facts: WatchFacts, _rules: WatchRules, _was: bool) -> tuple[Level, str] | None:
    """Told by the stream itself, at once; here it is only shown."""
    if facts.is_connected is None:
        return None
    if facts.is_connected:
        return Level.CALM, "connected"
    return Level.BEGUN, "not connected: stops are frozen"


def _key(facts: WatchFacts, rules: WatchRules, was: bool) -> tuple[Level, str] | None:
    return _expiry(facts.key_expires_us, facts.now_us, rules, is_on=was)


def _attestation(facts: WatchFacts, rules: WatchRules, was: bool) -> tuple[Level, str] | None:
    return _expiry(facts.attested_until_us, facts.now_us, rules, is_on=was)


def _expiry(
    until_us: int | None, now_us: int, rules: WatchRules, *, is_on: bool
) -> tuple[Level, str] | None:
    """Begins days ahead; ends when the date was moved. Told again when it is over."""
    if until_us is None:
        return None
    left_us = until_us - now_us
    if left_us <= 0:
        return Level.FULL, "expired"
    days, hours = left_us // DAY_US, left_us % DAY_US // HOUR_US
    text = f"expires in {days} days" if days else f"expires in {hours} hours"
    slack_us = HOUR_US if is_on else 0
    return (Level.BEGUN if left_us <= rules.expiry_us + slack_us else Level.CALM), text


def _balance(facts: WatchFacts, _: WatchRules, was: bool) -> tuple[Level, str] | None:
    """Begins where the next entry could not be paid, ends with a tenth more than that."""
    if not facts.purses:
        return None
    low = [one for one in facts.purses if one.cash < (one.need * 11 // 10 if was else one.need)]
    if not low:
        return Level.CALM, "enough for the next entry everywhere"
    return Level.BEGUN, "; ".join(_purse(one) for one in low)


def _collection(facts: WatchFacts, _: WatchRules, _was: bool) -> tuple[Level, str] | None:
    """A cycle that is complete again ends it: it cannot flap faster than cycles come."""
    if facts.silent_us is None:
        return None
    text = f"last complete cycle {facts.silent_us // SECOND_US} s ago"
    return (Level.BEGUN if facts.silent_us > facts.silent_max_us else Level.CALM), text


def _purse(purse: Purse) -> str:
    where = "in all" if purse.shard is None else f"on shard {purse.shard}"
    return (
        f"{format_dollars(purse.cash)} free {where}, the next entry may need "
        f"{format_dollars(purse.need)}"
    )


def _percent(rate_e6: int) -> str:
    return f"{rate_e6 / 10_000:.1f} %"


_WATCHES: tuple[tuple[str, AlertKind | None, _Judge], ...] = (
    ("win rate", AlertKind.WIN_RATE_LOW, _win_rate),
    ("API errors", AlertKind.API_ERROR_RATE, _api_errors),
    ("open positions", AlertKind.POSITIONS_NEAR_LIMIT, _positions),
    ("daily result", AlertKind.DAILY_LOSS_NEAR, _daily_loss),
    ("WebSocket", None, _connection),
    ("API key", AlertKind.KEY_EXPIRES, _key),
    ("location attestation", AlertKind.ATTESTATION_EXPIRES, _attestation),
    ("money", AlertKind.BALANCE_LOW, _balance),
    ("collection", AlertKind.STALE, _collection),
)
NAMES = tuple(name for name, _, _ in _WATCHES)

"""Faults on demand: what goes wrong, with which calls or frames, how often.

A rule matches by method and path prefix, or by channel; it fires ``count``
times (0: for ever) with a seeded probability. Faults concern the wire only;
pauses and group triggers are acts on the exchange and live with the admin calls.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from random import Random
from typing import Any

import msgspec

from bot.kit.clock import Clock
from bot.simulator.subscriptions import FrameFault

_PER_MILLE = 1_000


class CallFault(StrEnum):
    """What may go wrong with one REST call."""

    LATENCY = "latency"
    """Answered late: ``delay_ms`` plus up to ``jitter_ms``."""
    NO_ANSWER = "no_answer"
    """Not processed; the answer never comes, and after ``delay_ms`` the connection breaks."""
    LOST_ANSWER = "lost_answer"
    """Processed; the answer never comes, and after ``delay_ms`` the connection breaks."""
    RESET = "reset"
    """The connection breaks before anything is processed."""
    TOO_MANY = "429"
    SERVER_ERROR = "500"
    UNAVAILABLE = "503"
    CANCEL_RACE = "cancel_race"
    """The order that is to be canceled is filled first."""
    PARTIAL_FILL = "partial_fill"
    """Half of what rests of a new order is filled as soon as it is accepted."""


class ExchangeFault(StrEnum):
    """What may happen to the exchange itself."""

    TRADING_PAUSE = "trading_pause"
    EXCHANGE_PAUSE = "exchange_pause"
    GROUP_TRIGGER = "group_trigger"
    CLOCK_SKEW = "clock_skew"
    """The exchange's idea of the host's time is ``offset_ms`` off, until told otherwise."""


class FaultRule(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One fault as a file or ``/admin/faults`` states it."""

    kind: str
    method: str = ""
    path: str = ""
    """A prefix of the path; empty matches every path but the admin's."""
    channel: str = ""
    """A WebSocket channel; empty matches every one."""
    count: int = 1
    """How often it fires; 0 is for ever."""
    probability: float = 1.0
    after: int = 0
    """How many matching calls or frames pass first."""
    at_ms: int = 0
    """When a script applies it, after the start."""
    delay_ms: int = 0
    jitter_ms: int = 0
    duration_ms: int = 0
    """How long a pause or a silence lasts; 0 is until it is ended by hand."""
    order_group_id: str = ""
    offset_ms: int = 0
    """How far a skewed clock is ahead; below 0 it is behind."""

    def __post_init__(self) -> None:
        known = {*CallFault, *FrameFault, *ExchangeFault}
        if self.kind not in known:
            raise ValueError(f"kind must be one of {', '.join(sorted(known))}")
        if not 0 <= self.probability <= 1:
            raise ValueError("probability must be between 0 and 1")
        numbers = (self.count, self.after, self.at_ms, self.delay_ms, self.jitter_ms)
        if min(*numbers, self.duration_ms) < 0:
            raise ValueError("counts and times must not be negative")


@dataclass(slots=True, eq=False)
class _Armed:
    rule_id: int
    rule: FaultRule
    passed: int = 0
    fired: int = 0


class Faults:
    """The armed rules. The first one that matches and fires decides."""

    def __init__(self, host: Clock, random: Random) -> None:
        self._host = host
        self._random = random
        self._armed: list[_Armed] = []
        self._last_id = 0
        self._has_frame_rules = False

    def arm(self, rule: FaultRule) -> int:
        """Arm a rule for calls or frames and return its number."""
        self._last_id += 1
        self._armed.append(_Armed(self._last_id, rule))
        self._review()
        return self._last_id

    def disarm(self, rule_id: int | None = None) -> None:
        """Disarm one rule, or all."""
        self._armed = [armed for armed in self._armed if rule_id not in {None, armed.rule_id}]
        self._review()

    def listing(self) -> list[dict[str, Any]]:
        """The armed rules and how often each fired."""
        return [
            {"id": armed.rule_id, "fired": armed.fired, "rule": msgspec.to_builtins(armed.rule)}
            for armed in self._armed
        ]

    def on_call(self, method: str, path: str) -> FaultRule | None:
        """What happens to a call."""
        for armed in self._armed:
            rule = armed.rule
            if _matches_call(rule, method, path) and self._fires(armed):
                return rule
        return None

    def on_frame(self, channel: str, kind: str) -> FrameFault | None:
        """What happens to a frame."""
        if not self._has_frame_rules:
            return None
        for armed in self._armed:
            rule = armed.rule
            if _matches_frame(rule, channel, kind) and self._fires(armed):
                return FrameFault(rule.kind)
        return None

    def silence_ms(self) -> int:
        """How long the silence that fired last lasts; 10 s where it does not say."""
        lengths = [
            armed.rule.duration_ms
            for armed in self._armed
            if armed.rule.kind == FrameFault.SILENCE and armed.fired
        ]
        return (lengths[-1] if lengths else 0) or 10_000

    def delay_s(self, rule: FaultRule) -> float:
        """The delay of a rule with its jitter, in seconds."""
        return (rule.delay_ms + self._random.randint(0, rule.jitter_ms)) / _PER_MILLE

    def _fires(self, armed: _Armed) -> bool:
        rule = armed.rule
        if rule.count and armed.fired >= rule.count:
            return False
        armed.passed += 1
        if armed.passed <= rule.after or self._random.random() >= rule.probability:
            return False
        armed.fired += 1
        return True

    def _review(self) -> None:
        self._has_frame_rules = any(armed.rule.kind in _FRAME_KINDS for armed in self._armed)


_CALL_KINDS = frozenset(CallFault)
_FRAME_KINDS = frozenset(FrameFault)


def _matches_call(rule: FaultRule, method: str, path: str) -> bool:
    if rule.kind not in _CALL_KINDS:
        return False
    return rule.method.upper() in {"", method} and path.startswith(rule.path)


def _matches_frame(rule: FaultRule, channel: str, kind: str) -> bool:
    if rule.kind == FrameFault.WRONG_SNAPSHOT and kind != "orderbook_snapshot":
        return False
    return rule.kind in _FRAME_KINDS and rule.channel in {"", channel}


def load_script(path: Path) -> list[FaultRule]:
    """Read a JSON list of rules.

    Raises:
        ValueError: a rule is malformed; the text names the place.
    """
    try:
        return msgspec.json.decode(path.read_bytes(), type=list[FaultRule])
    except msgspec.DecodeError as error:
        raise ValueError(f"{path} is not a list of fault rules: {error}") from error


def in_order(rules: Iterable[FaultRule]) -> list[FaultRule]:
    """Rules by the time a script applies them."""
    return sorted(rules, key=lambda rule: rule.at_ms)

"""One line answers why it is not trading: the first thing that would have to change."""

from dataclasses import replace

from bot.domain.events import Role
from bot.domain.operations import StopKind
from bot.domain.records import HaltRecord
from bot.engine.stance import Stance
from bot.risk.breakers import from_records

HALT = HaltRecord(halted=True, reason="lunch", set_by="ann", changed_us=5)


def running() -> Stance:
    return Stance(
        entries_on=True,
        role=Role.LEADING,
        halt=replace(HALT, halted=False),
        is_reconciled=True,
        breakers=from_records([]),
    )


def kind_of(stance: Stance) -> StopKind | None:
    stop = stance.why_not_trading()
    return stop.kind if stop is not None else None


def test_nothing_stops_a_running_leader() -> None:
    assert running().may_enter
    assert running().may_exit


def test_reasons_come_in_the_order_in_which_they_would_have_to_change() -> None:
    stance = running()
    stance.entries_on = False
    seen = [kind_of(stance)]
    stance.is_trading_active = False
    seen.append(kind_of(stance))
    first, *others = stance.breakers
    stance.breakers = (replace(first, is_tripped=True, reason="-5 %"), *others)
    seen.append(kind_of(stance))
    stance.role = Role.DRAINING
    seen.append(kind_of(stance))
    stance.halt = HALT
    seen.append(kind_of(stance))
    assert seen == [
        StopKind.OFF,
        StopKind.PAUSED,
        StopKind.TRIPPED,
        StopKind.DRAINING,
        StopKind.HALTED,
    ]


def test_a_tripped_breaker_is_named_with_what_ends_it() -> None:
    stance = running()
    first, *others = stance.breakers
    stance.breakers = (replace(first, is_tripped=True, reason="-5 %"), *others)
    stop = stance.why_not_trading()
    assert stop is not None
    assert (stop.name, stop.why) == ("daily_loss", "-5 %")
    assert "/reset_breaker daily_loss" in stop.remedy
    assert stance.may_exit, "protective exits keep working"


def test_a_halt_that_is_not_known_counts_as_one() -> None:
    stance = running()
    stance.halt = None
    assert kind_of(stance) is StopKind.HALTED


def test_a_leader_that_has_not_reconciled_is_still_activating() -> None:
    stance = running()
    stance.is_reconciled = False
    assert kind_of(stance) is StopKind.ACTIVATING
    assert not stance.may_exit

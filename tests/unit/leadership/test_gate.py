"""The gate is open only while a confirmed renewal covers the moment."""

from hypothesis import given
from hypothesis import strategies as st

from bot.domain.ids import Epoch
from bot.leadership.gate import LeaderGate, Moment
from bot.leadership.lease import LeaseTerms
from tests.fakes.clock import ManualClock

TERMS = LeaseTerms()


def leading() -> tuple[LeaderGate, ManualClock]:
    clock = ManualClock()
    gate = LeaderGate(TERMS, clock)
    gate.hold(Epoch(7), Moment.of(clock))
    gate.open()
    return gate, clock


def test_it_is_shut_without_a_lease_and_cannot_be_opened() -> None:
    gate = LeaderGate(TERMS, ManualClock())
    gate.open()
    assert not gate.may_trade()
    assert not gate.is_held()
    assert gate.epoch is None


def test_it_opens_only_after_activation() -> None:
    clock = ManualClock()
    gate = LeaderGate(TERMS, clock)
    gate.hold(Epoch(7), Moment.of(clock))
    assert gate.is_held()
    assert not gate.may_trade()
    gate.open()
    assert gate.may_trade()


def test_it_shuts_by_itself_at_the_deadline() -> None:
    gate, clock = leading()
    clock.advance(TERMS.gate_us - 1)
    assert gate.may_trade()
    clock.advance(1)
    assert not gate.may_trade()


def test_a_renewal_moves_the_deadline_from_its_sending() -> None:
    gate, clock = leading()
    sent = Moment.of(clock)
    clock.advance(2_000_000)
    gate.hold(Epoch(7), sent)
    clock.advance(TERMS.gate_us - 2_000_000)
    assert not gate.may_trade()


def test_a_suspended_machine_wakes_up_with_a_shut_gate() -> None:
    """Suspend stops the monotonic clock; the others tell."""
    gate, clock = leading()
    clock.suspend(TERMS.gate_us)
    assert clock.monotonic_us() == 0
    assert not gate.may_trade()
    assert gate.since_renewal_us() == TERMS.gate_us


def test_a_wall_clock_set_back_hides_no_suspend() -> None:
    gate, clock = leading()
    clock.suspend(TERMS.gate_us)
    clock.step(-3_600_000_000)
    assert not gate.may_trade()


def test_where_only_the_wall_clock_knows_of_a_suspend_it_is_believed() -> None:
    """As on a system without a boot-time clock."""
    gate, clock = leading()
    clock.step(TERMS.gate_us)
    assert not gate.may_trade()


def test_a_wall_clock_set_back_opens_nothing() -> None:
    gate, clock = leading()
    clock.step(-3_600_000_000)
    clock.advance(TERMS.gate_us)
    assert not gate.may_trade()


def test_draining_shuts_the_gate_and_keeps_the_lease() -> None:
    gate, _ = leading()
    gate.shut()
    assert not gate.may_trade()
    assert gate.is_held()
    gate.clear()
    assert gate.epoch is None
    assert gate.since_renewal_us() == 0


@given(
    steps=st.lists(
        st.tuples(st.integers(0, 10**7), st.integers(0, 10**7), st.integers(-(10**8), 10**8))
    )
)
def test_it_is_never_open_longer_than_the_limit_whatever_the_wall_clock_says(
    steps: list[tuple[int, int, int]],
) -> None:
    gate, clock = leading()
    passed_us = 0
    for advance_us, suspend_us, step_us in steps:
        clock.advance(advance_us)
        clock.suspend(suspend_us)
        clock.step(step_us)
        passed_us += advance_us + suspend_us
        if passed_us >= TERMS.gate_us:
            assert not gate.may_trade()

"""The loop breaker opens, rests, and tries once."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.kit.loop_breaker import BreakerState, LoopBreaker

_COOLDOWN_US = 60_000_000


def test_it_opens_at_the_threshold_rests_and_tries_once() -> None:
    breaker = LoopBreaker(threshold=3, cooldown_us=_COOLDOWN_US)
    assert [breaker.failed(at_us) for at_us in (1, 2)] == [False, False]
    assert breaker.state(2) is BreakerState.CLOSED
    assert breaker.failed(3)
    assert breaker.state(3) is BreakerState.OPEN
    assert breaker.rest_us(3) == _COOLDOWN_US
    assert breaker.state(3 + _COOLDOWN_US) is BreakerState.HALF_OPEN
    assert breaker.failed(3 + _COOLDOWN_US), "the one try failed: it rests again"
    assert breaker.state(4 + _COOLDOWN_US) is BreakerState.OPEN
    assert breaker.succeeded()
    assert breaker.state(5 + _COOLDOWN_US) is BreakerState.CLOSED
    assert not breaker.succeeded()
    assert breaker.openings == 2


def test_a_success_in_between_starts_the_count_anew() -> None:
    breaker = LoopBreaker(threshold=2, cooldown_us=_COOLDOWN_US)
    breaker.failed(1)
    breaker.succeeded()
    assert not breaker.failed(2)


@pytest.mark.parametrize(("threshold", "cooldown_us"), [(0, 1), (1, -1)])
def test_nonsense_is_refused(threshold: int, cooldown_us: int) -> None:
    with pytest.raises(ValueError, match="loop breaker"):
        LoopBreaker(threshold=threshold, cooldown_us=cooldown_us)


@given(
    st.integers(1, 6),
    st.integers(1, 100),
    st.lists(st.tuples(st.booleans(), st.integers(0, 50)), max_size=60),
)
def test_whoever_waits_as_told_never_tries_more_than_once_in_a_cooldown_while_open(
    threshold: int, cooldown_us: int, tries: list[tuple[bool, int]]
) -> None:
    breaker = LoopBreaker(threshold=threshold, cooldown_us=cooldown_us)
    now_us, failures_in_a_row, last_opened_us = 0, 0, -1
    for is_success, pause_us in tries:
        now_us += max(pause_us, breaker.rest_us(now_us))
        if last_opened_us >= 0:
            assert now_us - last_opened_us >= cooldown_us
        if is_success:
            failures_in_a_row, last_opened_us = 0, -1
            breaker.succeeded()
            continue
        failures_in_a_row += 1
        if breaker.failed(now_us):
            last_opened_us = now_us
        assert (failures_in_a_row >= threshold) == (last_opened_us == now_us)
        assert breaker.failures == failures_in_a_row

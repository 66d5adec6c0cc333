"""Waits grow exponentially to their cap, with full jitter."""

from itertools import islice
from random import Random

from hypothesis import given
from hypothesis import strategies as st

from bot.kit.backoff import Backoff


@given(
    base_ms=st.integers(1, 5_000),
    factor=st.integers(1, 100),
    seed=st.integers(0, 2**32),
    count=st.integers(1, 20),
)
def test_each_wait_lies_between_nothing_and_its_ceiling(base_ms, factor, seed, count) -> None:
    cap_ms = base_ms * factor
    waits = islice(Backoff.of_ms(base_ms, cap_ms).waits(Random(seed)), count)
    for number, wait_s in enumerate(waits):
        assert 0 <= wait_s <= min(cap_ms, base_ms * 2**number) / 1_000 + 1e-9


def test_waits_of_those_that_failed_together_are_spread_evenly() -> None:
    third = [next(islice(Backoff(1, 60).waits(Random(seed)), 2, 3)) for seed in range(4_000)]
    assert abs(sum(third) / len(third) - 2) < 0.1, "evenly drawn from 0 to 4 seconds"
    assert abs(sum(wait_s < 1 for wait_s in third) / len(third) - 0.25) < 0.05

"""The machine's own clocks."""

import time

from bot.kit.clock import SystemClock


def test_every_kind_of_time_runs_and_none_runs_backwards() -> None:
    clock = SystemClock()
    for read in (clock.now_us, clock.monotonic_us, clock.boottime_us):
        first = read()
        assert isinstance(first, int)
        while read() == first:
            continue
        assert read() > first


def test_boot_time_is_the_clock_that_counts_a_suspend() -> None:
    named = getattr(time, "CLOCK_BOOTTIME", time.CLOCK_MONOTONIC)
    before_us = time.clock_gettime_ns(named) // 1_000
    assert before_us <= SystemClock().boottime_us() <= time.clock_gettime_ns(named) // 1_000

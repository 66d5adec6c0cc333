"""The exchange's clock."""

import pytest

from bot.simulator.clock import ExchangeClock


class HostClock:
    def __init__(self) -> None:
        self.at_us = 5_000_000

    def now_us(self) -> int:
        return 1_000_000_000 + self.at_us

    def monotonic_us(self) -> int:
        return self.at_us


def test_it_starts_with_the_host_and_runs_as_fast_as_told() -> None:
    host = HostClock()
    clock = ExchangeClock(host, start_us=None, speed=10)
    assert clock.now_us() == host.now_us()
    start_us = clock.now_us()
    host.at_us += 3
    assert clock.now_us() == start_us + 30
    assert clock.monotonic_us() == 30


def test_a_standing_clock_moves_only_when_it_is_advanced() -> None:
    host = HostClock()
    clock = ExchangeClock(host, start_us=77, speed=0)
    host.at_us += 1_000
    assert clock.now_us() == 77
    clock.advance(5)
    assert clock.now_us() == 82


def test_it_refuses_to_run_backwards() -> None:
    with pytest.raises(ValueError, match="backwards"):
        ExchangeClock(HostClock(), start_us=0, speed=1).advance(-1)

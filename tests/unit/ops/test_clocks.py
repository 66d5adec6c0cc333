"""Which clock is wrong, by three of them."""

import pytest

from bot.ops.clocks import judge_clocks

S = 1_000_000


@pytest.mark.parametrize(
    ("database", "exchange", "told"),
    [
        (0, 300 * S, "clock: this machine is 300 s behind the exchange's clock;"),
        (0, -60 * S, "clock: this machine is 60 s ahead of the exchange's clock;"),
        (300 * S, 301 * S, "clock: this machine is 301 s behind the exchange's clock;"),
        (300 * S, None, "clock: this machine is 300 s behind the database's clock;"),
        (-3_600 * S, None, "clock: this machine is 3600 s ahead of the database's clock;"),
    ],
)
def test_a_wrong_clock_of_ours_is_refused(database: int, exchange: int | None, told: str) -> None:
    fault = judge_clocks(database_ahead_us=database, exchange_ahead_us=exchange)
    assert fault is not None
    assert fault.is_ours
    assert fault.told.startswith(told)
    assert "timedatectl" in fault.told


@pytest.mark.parametrize(
    ("database", "side"), [(60 * S, "60 s ahead of"), (-90 * S, "90 s behind")]
)
def test_a_wrong_clock_of_the_database_is_named_when_the_exchange_agrees_with_us(
    database: int, side: str
) -> None:
    fault = judge_clocks(database_ahead_us=database, exchange_ahead_us=0)
    assert fault is not None
    assert not fault.is_ours
    assert fault.told.startswith(f"the database's clock is {side} ours")


@pytest.mark.parametrize(("database", "exchange"), [(0, None), (59 * S, -59 * S), (-59 * S, None)])
def test_seconds_are_no_reason_not_to_start(database: int, exchange: int | None) -> None:
    assert judge_clocks(database_ahead_us=database, exchange_ahead_us=exchange) is None

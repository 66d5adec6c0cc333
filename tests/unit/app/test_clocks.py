"""Before a start: three clocks, of which the exchange's need not be there."""

import pytest

from bot.adapters.storage.database import Database
from bot.app.clocks import require_clock
from bot.domain.errors import ConfigurationFault, ExchangeUnavailable
from bot.kit.clock import SystemClock
from bot.ports.exchange import ExchangeStatus
from tests.fakes.clock import ManualClock

pytestmark = pytest.mark.looptime(False)

MINUTE_US = 60_000_000


class Venue:
    """Answers with its own time, or not at all."""

    def __init__(self, off_us: int | None) -> None:
        self.off_us = off_us

    async def status(self) -> ExchangeStatus:
        if self.off_us is None:
            raise ExchangeUnavailable("away")
        return ExchangeStatus(
            is_exchange_active=True,
            is_trading_active=True,
            resume_us=None,
            server_us=SystemClock().now_us() + self.off_us,
        )


def machine(off_us: int) -> ManualClock:
    return ManualClock(SystemClock().now_us() + off_us)


async def test_a_right_clock_starts_whoever_can_be_asked(database: Database) -> None:
    for off_us in (0, None):
        await require_clock(database, Venue(off_us).status, SystemClock())


@pytest.mark.parametrize(("away", "judge"), [(False, "exchange"), (True, "database")])
async def test_a_machine_five_minutes_behind_does_not_start(
    database: Database, away: bool, judge: str
) -> None:
    venue = Venue(None if away else 0)
    with pytest.raises(ConfigurationFault, match=rf"behind the {judge}'s clock"):
        await require_clock(database, venue.status, machine(-5 * MINUTE_US))


async def test_a_database_off_by_minutes_is_told_and_lived_with(
    database: Database, caplog: pytest.LogCaptureFixture
) -> None:
    # To the database it looks the same whether it or the machine is off; the exchange decides.
    await require_clock(database, Venue(5 * MINUTE_US).status, machine(5 * MINUTE_US))
    (line,) = [one for one in caplog.records if one.message == "clock off"]
    assert "the database's clock is" in line.reason

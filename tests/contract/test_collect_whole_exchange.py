"""A scan of the whole exchange asks what the venue accepts, and finds what it lists."""

from pathlib import Path
from random import Random

import pytest

from bot.adapters.kalshi.gateway import KalshiExchange
from bot.adapters.kalshi.settings import RestSettings, hosts_of
from bot.collect.settings import CollectSettings
from bot.collect.snapshots import Collector
from bot.domain.ids import SeriesTicker
from bot.domain.market import MarketStatus
from bot.kit.clock import SystemClock
from bot.kit.ids import IdFactory
from bot.kit.times import HOUR_US, hour_key
from bot.simulator.server import SimulatedExchange
from bot.simulator.settings import RateLimits, SimulatorSettings, WorldSettings
from tests.fakes.clock import ManualClock
from tests.fakes.collection import MemoryCollectionStore

pytestmark = pytest.mark.looptime(False)


def listed(sim: SimulatedExchange) -> set[str]:
    """What is open at the exchange."""
    views = [(t, sim.exchange.market(t)) for t in sim.exchange.catalog.markets]
    return {t for t, view in views if view is not None and view.status is MarketStatus.ACTIVE}


async def test_the_first_hour_is_everything_and_the_following_what_was_updated(
    tmp_path: Path,
) -> None:
    clock, store = ManualClock(), MemoryCollectionStore()
    settings = SimulatorSettings(
        speed=0,
        start_us=clock.now_us(),
        limits=RateLimits(is_on=False),
        worlds=WorldSettings(pauses_weekly=False, pace_us=1_200_000_000),
    )
    async with SimulatedExchange(settings, clock=clock) as sim:
        sim.exchange.skew_ms = 1  # its answers carry the time of the test
        rest = RestSettings(requests_per_second=1_000, tries=1)
        hosts = hosts_of("demo", sim.base_url, sim.ws_url)
        client = KalshiExchange(hosts, rest, signer=None, clock=SystemClock(), random=Random(1))
        collect = CollectSettings(
            series=(SeriesTicker("KXFED"),),
            whole_exchange=True,
            page_limit=200,
            reports_dir=tmp_path / "reports",
            status_file=tmp_path / "status.json",
        )
        async with client.open() as exchange:
            collector = Collector(collect, exchange, store, clock, IdFactory(clock, Random(1)))
            for number in range(3):
                report = await collector.run()
                assert report.is_success, report.facts
                hour = hour_key(clock.now_us())
                stored = {
                    one.market_id
                    for one in store.snapshots.values()
                    if one.snapshot_hour_utc == hour
                }
                assert stored <= listed(sim)
                assert number or stored == listed(sim)
                clock.advance(HOUR_US)
                await sim.advance(seconds=3_600)
    assert len(stored) < len(listed(sim)), "the third hour asked for updates alone"

"""Real processes, a real database, real signals: who leads, and that it is never two."""

import asyncio
import signal
from collections.abc import Iterator

import asyncpg
import pytest

from tests.e2e.support.bench import LEASE_S, SLACK_S, Bench
from tests.e2e.support.leader import eventually
from tests.support.blackhole import BlackHole
from tests.support.postgres import Server

pytestmark = [pytest.mark.e2e, pytest.mark.postgres, pytest.mark.looptime(False)]


@pytest.fixture
def bench(postgres_url: str) -> Iterator[Bench]:
    built = Bench(postgres_url)
    yield built
    built.end()
    built.judge()


async def test_a_new_deployment_takes_over_and_the_old_one_exits_zero(bench: Bench) -> None:
    old = bench.start("d1")
    await old.reach("leading", SLACK_S)
    new = bench.start("d2")
    await new.reach("leading", SLACK_S)
    assert await old.exit_code(SLACK_S) == 0
    assert old.roles()[-1] == "ended"
    assert new.process.poll() is None


async def test_a_killed_bot_leads_again_three_times_in_a_row(bench: Bench) -> None:
    leader = bench.start("d1")
    await leader.reach("leading", SLACK_S)
    for _ in range(3):
        leader.process.send_signal(signal.SIGKILL)
        leader.process.wait()
        leader = bench.start("d1")
        await leader.reach("leading", LEASE_S + SLACK_S)


async def test_a_second_start_of_one_deployment_stands_by_with_zero(bench: Bench) -> None:
    first = bench.start("d1")
    await first.reach("leading", SLACK_S)
    second = bench.start("d1")
    assert await second.exit_code(SLACK_S + 2) == 0
    assert second.roles() == ["ended"]
    assert second.said[-1]["reason"].startswith(f"standby: {first.instance} leads since")
    assert first.process.poll() is None


async def test_three_simultaneous_starts_leave_one_leader(bench: Bench) -> None:
    starts = [bench.start("d1") for _ in range(3)]
    await eventually(
        lambda: sum(one.process.poll() is not None for one in starts) == 2, 2 * SLACK_S, str
    )
    codes = [one.process.poll() for one in starts]
    assert sorted(codes, key=str) == [0, 0, None]
    await starts[codes.index(None)].reach("leading", SLACK_S)


async def test_a_typed_deactivation_acts_on_the_running_process(bench: Bench) -> None:
    leader = bench.start("d1")
    await leader.reach("leading", SLACK_S)
    await bench.sql("UPDATE bot_instances SET is_active = FALSE")
    await leader.reach("draining", SLACK_S)
    assert await leader.exit_code(SLACK_S + 4) == 0
    assert leader.said[-1]["reason"] == "deactivated: nobody leads"
    assert await bench.sql("SELECT holder FROM leader_lease") is None
    again = bench.start("d1")
    await again.reach("leading", SLACK_S)


async def test_typing_an_idle_instance_active_moves_the_lead(bench: Bench) -> None:
    old = bench.start("d1")
    await old.reach("leading", SLACK_S)
    new = bench.start("d2", "--activation-s", "60")
    await old.reach("released", SLACK_S)
    await bench.sql(f"UPDATE bot_instances SET is_active = (instance_id = '{old.instance}')")
    await old.reach("leading", SLACK_S, times=2)
    assert await new.exit_code(SLACK_S) == 0
    with pytest.raises(asyncpg.PostgresError, match="activation refused"):
        await bench.sql(
            f"UPDATE bot_instances SET is_active = TRUE WHERE instance_id = '{new.instance}'"
        )


async def test_a_successor_that_dies_gives_the_lead_back(bench: Bench) -> None:
    old = bench.start("d1")
    await old.reach("leading", SLACK_S)
    new = bench.start("d2", "--activation-s", "60")
    await old.reach("released", SLACK_S)
    new.process.send_signal(signal.SIGKILL)
    await old.reach("leading", LEASE_S + SLACK_S, times=2)


async def test_a_frozen_leader_never_trades_after_it_wakes(bench: Bench) -> None:
    frozen = bench.start("d1")
    await frozen.reach("leading", SLACK_S)
    frozen.process.send_signal(signal.SIGSTOP)
    rival = bench.start("d2")
    await rival.reach("leading", LEASE_S + SLACK_S)
    before = len(frozen.trades())
    frozen.process.send_signal(signal.SIGCONT)
    # Demoted by the loop or ended by the watchdog, whichever wakes first.
    assert await frozen.exit_code(SLACK_S) in {0, 70}
    assert len(frozen.trades()) <= before + 1
    assert rival.process.poll() is None


async def test_a_blocked_loop_is_ended_by_the_watchdog(bench: Bench) -> None:
    leader = bench.start("d1")
    await leader.reach("leading", SLACK_S)
    leader.process.stdin.write("block\n")
    leader.process.stdin.flush()
    assert await leader.exit_code(SLACK_S + 5) == 70
    assert "watchdog" in leader.error()


async def test_sigterm_releases_for_the_next_start(bench: Bench) -> None:
    first = bench.start("d1")
    await first.reach("leading", SLACK_S)
    first.process.send_signal(signal.SIGTERM)
    assert await first.exit_code(SLACK_S) == 0
    assert first.roles()[-2:] == ["draining", "ended"]
    second = bench.start("d1")
    await second.reach("leading", SLACK_S)


async def test_broken_connections_are_survived_in_the_process(bench: Bench) -> None:
    leader = bench.start("d1")
    await leader.reach("leading", SLACK_S)
    for _ in range(3):
        await bench.sql(
            "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity"
            " WHERE datname = current_database() AND pid <> pg_backend_pid()"
        )
        await asyncio.sleep(0.5)
    before = len(leader.trades())
    await asyncio.sleep(1.5)
    assert len(leader.trades()) > before
    assert leader.process.poll() is None
    assert leader.roles() == ["activating", "leading"]


async def test_a_database_away_for_long_is_waited_for_in_the_process(
    bench: Bench, postgres_server: Server
) -> None:
    leader = bench.start("d1")
    await leader.reach("leading", SLACK_S)
    name = bench.url.rpartition("/")[2].partition("?")[0]
    admin = await asyncpg.connect(postgres_server.url("postgres"))
    try:
        await admin.execute(f"ALTER DATABASE {name} ALLOW_CONNECTIONS false")
        await admin.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = $1", name
        )
        await leader.reach("standby", SLACK_S + 4)
        trades = len(leader.trades())
        await asyncio.sleep(2)
        assert len(leader.trades()) == trades
        await admin.execute(f"ALTER DATABASE {name} ALLOW_CONNECTIONS true")
    finally:
        await admin.close()
    await leader.reach("leading", SLACK_S, times=2)
    assert leader.process.poll() is None


async def test_a_network_that_swallows_everything_demotes_in_time_and_is_survived(
    bench: Bench, postgres_server: Server
) -> None:
    """No statement ever fails then; each must be given up."""
    port = int(postgres_server.url("x").rpartition(":")[2].partition("/")[0])
    async with BlackHole.running(port) as network:
        leader = bench.start("d1", address=bench.url.replace(f":{port}/", f":{network.port}/"))
        await leader.reach("leading", SLACK_S)
        network.is_open = False
        await leader.reach("standby", SLACK_S)
        last_us = leader.trades()[-1][1]
        rival = bench.start("d2")
        await rival.reach("leading", LEASE_S + SLACK_S)
        assert rival.trades() == [] or rival.trades()[0][1] > last_us
        assert leader.process.poll() is None
        network.is_open = True
        assert await leader.exit_code(2 * SLACK_S) == 0
        assert leader.said[-1]["reason"].startswith(f"superseded: {rival.instance} leads")

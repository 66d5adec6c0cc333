"""One process's life on virtual time, with the real elector on tables in memory."""

import asyncio

from bot.app.lifecycle import Role
from bot.domain.errors import NotLeader, StorageUnavailable
from bot.domain.ids import InstanceId
from bot.domain.leadership import InstanceState
from tests.support.house import SCOPE, TERMS, house, until


async def test_a_lone_process_goes_from_standby_to_leading_and_ends_clean(looptime) -> None:
    async with house() as h:
        bot = h.start("a")
        await asyncio.sleep(5)
        assert bot.roles == [Role.ACTIVATING, Role.LEADING]
        assert bot.trades
        bot.stop.set()
        assert await bot.task == 0
        assert bot.log == ["built", "drained", "ended", "closed"]
        assert bot.roles[2:] == [Role.DRAINING, Role.ENDED]
        row = h.tables.rows[InstanceId("a")]
        assert row.state is InstanceState.STOPPED
        assert row.stop_reason == "stopped by signal"
        lease = h.tables.leases[SCOPE]
        assert lease.holder is None
        assert lease.clean_release


async def test_a_deploy_hands_over_cleanly_and_the_old_one_exits_zero(looptime) -> None:
    async with house() as h:
        old = h.start("a")
        await asyncio.sleep(5)
        new = h.start("b", "d2")
        await until(lambda: bool(new.trades), 3)
        assert old.roles[2:4] == [Role.DRAINING, Role.RELEASED]
        assert old.changes[2].rival == "b"
        assert new.changes[0].is_clean
        async with asyncio.timeout(5):
            assert await old.task == 0
        assert old.changes[-1].reason.startswith("superseded: b leads")


async def test_the_old_one_stays_while_the_new_one_activates_and_returns_if_it_dies(
    looptime,
) -> None:
    async with house() as h:
        old = h.start("a")
        await asyncio.sleep(3)
        new = h.start("b", "d2", activates=False)
        await asyncio.sleep(60)
        assert old.lifecycle.role is Role.RELEASED
        assert not old.task.done()
        new.task.cancel()
        new.store.is_refused = True
        await until(lambda: old.lifecycle.role is Role.LEADING, 18)
        assert old.log.count("built") == 2


async def test_the_new_one_failing_gives_the_lead_back(looptime) -> None:
    async with house() as h:
        old = h.start("a")
        await asyncio.sleep(3)
        new = h.start("b", "d2", activates=False, fault=RuntimeError("bad build"))
        assert await new.task == 1
        await until(lambda: old.lifecycle.role is Role.LEADING, 5)
        assert h.tables.rows[InstanceId("b")].stop_reason == "failed: ExceptionGroup"


async def test_a_second_start_of_one_deployment_stands_by_with_zero(looptime) -> None:
    async with house() as h:
        first = h.start("a")
        await asyncio.sleep(3)
        second = h.start("b")
        async with asyncio.timeout(6):
            assert await second.task == 0
        assert second.changes[-1].reason.startswith("standby: a leads since ")
        assert second.log == []
        assert first.lifecycle.role is Role.LEADING


async def test_losing_the_database_demotes_in_the_process_and_recovers(looptime) -> None:
    async with house() as h:
        bot = h.start("a")
        await asyncio.sleep(3)
        bot.store.is_cut = True
        await asyncio.sleep(60)
        assert bot.lifecycle.role is Role.STANDBY
        assert bot.log == ["built", "ended"]
        last_us = bot.trades[-1][1]
        assert last_us <= 3_000_000 + TERMS.gate_us
        bot.store.is_cut = False
        await until(lambda: bot.lifecycle.role is Role.LEADING, 5)
        assert bot.changes[-2].unled_us > 50_000_000
        assert bot.exits == []


async def test_a_suspended_machine_wakes_up_without_the_lead_also_if_its_wall_clock_is_set_back(
    looptime,
) -> None:
    async with house() as h:
        bot = h.start("a")
        await asyncio.sleep(3)
        [epoch] = {epoch for epoch, _ in bot.trades}
        asleep_us = 60_000_000
        h.clock.suspended_us += asleep_us
        h.clock.step_us -= 3_600_000_000
        h.database_clock.step_us += asleep_us
        slept_at_us = h.clock.monotonic_us()
        await until(lambda: bot.roles.count(Role.LEADING) == 2, 10)
        await asyncio.sleep(1)
        after = [one for one in bot.trades if one[1] > slept_at_us]
        assert after
        assert all(one > epoch for one, _ in after), "nothing under the old epoch"
        assert Role.STANDBY in bot.roles


async def test_a_refused_write_ends_the_tenure_and_not_the_process(looptime) -> None:
    async with house() as h:
        bot = h.start("a")
        await asyncio.sleep(3)
        bot.fault = NotLeader("stale leader epoch")
        await asyncio.sleep(5)
        assert bot.lifecycle.role is Role.LEADING
        assert bot.roles.count(Role.ACTIVATING) == 2
        bot.fault = StorageUnavailable("gone")
        await asyncio.sleep(5)
        assert bot.roles.count(Role.ACTIVATING) == 3


async def test_a_bug_exits_one_and_frees_the_lead(looptime) -> None:
    async with house() as h:
        bot = h.start("a")
        await asyncio.sleep(3)
        bot.fault = RuntimeError("bug")
        assert await bot.task == 1
        lease = h.tables.leases[SCOPE]
        assert lease.holder is None
        assert not lease.clean_release


async def test_a_drain_that_does_not_end_is_cut_and_told_as_unclean(looptime) -> None:
    async with house() as h:
        bot = h.start("a", drain_s=3_600)
        await asyncio.sleep(3)
        began_us = h.clock.monotonic_us()
        bot.stop.set()
        assert await bot.task == 0
        assert h.clock.monotonic_us() - began_us <= TERMS.drain_us + 1_000_000
        assert not h.tables.leases[SCOPE].clean_release


async def test_services_that_cling_end_the_process_with_75(looptime) -> None:
    async with house() as h:
        bot = h.start("a", clings=True)
        await asyncio.sleep(3)
        bot.store.is_cut = True
        await until(lambda: bool(bot.exits), 14)
        assert bot.exits == [75]


async def test_a_typed_deactivation_drains_and_exits_zero_and_nobody_grabs(looptime) -> None:
    async with house() as h:
        bot = h.start("a")
        await asyncio.sleep(3)
        began_us = h.clock.monotonic_us()
        h.tables.type_active(InstanceId("a"), False)
        await until(lambda: Role.DRAINING in bot.roles, 2.5)
        assert bot.changes[2].is_deactivated
        assert await bot.task == 0
        assert h.clock.monotonic_us() - began_us <= 12_000_000
        assert bot.changes[-1].is_deactivated
        await asyncio.sleep(30)
        assert h.tables.leases[SCOPE].holder is None
        again = h.start("b")
        await until(lambda: again.lifecycle.role is Role.LEADING, 2)


async def test_an_activated_old_one_takes_over_and_the_newer_steps_down(looptime) -> None:
    async with house() as h:
        old = h.start("a")
        await asyncio.sleep(3)
        new = h.start("b", "d2", activates=False)
        await asyncio.sleep(5)
        h.tables.type_active(InstanceId("a"), True)
        await until(lambda: old.lifecycle.role is Role.LEADING, 6)
        async with asyncio.timeout(5):
            assert await new.task == 0
        restarted = h.start("c", "d2")
        async with asyncio.timeout(8):
            assert await restarted.task == 0
        later = h.start("d", "d3")
        await until(lambda: later.lifecycle.role is Role.LEADING, 6)


async def test_stopping_before_leading_ends_at_once(looptime) -> None:
    async with house() as h:
        bot = h.start("a")
        bot.store.is_refused = True
        await asyncio.sleep(5)
        bot.stop.set()
        assert await bot.task == 0
        assert bot.roles == [Role.ENDED]

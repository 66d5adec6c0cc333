"""Faults around the whole bot."""

import asyncio
import contextlib

import aiohttp

from bot.kit.clock import SystemClock
from chaos.arena import SLACK_S, Arena, demand
from chaos.bots import Bots
from chaos.rows import Row, Seen
from tests.e2e.support.bot import Program
from tests.fakes.telegram_server import TOKEN, FakeTelegram
from tests.support.proxy import Trap

EXIT_USAGE = 2
_FAR_MS = 30
_PACE_SAVED_UP_S = 3.0
_ALERT_S = 30.0
_SENT_TWICE = (
    "SELECT signal_id FROM order_intents WHERE purpose = 'entry' AND order_id IS NOT NULL"
    " GROUP BY signal_id HAVING count(*) > 1"
)


async def deploy(arena: Arena) -> Seen:
    """A newer deployment of the whole bot takes over from a trading one."""
    async with Bots.open(arena) as bots:
        old = await bots.trading("d1")
        await bots.trading("d2")
        ended = await old.ended()
        demand(ended.code == 0, f"the old one ended with {ended.code}")
        return await bots.seen_gap()


async def deploy_far_away(arena: Arena) -> Seen:
    """The same where each call to the exchange takes 30 ms, at the default pace and watch list."""
    async with Bots.open(arena) as bots:
        bots.like_production(_FAR_MS)
        old = await bots.trading("d1")
        await asyncio.sleep(_PACE_SAVED_UP_S)
        await bots.trading("d2")
        await old.ended()
        return await bots.seen_gap()


async def kill(arena: Arena) -> Seen:
    """SIGKILL while orders are in flight; the platform starts it again."""
    async with Bots.open(arena) as bots:
        old = await bots.trading("d1")
        old.process.kill()
        await bots.trading("d1")
        return await bots.seen_gap()


async def kill_under_supervisor(arena: Arena) -> Seen:
    """SIGKILL of the bot alone, as it is deployed: its supervisor starts it again."""
    async with Bots.open(arena) as bots:
        supervisor = bots.home.supervised(RAILWAY_DEPLOYMENT_ID="d1")
        await bots.trades(supervisor)
        [bot] = supervisor.children()
        bot.kill()
        await supervisor.reach("leading", times=2)
        await bots.trades(supervisor)
        return await bots.seen_gap()


async def lost_commit(arena: Arena) -> Seen:
    """An intent is stored and its writer never learns it: the order must not leave twice."""
    proxy, address = await arena.proxy()
    async with Bots.open(arena) as bots:
        bot = await bots.trading("d1", DATABASE_URL=address)
        began_us = arena.now_us()
        # Statements are known by their preparation, so the trap waits for a new connection.
        proxy.trap = Trap("INSERT INTO order_intents", is_after=True)
        proxy.reset()
        await arena.until(lambda: proxy.trap.has_sprung, SLACK_S, bot.story)
        await bots.trades(bot)
        seen = await bots.seen_silence(began_us)
        demand(bot.is_running, "it ended")
        twice = await bots.home.rows(_SENT_TWICE)
        demand(twice == [], f"more than one order of a signal: {twice}")
        return seen


async def laptop(arena: Arena) -> Seen:
    """A copy of production's settings on a laptop, and the same with paper money."""
    async with Bots.open(arena) as bots:
        leader = await bots.trading("d1")
        began_us = arena.now_us()
        refused = await bots.home.start("-m", "bot", "run").ended()
        demand(refused.code == EXIT_USAGE, f"it ended with {refused.code}: {refused.said[-300:]}")
        demand("on the platform" in refused.said, f"it does not say why: {refused.said[-300:]}")
        paper = bots.home.bot(BOT_TRADING__LIVE="false")
        await paper.reach("leading")
        await bots.trades(leader)
        demand(leader.roles() == ["activating", "leading"], "the leader was disturbed")
        return await bots.seen_silence(began_us)


async def second_poller(arena: Arena) -> Seen:
    """Another program polls Telegram with our token: an alert, and trading goes on."""
    async with FakeTelegram() as telegram, Bots.open(arena, telegram) as bots:
        telegram.date = SystemClock().now_us() // 1_000_000
        bot = await bots.trading("d1")
        began_us = arena.now_us()
        async with asyncio.TaskGroup() as group:
            thief = group.create_task(_poll(telegram))
            await arena.until(
                lambda: _has_alert(bot, "telegram_conflict"), _ALERT_S + 2 * SLACK_S, bot.story
            )
            alerted_us = arena.now_us()
            thief.cancel()
        await bots.trades(bot)
        silence = await bots.seen_silence(began_us)
        limit_s = arena.terms.gate_us / 1_000_000
        demand((silence.seconds or 0) < limit_s, f"no order for {silence.seconds} s meanwhile")
        return Seen(seconds=(alerted_us - began_us) / 1_000_000, zombies=silence.zombies)


async def _poll(telegram: FakeTelegram) -> None:
    url = f"{telegram.url}/bot{TOKEN}/getUpdates"
    async with aiohttp.ClientSession() as http:
        while True:
            with contextlib.suppress(aiohttp.ClientError):
                async with http.post(url, data={"timeout": "10"}) as answer:
                    await answer.read()
            await asyncio.sleep(0.1)


def _has_alert(bot: Program, kind: str) -> bool:
    return any(entry["kind"] == kind for entry in bot.log("alert"))


ROWS = (
    Row(
        key="bot_deploy",
        fault="planned deploy of the whole bot",
        expected="old exit 0; gap <= 0.5 s",
        runs=20,
        short_runs=1,
        run=deploy,
        median_s=0.5,
        limit_s=3,
    ),
    Row(
        key="bot_deploy_far",
        fault="the same, exchange 30 ms away",
        expected="old exit 0; gap <= 1 s",
        runs=10,
        short_runs=0,
        run=deploy_far_away,
        median_s=1,
        limit_s=3,
    ),
    Row(
        key="bot_sigkill",
        fault="SIGKILL of the whole bot, restart",
        expected="trades again <= 18 s",
        runs=5,
        short_runs=0,
        run=kill,
        limit_s=18,
    ),
    Row(
        key="bot_supervised_kill",
        fault="SIGKILL of the whole bot, supervisor lives",
        expected="trades again <= 3 s",
        runs=10,
        short_runs=0,
        run=kill_under_supervisor,
        limit_s=3,
    ),
    Row(
        key="lost_commit",
        fault="lost reply of a commit",
        expected="no order twice, goes on",
        runs=5,
        short_runs=1,
        run=lost_commit,
    ),
    Row(
        key="laptop",
        fault="laptop with production's address",
        expected="exit 2; on paper apart",
        runs=3,
        short_runs=0,
        run=laptop,
    ),
    Row(
        key="second_poller",
        fault="second Telegram poller",
        expected="alert <= 60 s, trading goes on",
        runs=2,
        short_runs=0,
        run=second_poller,
        limit_s=60,
    ),
)

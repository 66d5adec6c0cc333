"""What must outlive a crash: commands, and the rank of epochs over a restore."""

import contextlib
import signal
from collections.abc import Callable

import psutil

from bot.kit.clock import SystemClock
from chaos.arena import SLACK_S, Arena, demand
from chaos.bots import Bots
from chaos.rows import Row, Seen
from tests.e2e.support.bot import ADMIN, Program
from tests.fakes.telegram_server import FakeTelegram
from tests.support.proxy import Trap

_STEPS = (
    ("INSERT INTO command_inbox", False),
    ("INSERT INTO command_inbox", True),
    ("UPDATE command_inbox", True),
    ("INSERT INTO command_audit", False),
    ("INSERT INTO command_audit", True),
    ("UPDATE outbox", True),
)
_UNDONE = "SELECT count(*) FROM command_inbox WHERE state <> 'done'"
_ACTS = "SELECT outcome, command_id FROM command_audit WHERE command LIKE '/halt%'"
_EPOCH = "SELECT epoch FROM leader_lease"


async def crash_in_a_command(arena: Arena) -> Seen:
    """The bot is killed before and after each thing that it stores for a command."""
    proxy, address = await arena.proxy()
    worst_s = 0.0
    async with FakeTelegram() as telegram, Bots.open(arena, telegram) as bots:
        telegram.date = SystemClock().now_us() // 1_000_000
        bot = bots.home.supervised(DATABASE_URL=address, RAILWAY_DEPLOYMENT_ID="d1")
        await bot.reach("leading")
        for number, (words, is_after) in enumerate(_STEPS):
            trap = Trap(words, is_after=is_after, spring=_killer(bot))
            proxy.trap = trap
            telegram.type(ADMIN, f"/halt number {number}")
            await arena.until(lambda trap=trap: trap.has_sprung, 2 * SLACK_S, bot.story)
            began_us = arena.now_us()
            await _answered(bots, telegram, number)
            worst_s = max(worst_s, (arena.now_us() - began_us) / 1_000_000)
        acts = [str(row[0]) for row in await bots.home.rows(_ACTS)]
        for number in range(len(_STEPS)):
            count = sum(f"number {number}" in act for act in acts)
            demand(count == 1, f"/halt number {number} took effect {count} times: {acts}")
    return Seen(seconds=worst_s)


def _killer(bot: Program) -> Callable[[], None]:
    def kill() -> None:
        for child in bot.children():
            with contextlib.suppress(psutil.NoSuchProcess):
                child.kill()

    return kill


async def _answered(bots: Bots, telegram: FakeTelegram, number: int) -> None:
    """Stored as done, and the reply with the command's own number is in the chat."""
    query = f"{_ACTS} AND outcome LIKE '%number {number}'"
    rows = await bots.home.until_rows(query, lambda found: found)
    await bots.home.until_rows(_UNDONE, lambda found: found == [(0,)])
    reply = f"#{rows[0][1]} |"
    await bots.arena.until(
        lambda: any(reply in text for text in telegram.texts(ADMIN)), SLACK_S, bots.home.story
    )


async def old_backup(arena: Arena) -> Seen:
    """Restored to before two hand-overs: halted, and above every epoch that ever was."""
    async with Bots.open(arena) as bots:
        home = bots.home
        first = await bots.trading("d1")
        backup = await home.command("backup")
        demand(backup.code == 0, f"no backup: {backup.said[-300:]}")
        second = await bots.trading("d2")
        await first.ended()
        [(newest,)] = await home.rows(_EPOCH)
        ended = await second.told(signal.SIGTERM)
        demand(ended.code == 0, f"it ended with {ended.code}")
        [file] = (home.root / "backups").glob("*.sqlite")
        restored = await home.command("restore", str(file))
        demand(restored.code == 0, f"not restored: {restored.said[-300:]}")
        orders = len(bots.street.arrivals())
        began_us = arena.now_us()
        third = home.bot(RAILWAY_DEPLOYMENT_ID="d3")
        await third.reach("leading")
        led_us = arena.now_us()
        status = await third.page("/status")
        demand(status["halted"], "a restored bot must start halted")
        [(epoch,)] = await home.rows(_EPOCH)
        demand(epoch > newest, f"epoch {epoch} after a restore is not above {newest}")
        demand(len(bots.street.arrivals()) == orders, "a halted bot sent orders")
        return Seen(seconds=(led_us - began_us) / 1_000_000)


ROWS = (
    Row(
        key="command_crash",
        fault="crash at each step of a command",
        expected="one effect, one answer or more",
        runs=3,
        short_runs=0,
        run=crash_in_a_command,
    ),
    Row(
        key="old_backup",
        fault="restore of an old backup",
        expected="halted, epoch above all",
        runs=3,
        short_runs=0,
        run=old_backup,
    ),
)

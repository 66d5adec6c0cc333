"""``python -m chaos.chat``: people talk to a bot that is killed, cut off and refused all the time.

The bot is the real Telegram channel, console and store (``tests/e2e/programs/cockpit``);
the Bot API is the stand-in. Afterwards every command must have taken effect exactly
once, be answered at least once with its number, and in order.
"""

import argparse
import asyncio
import contextlib
import json
import logging
import sys
import tempfile
from asyncio.subprocess import Process
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass, field
from pathlib import Path
from random import Random
from signal import SIGKILL
from typing import BinaryIO, cast

import aiohttp
from sqlalchemy import func, select

from bot.adapters.storage.database import Database
from bot.adapters.storage.migrations import migrate
from bot.adapters.storage.tables import command_inbox, outbox
from bot.kit.clock import SystemClock
from chaos.chat_judge import Findings, judge
from chaos.chat_people import People
from tests.e2e.programs import cockpit
from tests.fakes.telegram_server import TOKEN, FakeTelegram, Refused
from tests.support.postgres import running_server

_ROOT = Path(__file__).resolve().parents[1]
_PAUSE_S = 0.1
_PATIENCE_S = 0.4
_COMMANDS_PER_KILL = 25
_QUIET_WITHIN_S = 120.0
_FLOOD = (429, "Too Many Requests: retry after 1")


@dataclass
class Street:
    """Everything in one run."""

    server: FakeTelegram
    people: People
    random: Random
    database: str
    commands: int
    is_in_process: bool
    log: BinaryIO
    """What the processes say."""
    epoch: int = 0
    kills: int = 0
    is_over: bool = False
    faults: Counter[str] = field(default_factory=Counter)
    problems: list[str] = field(default_factory=list)


def main() -> int:
    """Run it, print what came of it."""
    parser = argparse.ArgumentParser(prog="scripts/chat_chaos.sh", description=__doc__)
    parser.add_argument("--commands", type=int, default=1_000, help="typed and pressed")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--postgres", action="store_true", help="on PostgreSQL, not SQLite")
    parser.add_argument(
        "--in-process", action="store_true", help="tasks that are cancelled, not killed processes"
    )
    given = parser.parse_args()
    # What the bot says of its faults in this very process is expected.
    logging.disable(logging.ERROR)
    with contextlib.ExitStack() as stack:
        if given.postgres:
            address = stack.enter_context(running_server()).url("postgres")
        else:
            folder = stack.enter_context(tempfile.TemporaryDirectory())
            address = f"sqlite:///{folder}/chat.sqlite"
        report = asyncio.run(
            run(address, given.commands, given.seed, is_in_process=given.in_process)
        )
    sys.stdout.write(f"{json.dumps(report)}\n")
    return int(bool(report["problems"]))


async def run(database: str, commands: int, seed: int, *, is_in_process: bool) -> dict[str, object]:
    """Talk, break, wait until it is quiet, and judge."""
    clock = SystemClock()
    began_us = clock.monotonic_us()
    opened = await Database.open(database)
    try:
        await migrate(opened)
        with tempfile.TemporaryFile() as log:
            async with FakeTelegram() as server:
                server.date = clock.now_us() // 1_000_000
                server.conflict_pause_s = 0.2
                random = Random(seed)  # noqa: S311 - a storm that can be had again
                street = Street(
                    server=server,
                    people=People(server, random),
                    random=random,
                    database=database,
                    commands=commands,
                    is_in_process=is_in_process,
                    log=cast(BinaryIO, log),
                )
                await _storm(street, opened)
                findings = await judge(opened, street.people)
                log.seek(0)
                if b"Traceback" in (said := log.read()):
                    street.problems.append(said[said.index(b"Traceback") :][:2_000].decode())
    finally:
        await opened.close()
    return _report(street, findings, seed, (clock.monotonic_us() - began_us) // 1_000)


def _report(street: Street, findings: Findings, seed: int, took_ms: int) -> dict[str, object]:
    return {
        "commands": len(street.people.sent),
        "seed": seed,
        "seconds": round(took_ms / 1_000, 1),
        "lives": street.epoch,
        "kills": street.kills,
        "faults": dict(street.faults),
        "strangers": street.people.strangers,
        "conflicts": street.server.conflicts,
        **findings.figures,
        "problems": street.problems + findings.problems,
    }


async def _storm(street: Street, database: Database) -> None:
    async with asyncio.TaskGroup() as group:
        lives = group.create_task(_lives(street))
        faults = group.create_task(_faults(street))
        while len(street.people.sent) < street.commands:
            street.people.act()
            await asyncio.sleep(street.random.expovariate(1 / _PAUSE_S))
            # Nobody listens: they wait and try again, so that most is said to a bot that is up.
            with contextlib.suppress(TimeoutError):
                await street.server.until(lambda: street.server.is_polled, _PATIENCE_S)
        faults.cancel()
        _calm(street.server)
        street.is_over = True
        try:
            async with asyncio.timeout(_QUIET_WITHIN_S):
                while not await _is_quiet(street, database):  # noqa: ASYNC110 - rows have no event
                    await asyncio.sleep(0.1)
        except TimeoutError:
            street.problems.append(f"not quiet within {_QUIET_WITHIN_S:.0f} s")
        lives.cancel()


async def _is_quiet(street: Street, database: Database) -> bool:
    """Whether every command is stored and ended, and every message delivered."""
    async with database.read() as connection:
        known = await connection.scalar(select(func.count(command_inbox.c.id)))
        undone = select(func.count()).where(command_inbox.c.state != "done")
        waiting = select(func.count()).where(outbox.c.state == "waiting")
        left = [await connection.scalar(one) for one in (undone, waiting)]
    return (known or 0) >= len(street.people.sent) and not any(left)


# --- lives ------------------------------------------------------------------------------


async def _lives(street: Street) -> None:
    """One bot after the other, each under the next epoch."""
    while True:
        street.epoch += 1
        words = [street.database, street.server.url, "--epoch", str(street.epoch)]
        live = _task_life if street.is_in_process else _process_life
        await live(street, words)


async def _task_life(street: Street, words: list[str]) -> None:
    async with asyncio.TaskGroup() as group:
        bot = group.create_task(cockpit.run(cockpit.read(words)))
        await _until_doom(street)
        bot.cancel()
        street.kills += 1


async def _process_life(street: Street, words: list[str]) -> None:
    # Half of them die at a chosen point of a command, half at any moment at all.
    if not street.is_over and street.random.random() < 0.5:  # noqa: PLR2004 - half
        point = street.random.choice(cockpit.POINTS)
        words += ["--die-at", point, "--after", str(street.random.randint(1, 12))]
    async with _process(words, street.log) as process:
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(60):
                await _first_of(process, _until_doom(street))
        if process.returncode not in {None, -SIGKILL}:
            street.problems.append(f"the bot ended by itself: {process.returncode}")
        street.kills += 1


async def _until_doom(street: Street) -> None:
    """Until so many more commands were given; for ever in the last life."""
    polls = street.server.polls
    while street.server.polls == polls:  # noqa: ASYNC110 - it has to come up first
        await asyncio.sleep(0.01)
    due = len(street.people.sent) + street.random.randint(5, 2 * _COMMANDS_PER_KILL - 5)
    while street.is_over or len(street.people.sent) < due:  # noqa: ASYNC110 - a number has no event
        await asyncio.sleep(0.01)


async def _first_of(process: Process, doom: Awaitable[None]) -> None:
    async with asyncio.TaskGroup() as group:
        ends = {group.create_task(process.wait()), group.create_task(_await(doom))}
        await asyncio.wait(ends, return_when=asyncio.FIRST_COMPLETED)
        for end in ends:
            end.cancel()


async def _await(doom: Awaitable[None]) -> None:
    await doom


@contextlib.asynccontextmanager
async def _process(words: list[str], log: BinaryIO) -> AsyncIterator[Process]:
    program = [sys.executable, "-m", "tests.e2e.programs.cockpit", *words]
    process = await asyncio.create_subprocess_exec(*program, cwd=_ROOT, stdout=log, stderr=log)
    try:
        yield process
    finally:
        if process.returncode is None:
            process.kill()
        await process.wait()


# --- faults -----------------------------------------------------------------------------


async def _faults(street: Street) -> None:
    """One fault after the other, now and then two at once."""
    kinds = tuple(_FAULTS)
    while True:
        await asyncio.sleep(street.random.uniform(0.05, 0.6))
        name = street.random.choice(kinds)
        street.faults[name] += 1
        await _FAULTS[name](street)


def _calm(server: FakeTelegram) -> None:
    server.is_down = server.redeliver_confirmed = False
    server.resets_left, server.slow_s = 0, 0.0
    server.refusals.clear()
    server.lose_answers.clear()


async def _reset(street: Street) -> None:
    street.server.resets_left = street.random.randint(1, 3)


async def _down(street: Street) -> None:
    street.server.is_down = True
    await asyncio.sleep(street.random.uniform(0.05, 0.6))
    street.server.is_down = False


async def _slow(street: Street) -> None:
    street.server.slow_s = 0.2
    await asyncio.sleep(0.5)
    street.server.slow_s = 0.0


async def _lost_message(street: Street) -> None:
    street.server.lose_answers["sendMessage"] = 1


async def _lost_updates(street: Street) -> None:
    street.server.lose_answers["getUpdates"] = 1


async def _flooded(street: Street) -> None:
    method = street.random.choice(("sendMessage", "getUpdates"))
    street.server.refusals[method].append(Refused(*_FLOOD, retry_after=1))


async def _server_error(street: Street) -> None:
    method = street.random.choice(("sendMessage", "getUpdates"))
    street.server.refusals[method].append(Refused(502, "Bad Gateway"))


async def _rival(street: Street) -> None:
    """Somebody else polls with our token: 409 for one of us, and updates given twice."""
    address = f"{street.server.url}/bot{TOKEN}/getUpdates"
    async with aiohttp.ClientSession() as http:
        for _ in range(3):
            with contextlib.suppress(aiohttp.ClientError):
                async with http.post(address, data={"timeout": "1"}):
                    pass
            await asyncio.sleep(0.1)


async def _repeated(street: Street) -> None:
    """Confirmed updates come again, as after a fault of the server's."""
    street.server.redeliver_confirmed = True
    await asyncio.sleep(0.2)
    street.server.redeliver_confirmed = False


_FAULTS: dict[str, Callable[[Street], Awaitable[None]]] = {
    "reset": _reset,
    "down": _down,
    "slow": _slow,
    "lost_message": _lost_message,
    "lost_updates": _lost_updates,
    "429": _flooded,
    "502": _server_error,
    "409": _rival,
    "repeated": _repeated,
}


if __name__ == "__main__":
    sys.exit(main())

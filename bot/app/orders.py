"""Orders given at the command line: to the leader by its inbox, or to the exchange itself."""

import asyncio
import getpass
import os
import re
from dataclasses import dataclass
from html import unescape

from bot.adapters.storage.messages import SqlInbox, SqlOutbox
from bot.adapters.storage.queries import command_number, leader_of, replies_to
from bot.adapters.storage.trading import SqlTradingStore
from bot.app.basics import open_database, real_means
from bot.app.build import exchange_of, signer_of
from bot.app.settings import BotSettings
from bot.domain.errors import ConfigurationFault, OrderRejected
from bot.domain.operations import AccessLevel
from bot.domain.orders import OrderStatus
from bot.domain.records import HaltRecord
from bot.ports.messages import Channel, IncomingCommand

_POLL_S = 0.2
_TAG = re.compile(r"<[^>]+>")
_PAUSE_NOTE = "the exchange may also cancel what is placed in the next minute"


@dataclass(frozen=True, slots=True, kw_only=True)
class CommandAnswer:
    """What came back for a command. ``is_done`` false: refused, or nobody answered in time."""

    text: str
    is_done: bool


async def give_command(settings: BotSettings, line: str, *, wait_s: float) -> CommandAnswer:
    """Have the leader answer a command; halt and unhalt also work while nobody leads."""
    async with open_database(settings, migrated=True) as database:
        if await leader_of(database, settings.scope) is None:
            return await _without_leader(SqlTradingStore(database, settings.scope), line)
        means = real_means()
        now_us = means.clock.now_us()
        # A conversation of its own, so that the answer can be told from others.
        conversation = means.random.getrandbits(48)
        command = IncomingCommand(
            channel=Channel.CLI,
            bot_id=0,
            update_id=conversation,
            user_id=os.getuid(),
            user_name=getpass.getuser(),
            chat_id=conversation,
            is_private=True,
            text=line,
            button=None,
            sent_us=now_us,
            received_us=now_us,
            is_urgent=line.startswith("/halt"),
            granted=AccessLevel.ADMIN,
            is_confirmed=True,
        )
        await SqlInbox(database, settings.scope, means.clock).put([command])
        number = await command_number(database, settings.scope, Channel.CLI, conversation)
        outbox = SqlOutbox(database, settings.scope, means.clock)
        for _ in range(max(1, round(wait_s / _POLL_S))):
            rows = await replies_to(database, settings.scope, Channel.CLI, str(number))
            if rows:
                await outbox.mark_sent([row.id for row in rows], means.clock.now_us())
                told = "\n".join(_plain(row.text) for row in rows)
                return CommandAnswer(text=told, is_done=not _is_refusal(told))
            await asyncio.sleep(_POLL_S)
    return CommandAnswer(
        text=f"stored, but not answered within {wait_s:.0f} s; the leader takes it when it can",
        is_done=False,
    )


async def _without_leader(store: SqlTradingStore, line: str) -> CommandAnswer:
    word, _, reason = line.partition(" ")
    if word not in {"/halt", "/unhalt"}:
        return CommandAnswer(text="nobody leads: start the bot first", is_done=False)
    halted = word == "/halt"
    await store.save_halt(
        HaltRecord(
            halted=halted,
            reason=reason or ("no reason given" if halted else "ended at the command line"),
            set_by=f"cli:{getpass.getuser()}",
            changed_us=real_means().clock.now_us(),
        )
    )
    done = "halted" if halted else "the halt is ended"
    return CommandAnswer(
        text=f"saved: {done}; nobody leads, the next leader reads it", is_done=True
    )


async def cancel_orders(settings: BotSettings, *, including_exits: bool) -> dict[str, object]:
    """Cancel at the exchange itself; works without a running bot."""
    if settings.trading_mode == "paper":
        raise ConfigurationFault(
            ["paper orders live in the running bot: `python -m bot halt` cancels its entries"]
        )
    means = real_means()
    async with exchange_of(settings, means, signer_of(settings)).open() as exchange:
        resting = await exchange.orders(status=OrderStatus.RESTING)
        if including_exits:
            await exchange.cancel_all()
            return {"cancelled": f"all of {len(resting)} resting orders", "note": _PAUSE_NOTE}
        async with open_database(settings, migrated=True) as database:
            stored = await SqlTradingStore(database, settings.scope).load(means.clock.now_us())
        entries = {
            one.progress.order_id for one in stored.orders if one.intent.purpose.value == "entry"
        }
        cancelled, gone = 0, 0
        for order in resting:
            if order.order_id in entries:
                try:
                    await exchange.cancel_order(order.order_id, order.ticker)
                    cancelled += 1
                except OrderRejected:
                    gone += 1
    return {"cancelled": cancelled, "already gone": gone, "left resting": len(resting) - cancelled}


def _plain(text: str) -> str:
    return unescape(_TAG.sub("", text))


def _is_refusal(told: str) -> bool:
    return told.startswith(("Failed:", "Refused", "Not ", "I do not know", "There is no"))

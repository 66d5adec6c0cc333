"""Orders given at the command line: to the leader by its inbox, or to the exchange itself."""

import asyncio
import os
import re
from collections.abc import Sequence
from dataclasses import dataclass
from html import unescape

from bot.adapters.storage.database import Database
from bot.adapters.storage.messages import SqlInbox
from bot.adapters.storage.outbox import SqlOutbox
from bot.adapters.storage.queries import command_number, led_scopes, replies_to
from bot.adapters.storage.trading import SqlTradingStore
from bot.app.basics import open_database, own_name, real_means, require_database
from bot.app.build import exchange_of, signer_of
from bot.app.settings import BotSettings
from bot.domain.errors import ConfigurationFault, OrderRejected
from bot.domain.ids import Epoch, Scope
from bot.domain.operations import AccessLevel
from bot.domain.orders import OrderStatus
from bot.domain.records import HaltRecord
from bot.kit.secrecy import redact
from bot.ports.messages import AuditEntry, Channel, IncomingCommand

_POLL_S = 0.2
_TAG = re.compile(r"<[^>]+>")
_PAUSE_NOTE = "the exchange may also cancel what is placed in the next minute"


@dataclass(frozen=True, slots=True, kw_only=True)
class CommandAnswer:
    """What came back for a command. ``is_done`` false: refused, or nobody answered in time."""

    text: str
    is_done: bool


async def give_command(
    settings: BotSettings, line: str, *, scope: str | None, wait_s: float
) -> CommandAnswer:
    """Have the leader answer a command; halt and unhalt also work while nobody leads.

    One database may hold several scopes, and a setting given to the bot on its
    own command line is not known here. So a halt without a named scope halts
    every scope that is led, and anything else goes to the wrong one in no case.
    """
    require_database(settings)
    line = redact(line)
    async with open_database(settings, migrated=True) as database:
        led = await led_scopes(database)
        if scope is not None:
            targets = [Scope(scope)]
        elif settings.scope in led or not led:
            targets = [settings.scope]
        elif line.startswith("/halt"):
            targets = led
        else:
            return CommandAnswer(
                text=f"{settings.scope} has no leader, but {', '.join(led)} has: "
                "name the one you mean with --scope",
                is_done=False,
            )
        answers = [
            await ask_leader(database, one, line, wait_s)
            if one in led
            else await _without_leader(database, one, line, led)
            for one in targets
        ]
    return CommandAnswer(
        text="\n\n".join(one.text for one in answers),
        is_done=all(one.is_done for one in answers),
    )


async def ask_leader(database: Database, scope: Scope, line: str, wait_s: float) -> CommandAnswer:
    """Put a command into the leader's inbox and wait for what it says."""
    means = real_means()
    # A conversation of its own, so that the answer can be told from others.
    conversation = means.random.getrandbits(48)
    command = _command(line, conversation, means.clock.now_us())
    inbox = SqlInbox(database, scope, means.clock)
    await inbox.put([command])
    number = await command_number(database, scope, Channel.CLI, conversation)
    outbox = SqlOutbox(database, scope, means.clock)
    for _ in range(max(1, round(wait_s / _POLL_S))):
        rows = await replies_to(database, scope, Channel.CLI, str(number))
        if rows:
            await outbox.mark_sent([row.id for row in rows], means.clock.now_us())
            told = "\n".join(_plain(row.text) for row in rows)
            return CommandAnswer(text=told, is_done=not _is_refusal(told))
        if line.startswith("/halt") and scope not in await led_scopes(database):
            # The leader died holding its lease. A halt must not wait for a successor, and the
            # successor must not carry it out again: it may have been ended by then.
            answer = await _without_leader(database, scope, line, ())
            if number is not None:
                await inbox.withdraw(number)
            return answer
        await asyncio.sleep(_POLL_S)
    return CommandAnswer(
        text=f"stored, but not answered within {wait_s:.0f} s; the leader takes it when it can",
        is_done=False,
    )


def _command(line: str, conversation: int, now_us: int) -> IncomingCommand:
    return IncomingCommand(
        channel=Channel.CLI,
        bot_id=0,
        update_id=conversation,
        user_id=os.getuid(),
        user_name=own_name(),
        chat_id=conversation,
        is_private=True,
        text=line,
        button=None,
        sent_us=now_us,
        received_us=now_us,
        is_urgent=line.startswith(("/halt", "/panic")),
        granted=AccessLevel.ADMIN,
        is_confirmed=True,
    )


async def _without_leader(
    database: Database, scope: Scope, line: str, led: Sequence[Scope]
) -> CommandAnswer:
    word, _, reason = line.partition(" ")
    # A mistyped scope must not look like the one that trades.
    others = f". LED NOW, and not meant by this: {', '.join(led)}" if led else ""
    if word not in {"/halt", "/unhalt"}:
        return CommandAnswer(
            text=f"nobody leads {scope}: start the bot first (`python -m bot panic` needs none)"
            + others,
            is_done=False,
        )
    means = real_means()
    now_us = means.clock.now_us()
    halted = word == "/halt"
    before = await SqlTradingStore(database, scope).halt()
    if not halted and not before.halted:
        return CommandAnswer(text="There is no halt to end.", is_done=True)
    done = "halted" if halted else "the halt is ended"
    # Stored as a command first: it gives the act its number in the audit.
    inbox = SqlInbox(database, scope, means.clock)
    command = _command(line, means.random.getrandbits(48), now_us)
    claimed = await inbox.open(command, Epoch(0))
    stored = await SqlTradingStore(database, scope).save_halt(
        HaltRecord(
            halted=halted,
            reason=reason or ("no reason given" if halted else "ended at the command line"),
            set_by=f"cli:{own_name()}",
            changed_us=now_us,
        ),
        ends=None if halted else before,
    )
    is_done = stored.halted == halted
    outcome = done if is_done else f"refused: halted meanwhile: {stored.reason}"
    audit = AuditEntry(
        number=claimed.number,
        at_us=now_us,
        channel=Channel.CLI,
        actor=f"cli:{own_name()}",
        command=line,
        outcome=f"{outcome}; nobody led",
        epoch=None,
    )
    await inbox.finish(claimed, audit, ())
    if not is_done:
        return CommandAnswer(text=f"{outcome}; read it, then /unhalt again", is_done=False)
    return CommandAnswer(
        text=f"saved: {done} for {scope}; nobody leads it, the next leader reads it{others}",
        is_done=True,
    )


async def cancel_orders(settings: BotSettings, *, including_exits: bool) -> dict[str, object]:
    """Cancel at the exchange itself; works without a running bot."""
    if settings.trading_mode == "watch":
        raise ConfigurationFault(
            ["trading.read_only: nothing is sent; give the configuration of the bot that trades"]
        )
    if settings.trading_mode == "paper":
        raise ConfigurationFault(
            ["paper orders live in the running bot: `python -m bot halt` cancels its entries"]
        )
    if not including_exits:
        require_database(settings)  # it alone tells which orders are entries
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

"""The chat of a bot without the rest of it: channel, console and store around any operator."""

from dataclasses import dataclass
from random import SystemRandom

from telegram import Bot

from bot.adapters.storage.database import Database
from bot.adapters.storage.messages import SqlAudit, SqlInbox
from bot.adapters.storage.outbox import SqlOutbox
from bot.adapters.telegram.inbound import InboundParts, TelegramInbound
from bot.adapters.telegram.outbound import OutboundParts, TelegramOutbound
from bot.adapters.telegram.settings import TelegramSettings
from bot.alerts.dispatcher import Alerts, AlertSettings
from bot.console.access import AccessSettings, Doorkeeper
from bot.console.confirmations import Confirmations
from bot.console.dispatch import Console
from bot.console.worker import CommandDesk, CommandWorker
from bot.domain.ids import Epoch, Scope
from bot.kit.clock import SystemClock
from bot.kit.tasks import Service
from bot.ports.messages import Inbox, Outbox
from bot.ports.operator import Operator
from tests.fakes.people import NobodyPairs


@dataclass(frozen=True, kw_only=True)
class ChatParts:
    """What differs between those who talk. Without ``inbox`` and ``outbox`` they are the real ones."""

    bot: Bot
    settings: TelegramSettings
    access: AccessSettings
    database: Database
    scope: Scope
    epoch: Epoch
    operator: Operator
    inbox: Inbox | None = None
    outbox: Outbox | None = None


def chat_services(parts: ChatParts) -> tuple[Service, ...]:
    """The services, each to be run in a task of its own."""
    clock, holds = SystemClock(), lambda: True
    inbox = parts.inbox or SqlInbox(parts.database, parts.scope, clock)
    outbox = parts.outbox or SqlOutbox(parts.database, parts.scope, clock)
    doorkeeper = Doorkeeper(parts.access)
    console = Console(
        operator=parts.operator,
        audit=SqlAudit(parts.database, parts.scope),
        doorkeeper=doorkeeper,
        confirmations=Confirmations(SystemRandom()),
        clock=clock,
    )
    sender = TelegramOutbound(
        OutboundParts(
            bot=parts.bot, settings=parts.settings, outbox=outbox, clock=clock, may_send=holds
        )
    )
    worker = CommandWorker(
        inbox=inbox,
        desk=CommandDesk(inbox=inbox, console=console, clock=clock),
        epoch=lambda: parts.epoch,
        replied=sender.wake,
    )
    alerts = Alerts(
        outbox=outbox,
        clock=clock,
        banner=parts.operator.banner,
        settings=AlertSettings(),
        queued=sender.wake,
    )
    listener = TelegramInbound(
        InboundParts(
            bot=parts.bot,
            settings=parts.settings,
            inbox=inbox,
            console=console,
            doorkeeper=doorkeeper,
            pairing=NobodyPairs(),
            alerts=alerts,
            clock=clock,
            random=SystemRandom(),
            may_poll=holds,
            stored=worker.wake,
        )
    )
    return sender, worker, alerts, listener

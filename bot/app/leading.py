"""Everything that only the leader runs, built when a leadership begins."""

import asyncio
import contextlib
import logging
from collections.abc import AsyncIterator, Sequence

from bot.adapters.kalshi.settings import SessionSettings
from bot.adapters.paper.exchange import PaperExchange
from bot.adapters.paper.feed import PaperFeed
from bot.adapters.paper.settings import PaperSettings
from bot.adapters.recording.recorder import FrameRecorder
from bot.adapters.storage.gaps import SqlGapStore
from bot.adapters.storage.paper import SqlPaperJournal
from bot.adapters.telegram.client import open_bot
from bot.adapters.telegram.inbound import InboundParts, TelegramInbound
from bot.adapters.telegram.outbound import OutboundParts, TelegramOutbound
from bot.app.build import feed_of
from bot.app.channel_settings import telegram_settings
from bot.app.channels import channel_services, watch_of
from bot.app.chores import Chores
from bot.app.lifecycle import Tenure
from bot.app.operator import BotOperator
from bot.app.people import PeopleDesk
from bot.app.portal import PageBackend, PageMessages
from bot.app.recording import recorder_of
from bot.app.restored import RestoreTeller
from bot.app.running import Running
from bot.app.settings import BotSettings
from bot.app.stream import StreamCollector, StreamParts, stream_parts
from bot.app.trading import TradingDesk
from bot.app.watch import OperatorWatch
from bot.collect.exchange_watch import ExchangeWatch
from bot.console.access import AccessSettings, Doorkeeper
from bot.console.confirmations import Confirmations
from bot.console.dispatch import Console
from bot.console.worker import CommandDesk, CommandWorker
from bot.domain.errors import ConfigurationFault
from bot.kit.tasks import Service
from bot.marketdata.backpressure import Drop
from bot.ports.exchange import Exchange, MarketFeed
from bot.ports.messages import Channel
from bot.ports.recording import TapeMaker

logger = logging.getLogger(__name__)


class Leading:
    """The factory that ``Lifecycle`` calls for every leadership."""

    def __init__(self, running: Running, page: PageBackend, *, is_brief: bool = False) -> None:
        """``is_brief``: led for one errand; nothing that is due by the clock is done."""
        self._running = running
        self._page = page
        self._is_brief = is_brief

    @contextlib.asynccontextmanager
    async def lead(self, tenure: Tenure) -> AsyncIterator[Sequence[Service]]:
        """The leader's services in starting order."""
        running = self._running
        async with contextlib.AsyncExitStack() as stack:
            desk = None
            stream = None if self._is_brief else stream_parts(running)
            if running.settings.mode == "trade":
                recorder = self._recorder()
                exchange, feed = self._market(recorder)
                feed = feed if stream is None else stream.tap.beside(feed)
                desk = TradingDesk(running, tenure, exchange, feed, recorder)
                running.standing.open_positions = desk.open_positions
            doorkeeper = Doorkeeper(access_settings(running.settings))
            people = PeopleDesk(running, doorkeeper)
            operator = BotOperator(running, desk, people)
            console = await self._console(stack, tenure, operator, doorkeeper)
            stack.callback(running.wakes.clear)
            if desk is not None and self._is_brief:
                yield (*console, *desk.services())
                return
            chores = Chores(running, operator, tenure.epoch).service()
            watches = (OperatorWatch(running, operator, desk, tenure.epoch), self._exchange_watch())
            restored = RestoreTeller(running)
            # First of all services, so that it is drained last: it stores until trading is let go.
            if desk is None:
                storing, collecting = _collecting(running, stream, self._recorder())
                confirmation = _Confirmation(running, tenure)
                yield (*storing, *console, restored, *watches, confirmation, *collecting, chores)
            else:
                storing = () if stream is None else (stream.keeper(Drop(), running.clock),)
                after = _After(desk.activation.done, chores)
                yield (*storing, *console, restored, *watches, after, *desk.services())

    def _exchange_watch(self) -> ExchangeWatch:
        parts = self._running.parts
        return ExchangeWatch(parts.exchange, SqlGapStore(parts.database), parts.means.clock)

    def _recorder(self) -> FrameRecorder | None:
        running = self._running
        instance_id = running.parts.candidate.instance_id
        return recorder_of(running.settings, running.clock, instance_id, running.alerts.post)

    def _market(self, tapes: TapeMaker | None) -> tuple[Exchange, MarketFeed]:
        running = self._running
        settings, parts = running.settings, running.parts
        assert parts.signer is not None  # settings refuse mode trade without a key
        is_paper = settings.trading_mode == "paper"
        session = SessionSettings(wants_private=not is_paper)
        feed = feed_of(settings, parts.means, parts.signer, session=session, tapes=tapes)
        running.loops["websocket"] = feed.breaker
        if not is_paper:
            return parts.exchange, feed
        paper = PaperExchange(
            parts.exchange,
            SqlPaperJournal(parts.database, running.scope),
            running.scope,
            parts.means.clock,
            PaperSettings(starting_cash_e6=int(settings.trading.paper_cash * 1_000_000)),
        )
        return paper, PaperFeed(feed, paper)

    async def _console(
        self,
        stack: contextlib.AsyncExitStack,
        tenure: Tenure,
        operator: BotOperator,
        doorkeeper: Doorkeeper,
    ) -> Sequence[Service]:
        running = self._running
        settings, means = running.settings, running.parts.means
        console = Console(
            operator=operator,
            audit=running.audit,
            doorkeeper=doorkeeper,
            confirmations=Confirmations(means.random),
            clock=means.clock,
            zone=settings.operator.zone,
        )
        self._page.answer_from(operator, console)
        stack.callback(self._page.answer_from_nobody)
        worker = CommandWorker(
            inbox=running.inbox,
            desk=CommandDesk(inbox=running.inbox, console=console, clock=means.clock),
            epoch=lambda: tenure.epoch if tenure.gate.is_held() else None,
            replied=running.wakes.message_queued,
        )
        running.wakes.commands.append(worker.wake)
        messages = PageMessages(running)
        running.wakes.messages.append(messages.wake)
        telegram = telegram_settings(settings)
        senders = await channel_services(stack, running, tenure)
        if telegram is None:
            return (messages, *senders, operator.people, worker)
        bot = await stack.enter_async_context(open_bot(telegram))
        outbound = TelegramOutbound(
            OutboundParts(
                bot=bot,
                settings=telegram,
                outbox=running.outbox,
                clock=means.clock,
                may_send=tenure.gate.is_held,
                watch=watch_of(running, Channel.TELEGRAM),
            )
        )
        running.wakes.messages.append(outbound.wake)
        inbound = TelegramInbound(
            InboundParts(
                bot=bot,
                settings=telegram,
                inbox=running.inbox,
                console=console,
                doorkeeper=doorkeeper,
                pairing=operator.people,
                alerts=running.alerts,
                clock=means.clock,
                random=means.random,
                may_poll=tenure.gate.is_held,
                stored=running.wakes.command_stored,
            )
        )
        return (messages, *senders, operator.people, outbound, worker, inbound)


def _collecting(
    running: Running, stream: StreamParts | None, recorder: FrameRecorder | None
) -> tuple[Sequence[Service], Sequence[Service]]:
    """Mode collect's services of the stream: those that store it, and that read it."""
    if stream is None:
        return (), ()
    collector = StreamCollector(running, stream, recorder)
    kept: Sequence[Service] = () if recorder is None else (recorder,)
    return (*kept, stream.keeper(collector.pressure, running.clock)), (collector,)


class _Confirmation:
    """Mode collect has nothing to reconcile: it leads at once."""

    name = "activation"

    def __init__(self, running: Running, tenure: Tenure) -> None:
        self._running = running
        self._tenure = tenure

    async def run(self) -> None:
        if await self._tenure.confirm():
            self._running.leading({})
        await asyncio.Event().wait()

    async def drain(self) -> None:
        """Nothing to finish."""


class _After:
    """A service that begins once something has happened: no job runs while activating."""

    def __init__(self, begun: asyncio.Event, service: Service) -> None:
        self.name = service.name
        self._begun = begun
        self._service = service

    async def run(self) -> None:
        await self._begun.wait()
        await self._service.run()

    async def drain(self) -> None:
        if self._begun.is_set():
            await self._service.drain()


def access_settings(settings: BotSettings) -> AccessSettings:
    """Who may speak.

    Raises:
        ConfigurationFault: an id is none.
    """
    section = settings.telegram
    try:
        return AccessSettings(
            admins=frozenset(section.admin_ids),
            traders=frozenset(section.trader_ids),
            viewers=frozenset(section.viewer_ids),
            groups=frozenset(section.group_ids),
        )
    except ValueError as error:
        raise ConfigurationFault([f"telegram: {error}"]) from None

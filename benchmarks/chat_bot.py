"""The chat beside the engine of ``tick_to_order``: the real channel, console and store."""

import asyncio
from dataclasses import dataclass, field

from benchmarks.chat_telegram import PEOPLE
from bot.adapters.storage.database import Database
from bot.adapters.storage.outbox import SqlOutbox
from bot.adapters.telegram.client import open_bot
from bot.adapters.telegram.settings import TelegramSettings
from bot.console.access import AccessSettings
from bot.domain.ids import Epoch, Scope
from bot.domain.operations import BreakerView, PnlView, PositionView, StatusView
from bot.engine import views
from bot.engine.core import Engine
from bot.kit.clock import SystemClock
from bot.ports.messages import Channel
from tests.fakes.operator import STATUS, FakeOperator
from tests.fakes.telegram_server import TOKEN
from tests.support.chat_services import ChatParts, chat_services


@dataclass
class EngineOperator(FakeOperator):
    """Answers from the running engine and the store, as the bot's own operator does."""

    engine: Engine = field(kw_only=True)
    outbox: SqlOutbox = field(kw_only=True)

    async def status(self) -> StatusView:
        """Everything the engine knows, and what waits in the store."""
        world = self.engine.world
        return StatusView(
            now_us=SystemClock().now_us(),
            started_us=0,
            stop=views.stop_reason(world),
            halt=views.halt_view(world),
            breakers=await self.breakers(),
            account=views.account_view(world),
            pnl=await self.pnl(),
            open_positions=len(world.ledger.open_positions()),
            open_positions_max=world.settings.limits.concurrent_max,
            markets_seen=None,
            markets_eligible=None,
            feed=views.feed_view(world),
            api=views.api_view(world),
            collect=STATUS.collect,
            unsent_messages=await self.outbox.waiting(Channel.TELEGRAM),
        )

    async def breakers(self) -> tuple[BreakerView, ...]:
        """The engine's."""
        return views.breaker_views(self.engine.world)

    async def positions(self) -> tuple[PositionView, ...]:
        """The engine's."""
        return views.position_views(self.engine.world)

    async def pnl(self) -> PnlView:
        """The engine's."""
        return views.pnl_view(self.engine.world)


async def serve_chat(
    database: Database, scope: Scope, epoch: Epoch, engine: Engine, api_url: str
) -> None:
    """Listen, answer and send until cancelled."""
    settings = TelegramSettings(token=TOKEN, api_url=api_url)
    outbox = SqlOutbox(database, scope, SystemClock())
    async with open_bot(settings) as bot, asyncio.TaskGroup() as group:
        parts = ChatParts(
            bot=bot,
            settings=settings,
            access=AccessSettings(admins=frozenset(PEOPLE)),
            database=database,
            scope=scope,
            epoch=epoch,
            operator=EngineOperator(engine=engine, outbox=outbox),
        )
        for service in chat_services(parts):
            group.create_task(service.run())

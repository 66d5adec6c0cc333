"""The stage of a leader's rehearsals: parts like the real ones, none of which lead anywhere."""

from bot.adapters.kalshi.rehearsal import StreamRehearsal
from bot.adapters.kalshi.settings import StreamSettings
from bot.adapters.storage.trading import SqlTradingStore
from bot.app.running import Running
from bot.app.trading_settings import strategies
from bot.engine.core import Engine
from bot.engine.rehearsing import Rehearser, Understudies, rehearsing_reader
from bot.engine.runner import EngineRunner
from bot.engine.sending import TradingGate
from bot.marketdata.feed import FeedTranslator


def rehearser_of(
    running: Running,
    engine: Engine,
    runner: EngineRunner,
    store: SqlTradingStore,
    gate: TradingGate,
) -> Rehearser:
    """Rehearses the entries of this engine while ``runner`` is idle."""
    understudies = Understudies(
        gate=gate,
        clock=running.clock,
        make_rows=store.rehearse,
        make_request=running.parts.exchange.rehearse_order,
        strategies=strategies(running.settings),
    )
    reader = rehearsing_reader(engine, understudies)
    books = FeedTranslator(_forget, _forget, reader)
    stream = StreamRehearsal(books, running.clock, StreamSettings())
    wanted = running.settings.trading
    return Rehearser(
        runner,
        stream.step,
        running.clock,
        every_us=wanted.rehearse_every_ms * 1_000,
        percent_max=wanted.rehearse_percent,
    )


def _forget(_: object) -> None:
    """Nobody is told."""

"""The stage of a leader's rehearsals: parts like the real ones, none of which lead anywhere."""

from bot.adapters.kalshi.rehearsal import StreamRehearsal
from bot.adapters.kalshi.settings import StreamSettings
from bot.adapters.storage.trading import SqlTradingStore
from bot.app.running import Running
from bot.app.trading_settings import strategies
from bot.engine.rehearsing import Stage
from bot.marketdata.feed import FeedTranslator


def stage_of(running: Running, store: SqlTradingStore) -> Stage:
    """Books and strategies of its own; rows and requests that are made and thrown away."""
    stream = StreamRehearsal(FeedTranslator(_forget, _forget), running.clock, StreamSettings())
    return Stage(
        read=stream.step,
        make_rows=store.rehearse,
        make_request=running.parts.exchange.rehearse_order,
        understudies=strategies(running.settings),
    )


def _forget(_: object) -> None:
    """Nobody is told."""

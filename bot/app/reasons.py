"""Why markets are not traded: the funnel of the watch list, and the newest opinion on one."""

from bot.app.trading import TradingDesk
from bot.domain.ids import MarketTicker
from bot.domain.operations import Decision, FunnelStage
from bot.engine import views


def opinion_of(desk: TradingDesk | None, ticker: MarketTicker, now_us: int) -> list[Decision]:
    """What is thought of a market at this moment, if anything is."""
    if desk is None:
        return []
    left_out = desk.monitor.selection.left_out.get(ticker)
    said = left_out or views.opinion_of(desk.engine.world, ticker)
    if not said:
        return []
    verdict = "not watched" if left_out else "skipped"
    return [Decision(at_us=now_us, ticker=ticker, verdict=verdict, reason=said)]


def funnel_of(desk: TradingDesk | None) -> tuple[FunnelStage, ...]:
    """How many markets are left after each reason to leave one out, watched ones included."""
    if desk is None:
        return ()
    selection = desk.monitor.selection
    left = len(selection.watched) + len(selection.left_out)
    stages = [FunnelStage(name="seen", left=left)]
    for reason, count in selection.funnel():
        left -= count
        stages.append(FunnelStage(name=f"without {reason}", left=left))
    tickers = [listing.market.ticker for listing in selection.watched]
    for reason, count in views.verdicts(desk.engine.world, tickers).most_common():
        left -= count
        stages.append(FunnelStage(name=f"without {reason}", left=left))
    return tuple(stages)

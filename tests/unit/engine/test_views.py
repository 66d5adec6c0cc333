"""What operators are shown of the engine's knowledge."""

from bot.domain.events import HaltCommanded
from bot.domain.ids import MarketTicker
from bot.engine import views
from bot.engine.settings import EngineSettings
from bot.risk.limits import RiskLimits
from tests.support.trading import TICKER, Desk


def test_every_watched_market_that_is_not_traded_has_one_reason() -> None:
    desk = Desk(EngineSettings(limits=RiskLimits(concurrent_max=1)))
    desk.lead()
    tickers = [MarketTicker(f"KXFED-26JAN-T{number}") for number in range(4)]
    desk.list_markets(*tickers)
    desk.quote()  # bought: no reason needed
    desk.quote(ticker=tickers[0])
    desk.quote(ticker=tickers[1])
    desk.quote(9_900, ticker=tickers[2])
    watched = (TICKER, *tickers, MarketTicker("KXFED-NOT-LISTED"))
    found = views.verdicts(desk.engine.world, watched)
    assert found == {"concurrent_positions": 2, "price_band": 1, "a book not trusted yet": 2}


def test_a_halt_is_told_once_and_not_for_every_market() -> None:
    desk = Desk()
    desk.lead()
    desk.put(HaltCommanded(received_us=desk.now_us, command_id=1, actor="ann", reason="lunch"))
    desk.quote()
    assert not views.verdicts(desk.engine.world, (TICKER,))


def test_the_days_win_rate_stands_beside_the_one_that_earns_nothing() -> None:
    desk = Desk()
    desk.lead()
    desk.bought()
    target = desk.accept()
    desk.execute(target, target.quantity)
    desk.wait(1)
    view = views.pnl_view(desk.engine.world)
    assert (view.wins, view.losses) == (1, 0)
    assert view.win_rate == "100.0 %, break-even 95.0 %"

"""What operators are shown of the engine's knowledge."""

from bot.domain.events import HaltCommanded
from bot.domain.ids import MarketTicker
from bot.domain.money import Money
from bot.engine import views
from bot.engine.settings import EngineSettings
from bot.kit.times import DAY_US
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


def test_the_track_record_goes_over_days_and_counts_the_newest() -> None:
    desk = Desk()
    desk.lead()
    desk.bought()
    target = desk.accept()
    desk.execute(target, target.quantity)
    desk.wait(1)
    desk.now_us += 3 * DAY_US
    desk.wait(1)
    assert views.pnl_view(desk.engine.world).trades == 0
    record = views.track_record(desk.engine.world, 50)
    assert (record.wins, record.losses, record.break_even_e6) == (1, 0, 950_000)
    assert views.track_record(desk.engine.world, 50).trades == 1


def test_the_days_loss_is_measured_as_the_breaker_measures_it() -> None:
    desk = Desk()
    desk.lead()
    desk.wait(1)
    assert views.day_loss_limit(desk.engine.world) == (0, 500_000_000)  # 5 % of $10,000
    desk.bought()
    desk.quote(8_500)
    found = views.day_loss_limit(desk.engine.world)
    assert found is not None
    result, limit = found
    value = desk.engine.world.ledger.value(desk.engine.world.markets, desk.now_us)
    assert value is not None
    assert (result, limit) == (value.equity - 10_000_000_000, 500_000_000)
    assert result < 0


def test_the_next_entrys_money_is_asked_for_where_it_would_be_taken() -> None:
    limits = RiskLimits(order_cost_max_e6=100_000_000)
    desk = Desk(EngineSettings(limits=limits))
    desk.lead()
    world = desk.engine.world
    world.ledger.cash_by_shard = {0: Money(70_000_000), 2: Money(9_000_000)}
    world.standing = None
    assert views.purses(world) == ((0, 70_000_000, 100_000_000),), "shard 2 has no market here"
    world.ledger.cash_by_shard = {}
    world.standing = None
    free = 10_000_000_000 * (10_000 - limits.cash_reserve_bp) // 10_000
    assert views.purses(world) == ((None, free, 100_000_000),)


def test_nothing_is_known_of_money_before_the_account_was_read() -> None:
    desk = Desk()
    assert views.purses(desk.engine.world) == ()
    assert views.day_loss_limit(desk.engine.world) is None

"""What is seen of the engine closely is what the engine goes by, and looking changes nothing."""

from bot.domain.ids import MarketTicker
from bot.domain.money import Money, Price, Quantity
from bot.domain.orders import BookSide, OrderStatus, Purpose
from bot.engine import looks
from bot.engine.weighing import standing_of
from tests.support.trading import CASH, TICKER, Desk, Eager, a_listing


def led(**changes) -> Desk:
    desk = Desk(**changes)
    desk.lead()
    return desk


def test_without_an_order_nothing_is_seen_and_nothing_is_at_risk():
    desk = led()
    assert looks.order_views(desk.engine.world) == ()
    view = looks.exposure_view(desk.engine.world)
    assert (view.total, view.events, view.equity) == (0, (), CASH)


def test_before_the_balance_is_known_no_limit_is_told():
    world = Desk().engine.world
    assert looks.exposure_view(world) is None
    assert looks.limit_views(world) == ()


def test_an_order_is_shown_on_the_side_it_buys():
    desk = led(strategies=(Eager(side=BookSide.ASK),))
    desk.quote(400, 500)
    [entry] = looks.order_views(desk.engine.world)
    assert (entry.is_yes, entry.is_entry, entry.price) == (False, True, Price(9_500))
    assert entry.purpose is Purpose.ENTRY
    assert looks.order_views(desk.engine.world, MarketTicker("OTHER")) == ()


def test_what_rests_and_what_is_in_doubt_is_told_apart_and_doubt_comes_first():
    desk = led()
    desk.bought()
    [exit_order] = looks.order_views(desk.engine.world, TICKER)
    assert (exit_order.purpose, exit_order.is_yes) == (Purpose.TAKE_PROFIT, True)
    desk.accept()
    [resting] = looks.order_views(desk.engine.world)
    assert resting.status is OrderStatus.RESTING
    assert not resting.is_in_doubt


def test_exposure_is_what_the_checks_go_by_and_counts_what_may_still_fill():
    desk = led()
    intent = desk.bought(10_00)
    world = desk.engine.world
    view = looks.exposure_view(world)
    [event] = view.events
    assert event.name == "KXFED-26DEC"
    assert event.at_risk == view.total == intent.quantity * intent.price, "the rest counts whole"
    assert view.total_limit == standing_of(world).limits.total
    assert [one.name for one in view.series] == ["KXFED"]


def test_every_limit_has_its_use_in_millionths():
    desk = led()
    desk.bought(10_00)
    found = {one.name: one for one in looks.limit_views(desk.engine.world)}
    assert found["positions"].used == "1"
    assert found["positions"].used_e6 == 1_000_000 // desk.settings.limits.concurrent_max
    assert found["account at risk"].used == "$99.75"
    assert found["own price"].used_e6 is None


def test_looking_leaves_the_engine_s_own_standing_alone():
    desk = led()
    desk.bought(10_00)
    desk.engine.world.standing = None
    looks.exposure_view(desk.engine.world)
    looks.limit_views(desk.engine.world)
    assert desk.engine.world.standing is None


def test_a_search_finds_every_word_in_ticker_or_title():
    desk = led()
    listings = [a_listing(), a_listing(MarketTicker("KXCPI-26NOV-T0.3"), title="Inflation in May")]
    world = desk.engine.world

    def found(query: str, limit: int = 10) -> list[str]:
        return [one.ticker for one in looks.markets_view(world, listings, query, limit).found]

    assert found("") == sorted(one.market.ticker for one in listings)
    assert found("MAY inflation") == ["KXCPI-26NOV-T0.3"]
    assert found("may kxfed") == []
    view = looks.markets_view(world, listings, "", 1)
    assert (len(view.found), view.matching, view.watched) == (1, 2, 2)


def test_why_a_market_is_not_bought_names_the_first_thing_that_would_have_to_change():
    desk = led(strategies=())
    world = desk.engine.world
    assert looks.why_not(world, TICKER, "closes too late") == "not watched: closes too late"
    desk.role(desk.engine.world.stance.role.__class__("draining"))
    assert looks.why_not(world, TICKER, "").startswith("draining: ")


def test_a_mean_price_is_to_the_nearest_grain():
    assert looks.mean_price(Money(8_500_000), Quantity(1_000)) == 8_500
    assert looks.mean_price(Money(100_000), Quantity(-3_00)) == 333
    assert looks.mean_price(Money(0), Quantity(0)) == 0

"""The maker and the flow of one market."""

from random import Random

from bot.domain.ids import MarketTicker
from bot.domain.money import Price
from bot.domain.orders import BookSide
from bot.kit.times import HOUR_US
from bot.simulator.latent import Claim, Latent, Uncertainty
from bot.simulator.traders import (
    ASKS_ONLY,
    BIDS_ONLY,
    DEEP,
    FLOW,
    THIN,
    Desk,
    Style,
    draw_style,
)
from bot.venue.accounts import AccountId, AccountTerms
from tests.support.exchange import START_US, Stand, list_market, stand

MAKER = AccountId("maker")
TICKER = MarketTicker("KXDESK-26NOV-A")


def desk(style: Style, centre: float = 0.0, seed: int = 1) -> tuple[Stand, Desk]:
    made = stand()
    for account in (MAKER, FLOW):
        terms = AccountTerms(account=account, checks_funds=False, keeps_records=False)
        made.exchange.apply(made.exchange.venue.open_account(terms, START_US))
    list_market(made, TICKER)
    terms_grid = made.exchange.market(TICKER)
    assert terms_grid is not None
    uncertainty = Uncertainty(centre=centre, drift=0.0, release=1.0)
    latent = Latent(uncertainty, START_US, START_US + HOUR_US, Random(0))
    latent.value = centre
    return made, Desk(
        ticker=TICKER, maker=MAKER, claim=Claim(floor=0.0), latent=latent, style=style,
        grid=terms_grid.grid, close_us=START_US + HOUR_US, rng=Random(seed),
    )  # fmt: skip


def test_quotes_straddle_the_probability_and_stay_when_nothing_moves() -> None:
    made, maker = desk(DEEP)
    maker.quote(made.exchange, START_US)
    book = made.exchange.book(TICKER)
    assert book is not None
    assert book.bids[0].price == 4_900
    assert book.asks[0].price == 5_100
    assert len(book.bids) == len(book.asks) == DEEP.levels
    maker.quote(made.exchange, START_US)
    assert made.exchange.book(TICKER) == book


def test_quotes_follow_a_move() -> None:
    made, maker = desk(DEEP)
    maker.quote(made.exchange, START_US)
    maker.latent.value = 1.0
    maker.quote(made.exchange, START_US)
    view = made.exchange.market(TICKER)
    assert view is not None
    assert view.yes_bid is not None
    assert view.yes_ask is not None
    assert 8_200 <= view.yes_bid < view.yes_ask <= 8_600


def test_what_was_taken_is_refilled() -> None:
    made, maker = desk(DEEP)
    maker.quote(made.exchange, START_US)
    before = made.exchange.book(TICKER)
    assert before is not None
    size = before.asks[0].quantity
    made.house(BookSide.BID, 5_100, size // 100 - 1, ticker=TICKER)
    maker.quote(made.exchange, START_US)
    after = made.exchange.book(TICKER)
    assert after is not None
    assert after.asks[0].quantity == size


def test_a_certain_market_is_one_sided() -> None:
    made, maker = desk(DEEP, centre=6.0)
    maker.quote(made.exchange, START_US)
    book = made.exchange.book(TICKER)
    assert book is not None
    assert book.bids[0].price == Price(9_900)
    assert book.asks == ()


def test_some_makers_quote_one_side_only() -> None:
    for style, empty in ((BIDS_ONLY, "asks"), (ASKS_ONLY, "bids")):
        made, maker = desk(style)
        maker.quote(made.exchange, START_US)
        book = made.exchange.book(TICKER)
        assert book is not None
        assert getattr(book, empty) == ()


def test_flow_trades_and_joins() -> None:
    made, maker = desk(DEEP, seed=4)
    maker.quote(made.exchange, START_US)
    for step in range(200):
        maker.act(made.exchange, START_US + step * 1_000_000)
    view = made.exchange.market(TICKER)
    assert view is not None
    assert view.volume > 50_000
    assert view.yes_bid is not None
    assert view.yes_ask is not None
    assert view.yes_bid < view.yes_ask


def test_nobody_acts_in_a_market_that_is_not_active() -> None:
    made, maker = desk(DEEP)
    made.call("POST", f"/admin/markets/{TICKER}/deactivate", {})
    for _ in range(20):
        maker.act(made.exchange, START_US)
    book = made.exchange.book(TICKER)
    assert book is not None
    assert book.bids == ()


def test_busy_markets_are_mostly_deep_and_quiet_ones_are_not() -> None:
    rng = Random(1)
    busy = [draw_style(rng, is_busy=True) for _ in range(500)]
    quiet = [draw_style(rng, is_busy=False) for _ in range(500)]
    assert busy.count(DEEP) > 250 > quiet.count(DEEP)
    assert quiet.count(THIN) > busy.count(THIN)

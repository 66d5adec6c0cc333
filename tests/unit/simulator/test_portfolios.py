"""The delayed read model."""

from bot.simulator.portfolios import Portfolios
from bot.venue.accounts import AccountId
from tests.support.exchange import START_US, stand


def test_events_wait_for_the_lag_and_then_show() -> None:
    made = stand(read_lag_us=10)
    made.order(price="0.5500")
    models = made.exchange.portfolios
    assert models.of(made.account, START_US + 9).orders == {}
    portfolio = models.of(made.account, START_US + 10)
    assert (len(portfolio.orders), len(portfolio.fills), len(portfolio.positions)) == (1, 1, 1)


def test_an_unknown_account_is_empty() -> None:
    assert Portfolios(0).of(AccountId("nobody"), 0).orders == {}

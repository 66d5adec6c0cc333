"""Settings and terms refuse what cannot work, naming the field."""

import pytest

from bot.domain.money import Money
from bot.venue.accounts import AccountId, AccountTerms
from bot.venue.settings import VenueSettings
from tests.unit.venue.floor import terms_of


@pytest.mark.parametrize(
    "name", ["margin_tolerance", "expiry_sweep_us", "close_cancel_us", "cancel_all_lingers_us"]
)
def test_a_negative_setting_is_refused_by_name(name: str) -> None:
    with pytest.raises(ValueError, match=name):
        VenueSettings(**{name: -1})


@pytest.mark.parametrize(
    "name", ["trades_kept_per_market", "trades_kept", "groups_per_account_max"]
)
def test_a_limit_of_nothing_is_refused_by_name(name: str) -> None:
    with pytest.raises(ValueError, match=name):
        VenueSettings(**{name: 0})


def test_a_market_closes_after_it_opens_and_settles_forwards() -> None:
    with pytest.raises(ValueError, match="close_us"):
        terms_of(open_us=5, close_us=5)
    with pytest.raises(ValueError, match="settlement_timer_us"):
        terms_of(settlement_timer_us=-1)


@pytest.mark.parametrize("grid", [0, -100, 300])
def test_a_balance_grid_divides_a_dollar(grid: int) -> None:
    with pytest.raises(ValueError, match="balance_grid"):
        AccountTerms(account=AccountId("x"), balance_grid=Money(grid))

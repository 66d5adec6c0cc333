"""What operators see of money adds up."""

from bot.domain.money import Money
from bot.engine.views import account_view, pnl_view, position_views
from tests.support.trading import Desk, Eager


def holding(fee: int) -> Desk:
    desk = Desk(strategies=(Eager(stop_below=5_000),))
    desk.lead()
    desk.fee = Money(fee)
    desk.bought()
    desk.accept()
    desk.quote(9_300)
    return desk


def test_positions_show_the_gain_that_the_day_and_the_equity_count() -> None:
    world = holding(0).engine.world
    (position,) = position_views(world)
    assert position.unrealized == pnl_view(world).unrealized
    assert position.unrealized is not None
    assert position.unrealized < 0


def test_the_day_is_the_change_of_equity_fees_of_open_positions_included() -> None:
    desk = holding(120_000)
    day, account = pnl_view(desk.engine.world), account_view(desk.engine.world)
    assert account is not None
    assert account.baseline is not None
    assert day.fees == 120_000
    assert day.realized + day.unrealized - day.fees == account.equity - account.baseline


def test_a_position_nobody_told_a_price_of_shows_no_gain() -> None:
    before = holding(0)
    after = Desk(store=before.store, venue=before.venue, epoch=2)
    after.cash, after.positions = before.cash, before.positions
    after.lead()
    (position,) = position_views(after.engine.world)
    assert position.mark is None
    assert position.unrealized is None

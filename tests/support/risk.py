"""An entry that every check lets pass."""

from bot.domain.money import Money, Price, Quantity
from bot.kit.times import HOUR_US
from bot.risk.checks import RiskView

EQUITY = Money(10_000_000_000)
FINE = RiskView(
    own_price=Price(9_500),
    quantity=Quantity(1_000),
    cost=Money(9_500_000),
    fee=Money(0),
    equity=EQUITY,
    cash_free=EQUITY,
    shard_cash=None,
    market_after=Money(9_500_000),
    event_after=Money(9_500_000),
    series_after=Money(9_500_000),
    release_group_after=Money(9_500_000),
    total_after=Money(9_500_000),
    open_positions=0,
    open_orders=0,
    entries_last_minute=0,
    displayed=Quantity(100_000),
    volume_24h=Quantity(100_000),
    until_close_us=HOUR_US,
    is_book_trusted=True,
    has_position=False,
    since_left_us=None,
    foreign="",
    unknown_orders=0,
)

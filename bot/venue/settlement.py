"""Paying out a finalized market, exactly: what rounding keeps is booked as a fee."""

from bot.domain.money import PAYOUT, Money, Quantity
from bot.domain.money import Price as Value
from bot.venue.accounts import AccountId
from bot.venue.events import AccountSettled
from bot.venue.market_state import MarketState
from bot.venue.positions import Position, SettlementView
from bot.venue.state import VenueState


def pay_out(state: VenueState, market: MarketState) -> None:
    """Turn every position of the market into cash at its settlement value."""
    assert market.settlement_value is not None
    for account in market.holders:
        position = state.ledgers[account].positions[market.terms.ticker]
        if position.quantity:
            _pay(state, market, account, position)
        position.is_settled = True
    market.holders.clear()
    market.open_interest = 0


def _pay(state: VenueState, market: MarketState, account: AccountId, position: Position) -> None:
    assert market.settlement_value is not None
    ledger = state.ledgers[account]
    owed = position.value_at(market.settlement_value)
    residue = Money(owed % ledger.terms.balance_grid)
    revenue = Money(owed - residue)
    held, held_cost = position.quantity, position.exposure
    position.settle(owed)
    position.charge(residue)
    ledger.pay(market.terms.exchange_index, revenue)
    state.fees_collected = Money(state.fees_collected + residue)
    if not ledger.terms.keeps_records:
        return
    settlement = SettlementView(
        account=account,
        ticker=market.terms.ticker,
        event_ticker=market.terms.event_ticker,
        exchange_index=market.terms.exchange_index,
        result=market.result.value if market.result else "",
        value=Value(min(market.settlement_value, PAYOUT)),
        yes_count=Quantity(max(0, held)),
        yes_cost=held_cost if held > 0 else Money(0),
        no_count=Quantity(max(0, -held)),
        no_cost=held_cost if held < 0 else Money(0),
        revenue=revenue,
        residue=residue,
        fees=position.fees,
        settled_us=state.now_us,
    )
    ledger.settlements.append(settlement)
    state.tell(AccountSettled(account=account, settlement=settlement))
    state.tell_position(position)

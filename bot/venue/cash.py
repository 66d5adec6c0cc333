"""Money that comes, goes and moves between shards; trading is not its business."""

from bot.domain.money import Money
from bot.venue.accounts import AccountId, AccountTerms
from bot.venue.events import BalanceChanged
from bot.venue.ledger import Ledger
from bot.venue.results import Done, Refusal, RefusalCode
from bot.venue.state import VenueState


def open_account(state: VenueState, terms: AccountTerms) -> Done | Refusal:
    """Open an account without money."""
    if terms.account in state.ledgers:
        return Refusal(RefusalCode.ACCOUNT_EXISTS)
    state.ledgers[terms.account] = Ledger(terms)
    return Done()


def deposit(
    state: VenueState, account: AccountId, exchange_index: int, amount: Money
) -> Done | Refusal:
    """Add cash to a shard, or take free cash off it."""
    ledger = state.ledgers.get(account)
    if ledger is None:
        return Refusal(RefusalCode.ACCOUNT_NOT_FOUND)
    if not _can_spare(ledger, exchange_index, -amount):
        return Refusal(RefusalCode.INSUFFICIENT_BALANCE)
    _pay(state, ledger, exchange_index, amount)
    return Done()


def transfer(
    state: VenueState, account: AccountId, amount: Money, route: tuple[int, int]
) -> Done | Refusal:
    """Move free cash along ``route``, (source, destination)."""
    ledger = state.ledgers.get(account)
    source, destination = route
    if ledger is None:
        return Refusal(RefusalCode.ACCOUNT_NOT_FOUND)
    if amount <= 0 or source == destination:
        return Refusal(RefusalCode.INVALID_PARAMETERS, "amount must be positive, shards differ")
    if not _can_spare(ledger, source, amount):
        return Refusal(RefusalCode.INSUFFICIENT_BALANCE)
    _pay(state, ledger, source, Money(-amount))
    _pay(state, ledger, destination, amount)
    return Done()


def _can_spare(ledger: Ledger, exchange_index: int, amount: int) -> bool:
    return amount <= 0 or not ledger.terms.checks_funds or amount <= ledger.free_of(exchange_index)


def _pay(state: VenueState, ledger: Ledger, exchange_index: int, change: Money) -> None:
    ledger.pay(exchange_index, change)
    state.tell_owner(
        ledger.terms.account,
        BalanceChanged(
            account=ledger.terms.account,
            exchange_index=exchange_index,
            change=change,
            at_us=state.now_us,
        ),
    )

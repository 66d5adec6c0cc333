"""Trading pauses, which still let orders be canceled, and exchange pauses, which let nothing."""

from bot.venue.events import PauseChanged
from bot.venue.orders import UpdateReason
from bot.venue.resting import cancel
from bot.venue.results import Done
from bot.venue.state import VenueState


def set_active(
    state: VenueState, paused: set[int | None], exchange_index: int | None, *, is_active: bool
) -> Done:
    """Switch one of the two pauses for a shard, or for all where the index is ``None``.

    Its beginning cancels the orders that asked for it. A switch that is there
    already says nothing.
    """
    if is_active == (exchange_index not in paused):
        return Done()
    if is_active:
        paused.remove(exchange_index)
    else:
        paused.add(exchange_index)
    _tell(state, exchange_index)
    if not is_active:
        _cancel_sensitive(state, exchange_index)
    return Done()


def _tell(state: VenueState, exchange_index: int | None) -> None:
    state.tell(
        PauseChanged(
            exchange_index=exchange_index,
            is_exchange_active=state.is_exchange_active(exchange_index),
            is_trading_active=state.is_trading_active(exchange_index),
            at_us=state.now_us,
        )
    )


def _cancel_sensitive(state: VenueState, exchange_index: int | None) -> None:
    for ledger in state.ledgers.values():
        for order in list(ledger.resting.values()):
            is_meant = exchange_index in (None, order.exchange_index)
            if order.cancel_on_pause and is_meant:
                cancel(state, order, UpdateReason.HALT_CANCEL)

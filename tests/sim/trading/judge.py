"""What must be so when all is calm."""

from collections import Counter

from bot.domain.orders import BookSide, OrderStatus
from bot.domain.records import BracketState
from tests.sim.trading.floor import OURS
from tests.sim.trading.storm import Storm
from tests.sim.trading.watch import offered

_BARE = (BracketState.PENDING_ENTRY, BracketState.PARTIAL, BracketState.OPEN)
_NOT_KNOWN = (OrderStatus.SUBMITTING, OrderStatus.UNKNOWN, OrderStatus.CANCELING)


def broken(storm: Storm) -> list[str]:
    """Everything that is not as it must be, the storm's own findings first."""
    return [
        *dict.fromkeys(storm.floor.broken),
        *_leadership(storm),
        *_positions(storm),
        *_fills(storm),
        *_orders(storm),
        *_exits(storm),
        *_take_profits(storm),
    ]


def _leadership(storm: Storm) -> list[str]:
    leading = [process.epoch for process in storm.processes if process.is_leading]
    return [] if leading == [storm.leader.epoch] else [f"I16 leading are {leading}"]


def _positions(storm: Storm) -> list[str]:
    tables, world = storm.store.tables, storm.leader.engine.world
    there = storm.floor.positions()
    stored = {key: int(one.quantity) for key, one in tables.positions.items() if one.quantity}
    known = {one.ticker: int(one.quantity) for one in world.ledger.open_positions()}
    return (
        [] if there == stored == known else [f"I15 {there} there, {stored} stored, {known} known"]
    )


def _fills(storm: Storm) -> list[str]:
    there = {one.fill_id: one for one in storm.floor.venue.reads.fills(OURS)}
    stored = storm.store.tables.fills
    if there.keys() != stored.keys():
        return [f"I15 fills differ: {sorted(there.keys() ^ stored.keys())}"]
    folded = Counter[str]()
    for one in stored.values():
        folded[one.ticker] += one.quantity if one.side is BookSide.BID else -one.quantity
    held = storm.floor.positions()
    return [
        f"I15 {ticker}: fills give {quantity}, held are {held[ticker]}"
        for ticker, quantity in folded.items()
        if ticker in held and quantity != held[ticker]
    ]


def _orders(storm: Storm) -> list[str]:
    progress = storm.store.tables.progress
    doubtful = [key for key, one in progress.items() if one.status in _NOT_KNOWN]
    every = storm.floor.venue.reads.orders(OURS)
    resting = {one.client_order_id for one in every if one.status is OrderStatus.RESTING}
    working = {key for key, one in progress.items() if not one.status.is_final} - set(doubtful)
    found = [f"I9 {key} is {progress[key].status}" for key in doubtful]
    if resting != working:
        found.append(f"orders: {sorted(map(str, resting ^ working))} rest on one side only")
    return found


def _exits(storm: Storm) -> list[str]:
    """What rests to take a profit is never more than what is held."""
    held = storm.floor.positions()
    return [
        f"sign: {quantity} of {ticker} are for sale, held are {held.get(ticker, 0)}"
        for ticker, quantity in offered(storm.floor, storm.store).items()
        if quantity > abs(held.get(ticker, 0))
    ]


def _take_profits(storm: Storm) -> list[str]:
    """Every strategy here wants one: it rests, or the position is being left."""
    selling = offered(storm.floor, storm.store)
    return [
        f"protection: {one.ticker} is {one.state}, no take-profit rests"
        for one in storm.store.tables.brackets.values()
        if one.state in _BARE and one.entered > one.exited and storm.floor.is_open(one.ticker)
        if not selling[one.ticker]
    ]

"""What must be true of a bot and its exchange, asked of both from outside.

``differences`` compares two states and may need a moment to become empty;
``violations`` looks at all that ever happened, and nothing heals those.
"""

from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

from bot.domain.money import complement, parse_price, parse_quantity
from bot.kit.times import SECOND_US, parse_rfc3339
from soak.person import Halt
from soak.plant import Plant

_BOOKS_AT_ONCE = 50
_SHOWN = 5
_ON_ITS_WAY_US = 30 * SECOND_US
"""So long an order may take to the exchange: the machine is shared, and faults add seconds."""
_RESTS = ("resting", "partially_filled")
_OPEN = "('submitting', 'unknown')"
_OVER = "('closed', 'settled')"


@dataclass(frozen=True, slots=True, kw_only=True)
class Intent:
    """What the bot's database says of one order."""

    signal_id: str | None
    is_entry: bool
    status: str
    filled_e2: int
    decided_us: int


def _intents(plant: Plant) -> dict[str, Intent]:
    query = (
        "SELECT client_order_id, signal_id, purpose, status, filled_e2, decided_us "
        "FROM order_intents"
    )
    return {
        mine: Intent(
            signal_id=signal,
            is_entry=purpose == "entry",
            status=status,
            filled_e2=filled,
            decided_us=decided_us,
        )
        for mine, signal, purpose, status, filled, decided_us in plant.rows(query)
    }


def _some(what: str, found: Iterable[object]) -> list[str]:
    every = [str(one) for one in found]
    if not every:
        return []
    more = f" and {len(every) - _SHOWN} more" if len(every) > _SHOWN else ""
    return [f"{what}: {'; '.join(every[:_SHOWN])}{more}"]


async def _positions(plant: Plant) -> dict[str, int]:
    rows = await plant.read_all("/portfolio/positions", "market_positions")
    found = {row["ticker"]: int(parse_quantity(row["position_fp"])) for row in rows}
    return {ticker: quantity for ticker, quantity in found.items() if quantity}


# --- states ---------------------------------------------------------------------------------


async def differences(plant: Plant) -> list[str]:
    """Where bot and exchange do not agree now."""
    return [
        *await _unequal_positions(plant),
        *await _unequal_fills(plant),
        *await _unequal_orders(plant),
        *await unequal_books(plant),
    ]


async def _unequal_positions(plant: Plant) -> list[str]:
    query = "SELECT ticker, quantity_e2 FROM positions WHERE quantity_e2 <> 0"
    ours, theirs = dict(plant.rows(query)), await _positions(plant)
    return _some(
        "positions differ",
        (
            f"{ticker} is {ours.get(ticker, 0)} here and {theirs.get(ticker, 0)} there"
            for ticker in sorted(ours.keys() | theirs.keys())
            if ours.get(ticker, 0) != theirs.get(ticker, 0)
        ),
    )


async def _unequal_fills(plant: Plant) -> list[str]:
    query = "SELECT fill_id, order_id, ticker, side, price_e4, quantity_e2 FROM fills"
    ours = {row[0]: row[1:] for row in plant.rows(query)}
    theirs = {
        one["fill_id"]: (
            one["order_id"],
            one["ticker"],
            one["book_side"],
            int(parse_price(one["yes_price_dollars"])),
            int(parse_quantity(one["count_fp"])),
        )
        for one in await plant.read_all("/portfolio/fills", "fills")
    }
    return _some(
        "fills differ",
        (
            f"{key} is {ours.get(key)} here and {theirs.get(key)} there"
            for key in sorted(ours.keys() | theirs.keys())
            if ours.get(key) != theirs.get(key)
        ),
    )


async def _unequal_orders(plant: Plant) -> list[str]:
    intents = _intents(plant)
    found = []
    resting = set()
    for order in await plant.read_all("/portfolio/orders", "orders"):
        mine, filled = order["client_order_id"], int(parse_quantity(order["fill_count_fp"]))
        intent = intents.get(mine)
        if order["status"] == "resting":
            resting.add(mine)
            if intent is None or intent.status not in _RESTS:
                found.append(f"{mine} rests there and is {intent and intent.status} here")
        if intent is not None and intent.filled_e2 != filled:
            found.append(f"{mine} has {intent.filled_e2} filled here and {filled} there")
    for mine, intent in intents.items():
        if intent.status in _RESTS and mine not in resting:
            found.append(f"{mine} rests here and not there")
    open_ = plant.rows(f"SELECT client_order_id FROM order_intents WHERE status IN {_OPEN}")  # noqa: S608 - our own words
    return [*_some("orders differ", found), *_some("outcome not known", (row[0] for row in open_))]


async def unequal_books(plant: Plant) -> list[str]:
    """Every level of every watched market."""
    ours = await plant.page("/books")
    if not ours:
        return ["the bot shows no books"]
    found = []
    every = sorted(ours)
    for first in range(0, len(every), _BOOKS_AT_ONCE):
        tickers = every[first : first + _BOOKS_AT_ONCE]
        query = "?" + "&".join(f"tickers={ticker}" for ticker in tickers)
        for one in (await plant.read("/markets/orderbooks", query))["orderbooks"]:
            book = one["orderbook_fp"]
            bids = [[price, size] for price, size in reversed(book["yes_dollars"])]
            asks = [[_other_leg(price), size] for price, size in reversed(book["no_dollars"])]
            kept = ours[one["ticker"]]
            if not kept["is_trusted"] and (bids or asks):
                found.append(f"{one['ticker']} is not trusted")
            elif (kept["bids"], kept["asks"]) != (bids, asks):
                found.append(f"{one['ticker']} is not equal")
    return _some("books differ", found)


def _other_leg(price: str) -> str:
    other = int(complement(parse_price(price)))
    return f"{other // 10_000}.{other % 10_000:04d}"


async def unprotected(plant: Plant) -> list[str]:
    """Held and without a way out, or with more resting than is held."""
    query = (
        "SELECT ticker, state, stop_price_e4 FROM brackets WHERE entered_e2 > exited_e2"  # noqa: S608
        f" AND state NOT IN {_OVER}"
    )
    brackets = {row[0]: row[1:] for row in plant.rows(query)}
    intents, selling = _intents(plant), Counter[str]()
    for order in await plant.read_all("/portfolio/orders", "orders"):
        intent = intents.get(order["client_order_id"])
        if order["status"] == "resting" and intent is not None and not intent.is_entry:
            selling[order["ticker"]] += int(parse_quantity(order["remaining_count_fp"]))
    found = []
    held = await _positions(plant)
    for ticker, quantity in held.items():
        state, stop = brackets.get(ticker, ("without a bracket", 0))
        if not selling[ticker] and state != "exiting" and not stop:
            found.append(f"{ticker} holds {quantity} and is {state}")
    for ticker, quantity in selling.items():
        if quantity > abs(held.get(ticker, 0)):
            found.append(f"{ticker} sells {quantity} of {held.get(ticker, 0)}")
    return _some("not protected", found)


# --- history --------------------------------------------------------------------------------


async def violations(plant: Plant, halts: Sequence[Halt]) -> list[str]:
    """What must never have happened."""
    orders = await plant.read_all("/portfolio/orders", "orders")
    orders.sort(key=lambda one: parse_rfc3339(one["created_time"]))
    intents = _intents(plant)
    entries = [one for one in orders if _is_entry(one, intents)]
    return [
        *_some(
            "an order without an intent",
            (one["order_id"] for one in orders if one["client_order_id"] not in intents),
        ),
        *_some("two orders for one signal", _doubled(entries, intents)),
        *_some("an order of an old epoch after a take-over", _late(entries, plant)),
        *_some("an entry after a halt was saved", _in_halts(entries, intents, halts)),
        *_some("an exit that did not take risk away", await _wrong_exits(plant, orders, intents)),
    ]


def _is_entry(order: dict[str, Any], intents: dict[str, Intent]) -> bool:
    intent = intents.get(order["client_order_id"])
    return intent is not None and intent.is_entry


def _doubled(entries: list[dict[str, Any]], intents: dict[str, Intent]) -> list[str]:
    signals = Counter(intents[one["client_order_id"]].signal_id for one in entries)
    return [f"{signal} has {count}" for signal, count in signals.items() if count > 1]


def _late(entries: list[dict[str, Any]], plant: Plant) -> list[str]:
    """Groups are made anew by each epoch, and never used again: they may only go forward."""
    made = plant.rows("SELECT order_group_id, created_us, exchange_index FROM order_groups")
    since = {row[0]: row[1:] for row in made}
    by_shard = defaultdict(list)
    for one in entries:
        if one.get("order_group_id") in since:
            created_us, shard = since[one["order_group_id"]]
            by_shard[shard].append((created_us, one["order_id"]))
    return [
        order_id
        for found in by_shard.values()
        for (before, _), (after, order_id) in pairwise(found)
        if after < before
    ]


def _in_halts(
    entries: list[dict[str, Any]], intents: dict[str, Intent], halts: Sequence[Halt]
) -> list[str]:
    """Those that can only have left within a halt.

    The exchange stamps what it takes, and takes its time on a machine that is busy: a taken order
    left some time between its decision and that stamp. When one leaves is judged by the storms,
    to the microsecond.
    """
    found = []
    for one in entries:
        taken_us = parse_rfc3339(one["created_time"])
        first_us = max(intents[one["client_order_id"]].decided_us, taken_us - _ON_ITS_WAY_US)
        if any(halt.saved_us < first_us and taken_us < halt.ended_us for halt in halts):
            found.append(one["order_id"])
    return found


async def _wrong_exits(
    plant: Plant, orders: list[dict[str, Any]], intents: dict[str, Intent]
) -> list[str]:
    exits = {
        one["order_id"]
        for one in orders
        if one["client_order_id"] in intents and not intents[one["client_order_id"]].is_entry
    }
    fills = await plant.read_all("/portfolio/fills", "fills")
    fills.sort(key=lambda one: parse_rfc3339(one["created_time"]))
    held, found = Counter[str](), []
    for fill in fills:
        ticker, quantity = fill["ticker"], int(parse_quantity(fill["count_fp"]))
        before = held[ticker]
        held[ticker] += quantity if fill["book_side"] == "bid" else -quantity
        is_less = abs(held[ticker]) < abs(before) and held[ticker] * before >= 0
        if fill["order_id"] in exits and not is_less:
            found.append(f"{fill['fill_id']} took {ticker} from {before} to {held[ticker]}")
    return found

"""nautilus_trader's OrderBook fed with book frames, as its own Polymarket adapter feeds it.

Prices and sizes are made by the instrument from floats, orders and deltas are
its own objects (``adapters/polymarket/schemas/book.py``). Runs in its own environment.

Usage: ``python book_of_nautilus.py FRAMES``. Prints ``ready``, then for every
line it reads the nanoseconds of one pass over the frames.
"""

import sys
from decimal import Decimal
from pathlib import Path
from time import thread_time_ns

import msgspec
from nautilus_trader.model.book import OrderBook
from nautilus_trader.model.currencies import USD
from nautilus_trader.model.data import BookOrder, OrderBookDelta
from nautilus_trader.model.enums import AssetClass, BookAction, BookType, OrderSide
from nautilus_trader.model.identifiers import InstrumentId, Symbol
from nautilus_trader.model.instruments import BinaryOption
from nautilus_trader.model.objects import Price, Quantity

_SIDES = {"yes": OrderSide.BUY, "no": OrderSide.SELL}


class Message(msgspec.Struct):
    """What a book needs of a snapshot or a delta."""

    market_ticker: str
    price_dollars: str = ""
    delta_fp: str = ""
    side: str = ""
    yes_dollars_fp: list[tuple[str, str]] | None = None
    no_dollars_fp: list[tuple[str, str]] | None = None


class Frame(msgspec.Struct):
    """The envelope."""

    type: str
    seq: int
    msg: Message


def _instrument(name: str) -> BinaryOption:
    return BinaryOption(
        instrument_id=InstrumentId.from_str(f"{name}.KALSHI"),
        raw_symbol=Symbol(name),
        outcome="Yes",
        description=name,
        asset_class=AssetClass.ALTERNATIVE,
        currency=USD,
        price_precision=4,
        price_increment=Price.from_str("0.0001"),
        size_precision=2,
        size_increment=Quantity.from_str("0.01"),
        activation_ns=0,
        expiration_ns=0,
        max_quantity=None,
        min_quantity=None,
        maker_fee=Decimal(0),
        taker_fee=Decimal(0),
        ts_event=0,
        ts_init=0,
    )


class Books:
    """The books, and the sizes that turn a signed change into a level's new size."""

    def __init__(self) -> None:
        self.books: dict[str, OrderBook] = {}
        self.instruments: dict[str, BinaryOption] = {}
        self.sizes: dict[tuple[str, str, str], float] = {}

    def take(self, frame: Frame) -> object:
        """Apply a frame and read both best prices."""
        msg = frame.msg
        if frame.type == "orderbook_snapshot":
            self._snapshot(frame)
        else:
            self._level(frame, msg.side, msg.price_dollars, msg.delta_fp)
        book = self.books[msg.market_ticker]
        return book.best_bid_price(), book.best_ask_price()

    def _snapshot(self, frame: Frame) -> None:
        name = frame.msg.market_ticker
        instrument = self.instruments[name] = _instrument(name)
        self.books[name] = OrderBook(instrument.id, BookType.L2_MBP)
        for key in [key for key in self.sizes if key[0] == name]:
            del self.sizes[key]
        for side, rows in (("yes", frame.msg.yes_dollars_fp), ("no", frame.msg.no_dollars_fp)):
            for price, size in rows or ():
                self._level(frame, side, price, size)

    def _level(self, frame: Frame, side: str, price: str, change: str) -> None:
        name = frame.msg.market_ticker
        instrument, key = self.instruments[name], (name, side, price)
        size = self.sizes[key] = round(self.sizes.get(key, 0.0) + float(change), 2)
        shown = float(price) if side == "yes" else 1.0 - float(price)
        order = BookOrder(
            _SIDES[side], instrument.make_price(shown), instrument.make_qty(max(size, 0.0)), 0
        )
        action = BookAction.UPDATE if size > 0 else BookAction.DELETE
        delta = OrderBookDelta(instrument.id, action, order, 0, frame.seq, 0, 0)
        self.books[name].apply_delta(delta)


def measure(frames: list[bytes]) -> int:
    """One pass."""
    decode, books = msgspec.json.Decoder(Frame).decode, Books()
    began_ns = thread_time_ns()
    for frame in frames:
        books.take(decode(frame))
    return thread_time_ns() - began_ns


def main() -> None:
    """Answer every line with one measurement."""
    frames = Path(sys.argv[1]).read_bytes().splitlines()
    print("ready", flush=True)
    for _ in sys.stdin:
        print(measure(frames), flush=True)


if __name__ == "__main__":
    main()

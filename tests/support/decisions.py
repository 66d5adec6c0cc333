"""Records of one entry: its signal, its bracket, its order and how far that is."""

from bot.domain.orders import BookSide, OrderIntent, OrderStatus, Purpose, TimeInForce
from bot.domain.records import BracketRecord, BracketState, OrderRecord, SnapshotRecord
from bot.domain.signals import Signal, SignalRecord, Verdict

NOW = 1_795_000_000_000_000


def signal(name: str = "s1", **changes) -> SignalRecord:
    """Taken, and sized by something."""
    wish = Signal(
        strategy_id="fade",
        ticker="KXFED-27",
        side=BookSide.BID,
        price=9_100,
        chance_e6=923_456,
        target_price=None,
        stop_price=8_600,
        lifetime_us=60,
        inputs=(("bid", "0.91"),),
    )
    fields = {
        "signal_id": name,
        "signal": wish,
        "quantity": 1_050,
        "verdict": Verdict.TAKEN,
        "reason": "depth",
        "decided_us": NOW,
        "case": {"equity": 1_000_000, "caps": [["cash", 5]], "view": {"foreign": None}},
    }
    return SignalRecord(**(fields | changes))


def bracket(name: str = "b1", **changes) -> BracketRecord:
    """Just opened."""
    fields = {
        "bracket_id": name,
        "signal_id": name.replace("b", "s"),
        "strategy_id": "fade",
        "ticker": "KXFED-27",
        "event_ticker": "KXFED",
        "title": "Rates above 4%?",
        "side": BookSide.BID,
        "state": BracketState.PENDING_ENTRY,
        "entry_price": 9_100,
        "stop_price": 8_600,
        "target_price": 0,
        "wanted": 1_050,
        "entered": 0,
        "entry_cost": 0,
        "exited": 0,
        "exit_value": 0,
        "fees": 0,
        "exit_reason": None,
        "data_json": '{"plan": "all of it"}',
        "opened_us": NOW,
        "entered_us": None,
        "closed_us": None,
        "updated_us": NOW,
    }
    return BracketRecord(**(fields | changes))


def intent(name: str = "c1", **changes) -> OrderIntent:
    """The entry of ``b1``."""
    fields = {
        "client_order_id": name,
        "epoch": 7,
        "strategy_id": "fade",
        "signal_id": "s1",
        "bracket_id": "b1",
        "purpose": Purpose.ENTRY,
        "ticker": "KXFED-27",
        "exchange_index": 1,
        "side": BookSide.BID,
        "price": 9_100,
        "quantity": 1_050,
        "time_in_force": TimeInForce.GOOD_TILL_CANCELED,
        "post_only": True,
        "reduce_only": False,
        "expires_us": NOW + 60,
        "decided_us": NOW,
    }
    return OrderIntent(**(fields | changes))


def progress(name: str = "c1", **changes) -> OrderRecord:
    """It rests."""
    fields = {
        "client_order_id": name,
        "status": OrderStatus.RESTING,
        "order_id": f"v-{name}",
        "filled": 0,
        "reason": "",
        "updated_us": NOW + 5,
    }
    return OrderRecord(**(fields | changes))


def snapshot(taken_us: int = NOW) -> SnapshotRecord:
    """A fact that has nothing to do with an entry."""
    return SnapshotRecord(
        taken_us=taken_us,
        cash=5,
        equity=10,
        exposure=5,
        realized_today=-3,
        unrealized=2,
        open_positions=1,
        trades_today=4,
        wins_today=1,
        losses_today=2,
        stopped_by="",
    )


def entry(number: int) -> tuple[SignalRecord, BracketRecord, OrderIntent]:
    """Everything one decision commits, of its own market."""
    names = {"ticker": f"KX-{number}", "decided_us": NOW + number}
    return (
        signal(f"s{number}"),
        bracket(f"b{number}", ticker=names["ticker"], opened_us=NOW + number),
        intent(f"c{number}", signal_id=f"s{number}", bracket_id=f"b{number}", **names),
    )

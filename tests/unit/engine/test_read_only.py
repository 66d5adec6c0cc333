"""An account that is only watched: everything is known and told, nothing is sent."""

from bot.domain.events import CloseCommanded, EntriesCancelCommanded, FillReported, PanicCommanded
from bot.domain.ids import FillId, MarketTicker, OrderId
from bot.domain.money import Money, Price, Quantity
from bot.domain.orders import BookSide, Fill
from bot.engine.effects import CancelOrder, NoticeKind, SendOrder
from bot.engine.settings import EngineSettings
from tests.support.trading import TICKER, Desk

OTHER = MarketTicker("KXCPI-26DEC-T3.0")


def watching() -> Desk:
    desk = Desk(EngineSettings(entries_on=False, is_read_only=True))
    desk.lead()
    return desk


def trades(desk: Desk, quantity: int) -> None:
    """A person buys in the app."""
    fill = Fill(
        fill_id=FillId(f"f{len(desk.fills) + 1}"),
        order_id=OrderId("app"),
        ticker=TICKER,
        side=BookSide.BID,
        price=Price(9_000),
        quantity=Quantity(quantity),
        fee=Money(0),
        is_taker=True,
        executed_us=desk.now_us,
    )
    desk.fills.append(fill)
    desk.positions[TICKER] = desk.position() + quantity
    desk.put(FillReported(received_us=desk.now_us, fill=fill))


def sent(desk: Desk) -> list[object]:
    kinds = (SendOrder, CancelOrder)
    return [one for _, effects in desk.journal for one in effects if isinstance(one, kinds)]


def test_what_others_do_is_kept_and_told_and_nobody_objects() -> None:
    desk = watching()
    trades(desk, 300)
    desk.foreign_positions[OTHER] = 500
    for _ in range(3):
        desk.wait(11)
        desk.read()
        desk.quote()
    world = desk.engine.world
    assert (world.ledger.position(TICKER).quantity, world.ledger.position(OTHER).quantity) == (
        300,
        500,
    )
    assert desk.store.positions[TICKER].quantity == 300
    [told] = desk.told_of(NoticeKind.FILL_SEEN)
    assert (told["contracts"], told["price"], told["position"]) == ("3.00", "0.9000", "3.00")
    assert desk.told_of(NoticeKind.FOREIGN_ACTIVITY) == ()
    stop = world.stance.why_not_trading()
    assert stop is not None
    assert stop.why == "the account is only watched"
    assert sent(desk) == []


def test_no_command_sends_anything() -> None:
    desk = watching()
    trades(desk, 300)
    now = desk.now_us
    desk.put(PanicCommanded(received_us=now, command_id=1, actor="ann", is_everything=True))
    assert desk.replies[-1].text.startswith("refused: this instance only watches")
    desk.put(CloseCommanded(received_us=now, command_id=2, actor="ann", ticker=None))
    desk.put(EntriesCancelCommanded(received_us=now, command_id=3, actor="ann"))
    desk.wait(30)
    desk.read()
    desk.quote()
    assert sent(desk) == []

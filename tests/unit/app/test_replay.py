"""Living through decisions again: joined anywhere, and every kind of difference named."""

import json
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from bot.app.recording import LISTING, STRATEGIES
from bot.app.replay import Outcome, Replayed, replay
from bot.domain.ids import StrategyId
from bot.domain.money import Price, Quantity
from bot.domain.operations import Decision, SignalFacts
from bot.domain.orders import BookSide
from bot.domain.quotes import Quote
from bot.domain.signals import Signal
from bot.kit.frames import SAID, FrameFile, Item, Told, frame_files, note
from bot.kit.times import HOUR_US, SECOND_US
from bot.kit.values import to_plain
from bot.risk.decision import Seen
from bot.strategies.base import MarketView
from bot.strategies.near_expiry import build
from tests.support.trading import START_US, TICKER, a_listing

LISTED = a_listing()
SEEN_US = START_US + 10
DECIDED_US = SEEN_US + 3
SEEN = Seen(
    bid=Price(9_400),
    ask=Price(9_500),
    bid_size=Quantity(20_000),
    ask_size=Quantity(30_000),
    quote_us=SEEN_US,
    close_us=LISTED.market.close_us,
)
BEGAN = {"uses_yes_price": True, "wants_private": False, "wants_trades": False}
BOOK_SID = 7


def no_bar(done: int, total: int | None, text: str) -> None:
    """Nobody looks."""


def said(command_id: int, cmd: str, **params: Any) -> Told:
    frame = {"id": command_id, "cmd": cmd, "params": params}
    return Told(START_US, SAID, json.dumps(frame).encode())


def heard(kind: str, seq: int = 0, sid: int = BOOK_SID, **msg: Any) -> bytes:
    whole = {"type": kind, "sid": sid, "seq": seq, "msg": {"market_ticker": TICKER, **msg}}
    return json.dumps(whole).encode()


def answer(command_id: int, channel: str, sid: int) -> bytes:
    msg = {"channel": channel, "sid": sid}
    return json.dumps({"type": "subscribed", "id": command_id, "msg": msg}).encode()


def book(seq: int, bid: str = "0.9300") -> bytes:
    return heard(
        "orderbook_snapshot",
        seq,
        yes_dollars_fp=[[bid, "100.00"]],
        no_dollars_fp=[["0.9500", "300.00"]],
    )


def bid_up(seq: int, price: str = "0.9400") -> bytes:
    return heard("orderbook_delta", seq, price_dollars=price, delta_fp="200.00", side="yes")


SUBSCRIBED: list[Item] = [
    said(1, "subscribe", channels=["orderbook_delta"], market_tickers=[TICKER]),
    START_US + 1,
    answer(1, "orderbook_delta", BOOK_SID),
]
USUAL: list[Item] = [
    *SUBSCRIBED,
    START_US + 5,
    book(1),
    SEEN_US,
    bid_up(2),
    DECIDED_US + 5,
    bid_up(3, "0.9450"),
]
JOINED = {
    **BEGAN,
    "subscriptions": [
        {"channel": "orderbook_delta", "sid": BOOK_SID, "last_seq": 40, "tickers": [TICKER]}
    ],
}


def talk(
    root: Path,
    items: Sequence[Item],
    began_us: int = START_US,
    facts: dict[str, Any] | None = None,
    name: str = "ab12cd34-0002",
) -> Path:
    told = BEGAN | {"subscriptions": []} if facts is None else facts
    place = root / "2026-09-21" / f"{began_us % (24 * HOUR_US) // HOUR_US:02d}-{name}.frames.zst"
    file = FrameFile(place, "ab12cd34-0002", began_us)
    file.write([note(began_us, "began", **told), began_us, *items])
    file.close()
    return place


def terms(root: Path, *more: Told, strategies: object = None) -> None:
    facts = {STRATEGIES: {"near_expiry": {}} if strategies is None else strategies}
    listing = note(START_US, LISTING, listing=to_plain(LISTED))
    file = FrameFile(root / "2026-09-21" / "00-ab12cd34-0001.frames.zst", "ab12cd34-0001", START_US)
    file.write([note(START_US, "began", **facts), listing, *more])
    file.close()


def wish() -> Signal:
    quote = Quote(
        ticker=TICKER, bid=SEEN.bid, ask=SEEN.ask, bid_size=SEEN.bid_size, ask_size=SEEN.ask_size,
        received_us=SEEN_US,
    )  # fmt: skip
    view = MarketView(
        listing=LISTED, quote=quote, close_us=LISTED.market.close_us, now_us=DECIDED_US
    )
    found = build({}).on_quote(view)
    assert isinstance(found, Signal)
    return found


WISH = wish()
DECISION = Decision(
    at_us=DECIDED_US,
    ticker=TICKER,
    verdict="taken",
    reason="",
    case={"seen": to_plain(SEEN), "offer": {"chance_e6": WISH.chance_e6}},
    signal=SignalFacts(
        strategy_id=StrategyId("near_expiry"),
        side=BookSide.BID,
        price=WISH.price,
        inputs=WISH.inputs,
    ),
)


def judged(root: Path, decision: Decision = DECISION) -> Replayed:
    (found,) = replay([decision], root, [], no_bar)
    return found


def test_the_same_frames_give_the_same_wish(tmp_path: Path) -> None:
    terms(tmp_path)
    talk(tmp_path, USUAL)
    assert judged(tmp_path) == Replayed(Outcome.EQUAL)


def test_a_decision_that_does_not_say_what_was_seen_is_judged_by_the_book(tmp_path: Path) -> None:
    terms(tmp_path)
    talk(tmp_path, USUAL)
    assert judged(tmp_path, replace(DECISION, case={})).outcome is Outcome.EQUAL


def test_a_file_in_the_middle_of_a_conversation_is_enough(tmp_path: Path) -> None:
    terms(tmp_path)
    talk(tmp_path, [START_US + 5, book(41), SEEN_US, bid_up(42)], facts=JOINED)
    assert judged(tmp_path).outcome is Outcome.EQUAL


def test_a_conversation_goes_on_over_its_files(tmp_path: Path) -> None:
    terms(tmp_path)
    talk(tmp_path, [*SUBSCRIBED, START_US + 5, book(1)])
    talk(
        tmp_path,
        [SEEN_US, bid_up(2), DECIDED_US + 1, bid_up(3, "0.9450")],
        began_us=SEEN_US,
        facts={**JOINED, "subscriptions": [{**JOINED["subscriptions"][0], "last_seq": 1}]},
        name="ab12cd34-0002~01",
    )
    paths = frame_files(tmp_path)
    assert len(paths) == 3
    assert judged(tmp_path).outcome is Outcome.EQUAL


@pytest.mark.parametrize(
    ("items", "detail"),
    [
        ([*SUBSCRIBED, START_US + 5, book(1), SEEN_US, bid_up(2, "0.9410")], "bid: now 9410, then 9400"),
        ([*SUBSCRIBED, START_US + 5, book(1), SEEN_US, bid_up(3)], "the book: now no new top at that moment, then one"),
        ([*SUBSCRIBED, START_US + 5, book(1), SEEN_US + 1, bid_up(2)], "the book: now no new top at that moment, then one"),
        ([said(1, "subscribe", channels=["nonsense"], market_tickers=[TICKER]), *USUAL[1:]], None),
    ],
)  # fmt: skip
def test_changed_frames_are_noticed(tmp_path: Path, items: list[Item], detail: str | None) -> None:
    terms(tmp_path)
    talk(tmp_path, items)
    found = judged(tmp_path)
    assert found.outcome is not Outcome.EQUAL
    if detail is not None:
        assert found.text == f"different: {detail}"


def changed(**facts: Any) -> Decision:
    assert DECISION.signal is not None
    return replace(DECISION, signal=replace(DECISION.signal, **facts))


@pytest.mark.parametrize(
    ("decision", "detail"),
    [
        (changed(side=BookSide.ASK), "side: now bid, then ask"),
        (changed(price=Price(9_390)), "price: now 9400, then 9390"),
        (changed(inputs=(("bid_e4", "9390"), *WISH.inputs[1:])), "bid_e4: now 9400, then 9390"),
        (changed(inputs=(*WISH.inputs, ("more", "1"))), "more: now None, then 1"),
        (changed(strategy_id=StrategyId("gone")), "there is no strategy gone now"),
        (
            replace(DECISION, case={**DECISION.case, "offer": {"chance_e6": 5}}),
            f"chance_e6: now {WISH.chance_e6}, then 5",
        ),
        (
            replace(DECISION, case={"seen": to_plain(replace(SEEN, close_us=5))}),
            f"close_us: now {LISTED.market.close_us}, then 5",
        ),
        (replace(DECISION, case={"seen": {"bid": 1}}), "written by another version"),
    ],
)  # fmt: skip
def test_a_changed_record_is_noticed(tmp_path: Path, decision: Decision, detail: str) -> None:
    terms(tmp_path)
    talk(tmp_path, USUAL)
    found = judged(tmp_path, decision)
    assert found.outcome is Outcome.DIFFERENT
    assert detail in found.text


def test_the_parameters_of_that_time_count(tmp_path: Path) -> None:
    terms(tmp_path, strategies={"near_expiry": {"depth_min_e2": 20_001}})
    talk(tmp_path, USUAL)
    assert judged(tmp_path).text == (
        "different: the wish: now none (too little at the best bid), then one"
    )


def test_what_is_not_recorded_is_no_difference(tmp_path: Path) -> None:
    assert judged(tmp_path).outcome is Outcome.NOT_RECORDED
    talk(tmp_path, USUAL)
    assert judged(tmp_path).text == "not recorded: the terms of its market: the files begin later"
    terms(tmp_path)
    late = replace(DECISION, at_us=START_US + HOUR_US)
    assert judged(tmp_path, late).text == "not recorded: no recording holds this moment"
    (tmp_path / "late").mkdir()
    terms(tmp_path / "late")
    talk(tmp_path / "late", [*SUBSCRIBED, DECIDED_US + SECOND_US, book(1)])
    assert judged(tmp_path / "late").outcome is Outcome.NOT_RECORDED


def test_frames_that_were_lost_end_what_is_known(tmp_path: Path) -> None:
    terms(tmp_path)
    items: list[Item] = [*SUBSCRIBED, START_US + 5, book(1), note(START_US + 6, "gap", lost=3)]
    talk(tmp_path, [*items, SEEN_US, bid_up(2), DECIDED_US + 1, bid_up(3)])
    assert judged(tmp_path).outcome is Outcome.DIFFERENT

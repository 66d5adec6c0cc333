"""The first live orders wait for a person; a yes is good for what the person saw, and no more."""

from dataclasses import replace

from bot.domain.events import EntryJudged, HaltCommanded
from bot.domain.money import Money
from bot.engine.effects import NoticeKind
from bot.engine.settings import EngineSettings
from bot.kit.times import MINUTE_US
from tests.support.trading import TICKER, Desk

RAMPED = EngineSettings(approvals_first=2)


def leading(settings: EngineSettings = RAMPED, **more: object) -> Desk:
    desk = Desk(settings, **more)  # type: ignore[arg-type]
    desk.lead()
    return desk


def judge(desk: Desk, proposal: str, *, is_approved: bool = True, number: int = 5) -> str:
    desk.put(
        EntryJudged(
            received_us=desk.now_us,
            command_id=number,
            actor="ann",
            proposal=proposal,
            is_approved=is_approved,
        )
    )
    return desk.replies[-1].text


def asked(desk: Desk) -> list[str]:
    return [one["id"] for one in desk.told_of(NoticeKind.APPROVAL_WANTED)]


def test_nothing_is_sent_before_a_person_said_yes_and_one_question_is_enough() -> None:
    desk = leading()
    for _ in range(5):
        desk.quote()
    assert desk.outgoing == []
    [told] = desk.told_of(NoticeKind.APPROVAL_WANTED)
    assert (told["id"], told["ticker"], told["side"], told["price"]) == (
        "1-1",
        TICKER,
        "YES",
        "$0.9500",
    )
    assert desk.store.signals[-1].reason == "approval: waits for /approve 1-1"
    assert judge(desk, "1-1") == "1-1 approved and sent"
    [intent] = desk.outgoing
    assert intent.price == 9_500
    assert desk.store.breakers["ramp"].data_json == '{"sent": 1}'


def test_unanswered_it_expires_and_its_button_does_nothing() -> None:
    desk = leading()
    desk.quote()
    desk.now_us += 5 * MINUTE_US
    text = judge(desk, "1-1")
    assert text == "refused: no proposal 1-1 waits; it expired, or a new leader asks anew"
    desk.quote()
    assert asked(desk) == ["1-1", "1-2"]
    assert desk.outgoing == []


def test_a_yes_does_not_buy_dearer_than_what_was_shown() -> None:
    desk = leading()
    desk.quote()
    desk.quote(9_600)
    assert judge(desk, "1-1").startswith("1-1 approved, not sent now: ")
    assert desk.outgoing == []
    desk.quote(9_500)
    assert len(desk.outgoing) == 1


def test_a_yes_does_not_buy_more_than_what_was_shown() -> None:
    desk = leading(replace(RAMPED, approvals_first=1))
    desk.cash = Money(1_000_000_000)
    desk.read()
    desk.quote()
    [told] = desk.told_of(NoticeKind.APPROVAL_WANTED)
    desk.engine.world.ledger.cash = Money(10_000_000_000)
    judge(desk, "1-1")
    [intent] = desk.outgoing
    assert f"{intent.quantity / 100:.2f}" == told["contracts"]


def test_a_halt_in_between_holds_and_the_yes_is_used_when_it_ends_in_time() -> None:
    desk = leading()
    desk.quote()
    desk.put(HaltCommanded(received_us=desk.now_us, command_id=1, actor="ann", reason="wait"))
    assert judge(desk, "1-1") == (
        "1-1 approved, not sent now: wait; it is sent if that changes in time"
    )
    assert desk.outgoing == []


def test_a_skipped_market_is_left_alone() -> None:
    desk = leading()
    desk.quote()
    assert judge(desk, "1-1", is_approved=False) == (
        f"1-1 skipped; {TICKER} is left alone for a while"
    )
    desk.quote()
    assert asked(desk) == ["1-1"]
    desk.now_us += RAMPED.skipped_for_us
    desk.quote()
    assert asked(desk) == ["1-1", "1-2"]


def test_after_the_first_orders_nobody_is_asked_any_more() -> None:
    desk = leading()
    tickers = [f"KXFED-26JAN-T{number}" for number in range(3)]
    desk.list_markets(*tickers)
    for number, ticker in enumerate(tickers[:2]):
        desk.quote(ticker=ticker)
        judge(desk, f"1-{number + 1}", number=number)
    desk.quote(ticker=tickers[2])
    assert [one.ticker for one in desk.outgoing] == tickers
    assert len(asked(desk)) == 2


def test_a_new_leader_counts_on_and_knows_no_old_question() -> None:
    desk = leading()
    desk.quote()
    judge(desk, "1-1")
    desk.quote(ticker=TICKER)
    after = leading(store=desk.store, epoch=2)
    after.list_markets("KXFED-26JAN-T1")
    after.quote(ticker="KXFED-26JAN-T1")
    assert asked(after)[-1] == "2-1"
    assert judge(after, "1-1").startswith("refused")
    judge(after, "2-1", number=6)
    assert after.store.breakers["ramp"].data_json == '{"sent": 2}'


def test_only_a_few_questions_wait_at_a_time() -> None:
    desk = leading(replace(RAMPED, approvals_first=10))
    tickers = [f"KXFED-26JAN-T{number}" for number in range(5)]
    desk.list_markets(*tickers)
    for ticker in tickers:
        desk.quote(ticker=ticker)
    assert len(asked(desk)) == RAMPED.proposals_max
    assert desk.store.signals[-1].reason == "approval: other proposals wait for a person"

"""What may cost more than a person wants spent unasked waits for them, and buys no more than told."""

from dataclasses import replace
from random import Random

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bot.domain.events import EntryJudged, QuoteChanged, Role
from bot.domain.ids import MarketTicker
from bot.domain.money import Money, Quantity, cost
from bot.domain.orders import BookSide, Purpose, own_price
from bot.domain.records import ApprovalStep
from bot.engine.effects import NoticeKind
from bot.engine.settings import EngineSettings
from bot.kit.times import MINUTE_US, SECOND_US
from bot.risk.limits import RiskLimits
from tests.support.trading import TICKER, Desk, Eager

LIMITS = RiskLimits(order_cost_max_e6=100_000_000)
ABOVE_50 = EngineSettings(approve_above_e6=50_000_000, limits=LIMITS)
OTHER = "KXFED-26DEC-T4"


def leading(settings: EngineSettings = ABOVE_50, **more: object) -> Desk:
    desk = Desk(settings, **more)  # type: ignore[arg-type]
    desk.lead()
    return desk


def judge(
    desk: Desk,
    proposal: str,
    contracts: int | None = None,
    *,
    is_approved: bool = True,
    number: int | None = None,
) -> str:
    given = number if number is not None else 1_000 + len(desk.journal)
    desk.put(
        EntryJudged(
            received_us=desk.now_us,
            command_id=given,
            actor="ann",
            proposal=proposal,
            is_approved=is_approved,
            contracts=contracts,
        )
    )
    return desk.replies[-1].text


def asked(desk: Desk) -> list[str]:
    return [one["id"] for one in desk.told_of(NoticeKind.APPROVAL_WANTED)]


def steps(desk: Desk) -> list[tuple[str, str, int]]:
    return [(one.proposal, one.step.value, one.quantity // 100) for one in desk.store.steps]


def thin(desk: Desk, size: int) -> None:
    """The book of the market holds little now."""
    desk.now_us += 1_000
    known = desk.engine.world.markets.by_ticker[MarketTicker(TICKER)].live_quote
    assert known is not None
    quote = msgspec.structs.replace(
        known, bid_size=Quantity(size), ask_size=Quantity(size), received_us=desk.now_us
    )
    desk.put(QuoteChanged(received_us=desk.now_us, quote=quote))


def test_an_entry_above_the_threshold_waits_and_the_question_says_why() -> None:
    desk = leading()
    desk.quote()
    assert desk.outgoing == []
    [told] = desk.told_of(NoticeKind.APPROVAL_WANTED)
    assert told["contracts"] == "105.00"
    assert told["why"].startswith("Above $50.00 ($99.")
    assert judge(desk, "1-1") == "1-1 approved and sent"
    [intent] = desk.outgoing
    assert intent.quantity == 10_500
    assert steps(desk) == [("1-1", "asked", 105), ("1-1", "approved", 105), ("1-1", "sent", 105)]
    assert desk.store.steps[1].actor == "ann"


def test_an_entry_at_or_below_the_threshold_asks_nobody() -> None:
    desk = leading()
    desk.quote()
    [told] = desk.told_of(NoticeKind.APPROVAL_WANTED)
    worst_e6 = desk.store.steps[0].cost
    assert told["with_fee"] == f"${worst_e6 / 1_000_000:.2f}"
    same = leading(replace(ABOVE_50, approve_above_e6=int(worst_e6)))
    same.quote()
    assert len(same.outgoing) == 1
    assert asked(same) == []
    less = leading(replace(ABOVE_50, approve_above_e6=int(worst_e6) - 1))
    less.quote()
    assert less.outgoing == []


def test_half_of_it_buys_half_and_says_so() -> None:
    desk = leading()
    desk.quote()
    assert judge(desk, "1-1", 52) == "1-1 approved and sent: 52.00 of 105.00"
    [intent] = desk.outgoing
    assert intent.quantity == 5_200
    assert steps(desk)[1:] == [("1-1", "approved", 52), ("1-1", "sent", 52)]


@pytest.mark.parametrize("contracts", [0, 106, 10**9])
def test_a_size_is_edited_downwards_only(contracts: int) -> None:
    desk = leading()
    desk.quote()
    said = judge(desk, "1-1", contracts)
    assert said == "refused: 1-1 asked for 105: fewer may be approved, not more"
    assert desk.outgoing == []
    assert judge(desk, "1-1", 105) == "1-1 approved and sent"


def test_pressed_twice_it_buys_once() -> None:
    desk = leading()
    desk.quote()
    judge(desk, "1-1", number=7)
    assert judge(desk, "1-1", number=7) == "done before"
    assert judge(desk, "1-1", number=8).startswith("refused: no proposal 1-1 waits")
    assert judge(desk, "1-1", 52, number=9).startswith("refused: no proposal 1-1 waits")
    assert len(desk.outgoing) == 1


def test_a_yes_that_waits_for_its_price_is_not_given_again() -> None:
    desk = leading()
    desk.quote()
    desk.quote(9_600)
    assert "not sent now" in judge(desk, "1-1", 52)
    assert judge(desk, "1-1") == "refused: 1-1 was approved before"
    desk.quote(9_500)
    [intent] = desk.outgoing
    assert intent.quantity == 5_200


def test_the_whole_chain_of_checks_is_asked_again_with_the_book_of_then() -> None:
    desk = leading()
    desk.quote()
    thin(desk, 10_000)
    assert desk.outgoing == [], "smaller than the threshold now, but it was asked about"
    said = judge(desk, "1-1")
    [intent] = desk.outgoing
    share = desk.settings.limits.depth_share_max_bp
    assert intent.quantity == 10_000 * share // 10_000
    assert said == f"1-1 approved and sent: {intent.quantity / 100:.2f} of 105.00"


def test_unanswered_it_expires_by_itself_and_nothing_was_bought() -> None:
    desk = leading(replace(ABOVE_50, approval_valid_us=30 * SECOND_US))
    desk.quote()
    desk.wait(31)
    [told] = desk.told_of(NoticeKind.APPROVAL_ENDED)
    assert (told["id"], told["why"]) == ("1-1", "nobody answered")
    assert steps(desk)[-1] == ("1-1", "expired", 105)
    assert desk.outgoing == []


def test_a_fail_over_voids_it_on_record_and_asks_anew() -> None:
    desk = leading()
    desk.quote()
    judge(desk, "1-1", is_approved=False)
    desk.list_markets(OTHER)
    desk.quote(ticker=OTHER)
    after = leading(store=desk.store, epoch=2)
    [told] = after.told_of(NoticeKind.APPROVAL_ENDED)
    assert (told["id"], told["why"]) == ("1-2", "another leader took over; it asks anew")
    assert judge(after, "1-2").startswith("refused: no proposal 1-2 waits")
    after.list_markets(OTHER)
    after.quote(ticker=OTHER)
    assert asked(after)[-1] == "2-1"
    assert after.outgoing == []
    third = leading(store=after.store, epoch=3)
    assert [one["id"] for one in third.told_of(NoticeKind.APPROVAL_ENDED)] == ["1-2", "2-1"]


def test_a_question_holds_up_no_other_market_and_is_asked_once() -> None:
    desk = leading(replace(ABOVE_50, proposals_max=1))
    tickers = [f"KXFED-26JAN-T{number}" for number in range(3)]
    desk.list_markets(*tickers)
    for _ in range(3):
        desk.quote(ticker=tickers[0])
    assert asked(desk) == ["1-1"]
    desk.engine.world.settings = replace(desk.settings, approve_above_e6=0)
    desk.quote(ticker=tickers[1])
    assert [one.ticker for one in desk.outgoing] == [tickers[1]]


def test_a_market_that_was_skipped_is_not_bought_smaller_either() -> None:
    desk = leading()
    desk.quote()
    judge(desk, "1-1", is_approved=False)
    thin(desk, 10_000)
    assert desk.outgoing == [], "a smaller entry needs no yes, but here a person said no"
    assert steps(desk)[-1] == ("1-1", "skipped", 105)


def test_it_is_off_by_default() -> None:
    desk = leading(EngineSettings(limits=LIMITS))
    desk.quote()
    assert len(desk.outgoing) == 1


_TICKERS = (TICKER, OTHER, "KXCPI-26DEC-T1")


@settings(max_examples=60, deadline=None)
@given(seed=st.integers(0, 10**9))
def test_nothing_above_the_threshold_leaves_unapproved_nor_more_than_approved(seed: int) -> None:
    random = Random(seed)
    both = tuple(Eager(side=side) for side in BookSide)
    rules = replace(
        ABOVE_50,
        approve_above_e6=random.choice((1, 20_000_000, 50_000_000, 99_000_000)),
        approvals_first=random.choice((0, 0, 2)),
        approval_valid_us=MINUTE_US,
        skipped_for_us=2 * MINUTE_US,
    )
    desk = leading(rules, strategies=both)
    desk.list_markets(*_TICKERS)
    for _ in range(random.randrange(5, 80)):
        desk = _happen(desk, random)
    _check(desk)


def _happen(desk: Desk, random: Random) -> Desk:
    fate = random.random()
    if fate < 0.45:
        desk.quote(random.randrange(9_300, 9_700, 100), ticker=random.choice(_TICKERS))
    elif fate < 0.75:
        ids = asked(desk) or ["1-1"]
        contracts = random.choice((None, None, 1, 10, 52, 105, 10_000))
        judge(desk, random.choice(ids), contracts, is_approved=random.random() < 0.8)
    elif fate < 0.85:
        desk.wait(random.choice((1, 20, 61)))
    elif fate < 0.9:
        desk.cash = Money(random.randrange(1, 10**10))
        desk.read()
    elif fate < 0.97:
        if desk.outgoing:
            intent = desk.accept()
            desk.execute(intent, intent.quantity)
    else:
        desk.role(Role.RELEASED)
        after = Desk(
            desk.settings,
            strategies=desk.engine.world.strategies,
            store=desk.store,
            venue=desk.venue,
            epoch=desk.epoch + 1,
            now_us=desk.now_us,
        )
        after.positions, after.fills, after.cash = desk.positions, desk.fills, desk.cash
        after.lead()
        after.list_markets(*_TICKERS)
        return after
    return desk


def _check(desk: Desk) -> None:
    store, rules = desk.store, desk.settings
    sent = {(one.ticker, one.at_us): one for one in store.steps if one.step is ApprovalStep.SENT}
    allowed = {one.proposal: one for one in store.steps if one.step is ApprovalStep.APPROVED}
    ended = {ApprovalStep.EXPIRED, ApprovalStep.SKIPPED, ApprovalStep.VOID}
    for step in store.steps:
        if step.step in ended:
            assert (step.proposal, ApprovalStep.SENT) not in {one.key for one in store.steps}
    for intent in store.intents.values():
        if intent.purpose is not Purpose.ENTRY:
            continue
        own = own_price(intent.side, intent.price)
        approved = sent.get((intent.ticker, intent.decided_us))
        if approved is None:
            assert cost(own, intent.quantity) <= rules.approve_above_e6
            continue
        yes = allowed[approved.proposal]
        assert intent.quantity <= yes.quantity
        assert own <= yes.own_price
        assert intent.side is yes.side
    assert len({one.proposal for one in sent.values()}) == len(sent), "one yes, one order"

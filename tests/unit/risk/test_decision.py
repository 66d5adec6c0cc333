"""A decision judged again: equal while nothing changed, and told where something did."""

import json
from dataclasses import replace

import pytest
from msgspec import structs

from bot.domain.market import FeeTerms
from bot.domain.money import Money, Price, Quantity
from bot.risk.checks import RiskView
from bot.risk.decision import (
    APPROVED,
    SizingCase,
    StoredDecision,
    case_record,
    checked,
    disagreement,
    sized,
)
from bot.risk.limits import RiskLimits
from bot.risk.sizing import Offer
from tests.support.risk import EQUITY, FINE

LIMITS = RiskLimits()
CASE = SizingCase(
    offer=Offer(
        own_price=Price(9_500),
        chance_e6=990_000,
        fees=FeeTerms(fee_type="quadratic", multiplier_e6=1_000_000),
        is_taker=False,
    ),
    equity=EQUITY,
    money_caps=[("order cost", Money(100_000_000)), ("cash", Money(9_000_000_000))],
    contract_caps=(("depth", Quantity(50_000)),),
)


def decided(**changes: object) -> StoredDecision:
    view = structs.replace(FINE, **changes)
    size = sized(CASE, LIMITS)
    denial = checked(view, LIMITS, size.decided_by)
    return StoredDecision(
        quantity=size.quantity,
        is_taken=denial is None,
        reason=size.decided_by if denial is None else f"{denial.check}: {denial.reason}",
        case=json.loads(json.dumps(case_record(CASE, view, LIMITS))),
    )


def with_case(one: StoredDecision, part: str, **changes: object) -> StoredDecision:
    return replace(one, case=one.case | {part: one.case[part] | changes})


def test_what_was_taken_is_taken_again_with_the_same_size() -> None:
    one = decided()
    assert one.is_taken
    assert one.quantity == 10_500
    assert disagreement(one) == ""


def test_what_was_refused_is_refused_again_for_the_same_reason() -> None:
    one = decided(is_book_trusted=False)
    assert one.reason.startswith("stale_book: ")
    assert disagreement(one) == ""


def test_another_size_is_told() -> None:
    assert disagreement(replace(decided(), quantity=Quantity(10_400))) == "now 105.00, then 104.00"


def test_a_check_that_says_something_else_now_is_told() -> None:
    one = with_case(decided(), "view", is_book_trusted=False)
    assert disagreement(one) == "now stale_book: the book is stale or distrusted, then passed"


def test_a_limit_of_that_time_belongs_to_the_case() -> None:
    one = with_case(decided(), "limits", price_max_e4=9_400)
    assert "outside the band" in disagreement(one)


def test_a_person_may_have_allowed_fewer_contracts() -> None:
    one = decided()
    edited = replace(one, quantity=Quantity(100), reason=one.reason + APPROVED)
    assert disagreement(edited) == ""


@pytest.mark.parametrize("reason", ["expiry: closes too soon", "approval: waits for /approve 1"])
def test_what_the_clock_or_a_person_stopped_had_passed_the_checks(reason: str) -> None:
    assert disagreement(replace(decided(), is_taken=False, reason=reason)) == ""


def test_what_was_not_sized_has_nothing_to_judge() -> None:
    one = StoredDecision(
        quantity=Quantity(0), is_taken=False, reason="ready: no valid price", case={}
    )
    assert disagreement(one) == ""


def test_a_case_of_another_version_is_no_case() -> None:
    one = decided()
    with pytest.raises(ValueError, match="RiskView"):
        disagreement(replace(one, case=one.case | {"view": {"own_price": 1}}))


def test_every_field_of_a_view_is_written_down() -> None:
    assert set(decided().case["view"]) == set(RiskView.__struct_fields__)

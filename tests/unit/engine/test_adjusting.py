"""What a person changes while the bot runs: it holds at once, is kept, and never loosens alone."""

from dataclasses import replace

import pytest

from bot.domain.errors import InvariantBroken
from bot.domain.events import BracketCommanded, LimitCommanded, StrategyCommanded
from bot.domain.money import Price
from bot.domain.operations import StopKind
from bot.domain.orders import BookSide, OrderIntent, Purpose, own_price
from bot.engine.adjusted import ADJUSTED
from bot.engine.effects import CancelOrder
from bot.engine.settings import EngineSettings
from bot.risk import adjustable
from bot.risk.limits import RiskLimits
from tests.support.trading import TICKER, Desk, Eager
from tests.unit.engine.test_activation import successor_of

OTHER = "KXCPI-26DEC-T0.3"


def leading(**options: object) -> Desk:
    desk = Desk(**options)  # type: ignore[arg-type]
    desk.lead()
    return desk


def limit(desk: Desk, name: str, value: int, number: int = 1, *, may_loosen: bool = False) -> str:
    desk.put(
        LimitCommanded(
            received_us=desk.now_us,
            command_id=number,
            actor="ann",
            name=name,
            value=value,
            may_loosen=may_loosen,
        )
    )
    return desk.replies[-1].text


def strategy(desk: Desk, name: str | None, number: int, *, is_on: bool) -> str:
    desk.put(
        StrategyCommanded(
            received_us=desk.now_us, command_id=number, actor="ann", name=name, is_on=is_on
        )
    )
    return desk.replies[-1].text


# --- limits ---------------------------------------------------------------------------------


def test_a_tighter_limit_holds_for_the_very_next_entry_and_for_the_successor() -> None:
    desk = leading()
    assert limit(desk, "max_concurrent", 1) == "max_concurrent is 1, was 10"
    desk.list_markets(TICKER, OTHER)
    desk.quote()
    desk.quote(ticker=OTHER)
    assert [one.ticker for one in desk.outgoing] == [TICKER]
    assert "1" in desk.store.signals[-1].reason
    after = successor_of(desk)
    after.lead()
    assert after.engine.world.settings.limits.concurrent_max == 1


def test_only_who_may_loosens_and_taking_it_back_leaves_nothing() -> None:
    desk = leading()
    assert limit(desk, "max_concurrent", 12) == (
        "refused: max_concurrent is 10; only an admin may loosen it"
    )
    assert limit(desk, "max_concurrent", 12, 2, may_loosen=True) == "max_concurrent is 12, was 10"
    assert limit(desk, "max_concurrent", 12, 3) == "max_concurrent is 12 already"
    assert limit(desk, "max_concurrent", 10, 4) == "max_concurrent is 10, was 12"
    assert desk.engine.world.settings == desk.engine.world.configured
    assert desk.store.breakers[ADJUSTED].reason == ""


def test_a_repeated_number_changes_nothing_more() -> None:
    desk = leading()
    limit(desk, "max_concurrent", 3)
    limit(desk, "max_concurrent", 2, 2)
    assert limit(desk, "max_concurrent", 3) == "done before"
    assert desk.engine.world.settings.limits.concurrent_max == 2


@pytest.mark.parametrize(
    ("name", "value", "why"),
    [
        ("order_cost_max", 200_000_000, "by configuration"),
        ("market_max_pct", 2_000, "market_max_pct <= event_max_pct <= total_max_pct must hold"),
        ("daily_loss_pct", 2_000, "daily_loss_pct must not exceed drawdown_pct"),
        ("nothing", 1, "no limit 'nothing'"),
    ],
)
def test_what_contradicts_something_is_refused_with_the_rule(
    name: str, value: int, why: str
) -> None:
    desk = leading()
    told = limit(desk, name, value, may_loosen=True)
    assert told.startswith("refused: ")
    assert why in told
    assert ADJUSTED not in desk.store.breakers


def test_who_lowers_the_configuration_is_not_overruled_by_an_older_word() -> None:
    desk = leading()
    limit(desk, "max_concurrent", 20, may_loosen=True)
    limit(desk, "consecutive_losses", 2, 2)
    lower = EngineSettings(limits=RiskLimits(concurrent_max=5))
    after = Desk(lower, store=desk.store, epoch=2, now_us=desk.now_us)
    after.lead()
    assert after.engine.world.settings.limits.concurrent_max == 5
    assert after.engine.world.settings.breakers.losses_max == 2, "tighter holds in any case"


def test_several_values_that_fit_together_are_kept_together() -> None:
    desk = leading()
    for number, (name, value) in enumerate(
        [("event_max_pct", 1_800), ("market_max_pct", 1_500)], start=1
    ):
        limit(desk, name, value, number, may_loosen=True)
    after = successor_of(desk)
    after.lead()
    limits = after.engine.world.settings.limits
    assert (limits.market_max_bp, limits.event_max_bp) == (1_500, 1_800)


def test_what_cannot_be_read_back_is_no_guess() -> None:
    desk = leading()
    limit(desk, "max_concurrent", 3)
    desk.store.breakers[ADJUSTED] = replace(desk.store.breakers[ADJUSTED], data_json="{}")
    after = successor_of(desk)
    with pytest.raises(InvariantBroken, match="adjustments"):
        after.lead()


# --- strategies -----------------------------------------------------------------------------


def test_a_strategy_that_is_off_enters_nothing_and_says_so_until_it_is_on() -> None:
    desk = leading()
    assert strategy(desk, "eager", 1, is_on=False) == "eager: off"
    desk.quote()
    assert desk.outgoing == []
    stop = desk.engine.world.stance.why_not_trading()
    assert stop is not None
    assert (stop.kind, stop.remedy) == (StopKind.OFF, "/strategy on")
    after = successor_of(desk)
    after.lead()
    after.quote()
    assert after.outgoing == [], "the successor knows"
    assert strategy(after, None, 2, is_on=True) == "eager: on"
    after.quote()
    assert len(after.outgoing) == 1


def test_switching_off_cancels_what_rests_when_nothing_may_enter_and_keeps_what_is_held() -> None:
    desk = leading()
    desk.quote()
    desk.accept()
    strategy(desk, None, 1, is_on=False)
    cancels = [
        one for _, effects in desk.journal for one in effects if isinstance(one, CancelOrder)
    ]
    assert len(cancels) == 1


def test_an_unknown_strategy_is_named_with_those_there_are() -> None:
    assert strategy(leading(), "magic", 1, is_on=False) == (
        "refused: no strategy 'magic'; there are: eager"
    )


# --- brackets -------------------------------------------------------------------------------


def move(
    desk: Desk, number: int, *, stop: int | None = None, target: int | None = None, **seen: object
) -> str:
    bracket = desk.engine.world.desk.in_market(TICKER)
    plan = bracket.plan if bracket is not None else None
    desk.put(
        BracketCommanded(
            received_us=desk.now_us,
            command_id=number,
            actor="ann",
            ticker=TICKER,
            own_stop=None if stop is None else Price(stop),
            own_target=None if target is None else Price(target),
            **{
                "seen_stop": plan.stop_price if plan else None,
                "seen_target": plan.target_price if plan else None,
            }
            | seen,
        )
    )
    return desk.replies[-1].text


def holding(side: BookSide = BookSide.BID) -> tuple[Desk, OrderIntent]:
    """A position with its take-profit at rest, bought at 0.95 of its own side."""
    desk = leading(strategies=(Eager(side=side),))
    quote(desk, side)
    entry = desk.accept()
    desk.execute(entry, entry.quantity)
    return desk, desk.accept()


def quote(desk: Desk, side: BookSide, own_bid: int = 9_500) -> None:
    desk.quote(own_bid if side is BookSide.BID else 10_000 - own_bid - 100)


@pytest.mark.parametrize("side", list(BookSide))
def test_a_moved_target_is_cancelled_awaited_and_placed_anew_never_two_at_once(
    side: BookSide,
) -> None:
    desk, first = holding(side)
    assert own_price(side, first.price) == 9_800
    desk.wait(2)
    quote(desk, side)
    assert move(desk, 1, target=9_900) == f"{TICKER}: stop $0.85, target $0.99"
    assert desk.outgoing == [], "the one that rests may still fill"
    desk.wait(3)
    assert desk.outgoing == []
    desk.answer_cancels()
    desk.wait(2)
    [second] = desk.outgoing
    assert (second.purpose, second.quantity) == (Purpose.TAKE_PROFIT, first.quantity)
    assert own_price(side, second.price) == 9_900
    desk.accept()
    desk.wait(10)
    assert desk.outgoing == [], "it rests where it should, and is left alone"


def test_a_fill_while_the_old_target_is_cancelled_shrinks_the_new_one() -> None:
    desk, first = holding()
    desk.wait(2)
    move(desk, 1, target=9_900)
    desk.execute(first, 100)
    desk.answer_cancels()
    desk.wait(2)
    [second] = desk.outgoing
    assert second.quantity == first.quantity - 100


def test_a_moved_stop_is_kept_and_fires_where_it_stands_now() -> None:
    desk, _ = holding()
    assert move(desk, 1, stop=9_300) == f"{TICKER}: stop $0.93, target $0.98"
    after = successor_of(desk)
    after.lead()
    for _ in range(3):
        after.quote(9_200)
        after.wait(1)
    after.answer_cancels()
    after.quote(9_200)
    after.wait(2)
    assert [one.purpose for one in after.outgoing] == [Purpose.STOP_LOSS]


@pytest.mark.parametrize(
    ("stop", "target", "why"),
    [
        (9_600, None, "this stop would sell at once"),
        (None, 9_400, "this target would sell at once"),
        (9_900, 9_850, "is not below the target"),
    ],
)
def test_an_end_that_would_sell_at_once_is_refused(
    stop: int | None, target: int | None, why: str
) -> None:
    desk, _ = holding()
    told = move(desk, 1, stop=stop, target=target)
    assert told.startswith("refused: ")
    assert why in told
    desk.wait(3)
    assert desk.outgoing == []


def test_what_is_not_ours_being_sold_or_changed_meanwhile_is_refused() -> None:
    desk = leading()
    assert move(desk, 1, stop=9_000) == f"refused: the bot has no position in {TICKER}"
    desk, _ = holding()
    assert "has changed meanwhile" in move(desk, 1, stop=9_300, seen_stop=Price(1))
    for _ in range(3):
        desk.quote(7_000)
        desk.wait(1)
    assert move(desk, 2, stop=6_000) == "refused: it is being sold"


# --- names ----------------------------------------------------------------------------------


def test_every_adjustable_limit_is_a_setting_and_reads_back_what_it_shows() -> None:
    settings = EngineSettings()
    for one in adjustable.ADJUSTABLE:
        value = adjustable.value_in(one, settings.limits, settings.breakers)
        shown = adjustable.shown(one, value)
        assert adjustable.parsed(one, shown.replace(" ", "")) == value


@pytest.mark.parametrize("text", ["0", "-1", "1.5", "many", "nan", "1e9", ""])
def test_no_count_is_made_of_what_is_none(text: str) -> None:
    one = adjustable.named("max_concurrent")
    assert one is not None
    with pytest.raises(ValueError, match="max_concurrent is a whole number"):
        adjustable.parsed(one, text)

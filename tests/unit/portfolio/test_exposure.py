"""The most that can be lost, by every grouping."""

from itertools import product

from hypothesis import given
from hypothesis import strategies as st
from msgspec import structs

from bot.domain.ids import EventTicker, MarketTicker, SeriesTicker
from bot.domain.money import PAYOUT, Money, Quantity
from bot.portfolio.exposure import (
    Exposures,
    Stake,
    exposure_around,
    total_exposure,
    worst_by_event,
)


def stake(name: str, quantity: int, cost: int, **changes: object) -> Stake:
    given_fields: dict[str, object] = {
        "ticker": MarketTicker(name),
        "event": EventTicker(name.rpartition("-")[0]),
        "series": SeriesTicker(name.partition("-")[0]),
        "release_group": "",
        "is_exclusive": False,
        "quantity": Quantity(quantity),
        "cost": Money(cost),
        "pending": Money(0),
    }
    return Stake(**(given_fields | changes))  # type: ignore[arg-type]


exclusive = st.lists(
    st.tuples(st.integers(-500, 500), st.integers(1, 9_999), st.integers(0, 100_000)), max_size=5
)


@given(exclusive)
def test_the_worst_outcome_of_an_exclusive_event_is_the_worst_of_all_outcomes(
    held: list[tuple[int, int, int]],
) -> None:
    stakes = [
        stake(f"E-1-{i}", q, abs(q) * p, pending=Money(extra), is_exclusive=True)
        for i, (q, p, extra) in enumerate(held)
    ]
    worst = 0
    for winner in range(-1, len(held)):
        result = 0
        for i, (q, p, _) in enumerate(held):
            is_right = (i == winner) == (q > 0)
            result += abs(q) * ((PAYOUT if is_right and q else 0) - p)
        worst = max(worst, -result)
    expected = worst + sum(extra for *_, extra in held)
    assert worst_by_event(stakes).get(EventTicker("E-1"), 0) == expected
    assert total_exposure(stakes) == expected


@given(exclusive)
def test_netting_never_makes_it_worse_than_losing_every_stake(
    held: list[tuple[int, int, int]],
) -> None:
    for is_exclusive in (True, False):
        stakes = [
            stake(f"E-1-{i}", q, abs(q) * p, pending=Money(extra), is_exclusive=is_exclusive)
            for i, (q, p, extra) in enumerate(held)
        ]
        everything = sum(one.cost + one.pending for one in stakes)
        assert total_exposure(stakes) <= everything
        if not is_exclusive:
            assert total_exposure(stakes) == everything


def test_groups_add_up_what_belongs_together_and_nothing_else() -> None:
    cpi = stake("KXCPI-NOV-1", 100, 1_000, release_group="cpi")
    core = stake("KXCPICORE-NOV-1", 100, 2_000, release_group="cpi")
    later = stake("KXCPI-DEC-1", 100, 4_000, release_group="cpi-dec")
    fed = stake("KXFED-DEC-1", 100, 8_000)
    around = exposure_around([cpi, core, later, fed], cpi)
    assert (around.market, around.event, around.series, around.release_group, around.total) == (
        1_000, 1_000, 5_000, 3_000, 15_000,
    )  # fmt: skip


def test_the_target_replaces_its_own_older_stake() -> None:
    old = stake("KXFED-DEC-1", 100, 8_000)
    new = stake("KXFED-DEC-1", 100, 8_000, pending=Money(500))
    assert exposure_around([old], new).total == 8_500


def test_an_empty_series_or_group_is_not_one_big_group() -> None:
    one = stake("A-1-1", 1, 100, series=None)
    other = stake("B-1-1", 1, 200, series=None)
    around = exposure_around([one, other], one)
    assert (around.series, around.release_group) == (100, 100)


def test_two_nos_of_an_exclusive_event_cannot_both_lose() -> None:
    pairs = list(product((-1, 1), repeat=2))
    worst = [
        worst_by_event(
            [
                stake("E-1-0", a * 100, 100 * 5_000, is_exclusive=True),
                stake("E-1-1", b * 100, 100 * 5_000, is_exclusive=True),
            ]
        )[EventTicker("E-1")]
        for a, b in pairs
    ]
    assert worst == [0, 1_000_000, 1_000_000, 1_000_000]


@given(
    st.lists(st.tuples(st.sampled_from("ABC"), st.integers(-300, 300), st.booleans()), max_size=4),
    st.integers(0, 50_000),
)
def test_one_more_order_counts_whole_in_everything_around_it(
    others: list[tuple[str, int, bool]], extra: int
) -> None:
    stakes = [
        stake(f"{series}-1-{i}", q, abs(q) * 4_000, is_exclusive=is_one, release_group=series)
        for i, (series, q, is_one) in enumerate(others)
    ]
    now = stake("A-1-new", 200, 900_000, is_exclusive=True, release_group="A")
    after = stake(
        "A-1-new", 200, 900_000, is_exclusive=True, release_group="A", pending=Money(extra)
    )
    assert exposure_around(stakes, now).with_order(Money(extra)) == exposure_around(stakes, after)


held_stakes = st.lists(
    st.builds(
        lambda event, market, quantity, price, pending, group, is_exclusive: stake(
            f"{event}-{market}",
            quantity,
            abs(quantity) * price,
            pending=Money(pending),
            release_group=group,
            is_exclusive=is_exclusive,
        ),
        st.sampled_from(["A-1", "A-2", "B-1", "B-2"]),
        st.integers(0, 3),
        st.integers(-500, 500),
        st.integers(1, 9_999),
        st.integers(0, 100_000),
        st.sampled_from(["", "cpi", "jobs"]),
        st.booleans(),
    ),
    max_size=8,
    unique_by=lambda one: one.ticker,
)


@given(
    held_stakes,
    st.sampled_from(["A-1", "A-2", "A-3", "B-3", "C-1"]),
    st.sampled_from(["", "cpi", "pce"]),
    st.booleans(),
    st.booleans(),
)
def test_added_up_once_it_says_the_same_of_every_event_without_a_stake(
    held: list[Stake], event: str, group: str, has_series: bool, is_exclusive: bool
) -> None:
    target = stake(f"{event}-9", 0, 0, release_group=group, is_exclusive=is_exclusive)
    series = target.series if has_series else None
    target = structs.replace(target, series=series)
    found = Exposures(held).beside(target.event, series, group)
    if any(one.event == target.event for one in held):
        assert found is None
    else:
        assert found == exposure_around(held, target)

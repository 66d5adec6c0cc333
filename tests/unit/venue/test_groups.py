"""The rolling window against a plain list of matches."""

from hypothesis import given
from hypothesis import strategies as st

from bot.domain.ids import OrderGroupId
from bot.domain.money import Quantity
from bot.venue.groups import WINDOW_US, OrderGroup
from tests.unit.venue.floor import ANN

steps = st.lists(st.tuples(st.integers(0, 6_000_000), st.integers(1, 500)), max_size=40)


def group_of(limit: int) -> OrderGroup:
    return OrderGroup(
        order_group_id=OrderGroupId("g"), account=ANN, exchange_index=0, limit=Quantity(limit)
    )


@given(steps=steps, limit=st.integers(100, 3_000))
def test_the_window_holds_exactly_the_last_fifteen_seconds(steps: list, limit: int) -> None:
    group, now_us = group_of(limit), 0
    seen: list[tuple[int, int]] = []
    for waited, quantity in steps:
        now_us += waited
        group.record(Quantity(quantity), now_us)
        seen.append((now_us, quantity))
        matched = sum(count for at_us, count in seen if at_us > now_us - WINDOW_US)
        assert group.matched(now_us) == matched
        assert group.exceeds(now_us) == (matched > limit)


def test_a_reset_forgets_the_window_and_the_trip() -> None:
    group = group_of(100)
    group.record(Quantity(500), 1)
    group.is_triggered = True
    group.reset()
    assert (group.matched(2), group.is_triggered, group.exceeds(2)) == (0, False, False)

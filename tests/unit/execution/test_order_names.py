"""Names that are never given out twice and always known again."""

import pytest

from bot.domain.ids import ClientOrderId, Epoch, SignalId
from bot.execution.order_names import entry_name, exit_name, signal_of

SIGNAL = SignalId("01a2b3c4-0000-7123-8abc-0123456789ab")


def test_an_exit_made_again_after_a_restore_has_another_name() -> None:
    """The restored bracket counts from where the backup left off; the epoch is above all."""
    before, after = (exit_name(SIGNAL, "t", 0, Epoch(epoch)) for epoch in (7, 9))
    assert before != after
    assert before == exit_name(SIGNAL, "t", 0, Epoch(7)), "and is not sent twice under one epoch"


def test_the_longest_name_is_short_enough_for_the_exchange() -> None:
    assert len(exit_name(SIGNAL, "x", 10**9, Epoch(10**12))) <= 64


@pytest.mark.parametrize(
    "name",
    [entry_name(SIGNAL), exit_name(SIGNAL, "t", 12, Epoch(1_790_000_000)), f"{SIGNAL}-x3"],
)
def test_a_name_tells_its_signal(name: str) -> None:
    assert signal_of(ClientOrderId(name)) == SIGNAL


@pytest.mark.parametrize(
    "name", ["", "by hand", str(SIGNAL), f"{SIGNAL}-", f"{SIGNAL}-t0-", "s-e0"]
)
def test_the_names_of_others_tell_none(name: str) -> None:
    assert signal_of(ClientOrderId(name)) is None

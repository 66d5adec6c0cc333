"""A conflict is told when it lasts, and ends only with quiet."""

from bot.adapters.telegram.conflicts import ConflictWatch

S = 1_000_000


def test_a_hand_over_s_single_conflict_is_not_worth_an_alert():
    assert ConflictWatch(30 * S).met(5 * S) is None


def test_a_conflict_that_lasts_is_told_with_its_length():
    watch = ConflictWatch(30 * S)
    told = [watch.met(at_s * S) for at_s in range(0, 40, 3)]
    assert told[:10] == [None] * 10
    assert told[10] == 30 * S


def test_quiet_starts_a_new_count():
    watch = ConflictWatch(30 * S)
    watch.met(0)
    assert watch.met(31 * S) is None
    assert watch.met(61 * S) == 30 * S

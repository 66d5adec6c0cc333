"""When a supervisor looks whether anybody leads: not while a bot of its own could."""

from bot.kit.times import SECOND_US
from bot.ops.alone import Alone


def at(seconds: float) -> int:
    return int(seconds * SECOND_US)


def asked(alone: Alone, until_s: int, *, alive_for_s: int | None = None) -> list[tuple[int, int]]:
    """Seconds at which it looks; bots die after ``alive_for_s`` and are born at once."""
    found = []
    for second in range(until_s):
        if alive_for_s is not None:
            alone.see(at(second), born_us=at(second - second % alive_for_s), leads=False)
        due = alone.due(at(second))
        if due is not None:
            found.append((second, due))
    return found


def test_bots_that_die_young_are_looked_after_again_and_again() -> None:
    assert asked(Alone(0), 130, alive_for_s=10) == [(60, 60), (90, 90), (120, 120)]


def test_a_bot_that_lives_long_enough_looks_for_itself() -> None:
    assert asked(Alone(0), 400, alive_for_s=1_000) == []
    assert asked(Alone(0), 400, alive_for_s=70) == [
        (70, 70),
        (140, 140),
        (210, 210),
        (280, 280),
        (350, 350),
    ]


def test_between_two_bots_it_looks() -> None:
    alone = Alone(0)
    alone.see(at(50), born_us=0, leads=False)
    assert alone.due(at(60)) is None
    alone.gone()
    assert alone.due(at(61)) == 61


def test_once_told_it_is_quiet_until_a_bot_has_led() -> None:
    alone = Alone(0)
    assert alone.due(at(60)) == 60
    alone.told()
    assert alone.due(at(600)) is None
    alone.see(at(700), born_us=at(699), leads=True)
    alone.gone()
    assert alone.due(at(759)) is None
    assert alone.due(at(760)) == 60

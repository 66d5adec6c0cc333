"""The stop that follows, and the one that waits for a release to pass."""

import pytest
from hypothesis import given, settings

from bot.domain.orders import BookSide, own_price
from bot.domain.records import ExitReason
from bot.execution.rules import BracketRules
from bot.kit.times import HOUR_US, MINUTE_US, SECOND_US
from tests.unit.execution.test_protection import WANTED, Driver, both_sides, check, moves, play

TRAILING = BracketRules(trail_by_e4=500, trail_after_e4=200, stop_spread_max_e4=150)


def stop_of(driver: Driver) -> int:
    stop = driver.bracket.plan.stop_price
    assert stop is not None
    return own_price(driver.side, stop)


@both_sides
def test_the_stop_follows_a_risen_bid_and_never_goes_back(side: BookSide) -> None:
    driver = Driver(side, stop=8_900, rules=TRAILING)
    driver.entered()
    driver.move(9_600)
    assert stop_of(driver) == 8_900, "not before the bid stands far enough above the entry"
    driver.move(9_700)
    assert stop_of(driver) == 9_200
    driver.move(9_750)
    assert stop_of(driver) == 9_200, "in steps: half a cent moves nothing"
    driver.move(9_800, spread=900)
    assert stop_of(driver) == 9_200, "a wide book raises nothing"
    driver.move(9_400)
    assert stop_of(driver) == 9_200


@both_sides
def test_a_fallen_bid_meets_the_risen_stop_also_after_a_restart(side: BookSide) -> None:
    driver = Driver(side, stop=8_900, rules=TRAILING)
    driver.entered()
    driver.send()
    driver.move(9_800)
    driver.restart()
    assert stop_of(driver) == 9_300
    driver.move(9_300)
    driver.move(9_300)
    assert driver.bracket.wants_out is ExitReason.STOP_LOSS
    driver.settle_down()
    assert driver.bracket.is_over
    assert driver.venue.position == 0


def test_off_by_default() -> None:
    driver = Driver(stop=8_900)
    driver.entered()
    driver.move(9_800)
    assert stop_of(driver) == 8_900


@pytest.mark.parametrize(
    ("minutes", "fires"), [(11, True), (10, False), (1, False), (-1, False), (-2, True)]
)
def test_no_stop_fires_into_a_release(minutes: int, *, fires: bool) -> None:
    driver = Driver()
    driver.entered()
    driver.now_us = HOUR_US
    driver.release_us = HOUR_US + minutes * MINUTE_US
    driver.move(8_400)
    driver.move(8_400)
    assert (driver.bracket.wants_out is ExitReason.STOP_LOSS) is fires


def test_a_stop_that_was_waited_out_fires_when_the_release_has_passed() -> None:
    driver = Driver()
    driver.entered()
    driver.release_us = driver.now_us + MINUTE_US
    driver.move(8_400)
    driver.move(8_400)
    driver.wait(MINUTE_US + driver.rules.after_release_us)
    driver.wait(2 * SECOND_US)
    assert driver.bracket.wants_out is ExitReason.STOP_LOSS


@both_sides
@given(sequence=moves)
@settings(max_examples=80, deadline=None)
def test_killed_after_any_step_the_end_is_the_same_with_every_way_out_on(
    side: BookSide, sequence: list[tuple[str, object]]
) -> None:
    rules = BracketRules(trail_by_e4=300, max_hold_us=20 * SECOND_US)
    driver = Driver(side, rules=rules)
    risen = stop_of(driver)
    for move in sequence:
        play(driver, move)
        driver.restart()
        check(driver)
        assert stop_of(driver) >= risen
        risen = stop_of(driver)
    driver.may_exit = driver.is_open = driver.is_trusted = True
    driver.may_enter = False
    driver.bid, driver.spread, driver.liquidity = 9_000, 100, WANTED
    driver.wait(rules.max_hold_us)
    driver.settle_down()
    check(driver)
    assert driver.bracket.is_over, driver.bracket.state
    assert driver.venue.position == 0

"""Missing arguments are asked for on buttons, long ones included."""

from dataclasses import replace

from bot.console.buttons import DATA_BYTES_MAX, RUN_PREFIX
from bot.console.picking import CHOICES_MAX, PICK_PREFIX
from bot.domain.ids import MarketTicker
from tests.fakes.operator import ENTRY, POSITION, FakeOperator
from tests.support.console import TRADER, VIEWER, Talk, body

LONG = MarketTicker("KXAVERYLONGSERIESNAME-26DEC31-" + "T" * 33)


class Holding(FakeOperator):
    """Holds what it is told to."""

    held: tuple = ()

    async def positions(self):
        return self.held


def holding(*tickers: MarketTicker) -> Talk:
    operator = Holding()
    operator.held = tuple(replace(POSITION, ticker=ticker) for ticker in tickers)
    return Talk(operator=operator)


async def test_a_button_runs_the_command_with_what_it_names():
    talk = Talk()
    offered = await talk.says(TRADER, "/close")
    [[button]] = offered.buttons
    assert button.data == f"{RUN_PREFIX}/close {POSITION.ticker}"
    asked = await talk.presses(TRADER, offered, button.label)
    assert body(asked).startswith(f"Close {POSITION.ticker} at the market?")
    assert talk.operator.acts == [], "a dangerous one is still asked about"


async def test_what_is_too_long_for_a_button_is_remembered_until_a_restart():
    talk = holding(LONG)
    offered = await talk.says(TRADER, "/close")
    [[button]] = offered.buttons
    assert button.data.startswith(PICK_PREFIX)
    assert len(button.data.encode()) <= DATA_BYTES_MAX
    asked = await talk.presses(TRADER, offered, button.label)
    assert body(asked).startswith(f"Close {LONG} at the market?")
    talk.console = talk.fresh_console()
    late = await talk.presses(TRADER, offered, button.label)
    assert body(late) == "This button is too old. Send the command again."


async def test_all_is_offered_where_there_are_several_and_the_rest_is_counted():
    two = await holding(MarketTicker("A-1"), MarketTicker("B-1")).says(TRADER, "/close")
    assert [row[0].label for row in two.buttons][-1] == "All of them"
    many = await holding(*(MarketTicker(f"A-{n}") for n in range(40))).says(TRADER, "/close")
    assert len(many.buttons) == CHOICES_MAX
    assert "11 more: type the ticker|all behind the command." in body(many)


async def test_with_nothing_to_choose_from_that_is_said():
    assert body(await holding().says(TRADER, "/close")) == "The bot holds nothing."


async def test_a_viewer_is_offered_nothing_of_a_traders_command():
    offered = await Talk().says(VIEWER, "/cancel")
    assert offered.buttons == ()
    assert body(offered) == "/cancel needs the level trader."


async def test_a_picked_cancel_takes_the_lane_that_waits_for_nothing():
    talk = Talk()
    pressed = talk.command(TRADER, button=f"{RUN_PREFIX}/cancel {ENTRY.order_id}")
    assert talk.console.is_urgent(pressed)

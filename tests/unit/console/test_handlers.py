"""What each command answers, word for word, on the fixture's bot."""

from dataclasses import replace

import pytest

from bot.console.handlers import command_table
from bot.domain.money import Quantity
from bot.domain.operations import AccessLevel
from tests.fakes.operator import HALTED
from tests.support.console import ADMIN, TRADER, VIEWER, Talk, body

GOLDEN = {
    "/start": (
        "Kalshi bot, version 0.1.0.\n"
        "Your level: admin. /status shows the state, "
        "/menu everything as buttons, /help lists the commands, "
        "/halt stops new entries at once."
    ),
    "/help unhalt": "/unhalt\nEnd the halt\nAlso: /resume\nAsks for confirmation.",
    "/help /reset_breaker": (
        "/reset_breaker [name] [force]\nReset a tripped breaker; without a name it lists them\n"
        "Also: /reset\nAsks for confirmation."
    ),
    "/help nothing": "There is no command /nothing for you.",
    "/halt": (
        "HALTED, saved. No new entries; resting entries are cancelled.\n"
        "Set by telegram:11 Ada: no reason given\n"
        "Positions stay open. Stops are watched only while this bot leads; "
        "if it dies, resting take-profits stay and stops do not.\n"
        "/unhalt ends it."
    ),
    "/unhalt": (
        "End the halt?\n"
        "Set by the bot 3 min ago: first start; /unhalt to begin\n"
        "Entries start again after a reconciliation.\n"
        "Still tripped, and not cleared by this: loss_streak"
    ),
    "/reset_breaker loss_streak": (
        "Reset loss_streak?\nIt stands at 5, limit 5.\nTripped because: 5 losses in a row"
    ),
    "/backup": (
        "Backup backups/kalshi_20261121_071500.sqlite\n"
        "12.3 MB, made 21 Nov 07:15:00 UTC\n"
        f"SHA-256 {'ab' * 32}\n"
        "Not durable: this disk does not survive a deploy."
    ),
    "/gaps": (
        "Gaps: 2 of 31 hours missing between 2026-11-20T00:00:00Z and 2026-11-21T06:00:00Z\n"
        "2 h: the bot was not running\n"
        "2026-11-20T03:00:00Z\n"
        "2026-11-20T04:00:00Z"
    ),
    "/repair": (
        "Fetch again what the exchange still has?\n"
        "2 hours, 0 single snapshots and 0 gaps of the stream: candles, public trades and "
        "settlements of those times, and the running hour if it was not collected. Past order "
        "books exist nowhere; missed snapshots stay missed. Nothing is traded."
    ),
    "/quality": (
        "Wrong: 1 findings in 340 snapshots of 2026-11-21T06:00:00Z and the last ticks of 12 "
        "markets\n"
        "wrong, snapshot crossed: 1, e.g. KXFED-1: bid 0.6, ask 0.4\n"
        "odd, snapshot one_sided: 30, e.g. KXFED-2: no bid"
    ),
    "/version": "Version 0.1.0, schema 3\nDeployment local, Python 3.11.7",
    "/whoami": "User id 11, chat id 11, level admin",
}


@pytest.mark.parametrize("line", GOLDEN)
async def test_a_command_answers_word_for_word(line):
    talk = Talk()
    talk.operator.halt_view = HALTED
    assert body(await talk.says(ADMIN, line)) == GOLDEN[line]


async def test_the_backup_comes_with_its_file():
    reply = await Talk().says(ADMIN, "/backup")
    assert reply.attachment == "backups/kalshi_20261121_071500.sqlite"


async def test_help_shows_nobody_what_they_may_not_do():
    shown = body(await Talk().says(VIEWER, "/help"))
    assert "/halt" not in shown
    assert "/backup" not in body(await Talk().says(TRADER, "/help"))
    assert body(await Talk().says(VIEWER, "/help backup")) == (
        "There is no command /backup for you."
    )


async def test_why_asks_about_one_market_in_capitals():
    talk = Talk()
    assert body(await talk.says(VIEWER, "/why kxfed-26dec")).startswith("TRADING")


def test_the_table_has_every_promised_command_and_clear_help():
    table = command_table()
    promised = [
        "start",
        "help",
        "status",
        "halt",
        "unhalt",
        "reset_breaker",
        "breakers",
        "cancel",
        "close",
        "panic",
        "reconcile",
        "approve",
        "pair",
        "users",
        "unpair",
        *("bracket", "limit", "strategy", "mode", "restore_check"),
        "skip",
        "acknowledge",
        "adopt",
        "handover",
        "backup",
        "positions",
        "pnl",
        "balance",
        "instances",
        "gaps",
        "repair",
        "quality",
        "why",
        "version",
        "whoami",
        *("alerts", "digest", "mute", "unmute", "quiet", "verbosity"),
        "menu",
        "position",
        "orders",
        "trades",
        "exposure",
        "risk",
        "markets",
        "market",
        "signals",
        "chart",
        "health",
        "ping",
        "collect",
        "logs",
        "audit",
        "config",
        "web",
    ]
    assert sorted(spec.name for spec in table.specs) == sorted(promised)
    for spec in table.specs:
        # Telegram's limits for its menu.
        assert 1 <= len(spec.name) <= 32
        assert 3 <= len(spec.help) <= 256
        assert spec.asker is None or spec.increases_risk
    acting = [spec for spec in table.specs if spec.level > AccessLevel.VIEWER]
    assert {spec.name for spec in acting} == {
        *("logs", "audit", "config"),
        "halt",
        "unhalt",
        "reset_breaker",
        "cancel",
        "close",
        "panic",
        "reconcile",
        "approve",
        "skip",
        "acknowledge",
        "adopt",
        "handover",
        "repair",
        "backup",
        *("digest", "mute", "unmute", "quiet", "verbosity"),
        *("pair", "users", "unpair", "bracket", "limit", "strategy", "restore_check"),
    }


@pytest.mark.parametrize(
    ("line", "question", "act"),
    [
        (
            "/close all",
            (
                "Close everything we hold at the market?\nThe bot holds: KXFED-26DEC-T4.25 10 YES\n"
                "Resting entries there are cancelled as well. What is not ours stays."
            ),
            "close all",
        ),
        (
            "/close kxcpi-26nov",
            (
                "Close KXCPI-26NOV at the market?\nThe bot holds: nothing there\n"
                "Resting entries there are cancelled as well. What is not ours stays."
            ),
            "close KXCPI-26NOV",
        ),
        (
            "/ack kxcpi-26nov",
            (
                "Accept what is not ours in KXCPI-26NOV?\n"
                "Entries may go on there, and an orphan there is left to you."
            ),
            "acknowledge KXCPI-26NOV",
        ),
    ],
)
async def test_closing_and_accepting_act_once_confirmed(line, question, act):
    talk = Talk()
    asked = await talk.says(TRADER, line)
    assert body(asked) == question
    assert talk.operator.acts == []
    await talk.says(TRADER, "", button=asked.buttons[0][0].data)
    assert [name for name, _ in talk.operator.acts] == [act]


async def test_a_panic_halts_before_it_asks_and_sells_only_when_confirmed():
    talk = Talk()
    asked = await talk.says(TRADER, "/panic")
    assert body(asked) == (
        "Halted. Sell everything at the market as well?\n"
        "The bot's: KXFED-26DEC-T4.25 10 YES\nNot ours, left alone: KXCPI-26NOV 2.50 NO\n"
        "In thin markets this costs money; every round goes a little below the best bid."
    )
    assert [reason for _, reason in talk.operator.halts_now] == ["panic"]
    assert talk.operator.acts == []
    await talk.says(TRADER, "", button=asked.buttons[0][0].data)
    [(act, number)] = talk.operator.acts
    assert act == "panic"
    # The question is put again before the act: what it halts under is another number.
    assert number not in {halt for halt, _ in talk.operator.halts_now}


async def test_a_panic_over_everything_says_what_else_it_takes():
    talk = Talk()
    asked = await talk.says(TRADER, "/panic everything")
    assert "EVERY order of the account is cancelled" in body(asked)
    assert asked.buttons[0][0].label == "Sell everything"
    await talk.says(TRADER, "", button=asked.buttons[0][0].data)
    assert [name for name, _ in talk.operator.acts] == ["panic everything"]


async def test_a_proposed_order_is_judged_by_its_button_or_by_word():
    talk = Talk()
    await talk.says(TRADER, "", button="run:/approve 1795960485-1")
    await talk.says(TRADER, "/skip 7-2")
    await talk.says(TRADER, "/approve 7-3 52")
    acts = [name for name, _ in talk.operator.acts]
    assert acts == ["approve 1795960485-1", "skip 7-2", "approve 7-3 52"]
    for many in ("0", "-1", "1.5", "all", "1e3", "1234567890"):
        said = body(await talk.says(TRADER, f"/approve 7-3 {many}"))
        assert "is not a number, for example 10" in said
    assert len(talk.operator.acts) == 3
    offered = await talk.says(TRADER, "/approve")
    assert body(offered) == "Which order? /approve [id] [number]"
    assert [row[0].label for row in offered.buttons] == ["KXCPI-26NOV 10 at $0.91"]
    assert body(await talk.says(VIEWER, "/approve 7-1")) == "/approve needs the level trader."


async def test_a_comparison_with_the_exchange_is_asked_for_and_told():
    talk = Talk()
    assert body(await talk.says(TRADER, "/reconcile")) == ("Done: the exchange agrees: 2 positions")


async def test_a_viewer_cannot_panic():
    talk = Talk()
    assert body(await talk.says(VIEWER, "/panic")) == "/panic needs the level trader."
    assert talk.operator.halts_now == []


async def test_taking_over_from_another_bot_is_asked_about_with_the_halt_it_caused():
    talk = Talk()
    talk.operator.halt_view = HALTED
    asked = await talk.says(ADMIN, "/adopt")
    assert body(asked) == (
        "Shut the order groups of another bot, which cancels their orders?\n"
        "Halted: first start; /unhalt to begin\n"
        "Right only if that bot has ended, or was this one before its database was lost."
    )
    assert talk.operator.acts == []
    assert body(await talk.presses(ADMIN, asked, "Take over")) == "Done: 2 order groups are shut"


async def test_cancelling_entries_acts_at_once_and_is_a_traders_command():
    talk = Talk()
    assert body(await talk.says(VIEWER, "/cancel")) == "/cancel needs the level trader."
    assert body(await talk.says(TRADER, "/cancel all")) == (
        "Done: cancelling 2 entries; take-profits stay"
    )
    assert [name for name, _ in talk.operator.acts] == ["cancel all"]


async def test_one_entry_is_cancelled_by_its_button_or_its_ticker():
    talk = Talk()
    offered = await talk.says(TRADER, "/cancel")
    labels = [row[0].label for row in offered.buttons]
    assert labels == ["KXFED-26DEC-T4.25 YES 5 at $0.85", "All of them"]
    await talk.presses(TRADER, offered, labels[0])
    await talk.says(TRADER, "/cancel kxfed-26dec-t4.25")
    acts = [name for name, _ in talk.operator.acts]
    assert acts == ["cancel order-1", "cancel KXFED-26DEC-T4.25"]


@pytest.mark.parametrize("line", ["/close", "/acknowledge"])
async def test_a_market_that_is_not_named_is_asked_for_and_none_is_acted_on(line):
    talk = Talk()
    offered = await talk.says(TRADER, line)
    assert body(offered).startswith("Which ")
    assert offered.buttons
    assert talk.operator.acts == []


async def test_gaps_offer_a_repair_to_those_who_may_have_it_done():
    talk = Talk()
    assert (await talk.says(VIEWER, "/gaps")).buttons == ()
    shown = await talk.says(TRADER, "/gaps")
    [[button]] = shown.buttons
    asked = await talk.says(TRADER, "", button=button.data)
    assert asked.buttons[0][0].label == "Fetch it"
    assert talk.operator.acts == []
    told = await talk.says(TRADER, "", button=asked.buttons[0][0].data)
    assert [name for name, _ in talk.operator.acts] == ["repair"]
    assert "127 rows refetched" in body(told)


async def test_nothing_missing_is_nothing_to_repair():
    talk = Talk()
    talk.operator.missing_hours = ()
    assert (await talk.says(TRADER, "/gaps")).buttons == ()
    assert body(await talk.says(TRADER, "/repair")) == "Nothing is missing."


async def test_a_trader_tightens_at_once_and_only_an_admin_loosens_after_a_question():
    talk = Talk()
    assert body(await talk.says(TRADER, "/limit max_concurrent 3")) == "Done: max_concurrent is 3"
    assert body(await talk.says(TRADER, "/limit max_concurrent 12")) == (
        "Only an admin may loosen max_concurrent; it is 10."
    )
    asked = await talk.says(ADMIN, "/limit max_concurrent 12")
    assert body(asked).startswith("Loosen max_concurrent?\n10 -> 12")
    assert [name for name, _ in talk.operator.acts] == ["limit max_concurrent 3"]
    await talk.presses(ADMIN, asked, "Loosen it")
    assert [name for name, _ in talk.operator.acts][1:] == ["limit max_concurrent 12 or looser"]


async def test_the_ends_of_a_position_are_shown_before_they_move_and_a_changed_state_asks_again():
    talk = Talk()
    asked = await talk.says(TRADER, "/bracket kxfed-26dec-t4.25 sl=0.82")
    assert "Stop: $0.8075 -> $0.82" in body(asked)
    assert "Worst case: $0.30 lost at the stop; through a jump $8.50, all it cost" in body(asked)
    [seen] = talk.operator.adjusting.ours
    talk.operator.adjusting.ours = (replace(seen, held=Quantity(500)),)
    again = await talk.presses(TRADER, asked, "Change it")
    assert body(again).startswith("The state has changed since the question.")
    assert talk.operator.acts == []
    await talk.presses(TRADER, again, "Change it")
    assert [name for name, _ in talk.operator.acts] == [
        "bracket KXFED-26DEC-T4.25 0.8200, as it is"
    ]


@pytest.mark.parametrize("ends", ["sl=82", "sl=1.2", "sl=0", "tp=off", "sl=0.5 sl=0.6", "0.5"])
async def test_an_end_that_is_no_price_moves_nothing(ends):
    talk = Talk()
    reply = await talk.says(TRADER, f"/bracket KXFED-26DEC-T4.25 {ends}")
    assert reply.outcome == "bad arguments"
    assert reply.buttons == ()


async def test_switching_off_acts_at_once_and_switching_on_asks():
    talk = Talk()
    await talk.says(TRADER, "/strategy off near_expiry")
    asked = await talk.says(TRADER, "/strategy on wide_spread")
    assert [name for name, _ in talk.operator.acts] == ["near_expiry: off"]
    await talk.presses(TRADER, asked, "Switch on")
    assert [name for name, _ in talk.operator.acts][1:] == ["wide_spread: on"]


async def test_a_strategy_that_does_not_exist_is_not_asked_about():
    talk = Talk()
    reply = await talk.says(TRADER, "/strategy on nope")
    assert body(reply).startswith("There is no strategy nope. There are: ")
    assert not reply.buttons


async def test_a_greeting_names_only_what_may_be_sent():
    talk = Talk()
    assert "/halt" in body(await talk.says(TRADER, "/start"))
    assert "/halt" not in body(await talk.says(VIEWER, "/start"))

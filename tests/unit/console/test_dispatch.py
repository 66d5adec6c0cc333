"""Who is answered, what is asked first, and what never happens."""

import asyncio
import re
from dataclasses import replace
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.console.handlers import command_table
from bot.domain.errors import InvariantBroken, NotLeader
from bot.domain.ids import Epoch
from bot.domain.operations import AccessLevel, HaltView, Refused, TradeMode
from bot.kit.markup import plain, split
from bot.ports.messages import AuditEntry, Channel
from tests.fakes.operator import BANNER, DAILY_LOSS, FREE, HALTED, FakeOperator
from tests.support.chat_script import lines_of
from tests.support.console import (
    ADMIN,
    EPOCH,
    GROUP,
    LEVELS,
    STRANGER,
    TRADER,
    VIEWER,
    Talk,
    body,
)

SECOND_US = 1_000_000


@pytest.fixture
def talk() -> Talk:
    return Talk()


async def test_a_stranger_hears_nothing_and_learns_nothing(talk, caplog):
    for text in ("/status", "/halt", "/nonsense", "/whoami"):
        assert (await talk.says(STRANGER, text)).is_silent
    assert talk.operator.acts == []
    assert talk.operator.halts_now == []


async def test_every_reply_carries_its_number_the_mode_and_the_instance(talk):
    first = await talk.says(VIEWER, "/balance")
    second = await talk.says(VIEWER, "/nonsense")
    assert plain(first.text).endswith("\n\n#1 | PAPER | inst-7f")
    assert plain(second.text).endswith("\n\n#2 | PAPER | inst-7f")
    talk.operator.the_banner = replace(BANNER, mode=TradeMode.LIVE)
    assert plain((await talk.says(VIEWER, "/balance")).text).endswith("#3 | LIVE | inst-7f")


async def test_a_group_is_heard_only_when_it_is_listed_and_the_person_too(talk):
    there = {"chat_id": GROUP, "is_private": False}
    assert not (await talk.says(VIEWER, "/status", **there)).is_silent
    assert (await talk.says(STRANGER, "/status", **there)).is_silent
    elsewhere = {"chat_id": -999, "is_private": False}
    assert (await talk.says(ADMIN, "/halt", **elsewhere)).is_silent
    assert talk.operator.acts == []


async def test_chatter_in_a_group_is_not_a_command(talk):
    there = {"chat_id": GROUP, "is_private": False}
    assert (await talk.says(VIEWER, "status of my lunch", **there)).is_silent
    assert not (await talk.says(VIEWER, "status")).is_silent


@pytest.mark.parametrize("text", ["/STATUS", "  /status  ", "/s", "status", "/status@some_bot"])
async def test_commands_are_read_generously(talk, text):
    assert body(await talk.says(VIEWER, text)).startswith("TRADING")


async def test_an_unknown_command_is_answered_with_the_nearest_one(talk):
    reply = await talk.says(VIEWER, "/statsu")
    assert body(reply) == "I do not know statsu. Did you mean /status?"
    assert body(await talk.presses(VIEWER, reply, "/status")).startswith("TRADING")
    assert body(await talk.says(VIEWER, "/" + "x" * 50)) == (
        f"I do not know {'x' * 32}.... /help lists the commands."
    )


async def test_the_nearest_command_is_one_the_person_may_use(talk):
    assert "halt" not in body(await talk.says(VIEWER, "/hallt"))
    assert "Did you mean /halt?" in body(await talk.says(TRADER, "/hallt"))


@pytest.mark.parametrize(
    ("text", "answer"),
    [
        ("/status now", "now is one word too many. Usage: /status"),
        (
            "/reset_breaker daily-loss",
            "daily-loss is not a name, for example daily_loss. Usage: /reset_breaker [name] [force]",
        ),
        (
            "/reset_breaker daily_loss please",
            "please is one word too many. Usage: /reset_breaker [name] [force]",
        ),
        (
            "/why a<b",
            "a<b is not a ticker, for example KXFED-26DEC-T4.25. Usage: /why [ticker]",
        ),
    ],
)
async def test_bad_arguments_get_one_clear_line(talk, text, answer):
    reply = await talk.says(ADMIN, text)
    assert body(reply) == answer
    assert reply.outcome == "bad arguments"
    assert talk.operator.acts == []


@pytest.mark.parametrize(
    ("user", "text", "needed"),
    [
        (VIEWER, "/halt", "trader"),
        (VIEWER, "/unhalt", "trader"),
        (VIEWER, "/reset_breaker loss_streak", "trader"),
        (TRADER, "/backup", "admin"),
    ],
)
async def test_a_level_is_needed_for_what_acts(talk, user, text, needed):
    talk.operator.halt_view = HALTED
    reply = await talk.says(user, text)
    assert body(reply).endswith(f"needs the level {needed}.")
    assert talk.operator.acts == []
    assert talk.operator.halts_now == []


# --- halt -----------------------------------------------------------------------------------


@pytest.mark.parametrize("age_s", [0, 3_600])
async def test_a_halt_acts_at_once_whatever_its_age(talk, age_s):
    sent_us = talk.clock.now_us() - age_s * SECOND_US
    reply = await talk.says(TRADER, "/halt news  at ten", sent_us=sent_us)
    assert talk.operator.halts_now == [(1, "news at ten")]
    assert talk.operator.acts == [("halt", 1)]
    assert body(reply).startswith("HALTED, saved.")
    assert reply.outcome == "halted, saved: news at ten"


async def test_a_halt_stands_while_the_store_is_away(talk):
    talk.operator.is_store_away = True
    reply = await talk.says(TRADER, "/halt")
    assert talk.operator.halts_now == [(1, "no reason given")]
    assert body(reply).startswith("HALTED, halted here, not yet saved.")


async def test_a_halt_that_takes_too_long_to_save_is_answered_anyway(talk):
    never = _NeverSaves()
    talk.operator = never
    talk.console = talk.fresh_console()
    reply = await talk.says(TRADER, "/halt")
    assert "not yet saved" in body(reply)
    assert never.halts_now == [(1, "no reason given")]


async def test_a_halt_acts_before_it_is_stored(talk):
    command = talk.command(TRADER, "/stop fire", update_id=77)
    assert talk.console.is_urgent(command)
    assert talk.console.halt_if_told(command) == "fire"
    assert talk.operator.halts_now == [(-77, "fire")]


@pytest.mark.parametrize(("user", "text"), [(VIEWER, "/halt"), (STRANGER, "/halt"), (ADMIN, "/s")])
async def test_only_an_allowed_halt_acts_before_it_is_stored(talk, user, text):
    assert talk.console.halt_if_told(talk.command(user, text)) is None
    assert talk.operator.halts_now == []


# --- confirmation ---------------------------------------------------------------------------


async def test_unhalt_shows_what_it_changes_and_waits_for_the_button(talk):
    talk.operator.halt_view = HALTED
    asked = await talk.says(TRADER, "/unhalt")
    assert body(asked).startswith("End the halt?\nSet by the bot 3 min ago")
    assert talk.operator.acts == []
    done = await talk.presses(TRADER, asked, "End the halt")
    assert body(done) == "Done: the halt has ended"
    assert talk.operator.acts == [("unhalt", 2)]


async def test_a_button_works_once(talk):
    talk.operator.halt_view = HALTED
    asked = await talk.says(TRADER, "/unhalt")
    await talk.presses(TRADER, asked, "End the halt")
    talk.operator.halt_view = HALTED
    again = await talk.presses(TRADER, asked, "End the halt")
    assert "Nothing done: this question was answered before" in body(again)
    assert len(talk.operator.acts) == 1


async def test_only_the_person_who_was_asked_may_answer(talk):
    talk.operator.halt_view = HALTED
    asked = await talk.says(TRADER, "/unhalt")
    wrong = await talk.presses(ADMIN, asked, "End the halt")
    assert "only the person who was asked" in body(wrong)
    await talk.presses(TRADER, asked, "End the halt")
    assert len(talk.operator.acts) == 1


async def test_a_question_expires_after_a_minute(talk):
    talk.operator.halt_view = HALTED
    asked = await talk.says(TRADER, "/unhalt")
    talk.clock.advance(60 * SECOND_US + 1)
    assert "this question has expired" in body(await talk.presses(TRADER, asked, "End the halt"))
    assert talk.operator.acts == []


async def test_a_question_of_an_earlier_epoch_does_not_count(talk):
    talk.operator.halt_view = HALTED
    asked = await talk.says(TRADER, "/unhalt")
    later = await talk.presses(TRADER, asked, "End the halt", epoch=Epoch(EPOCH + 1))
    assert "before a fail-over" in body(later)
    talk.console = talk.fresh_console()
    assert "restart or fail-over" in body(await talk.presses(TRADER, asked, "End the halt"))
    assert talk.operator.acts == []


async def test_leaving_it_leaves_it(talk):
    talk.operator.halt_view = HALTED
    asked = await talk.says(TRADER, "/unhalt")
    assert body(await talk.presses(TRADER, asked, "Leave it")) == "Left as it is: /unhalt"
    assert "Nothing done" in body(await talk.presses(TRADER, asked, "End the halt"))
    assert talk.operator.acts == []


async def test_a_changed_state_is_asked_about_again(talk):
    talk.operator.halt_view = HALTED
    asked = await talk.says(TRADER, "/unhalt")
    talk.operator.halt_view = replace(HALTED, reason="a second halt", changed_us=1)
    again = await talk.presses(TRADER, asked, "End the halt")
    assert body(again).startswith("The state has changed since the question.")
    assert "a second halt" in body(again)
    assert talk.operator.acts == []
    await talk.presses(TRADER, again, "End the halt")
    assert len(talk.operator.acts) == 1


async def test_what_is_already_so_is_not_asked(talk):
    assert body(await talk.says(TRADER, "/unhalt")) == "There is no halt to end."
    assert body(await talk.says(TRADER, "/reset_breaker daily_loss")) == (
        "daily_loss is not tripped."
    )


@pytest.mark.parametrize(
    ("sent_before_now_s", "note"),
    [(61, "This was sent 1 min ago."), (0, "")],
)
async def test_an_old_command_that_raises_the_risk_says_its_age(talk, sent_before_now_s, note):
    talk.operator.halt_view = HALTED
    sent_us = talk.clock.now_us() - sent_before_now_s * SECOND_US
    asked = await talk.says(TRADER, "/unhalt", sent_us=sent_us)
    assert body(asked).startswith(note or "End the halt?")
    assert talk.operator.acts == []


async def test_a_command_from_before_a_fail_over_is_asked_again(talk):
    talk.operator.halt_view = HALTED
    talk.operator.the_banner = replace(BANNER, leading_since_us=talk.clock.now_us() - SECOND_US)
    asked = await talk.says(
        TRADER, "/unhalt", sent_us=talk.clock.now_us() - 2 * SECOND_US, is_confirmed=True
    )
    assert body(asked).startswith("This was sent before a fail-over.")
    assert talk.operator.acts == []


async def test_a_channel_that_has_asked_is_not_asked_again(talk):
    talk.operator.halt_view = HALTED
    done = await talk.says(
        0, "/unhalt", channel=Channel.CLI, granted=AccessLevel.ADMIN, is_confirmed=True
    )
    assert body(done) == "Done: the halt has ended"


async def test_a_telegram_user_cannot_bring_a_level_along(talk):
    assert (await talk.says(STRANGER, "/status", granted=AccessLevel.ADMIN)).is_silent


async def test_reset_without_a_name_offers_the_tripped_breakers(talk):
    picked = await talk.says(TRADER, "/reset_breaker")
    assert body(picked) == "Which breaker? /reset_breaker [name] [force]"
    asked = await talk.presses(TRADER, picked, "loss_streak")
    assert body(asked).startswith("Reset loss_streak?")
    done = await talk.presses(TRADER, asked, "Reset loss_streak")
    assert body(done) == "Done: loss_streak is reset"
    assert talk.operator.acts == [("reset loss_streak", 3)]


async def test_reset_is_refused_while_the_condition_holds_and_says_what_force_grants(talk):
    held = replace(DAILY_LOSS, is_tripped=True, why="-5.1 %", blocked_by="still -5.1 %")
    talk.operator.breaker_views = (held,)
    reply = await talk.says(TRADER, "/reset_breaker daily_loss")
    assert "Its condition still holds: still -5.1 %" in body(reply)
    assert body(reply).endswith("which grants: another 1 % today")
    assert reply.buttons == ()
    assert body(await talk.says(TRADER, "/reset_breaker daily_loss force")) == (
        "Only an admin may force a breaker."
    )
    asked = await talk.says(ADMIN, "/reset_breaker DAILY_LOSS force")
    await talk.presses(ADMIN, asked, "Force daily_loss")
    assert talk.operator.acts == [("reset daily_loss force", 4)]


async def test_an_unknown_breaker_lists_the_known_ones(talk):
    assert body(await talk.says(TRADER, "/reset_breaker luck")) == (
        "There is no breaker luck. There are: daily_loss, loss_streak"
    )


async def test_a_refusal_of_the_bot_says_what_would_have_to_change(talk):
    talk.operator.halt_view = HALTED
    talk.operator.refusal = Refused(why="not reconciled yet", remedy="wait for the exchange")
    asked = await talk.says(TRADER, "/unhalt")
    done = await talk.presses(TRADER, asked, "End the halt")
    assert body(done) == "Refused: not reconciled yet -> wait for the exchange"
    assert done.outcome == "refused: not reconciled yet"


# --- faults and repeats ---------------------------------------------------------------------


async def test_a_command_that_has_acted_is_not_acted_on_again(talk):
    talk.operator.halt_view = HALTED
    asked = await talk.says(TRADER, "/unhalt")
    nonce = asked.buttons[0][0].data
    request = talk.request(talk.command(TRADER, button=nonce), attempts=2)
    await talk.audit.record(
        AuditEntry(
            number=request.number,
            at_us=1,
            channel=Channel.TELEGRAM,
            actor="telegram:22 Ada",
            command="/unhalt",
            outcome="done: the halt has ended",
            epoch=EPOCH,
        )
    )
    reply = await talk.console.handle(request)
    assert body(reply) == "done: the halt has ended (this was done before a restart)"
    assert talk.operator.acts == []


async def test_a_command_that_died_before_it_acted_acts_now(talk):
    request = talk.request(talk.command(TRADER, "/halt"), attempts=2)
    await talk.console.handle(request)
    assert talk.operator.acts == [("halt", 1)]


async def test_a_database_that_is_away_is_one_clear_line(talk):
    talk.operator.is_store_away = True
    reply = await talk.says(VIEWER, "/status")
    assert body(reply) == "Failed: cannot do that now: the database is away."


@pytest.mark.parametrize(
    ("fault", "said"),
    [
        (InvariantBroken("cash < 0"), "Failed: cash < 0."),
        (
            ZeroDivisionError("secret detail"),
            "Failed: internal fault (ZeroDivisionError), see the log.",
        ),
    ],
)
async def test_a_fault_is_one_clear_line_and_hides_its_details(talk, fault, said):
    talk.operator = _Failing(fault=fault)
    talk.console = talk.fresh_console()
    assert body(await talk.says(VIEWER, "/status")) == said


async def test_a_lost_lead_leaves_the_command_to_the_successor(talk):
    talk.operator = _Failing(fault=NotLeader("epoch 8 leads"))
    talk.console = talk.fresh_console()
    with pytest.raises(NotLeader):
        await talk.says(VIEWER, "/status")


async def test_every_command_answers_every_level_it_is_for(talk):
    for spec in command_table().specs:
        for user, level in LEVELS.items():
            reply = await talk.says(user, f"/{spec.name}")
            assert not reply.is_silent
            assert ("needs the level" in body(reply)) == (level < spec.level)
            assert len(split(reply.text)) == 1


@given(
    text=st.one_of(
        st.text(),
        st.from_regex(r"/(halt|unhalt|reset_breaker|backup|why|help|status)( .{0,40})?"),
    ),
    user=st.sampled_from([ADMIN, TRADER, VIEWER, STRANGER]),
    button=st.booleans(),
)
async def test_no_text_raises_and_none_acts_without_the_right_to(text, user, button):
    talk = Talk(operator=FakeOperator(halt_view=HALTED))
    reply = await talk.says(user, "", button=text) if button else await talk.says(user, text)
    acted = {name.split()[0] for name, _ in talk.operator.acts}
    level = LEVELS.get(user)
    if level is None:
        assert reply.is_silent
    allowed = {
        None: set(),
        AccessLevel.VIEWER: set(),
        AccessLevel.TRADER: {"halt"},
        AccessLevel.ADMIN: {"halt", "backup"},
    }
    # unhalt and resets need a second step, which a single text can never be.
    assert acted <= allowed[level]
    assert bool(talk.operator.halts_now) == ("halt" in acted)
    assert all(len(b.data.encode()) <= 64 for row in reply.buttons for b in row)


class _NeverSaves(FakeOperator):
    async def halt(self, authority, reason) -> HaltView:
        await asyncio.sleep(3_600)
        return FREE


class _Failing(FakeOperator):
    def __init__(self, fault: Exception) -> None:
        super().__init__()
        self.fault = fault

    async def status(self):
        raise self.fault


@pytest.mark.parametrize("spec", command_table().specs, ids=lambda spec: spec.name)
async def test_answers_tell_times_on_the_operator_s_clock(spec):
    told = []
    for line in lines_of(spec):
        talk = Talk(zone=ZoneInfo("Asia/Tokyo"))
        talk.operator.halt_view = HALTED
        told.append((await talk.says(ADMIN, line)).text)
    shown = "\n".join(told)
    assert not re.search(r"\d\d:\d\d:\d\d (?!JST)[A-Z]", shown), shown
    if spec.name in {"instances", "backup", "position", "trades", "market", "health", "audit"}:
        assert " JST" in shown


async def test_a_failure_is_on_record_under_the_command_that_failed(talk):
    talk.operator.halt_view = HALTED
    asked = await talk.says(ADMIN, "/unhalt")
    talk.operator.is_store_away = True
    assert (await talk.presses(ADMIN, asked, "End the halt")).command == "/unhalt"
    picked = talk.command(ADMIN, button="run:/backup")
    assert (await talk.console.handle(talk.request(picked))).command == "/backup"
    pressed = talk.command(ADMIN, button="yes:unknown")
    assert (await talk.console.handle(talk.request(pressed))).command == "button"


async def test_a_status_that_fails_is_not_sent_round_in_a_circle(talk):
    talk.operator.is_store_away = True
    assert "/status" not in (await talk.says(VIEWER, "/status")).text
    assert "/status" in (await talk.says(ADMIN, "/backup")).text


async def test_a_breaker_is_not_looked_for_where_none_is_set_up(talk):
    talk.operator.breaker_views = ()
    assert body(await talk.says(TRADER, "/reset_breaker daily_loss")) == "No breakers are set up."


async def test_refresh_runs_the_same_line_again_with_its_arguments():
    talk = Talk()
    shown = await talk.says(VIEWER, "/why kxfed-26dec-t4.25")
    renewed = await talk.presses(VIEWER, shown, "Refresh", message_id=55)
    assert renewed.edits == 55
    assert renewed.command == "/why kxfed-26dec-t4.25"
    assert body(renewed).startswith(body(shown))
    # An old button works for whoever may ask, in any leadership.
    assert (await talk.presses(TRADER, shown, "Refresh", message_id=56, epoch=Epoch(9))).edits == 56


async def test_a_button_that_renews_never_acts_and_never_asks():
    talk = Talk()
    talk.operator.halt_view = HALTED
    for spec in command_table().specs:
        pressed = talk.command(ADMIN, button=f"again:/{spec.name}", message_id=5)
        reply = await talk.console.handle(talk.request(pressed))
        if not spec.is_refreshable:
            assert body(reply) == f"/{spec.name} is not renewed: send it again.", spec.name
    assert talk.operator.acts == []
    assert talk.operator.halts_now == []


def test_only_what_anyone_may_see_is_renewed():
    renewed = [spec for spec in command_table().specs if spec.is_refreshable]
    assert renewed
    for spec in renewed:
        assert spec.asker is None, spec.name
        assert not spec.increases_risk, spec.name
        assert not spec.is_urgent, spec.name


async def test_a_line_too_long_for_a_button_has_none():
    reply = await Talk().says(VIEWER, f"/why {'A' * 60}")
    assert reply.buttons == ()

"""What the chat says and changes about alerts."""

from zoneinfo import ZoneInfo

import pytest

from bot.alerts.catalogue import text_of
from bot.domain.alert_preferences import (
    NOT_QUIET,
    Mute,
    Preferences,
    SetQuiet,
    SetVerbosity,
    Unmute,
    Verbosity,
    quiet_hours,
)
from bot.domain.alerts import AlertKind
from tests.support.console import TRADER, VIEWER, Talk, body

HOUR_US = 3_600_000_000


def chosen(talk: Talk) -> list:
    return [change for change, _, _ in talk.operator.alerts.changes]


async def test_the_last_alerts_are_shown_with_what_holds():
    talk = Talk(zone=ZoneInfo("Europe/Vienna"))
    talk.operator.alerts.preferences = Preferences(
        verbosity={AlertKind.FILL_SEEN: Verbosity.SILENT},
        muted_until_us={AlertKind.STALE: talk.clock.now_us() + HOUR_US, AlertKind.PAUSED: 0},
        quiet=quiet_hours("23-09"),
    )
    assert body(await talk.says(VIEWER, "/alerts")) == (
        "Last alerts\n"
        "21 Nov 08:07:00 CET CRITICAL Breaker tripped: loss_streak: 5 losses <in a row> #ak3f9x2a\n"
        "21 Nov 08:14:00 CET Position opened: KXFED-26DEC-T4.25 #ak3f9zz1\n\n"
        "Muted until 21 Nov 09:15:00 CET: stale\n"
        "Quiet hours: 23:00-09:00, now until 21 Nov 09:00:00 CET\n"
        "Silent: fill_seen\n"
        "Held back: 3 x stale; the last until 21 Nov 08:16:00 CET"
    )
    assert "ak3f9x2a" not in body(await talk.says(VIEWER, "/alerts 1"))


async def test_what_is_held_back_follows_a_digest_once():
    talk = Talk()
    shown = await talk.says(TRADER, "/alerts")
    told = await talk.presses(TRADER, shown, "Send what is held back")
    assert body(told) == "Done: 3 that were held back follow: 3 x stale."
    assert body(await talk.says(TRADER, "/digest")) == "Nothing is held back."
    assert (await talk.says(TRADER, "/alerts")).buttons == ()


@pytest.mark.parametrize(
    ("line", "change", "words"),
    [
        ("/mute 2h", Mute(kind=None, until_us=2 * HOUR_US), "everything that is not critical"),
        ("/mute 90M all", Mute(kind=None, until_us=HOUR_US * 3 // 2), "21 Nov 08:45:00 UTC"),
        ("/mute 1d Stale", Mute(kind=AlertKind.STALE, until_us=24 * HOUR_US), ": stale. What"),
    ],
)
async def test_a_mute_has_an_end_and_says_what_comes_through(line, change, words):
    talk = Talk()
    said = body(await talk.says(TRADER, line))
    (made,) = chosen(talk)
    assert (made.kind, made.until_us - talk.clock.now_us()) == (change.kind, change.until_us)
    assert words in said
    assert said.endswith("Breakers, halts, panic and a leader's death always come through.")


async def test_without_a_span_it_asks_for_how_long():
    talk = Talk()
    asked = await talk.says(TRADER, "/mute")
    await talk.presses(TRADER, asked, "8 hours")
    (made,) = chosen(talk)
    assert made == Mute(kind=None, until_us=talk.clock.now_us() + 8 * HOUR_US)


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("/mute 8d", "Mute for up to seven days, for example 2h."),
        ("/mute 0h", "Mute for up to seven days, for example 2h."),
        ("/mute 2h breaker_tripped", "breaker_tripped always comes through."),
        ("/mute 2h halt_set", "halt_set always comes through."),
        ("/unmute panic_begun", "panic_begun always comes through."),
        ("/mute 2h stail", "There is no kind stail. Did you mean stale? /verbosity lists them."),
        ("/verbosity nobody_led off", "nobody_led always comes through."),
        ("/quiet 25-07", "quiet hours: give times of the day, for example 23-07 or 22:30-06:45"),
    ],
)
async def test_what_cannot_be_chosen_changes_nothing(line, words):
    talk = Talk()
    assert body(await talk.says(TRADER, line)) == words
    assert chosen(talk) == []


async def test_every_kind_that_is_vital_refuses_mute_and_verbosity():
    talk = Talk()
    for kind in AlertKind:
        if text_of(kind).is_vital:
            await talk.says(TRADER, f"/mute 1h {kind.value}")
            await talk.says(TRADER, f"/verbosity {kind.value} off")
    assert chosen(talk) == []


async def test_unmute_names_what_is_left():
    talk = Talk()
    await talk.says(TRADER, "/mute 1h stale")
    await talk.says(TRADER, "/mute 1h resumed")
    said = body(await talk.says(TRADER, "/unmute stale"))
    assert said.startswith("Not muted any more: stale\nMuted until 21 Nov 08:15:00 UTC: resumed.")
    assert body(await talk.says(TRADER, "/unmute")).startswith("Nothing is muted.")
    assert chosen(talk)[2:] == [Unmute(kind=AlertKind.STALE), Unmute(kind=None)]


async def test_quiet_hours_are_set_shown_and_ended():
    talk = Talk(zone=ZoneInfo("Europe/Vienna"))
    said = body(await talk.says(TRADER, "/quiet 23-9"))
    assert said.startswith("Quiet from 23:00 to 09:00 on the clock of Europe/Vienna: notices wait")
    shown = body(await talk.says(TRADER, "/quiet"))
    assert "Quiet hours: 23:00-09:00, now until 21 Nov 09:00:00 CET" in shown
    assert body(await talk.says(TRADER, "/quiet OFF")).startswith("Quiet hours are off.")
    assert chosen(talk) == [SetQuiet(hours=quiet_hours("23-09")), SetQuiet(hours=NOT_QUIET)]


async def test_verbosity_is_listed_asked_and_changed():
    talk = Talk()
    listed = body(await talk.says(TRADER, "/verbosity")).splitlines()
    assert "stale" in listed[0]
    assert "breaker" not in "".join(listed[:3])
    assert listed[1:3] == ["silent: -", "off: -"]
    asked = await talk.says(TRADER, "/verbosity stale")
    assert body(asked) == "How shall stale (Stale) arrive?"
    told = await talk.presses(TRADER, asked, "silent")
    assert body(told) == "stale arrives without a sound from now on."
    assert chosen(talk) == [SetVerbosity(kind=AlertKind.STALE, verbosity=Verbosity.SILENT)]
    assert "silent: stale" in body(await talk.says(TRADER, "/verbosity"))


@pytest.mark.parametrize(
    "line", ["/mute 1h", "/unmute", "/quiet off", "/verbosity stale off", "/digest"]
)
async def test_who_only_looks_changes_nothing(line):
    talk = Talk()
    assert "needs the level trader" in body(await talk.says(VIEWER, line))
    assert chosen(talk) == []
    assert talk.operator.alerts.held

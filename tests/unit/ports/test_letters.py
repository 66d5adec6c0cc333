"""Alerts that wait behind each other leave in few messages, and each of them is in one."""

from zoneinfo import ZoneInfo

from hypothesis import given
from hypothesis import strategies as st

from bot.domain.operations import Severity
from bot.kit.markup import length, plain
from bot.ports.letters import letters
from bot.ports.messages import Channel, MessageButton, OutgoingMessage, QueuedMessage

NOW_US = 1_795_245_300_000_000
MINUTE_US = 60_000_000
FOOTER = "<b>PAPER</b> | inst-7f"


def alert(number: int, body: str, age_us: int = 0, **changes) -> QueuedMessage:
    name = f"n{number}"
    fields = {
        "channel": Channel.TELEGRAM,
        "recipient": "11",
        "kind": "stale",
        "severity": Severity.INFO,
        "text": f"{body}\n{FOOTER} | #{name}",
        "alert": name,
        "footer": FOOTER,
    }
    at_us = NOW_US - age_us
    message = OutgoingMessage(**{**fields, **changes})
    return QueuedMessage(id=number, attempts=0, created_us=at_us, due_us=at_us, message=message)


def reply(number: int) -> QueuedMessage:
    return alert(number, "", kind="reply", text="done", alert="", footer="")


def test_one_alert_leaves_as_it_was_written():
    one = alert(1, "<b>Stale</b>: collect")
    (letter,) = letters([one], 4096, NOW_US)
    assert letter.message == one.message
    assert plain(letter.message.text) == "Stale: collect\nPAPER | inst-7f | #n1"


def test_several_are_joined_under_one_footer_and_keep_their_names():
    queue = [
        alert(1, "<b>Stale</b>: collect", severity=Severity.WARNING, is_silent=True),
        alert(2, "<b>Traded</b>: KX1\nside: YES", kind="fill_seen"),
        alert(3, "<b>Traded</b>: KX1\nside: YES", kind="fill_seen"),
    ]
    (letter,) = letters(queue, 4096, NOW_US)
    assert letter.ids == (1, 2, 3)
    assert plain(letter.message.text) == (
        "3 alerts\n\nStale: collect #n1\n\n"
        "Traded: KX1 (2 times) #n2 #n3\nside: YES\n\nPAPER | inst-7f"
    )
    assert (letter.message.kind, letter.message.severity) == ("alerts", Severity.WARNING)
    assert not letter.message.is_silent


def test_late_alerts_name_their_time_on_the_readers_clock():
    vienna = ZoneInfo("Europe/Vienna")
    (late,) = letters([alert(1, "a", age_us=5 * MINUTE_US)], 4096, NOW_US, vienna)
    assert late.message.text.startswith("08:10 a\n")
    queue = [alert(1, "a", age_us=24 * 60 * MINUTE_US), alert(2, "b")]
    (both,) = letters(queue, 4096, NOW_US, vienna)
    assert "\n\n20 Nov 08:15 a #n1\n\nb #n2\n\n" in both.message.text
    (answer,) = letters([reply(3)], 4096, NOW_US + 60 * MINUTE_US, vienna)
    assert answer.message.text == "done"


def test_replies_questions_files_and_what_is_urgent_stand_apart():
    button = ((MessageButton(label="x", data="y"),),)
    queue = [
        alert(0, "breaker", is_urgent=True),
        alert(1, "a"),
        alert(2, "b"),
        reply(3),
        alert(4, "c", buttons=button),
        alert(5, "d", attachment="/f"),
        alert(6, "e", footer="<b>PAPER</b> | another"),
        alert(7, "e" * 4_000),
        alert(8, "f" * 4_000),
    ]
    made = [letter.ids for letter in letters(queue, 4096, NOW_US)]
    assert made == [(0,), (1, 2), (3,), (4,), (5,), (6,), (7,), (8,)]


@given(
    st.lists(st.tuples(st.text("ab\n", min_size=1, max_size=60), st.booleans()), max_size=60),
    st.integers(200, 600),
)
def test_nothing_is_left_out_whatever_waits(texts, length_max):
    queue = [alert(n, text, is_urgent=urgent) for n, (text, urgent) in enumerate(texts)]
    made = letters(queue, length_max, NOW_US)
    assert [one for letter in made for one in letter.ids] == list(range(len(queue)))
    for letter in made:
        assert length(letter.message.text) <= length_max
        words = letter.message.text.split()
        assert all(f"#n{one}" in words for one in letter.ids)

"""Whatever anybody types or presses, at any time, with any right: it is answered, or met with silence.

No word raises, none acts without the right to, none that asks acts unasked, and
what is answered is a message that Telegram takes and that holds no secret.
"""

from dataclasses import dataclass

from hypothesis import given, settings
from hypothesis import strategies as st

from bot.console.commands import CommandSpec
from bot.console.dispatch import FRESH_US, Reply
from bot.console.handlers import command_table
from bot.domain.ids import Epoch
from bot.domain.operations import AccessLevel
from bot.kit.markup import MESSAGE_LENGTH_MAX, length, split
from bot.ports.messages import Channel
from tests.fakes.operator import FakeOperator
from tests.fakes.telegram_server import shown_text
from tests.support.chat_script import STATES, lines_of
from tests.support.console import ADMIN, GROUP, LEVELS, STRANGER, TRADER, VIEWER, Talk

TABLE = command_table()
NAMES = sorted(name for spec in TABLE.specs for name in (spec.name, *spec.aliases))
LINES = sorted({line for spec in TABLE.specs for line in lines_of(spec)})
SECRETS = (
    "123456789:AAFakeTokenForTests_0123456789abcdefgh",
    "postgresql://bot:pass-word@db.example/kalshi",
    "sk-ant-0123456789abcdefghijklmnop",
    "-----BEGIN RSA PRIVATE KEY-----\nMIIEowIBAAKCAQEA\n-----END RSA PRIVATE KEY-----",
)
HIDDEN = ("AAFakeTokenForTests", "pass-word", "sk-ant-0123456789", "MIIEowIBAAKCAQEA")
"""What is secret in each of them."""

any_text = st.text(st.characters(codec=None), max_size=60)
"""Lone surrogates and control characters as well."""
tails = st.one_of(any_text, st.text("<>&\"'", max_size=20))
typed = st.one_of(
    any_text,
    st.sampled_from(LINES),
    st.builds("/{} {}".format, st.sampled_from(NAMES), tails),
    st.builds("{}{}".format, st.sampled_from(LINES), tails),
    st.builds("/{}@{} {}".format, st.sampled_from(NAMES), any_text, tails),
    st.builds("{}{}".format, st.sampled_from(NAMES), st.text("x\N{ROCKET}<", max_size=5_000)),
)
pressed = st.builds(
    "{}{}".format, st.sampled_from(["", "yes:", "no:", "run:", "run:/", "menu:", "YES:"]), typed
)


@dataclass(frozen=True)
class Said:
    """One thing that reaches the console."""

    text: str
    button: str | None
    user: int
    chat: int
    is_private: bool
    age_us: int
    attempts: int


said = st.builds(
    Said,
    text=typed,
    button=st.none() | pressed,
    user=st.sampled_from([ADMIN, TRADER, VIEWER, STRANGER]) | st.integers(1, 2**52),
    chat=st.sampled_from([ADMIN, GROUP, -999]) | st.integers(-(2**52), 2**52),
    is_private=st.booleans(),
    age_us=st.integers(-FRESH_US, 100 * FRESH_US) | st.just(0),
    attempts=st.integers(1, 3),
)


def valid(reply: Reply) -> None:
    """A message, or several, as Telegram takes them."""
    for part in split(reply.text):
        assert length(part) <= MESSAGE_LENGTH_MAX
        assert length(shown_text(part)) <= MESSAGE_LENGTH_MAX
    for row in reply.buttons:
        for button in row:
            assert button.label
            assert 1 <= len(button.data.encode()) <= 64


def spec_of(reply: Reply) -> CommandSpec | None:
    return TABLE.find(reply.command.split(maxsplit=1)[0].lstrip("/")) if reply.command else None


@settings(max_examples=400)
@given(st.sampled_from(sorted(STATES)), said)
async def test_whatever_is_said_is_answered_and_does_no_more_than_its_sender_may(state, one):
    talk = Talk(operator=STATES[state]())
    command = talk.command(
        one.user,
        one.text if one.button is None else "",
        button=one.button,
        chat_id=one.chat,
        is_private=one.is_private,
        sent_us=talk.clock.now_us() - one.age_us,
    )
    talk.console.halt_if_told(command)
    reply = await talk.console.handle(talk.request(command, attempts=one.attempts))
    valid(reply)
    assert "internal fault" not in reply.outcome, reply.outcome
    is_heard = one.is_private or one.chat == GROUP
    may(talk.operator, reply, LEVELS.get(one.user) if is_heard else None, one.age_us)


def is_safer(act: str) -> bool:
    """Whether it takes risk away, and so needs no question: a tighter limit, a strategy off."""
    return act.endswith(": off") or (act.startswith("limit ") and "looser" not in act)


def may(operator: FakeOperator, reply: Reply, level: AccessLevel | None, age_us: int) -> None:
    """Whether a single message was allowed to do what was done."""
    if level is None:
        assert reply.is_silent
    if not operator.acts and not operator.halts_now:
        return
    spec = spec_of(reply)
    assert spec is not None, reply
    assert level is not None
    assert spec.level <= level
    if operator.halts_now:
        assert spec.halts_because is not None
    if operator.acts:
        assert spec.asker is None or all(is_safer(what) for what, _ in operator.acts)
        assert not (spec.increases_risk and age_us > FRESH_US)


@given(st.sampled_from([Channel.PORTAL, Channel.CLI]), st.sampled_from(list(AccessLevel)), said)
async def test_other_channels_answer_as_well_and_grant_what_they_granted(channel, level, one):
    talk = Talk()
    command = talk.command(
        0, one.text if one.button is None else "", button=one.button, channel=channel, granted=level
    )
    reply = await talk.console.handle(talk.request(command, epoch=Epoch(one.attempts)))
    valid(reply)
    assert "internal fault" not in reply.outcome, reply.outcome
    may(talk.operator, reply, level, 0)


@given(
    st.builds("{}{}".format, st.sampled_from(["", *(f"/{name} " for name in NAMES)]), any_text),
    st.integers(0, len(SECRETS) - 1),
    st.sampled_from([ADMIN, VIEWER]),
    st.booleans(),
)
async def test_a_secret_that_somebody_types_goes_nowhere(words, nth, user, is_button):
    talk = Talk()
    line = f"{words} {SECRETS[nth]}"
    command = talk.command(user, "" if is_button else line, button=line if is_button else None)
    talk.console.halt_if_told(command)
    reply = await talk.console.handle(talk.request(command))
    kept = f"{reply}{talk.operator.acts}{talk.operator.halts_now}{talk.operator.halt_view}"
    assert HIDDEN[nth] not in kept

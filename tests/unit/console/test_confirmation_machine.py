"""Questions and presses in any order, over restarts and fail-overs, against a model of the rules.

An answer counts once, within a minute, from the person and chat that were asked,
under the epoch that asked, about the state that was shown, and only while that
person still has the right.
"""

from collections.abc import Coroutine
from dataclasses import dataclass, replace
from typing import Any

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, invariant, rule

from bot.console.dispatch import NO_PREFIX, YES_PREFIX, Reply
from bot.domain.ids import Epoch
from bot.domain.operations import AccessLevel
from tests.fakes.operator import HALTED, FakeOperator
from tests.support.console import ADMIN, GROUP, LEVELS, STRANGER, TRADER, VIEWER, Talk

SECOND_US = 1_000_000
ASKING = {
    "/unhalt": AccessLevel.TRADER,
    "/close all": AccessLevel.TRADER,
    "/reset_breaker loss_streak": AccessLevel.TRADER,
    "/adopt": AccessLevel.ADMIN,
}
"""Lines that ask before they act, with the level they need."""
users = st.sampled_from([ADMIN, TRADER, VIEWER, STRANGER])
places = st.sampled_from([None, GROUP])
"""``None`` is the private chat."""


@dataclass(frozen=True)
class Asked:
    """What the model knows about a question."""

    nonce: str
    line: str
    user: int
    chat: int
    epoch: Epoch
    at_us: int
    halt_us: int
    console: int


def _ended(answering: Coroutine[Any, Any, Reply]) -> Reply:
    """Run it without a loop: over memory it waits for nothing."""
    try:
        answering.send(None)
    except StopIteration as end:
        reply: Reply = end.value
        return reply
    raise AssertionError("it waits for something")


class Questions(RuleBasedStateMachine):
    asked = Bundle("asked")

    def __init__(self) -> None:
        super().__init__()
        self.talk = Talk(operator=FakeOperator(halt_view=HALTED))
        self.epoch = Epoch(7)
        self.console = 0
        self.open: set[str] = set()
        self.acts = 0
        self.halts_so_far = 0

    def sent(self, user: int, chat: int, text: str = "", button: str | None = None) -> Reply:
        command = self.talk.command(
            user, text, button=button, chat_id=chat, is_private=chat == user
        )
        request = self.talk.request(command, epoch=self.epoch)
        return _ended(self.talk.console.handle(request))

    @rule(target=asked, user=users, place=places, line=st.sampled_from(sorted(ASKING)))
    def asks(self, user: int, place: int | None, line: str) -> Asked | None:
        chat = user if place is None else place
        reply = self.sent(user, chat, line)
        level = LEVELS.get(user)
        if level is None:
            assert reply.is_silent
        if level is None or level < ASKING[line]:
            assert reply.buttons == ()
            return None
        return self._noted(reply, line, user, chat)

    def _noted(self, reply: Reply, line: str, user: int, chat: int) -> Asked:
        ((yes, no),) = reply.buttons
        assert reply.outcome == "asked"
        nonce = yes.data.removeprefix(YES_PREFIX)
        assert no.data == f"{NO_PREFIX}{nonce}"
        assert nonce not in self.open
        self.open.add(nonce)
        return Asked(
            nonce=nonce,
            line=line,
            user=user,
            chat=chat,
            epoch=self.epoch,
            at_us=self.talk.clock.now_us(),
            halt_us=self.talk.operator.halt_view.changed_us,
            console=self.console,
        )

    @rule(one=asked, user=users, place=places, same=st.booleans(), label=st.booleans())
    def presses(
        self, one: Asked | None, user: int, place: int | None, same: bool, label: bool
    ) -> None:
        if one is None:
            return
        user, chat = (one.user, one.chat) if same else (user, user if place is None else place)
        prefix = YES_PREFIX if label else NO_PREFIX
        is_changed = self._state_changed(one)
        reply = self.sent(user, chat, button=f"{prefix}{one.nonce}")
        if LEVELS.get(user) is None:
            assert reply.is_silent
            return
        if (user, chat) != (one.user, one.chat):
            assert reply.outcome == "void"
            return
        is_open = one.nonce in self.open and one.console == self.console
        self.open.discard(one.nonce)
        is_fresh = self.talk.clock.now_us() - one.at_us <= 60 * SECOND_US
        if not (is_open and is_fresh and one.epoch == self.epoch):
            assert reply.outcome == "void"
        elif not label:
            assert reply.outcome == "declined"
        elif is_changed:
            # Another question, about the state as it is now; the next step may not lose it.
            self._noted(reply, one.line, user, chat)
        else:
            assert reply.outcome.startswith("done"), reply
            self.acts += 1
            # There is always something to ask about: an end is followed by another halt.
            self.halts()

    def _state_changed(self, one: Asked) -> bool:
        shows_the_halt = one.line in {"/unhalt", "/adopt"}
        return shows_the_halt and self.talk.operator.halt_view.changed_us != one.halt_us

    @rule()
    def halts(self) -> None:
        self.halts_so_far += 1
        self.talk.operator.halt_view = replace(HALTED, changed_us=self.halts_so_far)

    @rule(seconds=st.sampled_from([1, 20, 59, 60, 61, 3_600]))
    def waits(self, seconds: int) -> None:
        self.talk.clock.advance(seconds * SECOND_US)

    @rule()
    def restarts(self) -> None:
        """The process is another one, under the next epoch; memory is gone."""
        self.epoch = Epoch(self.epoch + 1)
        self.console += 1
        self.talk.console = self.talk.fresh_console()

    @rule()
    def leads_again(self) -> None:
        """The same process lost the lead and has it again."""
        self.epoch = Epoch(self.epoch + 1)

    @rule(user=users, data=st.text("abcdef0123456789:", max_size=40))
    def guesses(self, user: int, data: str) -> None:
        for prefix in (YES_PREFIX, NO_PREFIX):
            assert self.sent(user, user, button=f"{prefix}{data}").outcome in {"void", "stranger"}

    @invariant()
    def nothing_acts_but_what_was_answered(self) -> None:
        assert len(self.talk.operator.acts) == self.acts
        numbers = [number for _, number in self.talk.operator.acts]
        assert len(set(numbers)) == len(numbers)


Questions.TestCase.settings = settings(max_examples=60, stateful_step_count=40, deadline=None)
TestQuestions = Questions.TestCase

"""A question is answered once, soon, by the one who was asked."""

from random import Random

from hypothesis import given
from hypothesis import strategies as st

from bot.console.confirmations import Confirmations, Question, Void
from bot.domain.ids import Epoch

MINUTE_US = 60_000_000
QUESTION = Question(
    line="/unhalt", user_id=1, chat_id=1, epoch=Epoch(3), asked_us=1_000, fingerprint="halt:1"
)


@given(st.integers(0, 2), st.integers(0, 2), st.integers(2, 4), st.integers(-5, 2 * MINUTE_US))
def test_only_the_very_answer_that_was_asked_for_counts(user, chat, epoch, later_us):
    confirmations = Confirmations(Random(0))
    nonce = confirmations.ask(QUESTION)
    taken = confirmations.take(
        nonce, user_id=user, chat_id=chat, epoch=Epoch(epoch), now_us=1_000 + later_us
    )
    is_right = user == 1 and chat == 1 and epoch == 3 and later_us <= MINUTE_US
    assert (taken is QUESTION) == is_right
    if is_right:
        again = confirmations.take(nonce, user_id=1, chat_id=1, epoch=Epoch(3), now_us=1_000)
        assert isinstance(again, Void)


def test_nonces_do_not_repeat_and_fit_a_button():
    confirmations = Confirmations(Random(0))
    nonces = {confirmations.ask(QUESTION) for _ in range(50)}
    assert len(nonces) == 50
    assert all(len(f"yes:{nonce}".encode()) <= 64 for nonce in nonces)


def test_open_questions_are_bounded():
    confirmations = Confirmations(Random(0))
    first = confirmations.ask(QUESTION)
    for _ in range(200):
        confirmations.ask(QUESTION)
    assert len(confirmations._open) == 100
    assert isinstance(
        confirmations.take(first, user_id=1, chat_id=1, epoch=Epoch(3), now_us=1_000), Void
    )

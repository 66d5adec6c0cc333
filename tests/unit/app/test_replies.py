"""Answers of the engine find whoever asked, once."""

import asyncio

import pytest

from bot.app.replies import ReplyBoard
from bot.domain.errors import StorageUnavailable


async def test_a_first_word_is_followed_by_the_last_one() -> None:
    board = ReplyBoard()
    waiting = board.expect(7)
    board.reply(7, "halted here, not yet saved", is_done=False)
    assert not waiting.done()
    board.reply(7, "saved", is_done=True)
    answer = await waiting
    assert (answer.text, answer.is_refused) == ("saved", False)


async def test_a_refusal_is_a_last_word() -> None:
    board = ReplyBoard()
    waiting = board.expect(7)
    board.reply(7, "refused: not reconciled yet", is_done=False)
    answer = await waiting
    assert (answer.text, answer.is_refused) == ("not reconciled yet", True)


async def test_an_answer_nobody_waits_for_is_dropped_and_numbers_do_not_mix() -> None:
    board = ReplyBoard()
    waiting = board.expect(7)
    board.reply(8, "saved", is_done=True)
    assert not waiting.done()
    assert board.expect(7) is waiting
    board.reply(7, "saved", is_done=True)
    board.reply(7, "again", is_done=True)
    assert (await waiting).text == "saved"
    assert board.expect(7) is not waiting


async def test_the_end_of_the_lead_is_told_to_everyone_who_waits() -> None:
    board = ReplyBoard()
    waiting = [board.expect(number) for number in (1, 2)]
    board.close()
    for one in waiting:
        with pytest.raises(StorageUnavailable, match="lead ended"):
            await one
    assert isinstance(board.expect(1), asyncio.Future)

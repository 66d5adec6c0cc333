"""Answers of the engine to commands, matched by the command's number."""

import asyncio
from dataclasses import dataclass

from bot.domain.errors import StorageUnavailable

_REFUSED = "refused: "


@dataclass(frozen=True, slots=True)
class EngineReply:
    """The last word on a command."""

    text: str
    is_refused: bool


class ReplyBoard:
    """Where the executor pins answers and an operator's call waits for one."""

    def __init__(self) -> None:
        self._waiting: dict[int, asyncio.Future[EngineReply]] = {}

    def expect(self, command_id: int) -> asyncio.Future[EngineReply]:
        """The future answer to a command that is about to be submitted."""
        found = self._waiting.get(command_id)
        if found is None or found.done():
            found = asyncio.get_running_loop().create_future()
            self._waiting[command_id] = found
        return found

    def reply(self, command_id: int, text: str, *, is_done: bool) -> None:
        """See ``HearsReplies.reply``: a first word is followed by a last one."""
        is_refused = text.startswith(_REFUSED)
        waiting = self._waiting.get(command_id)
        if waiting is None or waiting.done() or not (is_done or is_refused):
            return
        del self._waiting[command_id]
        waiting.set_result(EngineReply(text=text.removeprefix(_REFUSED), is_refused=is_refused))

    def close(self) -> None:
        """The leadership ends: whoever waits is told so."""
        for waiting in self._waiting.values():
            if not waiting.done():
                waiting.set_exception(StorageUnavailable("the lead ended before it was saved"))
        self._waiting.clear()

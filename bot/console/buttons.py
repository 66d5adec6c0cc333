"""What a button says when it is pressed: a command line behind a prefix. Pure.

The prefix tells the channel what becomes of the message that holds the button. Nothing
that can be pressed twice acts: who acts is asked, and the answer counts once.
"""

from collections.abc import Sequence

from bot.ports.messages import MessageButton

RUN_PREFIX = "run:"
"""Runs the line; the buttons beside it are gone then."""
GO_PREFIX = "go:"
"""Runs the line; the message stays as it is, as a menu does."""
AGAIN_PREFIX = "again:"
"""Runs the line, whose answer takes the place of the message. For what only reads."""
DATA_BYTES_MAX = 64
"""Telegram's limit."""
_RUNNING = (RUN_PREFIX, GO_PREFIX, AGAIN_PREFIX)
_STAYING = (GO_PREFIX, AGAIN_PREFIX)


def line_of(data: str) -> str:
    """The command line behind a button; empty where it answers a question instead."""
    prefix = next((one for one in _RUNNING if data.startswith(one)), None)
    return "" if prefix is None else data.removeprefix(prefix)


def stays(data: str) -> bool:
    """Whether the message keeps its buttons after this one was pressed."""
    return data.startswith(_STAYING)


def go(label: str, line: str) -> MessageButton:
    """A button of a menu."""
    return MessageButton(label=label, data=f"{GO_PREFIX}{line}")


def again_button(label: str, line: str) -> MessageButton:
    """A button whose answer takes the place of the message."""
    return MessageButton(label=label, data=f"{AGAIN_PREFIX}{line}")


def again(label: str, line: str) -> tuple[tuple[MessageButton, ...], ...]:
    """A row with such a button; no row where the line is too long for one."""
    return ((again_button(label, line),),) if fits(line) else ()


def fits(line: str) -> bool:
    """Whether a button can hold this line, whatever it does with it."""
    return len(f"{AGAIN_PREFIX}{line}".encode()) <= DATA_BYTES_MAX


def in_rows(
    buttons: Sequence[MessageButton], per_row: int = 2
) -> tuple[tuple[MessageButton, ...], ...]:
    """Side by side, as many as a phone shows without cutting their labels."""
    return tuple(
        tuple(buttons[start : start + per_row]) for start in range(0, len(buttons), per_row)
    )

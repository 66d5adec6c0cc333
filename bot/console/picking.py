"""Buttons for an argument that was left out: pressing one runs the command with it.

Telegram gives a button 64 bytes. A line that is longer is remembered here under a short name,
in memory: after a restart such a button says that it is too old.
"""

from collections import OrderedDict
from collections.abc import Mapping, Sequence
from random import Random

from bot.console.arguments import ArgumentSpec, Choice
from bot.console.buttons import DATA_BYTES_MAX, RUN_PREFIX, line_of
from bot.console.commands import CommandSpec
from bot.ports.messages import MessageButton

PICK_PREFIX = "pick:"
CHOICES_MAX = 30
_LABEL_MAX = 60
_REMEMBERED_MAX = 500
_NAME_BITS = 64


class Picks:
    """Lines too long for a button, by the short name that stands on it."""

    def __init__(self, random: Random) -> None:
        self._random = random
        self._lines: OrderedDict[str, str] = OrderedDict()

    def button(self, label: str, line: str) -> MessageButton:
        """A button that runs ``line``."""
        data = f"{RUN_PREFIX}{line}"
        if len(data.encode()) > DATA_BYTES_MAX:
            name = f"{self._random.getrandbits(_NAME_BITS):016x}"
            self._lines[name] = line
            while len(self._lines) > _REMEMBERED_MAX:
                self._lines.popitem(last=False)
            data = f"{PICK_PREFIX}{name}"
        return MessageButton(label=label[:_LABEL_MAX], data=data)

    def line_of(self, button: str) -> str | None:
        """What a pressed button runs; ``None``: nothing, or it is forgotten."""
        if button.startswith(PICK_PREFIX):
            return self._lines.get(button.removeprefix(PICK_PREFIX))
        return line_of(button) or None


def missing(spec: CommandSpec, given: Mapping[str, str]) -> ArgumentSpec | None:
    """The first argument that is left out and can be offered."""
    return next(
        (one for one in spec.arguments if one.choices is not None and one.name not in given), None
    )


def keyboard(
    picks: Picks, line: str, choices: Sequence[Choice]
) -> tuple[tuple[MessageButton, ...], ...]:
    """One row for each choice, up to a screenful; ``line`` is what was typed so far."""
    return tuple((picks.button(one.label, f"{line} {one.value}"),) for one in choices[:CHOICES_MAX])

"""The command table: one for the chat, the portal and the command line.

A command is a row: its name, what it takes, who may use it, whether it changes
anything, what it asks first and what it does. Dispatch knows rows, never names.
"""

import difflib
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TypeAlias
from zoneinfo import ZoneInfo

from bot.console import choices
from bot.console.arguments import ArgumentSpec, Shape, usage
from bot.domain.operations import AccessLevel, Authority
from bot.ports.messages import ClaimedCommand, MessageButton
from bot.ports.operator import Operator

NEAREST_SIMILARITY_MIN = 0.5


@dataclass(frozen=True, slots=True, kw_only=True)
class Invocation:
    """A command that may be run: who, what, with which arguments, and with which bot."""

    operator: Operator
    authority: Authority
    level: AccessLevel
    arguments: Mapping[str, str]
    request: ClaimedCommand
    now_us: int
    table: "CommandTable"
    zone: ZoneInfo
    """Whose clock the times in the answer are on."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What a command says. ``outcome`` is its line in the audit."""

    text: str
    outcome: str
    attachment: str | None = None
    buttons: tuple[tuple[MessageButton, ...], ...] = ()
    may_renew: bool = True
    """Whether there is something to renew; not in a question or an excuse."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """What has to be confirmed first, with the state it was shown with."""

    text: str
    fingerprint: str
    confirm_label: str


Handler: TypeAlias = Callable[[Invocation], Awaitable[Answer]]
Asker: TypeAlias = Callable[[Invocation], Awaitable[Asked | Answer | None]]
"""What to ask before acting; an answer instead of a question, or nothing to ask this time."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CommandSpec:
    """One row."""

    name: str
    help: str
    level: AccessLevel
    handler: Handler
    group: str
    aliases: tuple[str, ...] = ()
    arguments: tuple[ArgumentSpec, ...] = ()
    asker: Asker | None = None
    """Puts the question; without one it acts at once."""
    increases_risk: bool = False
    """Whether an old one must be asked again."""
    is_urgent: bool = False
    """Acts at once, in its own lane, whatever its age."""
    nothing_to_choose: str = "There is nothing to choose from."
    """Said when an argument is missing and nothing can be offered for it."""
    halts_because: Callable[[str], str] | None = None
    """The halt's reason, from what was typed behind the word; urgent commands have one."""
    is_refreshable: bool = False
    """Whether the answer may be renewed in its place; for what only reads."""
    refresh_label: str = "Refresh"
    """On the button that does it; empty where the answer has buttons of its own for that."""

    @property
    def usage(self) -> str:
        """The line to type."""
        return usage(self.name, self.arguments)


class CommandTable:
    """The rows, by name and alias."""

    def __init__(self, specs: Sequence[CommandSpec]) -> None:
        self.specs = tuple(specs)
        self._by_name = {name: spec for spec in specs for name in (spec.name, *spec.aliases)}
        if len(self._by_name) != sum(1 + len(spec.aliases) for spec in specs):
            raise ValueError("two commands share a name or alias: give each its own")

    def find(self, word: str) -> CommandSpec | None:
        """The row of a command word, without its slash."""
        return self._by_name.get(word)

    def nearest(self, word: str, level: AccessLevel) -> CommandSpec | None:
        """The row that was probably meant, among those the person may use."""
        names = [name for name, spec in self._by_name.items() if spec.level <= level]
        close = difflib.get_close_matches(word[:64], names, n=1, cutoff=NEAREST_SIMILARITY_MIN)
        return self._by_name[close[0]] if close else None

    def allowed(self, level: AccessLevel) -> tuple[CommandSpec, ...]:
        """The rows that a person of this level may use."""
        return tuple(spec for spec in self.specs if spec.level <= level)


REASON = ArgumentSpec(name="reason", shape=Shape.REST)
BREAKER = ArgumentSpec(
    name="name",
    shape=Shape.WORD,
    pattern=r"[A-Za-z][A-Za-z0-9_]{0,39}",
    example="daily_loss",
    choices=choices.tripped_breakers,
    question="Which breaker?",
)
FORCE = ArgumentSpec(name="force", shape=Shape.FLAG)
TICKER = ArgumentSpec(
    name="ticker",
    shape=Shape.WORD,
    pattern=r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}",
    example="KXFED-26DEC-T4.25",
)
MARKET_OR_ALL = ArgumentSpec(
    name="ticker|all",
    shape=Shape.WORD,
    pattern=r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}",
    example="KXFED-26DEC-T4.25",
    choices=choices.our_positions_or_all,
    question="Which position?",
)
FOREIGN = replace(TICKER, choices=choices.foreign_positions, question="Which market?")
ENTRY_OR_ALL = ArgumentSpec(
    name="id|ticker|all",
    shape=Shape.WORD,
    pattern=r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}",
    example="KXFED-26DEC-T4.25",
    choices=choices.entries_or_all,
    question="Which entry?",
)
INSTANCE = ArgumentSpec(
    name="id",
    shape=Shape.WORD,
    pattern=r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}",
    example="the first word of a line of /instances",
)
PROPOSAL = ArgumentSpec(
    name="id",
    shape=Shape.WORD,
    pattern=r"[0-9]{1,19}-[0-9]{1,6}",
    example="1795960485-1",
    choices=choices.proposals,
    question="Which order?",
)
CONTRACTS = ArgumentSpec(name="number", shape=Shape.WORD, pattern=r"[1-9][0-9]{0,8}", example="10")
EVERYTHING = ArgumentSpec(name="everything", shape=Shape.FLAG)
TOPIC = ArgumentSpec(
    name="command", shape=Shape.WORD, pattern=r"/?[A-Za-z_]{1,32}", example="reset_breaker"
)

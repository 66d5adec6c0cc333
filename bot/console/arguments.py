"""Reading what was typed: the command word, and arguments checked against their spec. Pure."""

import re
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import TypeAlias

from bot.kit.markup import clean, escape
from bot.ports.operator import Operator

_LINE = re.compile(
    r"\s*(?P<slash>/?)(?P<word>[^\s@]+)(?:@(?P<bot>\w+))?(?:\s+(?P<rest>.*))?", re.DOTALL
)

_WORD_SHOWN_MAX = 32


class Shape(StrEnum):
    """What an argument takes."""

    WORD = "word"
    """One word that fits ``pattern``."""
    REST = "rest"
    """Everything that is left, as one text."""
    FLAG = "flag"
    """Its own name, or nothing."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Choice:
    """One value that an argument may take now."""

    value: str
    label: str
    """What its button says."""


ReadChoices: TypeAlias = Callable[[Operator], Awaitable[Sequence[Choice]]]


@dataclass(frozen=True, slots=True, kw_only=True)
class ArgumentSpec:
    """One argument of a command. All are optional: a command says itself what it misses."""

    name: str
    shape: Shape
    pattern: str = r"\S{1,64}"
    example: str = ""
    length_max: int = 200
    choices: ReadChoices | None = None
    """What is offered on buttons when the argument is missing; ``None`` runs without it."""
    question: str = ""
    """Put above those buttons."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TypedLine:
    """A line taken apart, before anything is known about the command."""

    has_slash: bool
    word: str
    """Lower case, without slash and bot name."""
    bot: str | None
    """The bot that was named after ``@``."""
    rest: str


class BadArguments(ValueError):
    """The arguments do not fit; the text says which one and why."""


def read_line(text: str) -> TypedLine | None:
    """Take a line apart; ``None`` when it holds no word."""
    found = _LINE.fullmatch(clean(text))
    if found is None:
        return None
    return TypedLine(
        has_slash=bool(found["slash"]),
        word=found["word"].lower(),
        bot=found["bot"],
        rest=(found["rest"] or "").strip(),
    )


def read_arguments(specs: Sequence[ArgumentSpec], rest: str) -> Mapping[str, str]:
    """Match the rest of the line to the specs; absent arguments are left out.

    Raises:
        BadArguments: something does not fit, or something is left over.
    """
    found: dict[str, str] = {}
    words = rest.split()
    for spec in specs:
        value = _take(spec, words)
        if value:
            found[spec.name] = value
    if words:
        raise BadArguments(f"{escape(shortened(words[0]))} is one word too many")
    return found


def shortened(word: str) -> str:
    """A typed word, short enough to be repeated in an answer."""
    return word if len(word) <= _WORD_SHOWN_MAX else f"{word[:_WORD_SHOWN_MAX]}..."


def usage(name: str, specs: Sequence[ArgumentSpec]) -> str:
    """``/reset_breaker [name] [force]``."""
    parts = [f"[{spec.name}]" for spec in specs]
    return " ".join((f"/{name}", *parts))


def _take(spec: ArgumentSpec, words: list[str]) -> str:
    """Take what belongs to one argument off the front of the words."""
    match spec.shape:
        case Shape.REST:
            text = " ".join(words)
            words.clear()
            return text[: spec.length_max]
        case Shape.FLAG:
            return words.pop(0).lower() if words and words[0].lower() == spec.name else ""
        case Shape.WORD:
            return _word(spec, words.pop(0)) if words else ""


def _word(spec: ArgumentSpec, word: str) -> str:
    if re.fullmatch(spec.pattern, word):
        return word
    hint = f", for example {spec.example}" if spec.example else ""
    if "|" in spec.name:
        words = spec.name.split("|")
        hint = "" if spec.example in words else hint
        raise BadArguments(f"{escape(shortened(word))} is none of {', '.join(words)}{hint}")
    article = "" if spec.name.endswith("s") else "an " if spec.name[0] in "aeiou" else "a "
    raise BadArguments(f"{escape(shortened(word))} is not {article}{spec.name}{hint}")

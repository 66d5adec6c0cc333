"""Frozen dataclasses and structs to plain JSON values and back, checked field by field.

Types lead: what a field is declared as decides how it is read, so nothing is
guessed and a float never becomes an amount. Understands dataclasses, structs, ``NewType``,
``StrEnum``, ``int``, ``str``, ``bool``, ``X | None`` and ``tuple[X, ...]``; no more.
"""

from dataclasses import fields, is_dataclass
from enum import StrEnum
from functools import cache
from types import UnionType
from typing import Any, NewType, TypeVar, Union, get_args, get_origin, get_type_hints

T = TypeVar("T")


def to_plain(value: object) -> object:
    """Dicts, lists, integers, text, booleans and ``None``, ready for ``json.dumps``."""
    if isinstance(value, tuple):
        return [to_plain(item) for item in value]
    kind: Any = type(value)
    names = _field_names(kind)
    if names is None:
        return value
    return {name: to_plain(getattr(value, name)) for name in names}


def from_plain(kind: type[T], plain: object) -> T:
    """The value of this kind that ``to_plain`` took apart.

    Raises:
        ValueError: the data does not fit the declared types.
    """
    value: T = _read(kind, plain)
    return value


def _read(kind: Any, plain: object) -> Any:
    if isinstance(kind, NewType):
        return _read(kind.__supertype__, plain)
    origin = get_origin(kind)
    if origin in (Union, UnionType):
        return _read_optional(kind, plain)
    if origin is tuple:
        return _read_tuple(kind, plain)
    if _field_names(kind) is not None:
        return _read_fields(kind, plain)
    return _read_word_or_number(kind, plain)


def _read_word_or_number(kind: Any, plain: object) -> Any:
    if isinstance(kind, type) and issubclass(kind, StrEnum) and isinstance(plain, str):
        return kind(plain)
    if type(plain) is not kind:
        raise ValueError(f"{plain!r} is not a value of {kind}")
    return plain


def _read_optional(kind: Any, plain: object) -> Any:
    choices = [choice for choice in get_args(kind) if choice is not type(None)]
    if plain is None and len(choices) < len(get_args(kind)):
        return None
    if len(choices) != 1:
        raise ValueError(f"{kind} is not supported")
    return _read(choices[0], plain)


def _read_tuple(kind: Any, plain: object) -> Any:
    parts = get_args(kind)
    if not isinstance(plain, list) or not parts:
        raise ValueError(f"{plain!r} does not fit {kind}")
    if len(parts) == 2 and parts[1] is ...:  # noqa: PLR2004 - tuple[X, ...]
        return tuple(_read(parts[0], item) for item in plain)
    return tuple(_read(part, item) for part, item in zip(parts, plain, strict=True))


def _read_fields(kind: Any, plain: object) -> Any:
    hints = _hints(kind)
    if not isinstance(plain, dict) or set(plain) != set(hints):
        raise ValueError(f"the fields do not match those of {kind.__name__}")
    return kind(**{name: _read(hint, plain[name]) for name, hint in hints.items()})


@cache
def _field_names(kind: type) -> tuple[str, ...] | None:
    """``None`` for what has none."""
    names: tuple[str, ...] | None = getattr(kind, "__struct_fields__", None)
    if names is not None:
        return names
    return tuple(field.name for field in fields(kind)) if is_dataclass(kind) else None


@cache
def _hints(kind: Any) -> dict[str, Any]:
    return get_type_hints(kind)

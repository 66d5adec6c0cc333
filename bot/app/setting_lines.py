"""The effective settings as lines, each with where it came from; never a secret."""

from collections.abc import Iterator, Mapping
from datetime import datetime

from pydantic import BaseModel, SecretStr

from bot.adapters.storage.urls import parse_address
from bot.app.settings import BotSettings
from bot.domain.cockpit import SettingLine
from bot.kit.times import format_seconds, to_us

_SECRETS, _ADDRESS = "secrets", "database.url"


def setting_lines(settings: BotSettings) -> tuple[SettingLine, ...]:
    """Every setting, in the order of the file."""
    return tuple(
        SettingLine(name=name, value=value, origin=_origin(settings, name, is_default=is_default))
        for name, value, is_default in _lines(settings, "")
    )


def _lines(model: BaseModel, prefix: str) -> Iterator[tuple[str, str, bool]]:
    """Name, value as people read it, and whether it is what it is without being set."""
    for key, field in type(model).model_fields.items():
        name, value = f"{prefix}{key}", getattr(model, key)
        if isinstance(value, BaseModel):
            yield from _lines(value, f"{name}.")
            continue
        yield name, _shown(name, value), value == field.get_default(call_default_factory=True)


def _shown(name: str, value: object) -> str:
    if name == _ADDRESS and isinstance(value, SecretStr):
        return str(parse_address(value.get_secret_value()))  # without its password
    if isinstance(value, SecretStr) or name.startswith(f"{_SECRETS}."):
        return "not set" if value is None else "set"
    return _plain(value)


def _plain(value: object) -> str:
    match value:
        case dict():
            many = [f"{key}: {_plain(one)}" for key, one in value.items()]
        case tuple() | list():
            many = [_plain(one) for one in value]
        case frozenset():
            many = sorted(_plain(one) for one in value)
        case _:
            return _single(value)
    return ", ".join(many) or "none"


def _single(value: object) -> str:
    if isinstance(value, datetime):
        return format_seconds(to_us(value))
    if isinstance(value, bool):
        return "yes" if value else "no"
    return "not set" if value is None else str(value)


def _origin(settings: BotSettings, name: str, *, is_default: bool) -> str:
    known = origin_among(settings.origins, name)
    if known is not None:
        return known
    return "default" if is_default else "the platform"


def origin_among(origins: Mapping[str, str], name: str) -> str | None:
    """Where a setting was given: itself, a part of it, or its whole section."""
    section = name.partition(".")[0]
    parts = (origin for one, origin in origins.items() if one.startswith(f"{name}."))
    return origins.get(name) or next(parts, None) or origins.get(section)

"""Judges of requests and answers: the vendor's library, and the Bot API's own description.

The description is not committed; where it is not at hand the library judges alone.
"""

import inspect
import json
import os
import re
from pathlib import Path
from typing import Any, Protocol

import pytest
import telegram
from telegram import Bot, TelegramObject

from tests.fakes.telegram_server import Request

_HERE = Path(__file__).resolve().parents[2]
_SIMPLE = {"String", "Boolean", "Float", "True"}


class Judge(Protocol):
    """Whoever knows what a request and its answer look like."""

    def faults(self, request: Request) -> list[str]: ...


class LibraryJudge:
    """The library that real bots use: its methods' parameters, and what its types accept."""

    def faults(self, request: Request) -> list[str]:
        """What the request sends wrongly, and what its answer lacks or has too much."""
        method = getattr(Bot, request.method, None)
        if method is None:
            return [f"{request.method}: no such method"]
        known = {
            name: one
            for name, one in inspect.signature(method).parameters.items()
            if name not in _NOT_SENT
        }
        attached = {value.removeprefix("attach://") for value in request.params.values()}
        sent = (set(request.params) | set(request.files)) - attached
        required = {name for name, one in known.items() if one.default is inspect.Parameter.empty}
        faults = [f"{request.method}: {name} is not a parameter" for name in sent - set(known)]
        faults += [f"{request.method}: {name} is missing" for name in required - sent]
        return faults + self._answer_faults(request.method, method, request.answer)

    def _answer_faults(self, where: str, method: Any, answer: Any) -> list[str]:
        said = str(inspect.signature(method).return_annotation)
        word = next(one for one in re.findall(r"\w+", said) if one in _RETURNED)
        if word == "bool":
            return [] if answer is True else [f"{where}: answer is not true"]
        kind = getattr(telegram, word)
        if ("tuple" in said) != isinstance(answer, list):
            return [f"{where}: answer is a list where it should not be, or the other way"]
        faults = []
        for one in answer if isinstance(answer, list) else [answer]:
            try:
                made = kind.de_json(one, None)
            except (TypeError, KeyError, ValueError) as fault:
                faults.append(f"{where}: answer is no {word}: {fault}")
            else:
                faults += _flaws(f"{where}: {word}", made)
        return faults


_RETURNED = {"bool", *telegram.__all__}
_NOT_SENT = {
    "self",
    "read_timeout",
    "write_timeout",
    "connect_timeout",
    "pool_timeout",
    "api_kwargs",
}


def _flaws(where: str, made: TelegramObject) -> list[str]:
    """Fields that are missing, and fields that the library has never heard of, at any depth."""
    faults = [f"{where}: {name} is unknown" for name in made.api_kwargs]
    faults += [
        f"{where}: {name} is missing"
        for name, one in inspect.signature(type(made)).parameters.items()
        if one.default is inspect.Parameter.empty and getattr(made, name, None) is None
    ]
    slots = {name for kind in type(made).__mro__ for name in getattr(kind, "__slots__", ())}
    for name in sorted(name for name in slots if not name.startswith("_")):
        value = getattr(made, name, None)
        for one in value if isinstance(value, tuple) else (value,):
            if isinstance(one, TelegramObject):
                faults += _flaws(f"{where}.{name}", one)
    return faults


class ApiJudge:
    """The Bot API's description: every method and type."""

    def __init__(self, description: dict[str, Any]) -> None:
        self._methods = description["methods"]
        self._types = description["types"]

    def faults(self, request: Request) -> list[str]:
        """What the request sends wrongly, and what its answer lacks."""
        method = self._methods.get(request.method)
        if method is None:
            return [f"{request.method}: no such method"]
        fields = {one["name"]: one for one in method.get("fields", [])}
        sent = set(request.params) | set(request.files)
        attached = {value.removeprefix("attach://") for value in request.params.values()}
        faults = [
            f"{request.method}: {name} is not a parameter" for name in sent - set(fields) - attached
        ]
        faults += [
            f"{request.method}: {name} is missing"
            for name, one in fields.items()
            if one["required"] and name not in sent
        ]
        faults += [
            f"{request.method}: {name}={value!r} is not {fields[name]['types']}"
            for name, value in request.params.items()
            if name in fields and not _fits(value, fields[name]["types"])
        ]
        return faults + self._answer_faults(request.method, request.answer, method["returns"])

    def _answer_faults(self, where: str, answer: Any, types: list[str]) -> list[str]:
        name = types[0]
        if name.startswith("Array of "):
            inner = [name.removeprefix("Array of ")]
            return [f for one in answer for f in self._answer_faults(where, one, inner)]
        described = self._types.get(name)
        if described is None or "fields" not in described or not isinstance(answer, dict):
            return []
        faults = []
        fields = {one["name"]: one for one in described["fields"]}
        for key, one in fields.items():
            if one["required"] and key not in answer:
                faults.append(f"{where}: answer {name} lacks {key}")
        for key, value in answer.items():
            if key not in fields:
                faults.append(f"{where}: answer {name} has unknown {key}")
            else:
                faults += self._answer_faults(f"{where}.{key}", value, fields[key]["types"])
        return faults


def _fits(value: str, types: list[str]) -> bool:
    if _SIMPLE & set(types) or "InputFile" in types:
        return True
    if "Integer" in types:
        return value.lstrip("-").isdigit()
    try:
        json.loads(value)
    except ValueError:
        return False
    return True


def api_judge() -> ApiJudge:
    """The judge, or a skip that says what is missing."""
    recordings = Path(os.environ.get("KALSHI_RECORDINGS", _HERE.parent / "shared" / "data"))  # noqa: TID251 - where recordings lie
    path = recordings / "telegram_bot_api" / "api.json"
    if not path.exists():
        pytest.skip("the Bot API description (telegram_bot_api/api.json) is not at hand")
    return ApiJudge(json.loads(path.read_text()))

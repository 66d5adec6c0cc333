"""Judges requests and answers by the Bot API's own description, where it is at hand."""

import json
import os
from pathlib import Path
from typing import Any

import pytest

from tests.fakes.telegram_server import Request

_HERE = Path(__file__).resolve().parents[2]
_SIMPLE = {"String", "Boolean", "Float", "True"}


class ApiJudge:
    """Knows every method and type."""

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

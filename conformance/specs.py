"""The venue's OpenAPI and AsyncAPI documents as validators of bodies and frames.

Beyond the schemas a field that they do not know is a finding too: a schema
alone accepts every misspelled optional field. ``STILL_SENT`` are the exceptions.
"""

import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import yaml
from jsonschema import Draft202012Validator, FormatChecker
from jsonschema.exceptions import best_match
from referencing import Registry
from referencing.jsonschema import DRAFT202012

from bot.kit.times import parse_rfc3339
from conformance.verdicts import Unavailable

_METHODS = ("get", "post", "put", "delete")
_JSON = "application/json"
_EXCERPT = 160
_NAME = "urn:document"

STILL_SENT = {
    ("Market", "liquidity_dollars"): "recorded until 08/2026; kalshi-sdk 22.4.0 still requires it",
}
"""Fields by schema that are sent though the document has dropped them, and why."""

FORMATS = FormatChecker(("uuid",))


@FORMATS.checks("date-time", raises=ValueError)
def _is_date_time(value: object) -> bool:
    if isinstance(value, str):
        parse_rfc3339(value)
    return True


def load(folder: Path, name: str) -> Mapping[str, Any]:
    """One document. Raises ``Unavailable`` where it was not fetched."""
    path = folder / name
    if not path.is_file():
        raise Unavailable(f"{name} is not at {folder}: scripts/conformance.sh fetches it")
    document: Mapping[str, Any] = yaml.load(path.read_text(), Loader=yaml.CSafeLoader)
    return document


def schema_of(node: Any) -> Any:
    """OpenAPI 3.0 as JSON Schema: ``nullable`` spelled out, and no unknown fields."""
    if isinstance(node, list):
        return [schema_of(one) for one in node]
    if not isinstance(node, dict):
        return node
    made = {key: schema_of(value) for key, value in node.items() if key != "nullable"}
    if isinstance(made.get("$ref"), str):
        made["$ref"] = made["$ref"].replace("#", f"{_NAME}#", 1)
    if isinstance(made.get("properties"), dict) and "additionalProperties" not in made:
        made["unevaluatedProperties"] = False
    if node.get("nullable") is True:
        return {"anyOf": [made, {"type": "null"}]}
    return made


class _Document:
    """A document whose parts refer to each other."""

    def __init__(self, document: Mapping[str, Any]) -> None:
        self.parts = schema_of(document)
        resource = DRAFT202012.create_resource(self.parts)
        self._registry: Registry[Any] = Registry().with_resource(_NAME, resource)
        self._validators: dict[int, Draft202012Validator] = {}

    def errors(self, schema: Mapping[str, Any], value: object) -> Iterator[str]:
        """The most telling error of a value, if it has any."""
        validator = self._validators.get(id(schema))
        if validator is None:
            validator = Draft202012Validator(
                schema, registry=self._registry, format_checker=FORMATS
            )
            self._validators[id(schema)] = validator
        error = best_match(validator.iter_errors(value))
        if error is not None:
            place = "/".join(map(str, error.absolute_path)) or "the whole"
            yield f"{re.sub('[0-9]+', 'N', place)}: {error.message[:_EXCERPT]}"


class RestSpec:
    """Bodies by method, path and status."""

    def __init__(self, document: Mapping[str, Any]) -> None:
        self._document = _Document(document)
        for schema, name in STILL_SENT:
            found = self._document.parts["components"]["schemas"][schema]["properties"]
            found[name] = {"type": "string"}
        self._paths: list[tuple[re.Pattern[str], str]] = []
        for template in sorted(document["paths"], key=lambda path: path.count("{")):
            pattern = re.compile(re.sub(r"\{[^}]+\}", "[^/]+", template) + "$")
            self._paths.append((pattern, template))

    def operations(self) -> set[tuple[str, str]]:
        """Every documented method and path."""
        paths = self._document.parts["paths"].items()
        return {
            (method.upper(), path) for path, item in paths for method in _METHODS if method in item
        }

    def template(self, method: str, path: str) -> str | None:
        """Which documented path it is."""
        for pattern, template in self._paths:
            if pattern.match(path) and method.lower() in self._document.parts["paths"][template]:
                return template
        return None

    def findings(self, method: str, path: str, status: int, body: object) -> Iterator[str]:
        """What is wrong with a success."""
        template = self.template(method, path)
        if template is None:
            yield f"{method} {path} is not documented"
            return
        operation = self._document.parts["paths"][template][method.lower()]
        response = operation["responses"].get(str(status))
        named = f"{method} {template} {status}"
        if response is None:
            yield f"{named}: this status is not documented"
            return
        response = self._resolve(response)
        content = response.get("content", {}).get(_JSON)
        if content is None:
            if body is not None:
                yield f"{named}: a body where none is documented"
            return
        for error in self._document.errors(content["schema"], body):
            yield f"{named}: {error}"

    def _resolve(self, node: Mapping[str, Any]) -> Mapping[str, Any]:
        reference = node.get("$ref")
        if reference is None:
            return node
        found = self._document.parts
        for name in reference.removeprefix(f"{_NAME}#/").split("/"):
            found = found[name]
        return dict(found)


class StreamSpec:
    """Frames by their type; a type may have several shapes."""

    def __init__(self, document: Mapping[str, Any]) -> None:
        self._document = _Document(document)
        self._shapes: dict[str, list[Mapping[str, Any]]] = {}
        for payload in self._document.parts["components"]["schemas"].values():
            kind = payload.get("properties", {}).get("type", {})
            for name in (kind.get("const"), *kind.get("enum", ())):
                if name is not None:
                    self._shapes.setdefault(name, []).append(payload)

    @property
    def types(self) -> frozenset[str]:
        """Every documented message type."""
        return frozenset(self._shapes)

    def findings(self, frame: Mapping[str, Any]) -> Iterator[str]:
        """What is wrong with a frame from the exchange."""
        kind = str(frame.get("type"))
        shapes = self._shapes.get(kind)
        if shapes is None:
            yield f"frame {kind}: this type is not documented"
            return
        found = [list(self._document.errors(shape, frame)) for shape in shapes]
        if all(found):
            yield f"frame {kind}: {min(found, key=len)[0]}"

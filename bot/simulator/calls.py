"""One REST call as handlers see it: parameters with the venue's checks, bodies with its types.

Handlers are plain functions from the exchange and a call to a reply; they raise
``WireError`` for every answer that is not a success.
"""

import base64
import binascii
import re
from bisect import bisect_right
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import islice
from typing import Any, TypeAlias, TypeVar

import msgspec
from multidict import CIMultiDict, MultiMapping

from bot.domain.ids import MarketTicker
from bot.kit.times import SECOND_US
from bot.simulator.errors import WireError, failed_validation, nested, undecodable
from bot.simulator.exchange import Exchange
from bot.simulator.frames import encode
from bot.simulator.keys import Identity
from bot.simulator.limits import DEFAULT_COST, Bucket
from bot.venue.accounts import AccountId

T = TypeVar("T")
V = TypeVar("V")

_PAGE_DEFAULT = 100
_PAGE_MAX = 1_000
_SUBACCOUNT_MAX = 63
_INT32, _INT64 = 2**31, 2**63
_INTEGER = re.compile(r"[+-]?[0-9]{1,20}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Call:
    """A request whose signature is checked. ``params`` are the path's placeholders."""

    method: str
    path: str
    params: Mapping[str, str]
    query: MultiMapping[str]
    body: bytes
    identity: Identity | None
    headers: Mapping[str, str] = field(default_factory=CIMultiDict)

    @property
    def user_id(self) -> str:
        """Who asks; only signed routes may."""
        assert self.identity is not None  # the route table decides
        return self.identity.user_id


@dataclass(frozen=True, slots=True)
class Reply:
    """A success. ``body`` is JSON bytes; ``None`` sends none."""

    status: int
    body: bytes | None


def ok(body: Mapping[str, Any], status: int = 200) -> Reply:
    """A JSON answer."""
    return Reply(status, encode(body))


Handler: TypeAlias = Callable[[Exchange, Call], Reply]
Cost: TypeAlias = Callable[[Exchange, Call], tuple[int, int]]
"""Tokens and the shard whose bucket they come from (0 is the common one)."""


def flat_cost(tokens: int) -> Cost:
    """The same cost for every call, from the common bucket."""
    return lambda _exchange, _call: (tokens, 0)


DEFAULT = flat_cost(DEFAULT_COST)


@dataclass(frozen=True, slots=True)
class Route:
    """One endpoint."""

    method: str
    path: str
    handler: Handler
    is_signed: bool = False
    bucket: Bucket = Bucket.READ
    cost: Cost = DEFAULT


# Query parameters


@dataclass(frozen=True, slots=True)
class Query:
    """The query of one operation, checked as the venue checks it."""

    operation: str
    values: MultiMapping[str]

    def text(self, name: str) -> str:
        """A parameter, empty where it is absent."""
        return self.values.get(name, "")

    def names(self, name: str, most: int = _PAGE_MAX) -> list[str]:
        """A comma list."""
        names = [part.strip() for part in self.text(name).split(",") if part.strip()]
        if len(names) > most:
            raise failed_validation(self.operation, go_name(name), "max")
        return names

    def integer(
        self, name: str, *, least: int | None = None, most: int | None = None
    ) -> int | None:
        """A whole number within its limits; ``None`` where it is absent."""
        text = self.text(name)
        if not text:
            return None
        value = int(text) if _INTEGER.fullmatch(text) else None
        if value is None or not is_int64(value):
            raise failed_validation(self.operation, go_name(name), "number")
        if least is not None and value < least:
            raise failed_validation(self.operation, go_name(name), "gte")
        if most is not None and value > most:
            raise failed_validation(self.operation, go_name(name), "lte")
        return value

    def seconds(self, name: str) -> int | None:
        """A Unix time in seconds, as microseconds."""
        value = self.integer(name)
        return None if value is None else value * SECOND_US

    def required(self, name: str) -> int:
        """A whole number that must be there."""
        value = self.integer(name)
        if value is None:
            raise failed_validation(self.operation, go_name(name), "required")
        return value

    def flag(self, name: str) -> bool:
        """A boolean; absent is false."""
        text = self.text(name).lower()
        if text not in {"", "true", "false", "1", "0"}:
            raise failed_validation(self.operation, go_name(name), "boolean")
        return text in {"true", "1"}

    def limit(self, default: int = _PAGE_DEFAULT, most: int = _PAGE_MAX) -> int:
        """The page size; 0 means the default."""
        return self.integer("limit", least=0, most=most) or default


def is_int64(value: int) -> bool:
    """Whether the venue could hold the number at all."""
    return -_INT64 <= value < _INT64


def go_name(name: str) -> str:
    """``min_close_ts`` as the venue's validator calls it: ``MinCloseTs``."""
    return "".join(part.capitalize() for part in name.split("_"))


SortKey: TypeAlias = tuple[int, str]


def page(
    items: Iterable[T], key: Callable[[T], SortKey], cursor: str, limit: int
) -> tuple[Sequence[T], str]:
    """The items after a cursor, in ascending key order, and the next cursor.

    The cursor holds the last key, so that what appears or leaves meanwhile
    neither repeats nor hides items. One that cannot be read gives page one.
    """
    after = _decode_cursor(cursor)
    ordered = sorted(items, key=key)
    if after is not None:
        ordered = [item for item in ordered if key(item) > after]
    kept = ordered[:limit]
    more = len(ordered) > limit
    return kept, _encode_cursor(key(kept[-1])) if more else ""


def page_of_sorted(
    items: Sequence[T],
    key: Callable[[T], SortKey],
    chosen: Callable[[T], V | None],
    place: tuple[str, int],
) -> tuple[Sequence[V], str]:
    """The same for items in ascending key order, without looking at those beyond the page.

    ``chosen`` gives what is shown of an item, ``None`` for one that is not wanted; ``place``
    is cursor and limit.
    """
    cursor, limit = place
    after = _decode_cursor(cursor)
    start = 0 if after is None else bisect_right(items, after, key=key)
    kept: list[V] = []
    last: SortKey | None = None
    for item in islice(items, start, None):
        shown = chosen(item)
        if shown is None:
            continue
        if len(kept) == limit:
            return kept, _encode_cursor(last) if last is not None else ""
        kept.append(shown)
        last = key(item)
    return kept, ""


def _encode_cursor(key: SortKey) -> str:
    return base64.urlsafe_b64encode(f"{key[0]}|{key[1]}".encode()).rstrip(b"=").decode()


def _decode_cursor(cursor: str) -> SortKey | None:
    try:
        text = base64.urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4)).decode()
        number, _, name = text.partition("|")
        return int(number), name
    except (binascii.Error, ValueError):
        return None


# Accounts


def account_of(exchange: Exchange, call: Call, subaccount: int | None) -> AccountId:
    """The caller's account; an unknown subaccount is a 404."""
    account = exchange.accounts.find(call.user_id, subaccount or 0)
    if account is None:
        raise nested(404, "not_found", details="subaccount not found")
    return account


def queried_account(exchange: Exchange, call: Call, query: Query) -> AccountId:
    """The caller's account by the ``subaccount`` parameter; a shard beside it must be one."""
    number = query.integer("subaccount", least=0, most=_SUBACCOUNT_MAX)
    query.integer("exchange_index", least=-1, most=_INT32 - 1)
    return account_of(exchange, call, number)


# Bodies


def decode_object(body: bytes) -> dict[str, Any]:
    """A JSON object. Raises the flat 400 for anything else."""
    try:
        value = msgspec.json.decode(body)
    except msgspec.DecodeError as error:
        raise undecodable("invalid character looking for beginning of value") from error
    if not isinstance(value, dict):
        raise undecodable(f"json: cannot unmarshal {json_kind(value)} into Go value")
    return value


_JSON_KINDS = {bool: "bool", int: "number", float: "number", str: "string", list: "array"}


def json_kind(value: object) -> str:
    """A JSON value's type in the venue's words."""
    return "null" if value is None else _JSON_KINDS.get(type(value), "object")


@dataclass(frozen=True, slots=True)
class Body:
    """A request body whose fields are read with the venue's type errors."""

    struct: str
    values: Mapping[str, Any]

    def text(self, name: str) -> str:
        """A string that must be there."""
        value = self.optional_text(name)
        if not value:
            raise nested(400, "missing_parameters", details=f"{name} is required")
        return value

    def optional_text(self, name: str) -> str | None:
        """A string, ``None`` where it is absent."""
        return self._typed(name, str, "string")

    def integer(self, name: str) -> int | None:
        """A whole number."""
        value = self._typed(name, int, "int64")
        if isinstance(value, bool) or (value is not None and not is_int64(value)):
            raise self._wrong(name, value, "int64")
        return value

    def flag(self, name: str) -> bool:
        """A boolean; absent is false."""
        return bool(self._typed(name, bool, "bool"))

    def one_of(self, name: str, known: Iterable[str]) -> str:
        """A required enumeration value."""
        value = self.text(name)
        if value not in set(known):
            raise nested(400, "invalid_parameters", details=f"invalid {name}: {value}")
        return value

    def objects(self, name: str) -> list[Mapping[str, Any]]:
        """A required, non-empty list of objects."""
        values = self._typed(name, list, "[]object")
        if not values:
            raise nested(400, "missing_parameters", details=f"{name} is required")
        for value in values:
            if not isinstance(value, dict):
                raise self._wrong(name, value, "object")
        return values

    def _typed(self, name: str, kind: type[T], go_type: str) -> T | None:
        value = self.values.get(name)
        if value is None:
            return None
        if not isinstance(value, kind):
            raise self._wrong(name, value, go_type)
        return value

    def _wrong(self, name: str, value: object, go_type: str) -> WireError:
        return undecodable(
            f"json: cannot unmarshal {json_kind(value)} into Go struct field "
            f"{self.struct}.{name} of type {go_type}"
        )


def market_or_404(exchange: Exchange, ticker: str) -> MarketTicker:
    """A listed market's ticker, or the 404 of the read endpoints."""
    known = MarketTicker(ticker)
    if known not in exchange.catalog.markets or exchange.market(known) is None:
        raise nested(404, "not_found", "not found")
    return known

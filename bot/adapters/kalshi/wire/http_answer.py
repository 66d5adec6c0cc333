"""One HTTP/1.1 answer out of the bytes of a connection, read strictly.

What follows an order must not be guessed at: an answer whose length is not stated
once and clearly, or that breaks the grammar, is no answer.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass

from bot.domain.errors import InvalidMessage

_BYTES_MAX = 1 << 20
_HEAD_MAX = 1 << 16
_STATUS_LINE = re.compile(rb"HTTP/1\.([01]) ([1-9][0-9]{2})(?: [^\r\n]*)?")
_INTERIM = re.compile(rb"HTTP/1\.1 10[023](?: [^\r\n]*)?\r\n(?:[^\r\n]+\r\n)*\r\n")
_HEADER_LINE = re.compile(rb"([!#$%&'*+.^_`|~0-9A-Za-z-]+):[ \t]*([^\r\n\0]*)")
_DIGITS = re.compile(rb"[0-9]{1,10}")
_CHUNK_LINE = re.compile(rb"([0-9A-Fa-f]{1,8})(?:[ \t]*;[^\r\n]*)?")
_BODILESS = frozenset({204, 304})
_FIRST_FINAL = 200


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """A whole answer. ``keeps_open``: the connection may carry another request."""

    status: int
    headers: Mapping[str, str]
    """Names in lower case; of repeated ones the last."""
    body: bytes
    keeps_open: bool


def read_answer(data: bytes) -> Answer | None:
    """The answer these bytes are, or ``None`` while it is not complete.

    Raises:
        InvalidMessage: they are no answer, or there is more than one.
    """
    if len(data) > _BYTES_MAX:
        raise InvalidMessage("an HTTP answer of more than 1 MiB")
    head, end, rest = _final(data).partition(b"\r\n\r\n")
    if not end:
        if len(head) > _HEAD_MAX:
            raise InvalidMessage("an HTTP head of more than 64 KiB")
        return None
    status, is_modern, headers = _head(head)
    if status < _FIRST_FINAL:
        raise InvalidMessage(f"HTTP {status}, which was not asked for")
    found = _body(status, headers, rest)
    if found is None:
        return None
    body, size = found
    if size != len(rest):
        raise InvalidMessage("bytes behind an HTTP answer")
    is_kept = is_modern and "close" not in headers.get("connection", "").lower()
    return Answer(status=status, headers=headers, body=body, keeps_open=is_kept)


def _final(data: bytes) -> bytes:
    """Without the interim answers that may come before the one that counts."""
    while (interim := _INTERIM.match(data)) is not None:
        data = data[interim.end() :]
    return data


def _head(head: bytes) -> tuple[int, bool, dict[str, str]]:
    first, *lines = head.split(b"\r\n")
    status = _STATUS_LINE.fullmatch(first)
    if status is None:
        raise InvalidMessage("no HTTP status line")
    headers: dict[str, str] = {}
    for line in lines:
        header = _HEADER_LINE.fullmatch(line)
        if header is None:
            raise InvalidMessage("a broken HTTP header")
        name = header[1].decode("ascii").lower()
        value = header[2].strip(b" \t").decode("latin-1")
        if name in ("content-length", "transfer-encoding") and headers.get(name, value) != value:
            raise InvalidMessage(f"two different HTTP headers {name}")
        headers[name] = value
    return int(status[2]), status[1] == b"1", headers


def _body(status: int, headers: Mapping[str, str], rest: bytes) -> tuple[bytes, int] | None:
    """The body and how many bytes it takes; ``None`` while there are too few."""
    coding, length = headers.get("transfer-encoding"), headers.get("content-length")
    if headers.get("content-encoding", "identity").lower() != "identity":
        raise InvalidMessage("a compressed HTTP answer, which was not asked for")
    if status in _BODILESS:
        return b"", 0
    if coding is not None:
        if coding.lower() != "chunked" or length is not None:
            raise InvalidMessage("an HTTP answer of unclear length")
        return _chunks(rest)
    if length is None or _DIGITS.fullmatch(length.encode("latin-1")) is None:
        raise InvalidMessage("an HTTP answer without a length")
    size = int(length)
    if size > _BYTES_MAX:
        raise InvalidMessage("an HTTP answer of more than 1 MiB")
    return (rest[:size], size) if len(rest) >= size else None


def _chunks(rest: bytes) -> tuple[bytes, int] | None:
    parts: list[bytes] = []
    at = 0
    while True:
        end = rest.find(b"\r\n", at)
        if end < 0:
            return None
        line = _CHUNK_LINE.fullmatch(rest[at:end])
        if line is None:
            raise InvalidMessage("a broken HTTP chunk")
        at, size = end + 2, int(line[1], 16)
        if size == 0:
            return _trailers(rest, at, b"".join(parts))
        if len(rest) < at + size + 2:
            return None
        if rest[at + size : at + size + 2] != b"\r\n":
            raise InvalidMessage("a broken HTTP chunk")
        parts.append(rest[at : at + size])
        at += size + 2


def _trailers(rest: bytes, at: int, body: bytes) -> tuple[bytes, int] | None:
    """Lines up to an empty one; nothing in them is used."""
    while True:
        end = rest.find(b"\r\n", at)
        if end < 0:
            return None
        if end == at:
            return body, end + 2
        at = end + 2

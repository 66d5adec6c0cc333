"""Answers out of bytes: whole ones, however they are cut, and nothing that is not one."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.adapters.kalshi.wire.http_answer import Answer, read_answer
from bot.domain.errors import InvalidMessage

PLAIN = b'HTTP/1.1 201 Created\r\nDate: now\r\nContent-Length: 8\r\n\r\n{"ok":1}'
CHUNKED = (
    b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
    b'3;note=x\r\n{"o\r\nA\r\nk":1234567\r\n1\r\n}\r\n0\r\nX-Sum: 1\r\n\r\n'
)
INTERIM = b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\n" + PLAIN


@pytest.mark.parametrize(
    "data, status, body",
    [
        (PLAIN, 201, b'{"ok":1}'),
        (CHUNKED, 200, b'{"ok":1234567}'),
        (INTERIM, 201, b'{"ok":1}'),
        (b"HTTP/1.1 204 No Content\r\n\r\n", 204, b""),
        (b"HTTP/1.1 500 \r\ncontent-length: 0\r\n\r\n", 500, b""),
    ],
)
def test_a_whole_answer_is_read_and_every_part_of_it_is_none(
    data: bytes, status: int, body: bytes
) -> None:
    answer = read_answer(data)
    assert answer is not None
    assert (answer.status, answer.body, answer.keeps_open) == (status, body, True)
    for size in range(len(data)):
        assert read_answer(data[:size]) is None


@pytest.mark.parametrize(
    "data",
    [
        PLAIN.replace(b"Date: now", b"Connection: close"),
        PLAIN.replace(b"Date: now", b"connection: Keep-Alive, Close"),
        PLAIN.replace(b"HTTP/1.1", b"HTTP/1.0"),
    ],
)
def test_a_connection_that_is_closed_behind_the_answer_is_not_used_again(data: bytes) -> None:
    answer = read_answer(data)
    assert answer is not None
    assert not answer.keeps_open


@pytest.mark.parametrize(
    "data",
    [
        b"SSH-2.0-OpenSSH_9\r\n\r\n",
        b"HTTP/2 200\r\ncontent-length: 0\r\n\r\n",
        b"HTTP/1.1 20 OK\r\ncontent-length: 0\r\n\r\n",
        b"HTTP/1.1 101 Switching Protocols\r\ncontent-length: 0\r\n\r\n",
        b"HTTP/1.1 200 OK\r\n\r\n{}",
        b"HTTP/1.1 200 OK\r\nContent-Length: -2\r\n\r\n{}",
        b"HTTP/1.1 200 OK\r\nContent-Length: 2, 2\r\n\r\n{}",
        b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nContent-Length: 3\r\n\r\n{}",
        b"HTTP/1.1 200 OK\r\nContent-Length: 99999999\r\n\r\n{}",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nContent-Length: 2\r\n\r\n{}",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip, chunked\r\n\r\n{}",
        b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: 2\r\n\r\n{}",
        b"HTTP/1.1 200 OK\r\nContent-Length : 2\r\n\r\n{}",
        b"HTTP/1.1 200 OK\r\nDate: now\r\n folded\r\nContent-Length: 2\r\n\r\n{}",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nno size\r\n",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\n{}XX",
        PLAIN + b"x",
        PLAIN + PLAIN,
        CHUNKED + b"HTTP",
        b"HTTP/1.1 200 OK\r\n" + b"a" * 70_000,
        b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n" + b"a" * (1 << 20),
    ],
)
def test_what_is_not_one_clear_answer_is_refused(data: bytes) -> None:
    with pytest.raises(InvalidMessage):
        read_answer(data)


def test_many_interim_answers_do_no_harm() -> None:
    answer = read_answer(b"HTTP/1.1 100 Continue\r\n\r\n" * 20_000 + PLAIN)
    assert answer is not None
    assert answer.body == b'{"ok":1}'


@given(st.binary(max_size=300), st.sampled_from([b"", PLAIN[:60], CHUNKED[:50]]))
def test_any_bytes_are_an_answer_none_yet_or_refused(data: bytes, before: bytes) -> None:
    try:
        found = read_answer(before + data)
    except InvalidMessage:
        return
    assert found is None or isinstance(found, Answer)


@given(st.lists(st.binary(min_size=1, max_size=40)))
def test_chunks_give_back_what_went_into_them(parts: list[bytes]) -> None:
    chunks = b"".join(b"%x\r\n%b\r\n" % (len(part), part) for part in parts)
    answer = read_answer(
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n" + chunks + b"0\r\n\r\n"
    )
    assert answer is not None
    assert answer.body == b"".join(parts)

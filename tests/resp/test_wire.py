"""Bytes in, bytes out: both protocols, in whatever pieces they come."""

import asyncio
import math

import hiredis
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.resp import replies
from bot.resp.base import OK, Reply, Simple
from bot.resp.frames import Frames
from bot.resp.requests import BEFORE_LOGIN, Limits, ProtocolError, Requests, words

values: st.SearchStrategy[Reply] = st.recursive(
    st.none() | st.binary(max_size=30) | st.text(max_size=10) | st.integers() | st.floats(allow_nan=False),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=12,
)


def pieces(data: bytes, cuts: list[int]) -> list[bytes]:
    at = sorted(cut % (len(data) + 1) for cut in cuts)
    return [data[start:end] for start, end in zip([0, *at], [*at, len(data)], strict=True)]


@given(values)
def test_a_resp3_client_reads_back_what_was_answered(value):
    reader = hiredis.Reader(encoding=None)
    reader.feed(replies.encode(value, 3))
    assert reader.gets() == as_read(value)


def as_read(value: Reply) -> object:
    if isinstance(value, str):
        return value.encode()
    if isinstance(value, int) and not -(2**63) <= value < 2**63:
        return b"%d" % value  # hiredis leaves big numbers as digits
    if isinstance(value, dict):
        return {name.encode(): as_read(one) for name, one in value.items()}
    if isinstance(value, list):
        return [as_read(one) for one in value]
    return value


@pytest.mark.parametrize(
    ("value", "resp2", "resp3"),
    [
        (0.1, b"$3\r\n0.1\r\n", b",0.1\r\n"),
        (3.0, b"$1\r\n3\r\n", b",3\r\n"),
        (-math.inf, b"$4\r\n-inf\r\n", b",-inf\r\n"),
        (math.nan, b"$3\r\nnan\r\n", b",nan\r\n"),
        (2**63, b"$19\r\n9223372036854775808\r\n", b"(9223372036854775808\r\n"),
        (-(2**63), b":-9223372036854775808\r\n", b":-9223372036854775808\r\n"),
        (None, b"$-1\r\n", b"_\r\n"),
        (True, b":1\r\n", b":1\r\n"),
        (OK, b"+OK\r\n", b"+OK\r\n"),
        (Simple("a\r\n+b"), b"+a +b\r\n", b"+a +b\r\n"),
        ("é", b"$2\r\n\xc3\xa9\r\n", b"$2\r\n\xc3\xa9\r\n"),
        ({"a": []}, b"*2\r\n$1\r\na\r\n*0\r\n", b"%1\r\n$1\r\na\r\n*0\r\n"),
    ],
)
def test_each_kind_of_value_has_its_form_in_both_protocols(value, resp2, resp3):
    assert (replies.encode(value, 2), replies.encode(value, 3)) == (resp2, resp3)


def test_an_error_is_one_line():
    assert replies.error("no model;\r\n+OK\r\n") == b"-ERR no model; +OK\r\n"


@given(st.lists(st.tuples(values, st.sampled_from([2, 3])), max_size=5), st.lists(st.integers(0, 500), max_size=6))
def test_replies_end_where_they_end_in_whatever_pieces_they_come(answers, cuts):
    encoded = [replies.encode(value, protocol) for value, protocol in answers]
    frames, ends, before = Frames(), [], 0
    for piece in pieces(b"".join(encoded), cuts):
        ends += [before + frame.end for frame in frames.feed(piece)]
        before += len(piece)
    assert ends == [sum(map(len, encoded[: number + 1])) for number in range(len(encoded))]
    assert frames.between


def test_pushes_attributes_and_blobs_are_told_apart():
    data = b">2\r\n+a\r\n:1\r\n|1\r\n+ttl\r\n:9\r\n$1\r\nx\r\n!5\r\nERR x\r\n=7\r\ntxt:abc\r\n~1\r\n#t\r\n"
    kinds = [chr(frame.kind) for frame in Frames().feed(data)]
    assert kinds == [">", "|", "!", "=", "~"]


commands = st.lists(st.lists(st.binary(max_size=20), min_size=1, max_size=5), max_size=5)


@given(commands, st.lists(st.integers(0, 500), max_size=8))
def test_commands_are_found_in_whatever_pieces_they_come(sent, cuts):
    requests, found = Requests(Limits()), []
    for piece in pieces(b"".join(replies.request(*command) for command in sent), cuts):
        requests.feed(piece)
        while (request := requests.next()) is not None:
            found.append((request.raw, request.name, request.arguments))
    assert found == [(replies.request(*command), command[0].upper(), command[1:]) for command in sent]


@given(st.binary(max_size=200), st.lists(st.integers(0, 200), max_size=5))
def test_any_bytes_are_commands_or_a_protocol_error(data, cuts):
    requests = Requests(Limits())
    try:
        for piece in pieces(data, cuts):
            requests.feed(piece)
            while (request := requests.next()) is not None:
                assert len(request) >= 1
    except ProtocolError:
        pass
    assert requests.held <= len(data)


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        (b"SET a 1\r", [b"SET", b"a", b"1"]),
        (b'set "a b" "\\x00\\n\\"q"', [b"set", b"a b", b'\x00\n"q']),
        (b"set 'it\\'s' ''", [b"set", b"it's", b""]),
        (b"   ", []),
    ],
)
def test_a_typed_line_has_words(line, expected):
    assert words(line) == expected


@pytest.mark.parametrize("line", [b'a "b', b"a 'b'c", b'"a"b', b"a'"])
def test_a_typed_line_with_unbalanced_quotes_is_refused(line):
    with pytest.raises(ProtocolError, match="unbalanced quotes in request"):
        words(line)


SMALL = Limits(bulk=100, arguments=5, inline=50, request=300)


@pytest.mark.parametrize(
    ("limits", "data", "told"),
    [
        (SMALL, b"*6\r\n", "invalid multibulk length"),
        (SMALL, b"*x\r\n", "invalid multibulk length"),
        (SMALL, b"*1\r\n$101\r\n", "invalid bulk length"),
        (SMALL, b"*1\r\n$-1\r\n", "invalid bulk length"),
        (SMALL, b"*1\r\n:1\r\n", "expected '$', got ':'"),
        (SMALL, b"x" * 51, "too big inline request"),
        (SMALL, b"x" * 51 + b"\r\n", "too big inline request"),
        (SMALL, b"*5\r\n" + (b"$100\r\n" + b"x" * 100 + b"\r\n") * 3, "too big a command"),
        (SMALL, b"*" + b"1" * 60, "too big mbulk count string"),
        (BEFORE_LOGIN, b"*11\r\n", "unauthenticated multibulk length"),
        (BEFORE_LOGIN, b"*1\r\n$16385\r\n", "unauthenticated bulk length"),
    ],
)
def test_what_is_too_big_or_malformed_is_refused_before_it_is_kept(limits, data, told):
    requests = Requests(limits)
    requests.feed(data)
    with pytest.raises(ProtocolError, match=told.replace("$", r"\$")):
        requests.next()


async def test_a_protocol_error_is_told_after_the_replies_before_it_and_ends_the_connection(door, plain):
    wire = await door.wire()
    wire.send(f"SET {plain}a 1\r\nLLM.ECHO x\r\nGET {plain}a\r\n*1\r\n:1\r\nPING\r\n".encode())
    said = await wire.rest()
    assert said == b"+OK\r\n*1\r\n$1\r\nx\r\n$1\r\n1\r\n-ERR Protocol error: expected '$', got ':'\r\n"


async def test_commands_split_at_any_byte_are_answered_in_order(door, plain):
    wire = await door.wire()
    key = f"{plain}a".encode()
    data = b"".join(
        [
            replies.request(b"set", key, b"one\r\ntwo"),
            replies.request(b"llm.echo", b"x", b"y"),
            replies.request(b"Get", key),
            replies.request(b"PING"),
            b'echo "hello there"\r\n',
            replies.request(b"LLM.ECHO"),
        ]
    )
    expected = b"+OK\r\n*2\r\n$1\r\nx\r\n$1\r\ny\r\n$8\r\none\r\ntwo\r\n+PONG\r\n$11\r\nhello there\r\n*0\r\n"
    for cut in range(1, len(data)):
        wire.send(data[:cut])
        await asyncio.sleep(0)
        wire.send(data[cut:])
        await wire.read(expected)


async def test_a_web_page_cannot_talk_to_the_gateway(door, plain, client):
    wire = await door.wire()
    wire.send(f"POST / HTTP/1.1\r\nHost: localhost\r\n\r\nSET {plain}a 1\r\n".encode())
    assert await wire.rest() == b""
    assert await client.get(f"{plain}a") is None

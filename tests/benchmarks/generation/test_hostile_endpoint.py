"""The endpoint with a server that answers anything: it is asked again, or reported without secrets."""

import gzip
import json
import logging
import traceback
import tracemalloc
import zlib
from base64 import b64encode
from contextlib import contextmanager

import httpx2
import pytest

from benchmarks.generation.endpoint import Endpoint
from benchmarks.generation.generator import SamplingParams
from benchmarks.generation.redaction import Redaction
from benchmarks.generation.response import MAX_RESPONSE_BYTES, read_body, read_completion
from sql_env.errors import GenerationError

from .any_server import Server, complete, respond

KEY = "sk-proj-0123456789abcdefghijklmnop"
PROMPTS = [[{"role": "user", "content": "?"}]]
GREEDY = SamplingParams()


@contextmanager
def serving(*answers, **options):
    server = Server(*answers)
    made = Endpoint("m", base_url=server.url, **{"backoff": 0.001, "retries": 1, "timeout": 20, **options})
    try:
        yield server, made
    finally:
        made.close()
        server.close()


def deep(depth):
    return b"[" * depth + b"]" * depth


def drip(head, piece):
    """Send a piece again and again, each of them long before the timeout of a single read."""

    def answer(connection, closed):
        connection.sendall(head)
        while not closed.wait(0.05):
            connection.sendall(piece)

    return answer


def flood(head, piece):
    def answer(connection, closed):
        connection.sendall(head)
        while not closed.is_set():
            connection.sendall(piece)

    return answer


MALFORMED = {
    "nothing": b"",
    "no HTTP": b"SSH-2.0-OpenSSH\r\n\r\n",
    "escape in the status line": b"HTTP/1.1 200 \x1b[2J\r\n\r\n",
    "no headers": b"HTTP/1.1 200 OK\r\n\x00\xff\r\n\r\n",
    "wrong length": b"HTTP/1.1 200 OK\r\nContent-Length: -3\r\n\r\n{}",
    "two lengths": b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\nContent-Length: 4\r\n\r\n{}{}",
    "half of a body": b"HTTP/1.1 200 OK\r\nContent-Length: 900\r\n\r\n{",
    "wrong chunks": b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
    "half of a chunk": b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nff\r\n{",
    "long header": b"HTTP/1.1 200 OK\r\nX: " + b"x" * 2**20 + b"\r\n\r\n",
    "switching protocols": b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\n\r\n",
    "no content": respond(b"", "204 No Content"),
    "garbage as gzip": respond(b"garbage", "200 OK", "Content-Encoding: gzip"),
    "half of a gzip": respond(gzip.compress(b"{}" * 9_000)[:30], "200 OK", "Content-Encoding: gzip"),
    "garbage as brotli": respond(b"garbage", "200 OK", "Content-Encoding: br"),
    "garbage as an error": respond(b"garbage", "500 Oops", "Content-Encoding: gzip"),
    "odd charset": respond(b"\xff", "500 Oops", "Content-Type: text/plain; charset=idna"),
    "unknown charset": respond(b"\xff", "502 Oops", "Content-Type: text/plain; charset=punycode"),
    "login page": respond(b"<html>log in</html>", "200 OK", "Content-Type: text/html"),
    "bad UTF-8": respond(b'{"choices": "\xff"}'),
    "UTF-16 without a pair": respond(b"\xff\xfe\x00\xd8"),
    "deep": respond(deep(100_000)),
    "long number": respond(b"9" * 100_000),
    "number": respond(b"3"),
    "null": respond(b"null"),
    "no choices": respond(b'{"choices": {}}'),
    "no message": respond(b'{"choices": [{"message": "text"}]}'),
    "content is a number": respond(b'{"choices": [{"message": {"content": 3}}]}'),
    "content is a list": respond(b'{"choices": [{"message": {"content": ["SELECT 1"]}}]}'),
    "content is an object": respond(b'{"choices": [{"message": {"content": {}}}]}'),
    "a gzip bomb": respond(gzip.compress(b" " * 2**25), "200 OK", "Content-Encoding: gzip"),
    "too long": respond(b" " * (MAX_RESPONSE_BYTES + 1)),
    "endless": flood(b"HTTP/1.1 200 OK\r\n\r\n", b" " * 65536),
    "endless chunks": flood(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", b"1\r\nx\r\n" * 9_999),
}  # fmt: skip


@pytest.mark.parametrize("case", MALFORMED)
def test_a_malformed_answer_is_asked_for_again(case):
    with serving(MALFORMED[case], complete("SELECT 1")) as (server, made):
        assert list(made.complete(PROMPTS, GREEDY)) == [(0, ["SELECT 1"])]
    assert len(server.requests) == 2


@pytest.mark.parametrize("case", MALFORMED)
def test_a_server_with_malformed_answers_only_is_reported_in_one_clean_line(case):
    with (
        serving(MALFORMED[case]) as (server, made),
        pytest.raises(GenerationError, match="after 2 tries") as found,
    ):
        list(made.complete(PROMPTS, GREEDY))
    assert len(server.requests) == 2
    assert str(found.value).isprintable()
    assert len(str(found.value)) < 500


@pytest.mark.parametrize(
    "answer",
    [
        drip(b"HTTP/1.1 200 OK\r\nContent-Length: 1000000\r\n\r\n", b" "),
        drip(b"HTTP/1.1 200 OK\r\n", b"X: x\r\n"),
        drip(b"", b"HTTP/1.1 100 Continue\r\n\r\n"),
        drip(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", b"1\r\n \r\n"),
    ],
)
def test_a_server_that_never_ends_is_late(answer):
    with (
        serving(answer, timeout=0.6, retries=0) as (_, made),
        pytest.raises(
            GenerationError, match=r"after one try: ReadTimeout: no complete response within 0\.6 s"
        ),
    ):
        list(made.complete(PROMPTS, GREEDY))


def test_closing_ends_a_request_that_waits():
    """With the timeout alone, this takes ten minutes."""
    hanging = drip(b"", b"")
    with serving(complete("SELECT 1"), hanging, timeout=600, concurrency=1) as (server, made):
        completions = made.complete(PROMPTS * 2, GREEDY)
        assert next(completions) == (0, ["SELECT 1"])
        completions.close()
    assert len(server.requests) <= 2


def test_a_redirect_is_not_followed():
    with serving(complete("stolen")) as (other, _):
        redirect = respond(b"", "307 Temporary Redirect", f"Location: {other.url}/chat/completions")
        with serving(redirect) as (_, made), pytest.raises(GenerationError, match="HTTP 307"):
            list(made.complete(PROMPTS, GREEDY))
    assert not other.requests


def test_a_bomb_takes_little_memory():
    stream, headers = httpx2.ByteStream(gzip.compress(b"\0" * 2**26)), {"Content-Encoding": "gzip"}
    tracemalloc.start()
    try:
        with pytest.raises(ValueError, match="more than"):
            read_body(httpx2.Response(200, headers=headers, stream=stream))
        assert tracemalloc.get_traced_memory()[1] < 6 * MAX_RESPONSE_BYTES
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize(
    ("encoding", "pack"),
    [("identity", bytes), ("gzip", gzip.compress), ("x-gzip", gzip.compress), ("deflate", zlib.compress)],
)
def test_compressed_answers_are_read(encoding, pack):
    content = pack(json.dumps({"choices": [{"message": {"content": "é" * 99_999}}]}).encode())
    with serving(respond(content, "200 OK", f"Content-Encoding: {encoding}")) as (_, made):
        assert list(made.complete(PROMPTS, GREEDY)) == [(0, ["é" * 99_999])]


ECHOES = {
    "plain": KEY,
    "in a sentence": f"Incorrect API key provided: Bearer {KEY}. Find yours at example.org",
    "percent": KEY.replace("-", "%2D"),
    "upper case": KEY.upper(),
    "base64": b64encode(KEY.encode()).decode(),
    "its first half": KEY[: len(KEY) // 2 + 4],
    "its end": KEY[-14:],
    "beside others": f"xx{KEY}{KEY}yy",
    "far behind": "." * 290 + KEY,
}


@pytest.mark.parametrize("case", ECHOES)
@pytest.mark.parametrize("status", ["401 Unauthorized", "500 Oops", "400 Bad Request", "200 OK"])
def test_a_key_that_the_server_repeats_is_not_shown(case, status, monkeypatch, caplog):
    monkeypatch.setenv("MY_KEY", f" {KEY}\n")
    caplog.set_level(logging.INFO)
    answer = respond(ECHOES[case].encode(), status, f"X: {KEY}")
    with (
        serving(answer, api_key_variable="MY_KEY") as (server, made),
        pytest.raises(GenerationError) as found,
    ):
        list(made.complete(PROMPTS, GREEDY))
    assert f"Authorization: Bearer {KEY}\r\n" in server.requests[0][0] + "\r\n"
    shown = "".join(traceback.format_exception(found.value)) + caplog.text + json.dumps(made.settings)
    assert_hidden(KEY, shown)


def assert_hidden(secret, text):
    for form in (secret, b64encode(secret.encode()).decode()):
        for start in range(len(form) - 12):
            assert form[start : start + 12].lower() not in text.lower()


def test_a_key_in_the_status_line(monkeypatch):
    monkeypatch.setenv("OPENAI_API_KEY", KEY)
    with serving(f"HTTP/9 {KEY}\r\n\r\n".encode()) as (_, made), pytest.raises(GenerationError) as found:
        list(made.complete(PROMPTS, GREEDY))
    assert_hidden(KEY, str(found.value))
    error = found.value
    while error is not None:
        assert_hidden(KEY, repr(error))
        error = error.__cause__ or error.__context__


def test_a_key_in_a_completion_is_not_recorded(monkeypatch):
    monkeypatch.setenv("OPENAI_API_KEY", KEY)
    with serving(complete(f"SELECT '{KEY}'")) as (_, made):
        assert list(made.complete(PROMPTS, GREEDY)) == [(0, ["SELECT '***'"])]
    monkeypatch.setenv("OPENAI_API_KEY", "EMPTY")
    with serving(complete("SELECT 'EMPTY'")) as (_, made):
        assert list(made.complete(PROMPTS, GREEDY)) == [(0, ["SELECT 'EMPTY'"])]


@pytest.mark.parametrize("key", ["sk-secret\x00part", "sk-secrét", "sk-secret\nX-More: 1"])
def test_a_key_that_no_header_can_have(key, monkeypatch):
    monkeypatch.setattr("os.environ", {"MY_KEY": key})
    with pytest.raises(GenerationError, match="the API key in MY_KEY") as found:
        Endpoint("m", base_url="http://localhost:9/v1", api_key_variable="MY_KEY")
    assert "secr" not in str(found.value)


def test_a_password_in_the_address_is_sent_and_not_shown():
    with serving(respond(b"wrong password: hunter2-hunter2", "403 Forbidden")) as (server, _):
        made = Endpoint("m", base_url=server.url.replace("//", "//me:hunter2-hunter2@"))
        with pytest.raises(GenerationError) as found:
            list(made.complete(PROMPTS, GREEDY))
        made.close()
    assert f"Basic {b64encode(b'me:hunter2-hunter2').decode()}" in server.requests[0][0]
    assert "hunter2" not in str(found.value) + json.dumps(made.settings)


@pytest.mark.parametrize(
    "url",
    [
        "ftp://me:hunter2@a/v1", "http://me:hunter2@a:99999999/v1", "http://me:hunter2@[::/v1",
        "http://a/v1?key=hunter2", "http://a/v1#hunter2", "http://me:hunter2@\x00/",
    ],
)  # fmt: skip
def test_a_wrong_address_is_reported_without_its_password(url):
    with pytest.raises(GenerationError) as found:
        Endpoint("m", base_url=url)
    assert "hunter2" not in "".join(traceback.format_exception(found.value))


def test_redaction():
    hide = Redaction([KEY, "abc", ""])
    assert hide(f"a {KEY} b {KEY}") == "a *** b ***"
    assert hide(f"{KEY}") == "***"
    assert hide("abc") == "abc"
    assert hide("") == ""
    assert Redaction(["a/b c"])("a%2Fb%20c and a/b c") == "*** and ***"


def test_reading_of_completions():
    assert read_completion(b'{"choices": [{"message": {"content": null}}]}') == ""
    assert read_completion(b'{"choices": [{"message": {"content": "\\ud800"}}]}') == "\ud800"
    assert read_completion(b"[" * MAX_RESPONSE_BYTES) is None

"""Read the response of an endpoint, within limits of size and time."""

from __future__ import annotations

import json
import socket
import zlib
from contextlib import suppress
from threading import Timer
from types import TracebackType
from typing import Any

import httpx2 as httpx

MAX_RESPONSE_BYTES = 8 * 2**20
"""Maximum size of a response, after it is decompressed."""

MAX_PIECES = 20_000
"""Maximum number of pieces in which a response comes. A small piece costs as much CPU as a large one."""

FAULTS = (httpx.HTTPError, httpx.StreamError, httpx.InvalidURL, OSError, ValueError, LookupError, zlib.error)
"""The errors that a server can cause by its response."""


class Deadline:
    """A context that ends the connection of one request when its time is over.

    The timeouts of httpx limit single reads: a server that sends a byte from time to time is never late.

    Args:
        seconds: The time for the whole request.

    Attributes:
        passed: True after the time is over.
    """

    def __init__(self, seconds: float) -> None:
        self.passed = False
        self._stream: Any = None
        self._timer = Timer(seconds, self.end)
        self._timer.daemon = True

    def __enter__(self) -> Deadline:
        self._timer.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._timer.cancel()

    def trace(self, event: str, info: dict[str, Any]) -> None:
        """Learn the connection of the request. It is the ``trace`` extension of a request of httpx."""
        if event.endswith((".connect_tcp.complete", ".start_tls.complete")):
            self._stream = info.get("return_value")
            if self.passed:
                self._shut_down()

    def end(self) -> None:
        """End the connection now."""
        self.passed = True
        self._shut_down()

    def _shut_down(self) -> None:
        connection = self._stream and self._stream.get_extra_info("socket")
        if connection is not None:
            with suppress(OSError):  # it is closed already
                socket.socket.shutdown(connection, socket.SHUT_RDWR)


def read_body(response: httpx.Response) -> bytes:
    """Read the body of a response, and decompress it.

    Raises:
        ValueError: It is too large, incomplete, in too many pieces, or in an unknown content encoding.
        zlib.error: It cannot be decompressed.
        httpx.HTTPError: The connection failed.
    """
    encoding = response.headers.get("Content-Encoding", "").strip().lower()
    if encoding not in ("", "identity", "gzip", "x-gzip", "deflate"):
        raise ValueError(f"content encoding {encoding[:40]!r} was not requested")
    inflate = zlib.decompressobj(wbits=47) if encoding not in ("", "identity") else None  # zlib or gzip
    body = bytearray()
    for number, chunk in enumerate(response.iter_raw(), 1):
        if number > MAX_PIECES:
            raise ValueError(f"the response has more than {MAX_PIECES} pieces")
        body += chunk if inflate is None else inflate.decompress(chunk, MAX_RESPONSE_BYTES + 1 - len(body))
        if len(body) > MAX_RESPONSE_BYTES:
            raise ValueError(f"the response has more than {MAX_RESPONSE_BYTES} bytes")
    if inflate is not None and not inflate.eof:
        raise ValueError("the response ends in the middle of its compressed data")
    return bytes(body)


def read_completion(body: bytes) -> str | None:
    """Return the completion in a response; None where there is none, as in a proxy's login page."""
    try:
        message = json.loads(body)["choices"][0]["message"]
        content = message.get("content")
        reasoning = message.get("reasoning_content") or message.get("reasoning")
    except (ValueError, RecursionError, LookupError, TypeError, AttributeError):
        return None
    if not isinstance(content, str | None):
        return None
    text = content or ""
    if isinstance(reasoning, str) and reasoning and "<think>" not in text:
        return f"<think>\n{reasoning.strip()}\n</think>\n{text}"
    return text

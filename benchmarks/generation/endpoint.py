"""A model behind an endpoint with OpenAI's chat completions protocol."""

from __future__ import annotations

import os
import re
import time
from collections import defaultdict
from collections.abc import Collection, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from contextlib import suppress
from random import Random, uniform
from threading import Event
from typing import Any

try:  # before our modules, because they import it too
    import httpx2 as httpx
except ImportError:
    raise ImportError("an endpoint needs httpx2: pip install '.[eval]'") from None

from benchmarks.generation.generator import Chat, SamplingParams
from benchmarks.generation.redaction import Redaction
from benchmarks.generation.response import FAULTS, Deadline, read_body, read_completion
from benchmarks.generation.usage import MeasuredText, Usage, read_token_counts
from sql_env.display.terminal import escape_control
from sql_env.errors import GenerationError
from sql_env.prompts.prompt import join_messages

RETRIED = {408, 409, 425, 429}
"""HTTP statuses after which a request is sent again. All statuses from 500 up are, too."""

REFUSED = {400, 413, 422}
"""HTTP statuses of a fault in one prompt, which may be too long for the model."""

HINTS = {
    401: " Is the API key in the environment?",
    403: " Is the API key in the environment?",
    404: " Does the address lack its /v1, or the server this model?",
}
"""The end of an error message, for some HTTP statuses."""

LONGEST_WAIT = 60.0
"""Maximum number of seconds between two tries."""

_MAX_QUOTED = 300  # characters of a response in an error message
_SHORTEST_IN_COMPLETION = 16  # characters of a secret: a completion may contain a key such as EMPTY by chance


class _RefusedError(GenerationError):
    """The server refuses one prompt. It may accept others."""


class Endpoint:
    """A generator that sends one HTTP request for each completion, several at the same time.

    Not every server can return several completions at once, so each candidate is a request. A request
    that fails is sent again after 1, 2, 4, ... seconds, up to `LONGEST_WAIT` and each time a random part
    shorter, or after the seconds in ``Retry-After``. Some servers return the model's native reasoning in
    a field of its own. It is put back in front of the text, between ``<think>`` tags, because response
    formats look for it there.

    Args:
        model: The model's name on the server.
        base_url: The root of the protocol; it usually ends in ``/v1``.
        concurrency: Number of requests at the same time.
        timeout: Seconds until a request counts as failed, from the connection to the last byte.
        retries: Number of retries of a request that fails.
        backoff: Seconds before the first retry.
        api_key_variable: The environment variable with the API key. Where it is not set, no key is sent.
            The key is written nowhere: where a response repeats it, it is removed.
        extra_body: Further fields of each request. A field that is null is removed from the request: for a
            server with ``max_completion_tokens`` instead of ``max_tokens``, give the former, and null for
            the latter.

    Raises:
        GenerationError: ``base_url`` is not an HTTP address, the API key cannot be sent, or a number is out
            of range.
    """

    unit = "characters"

    def __init__(
        self,
        model: str,
        *,
        base_url: str,
        concurrency: int = 8,
        timeout: float = 600.0,
        retries: int = 6,
        backoff: float = 1.0,
        api_key_variable: str = "OPENAI_API_KEY",
        extra_body: Mapping[str, Any] | None = None,
    ) -> None:
        shown = re.sub(r"//.*@", "//***@", base_url, flags=re.DOTALL)
        if not base_url.startswith(("http://", "https://")):
            raise GenerationError(f"{shown!r} is not an address such as http://localhost:8000/v1")
        if concurrency < 1 or retries < 0 or timeout <= 0:
            raise GenerationError("concurrency must be at least 1, retries at least 0, and timeout above 0")
        self._model, self._retries, self._backoff = model, retries, backoff
        self._concurrency, self._extra, self._timeout = concurrency, dict(extra_body or {}), timeout
        self._stopped, self._running = Event(), set[Deadline]()
        key = os.environ.get(api_key_variable, "").strip()
        if not (key.isascii() and key.isprintable()):
            raise GenerationError(
                f"the API key in {api_key_variable} has a character that an HTTP header cannot have"
            )
        url = _parse_url(base_url)
        if url is None or (url.port or 0) > 65535:
            raise GenerationError(f"{shown!r} is not a valid address")
        if url.query or url.fragment:
            raise GenerationError(
                "the address must have no ? and no #, because a path is added to it for each request"
            )
        public = url.copy_with(username=None, password=None)
        secrets = [key, url.password, f"{url.username}:{url.password}" if url.password else ""]
        self._redact = Redaction(secrets)
        self._redact_completion = Redaction(secrets, shortest=_SHORTEST_IN_COMPLETION)
        self._client = httpx.Client(
            base_url=public,
            auth=(url.username, url.password) if url.userinfo else None,
            timeout=httpx.Timeout(timeout, connect=min(timeout, 10.0)),
            # A new connection for each request: only then its deadline can end it. A completion takes longer.
            limits=httpx.Limits(max_connections=concurrency, max_keepalive_connections=0),
            headers={"Accept-Encoding": "gzip"} | ({"Authorization": f"Bearer {key}"} if key else {}),
        )
        extra = {"extra_body": self._extra} if self._extra else {}
        self.settings: dict[str, Any] = {"model": model, "base_url": str(public).rstrip("/"), **extra}
        self.environment: dict[str, Any] = {"concurrency": concurrency, "httpx2": httpx.__version__}

    def size(self, chat: Chat) -> int:
        """Return the number of characters of a prompt. Only the server can count its tokens."""
        return len(join_messages(chat))

    def complete(
        self, prompts: Sequence[Chat], sampling: SamplingParams, done: Collection[int] = ()
    ) -> Iterator[tuple[int, list[str]]]:
        """See `benchmarks.generation.generator.Generator.complete`.

        Each request has its own seed, so that a server with seeds returns the same samples, whatever
        was requested before. Where a request fails for good, the running requests are finished, and no
        further request is sent. Where the server refuses one prompt, the others are still sent.
        """
        self._stopped.clear()
        texts: defaultdict[int, dict[int, str]] = defaultdict(dict)
        refused, failed = [], ""
        pool = ThreadPoolExecutor(self._concurrency)
        try:
            requests = {
                pool.submit(self._request, self._make_body(prompts[place], sampling, place, sample)): (
                    place,
                    sample,
                )
                for place in range(len(prompts))
                if place not in done
                for sample in range(sampling.samples)
            }
            for future in as_completed(requests):
                place, sample = requests[future]
                try:
                    text = future.result()
                except _RefusedError as error:
                    refused.append(f"prompt {place}: {error}")
                    continue
                except GenerationError as error:
                    failed = failed or str(error)
                    continue
                if text is not None:
                    texts[place][sample] = text
                    if len(texts[place]) == sampling.samples:
                        yield place, [texts[place][n] for n in range(sampling.samples)]
        except (KeyboardInterrupt, GeneratorExit):
            self.close()  # which ends the running requests
            raise
        finally:
            self._stopped.set()
            pool.shutdown(cancel_futures=True)
        if failed or refused:
            raise GenerationError(failed or f"{len(refused)} requests were refused; {refused[0]}")

    def close(self) -> None:
        """Close the connections, and end the running requests."""
        self._stopped.set()
        for deadline in tuple(self._running):
            deadline.end()
        self._client.close()

    def _make_body(self, chat: Chat, sampling: SamplingParams, place: int, sample: int) -> dict[str, Any]:
        body = {
            "model": self._model,
            "messages": chat,
            "temperature": sampling.temperature,
            "max_tokens": sampling.max_tokens,
            "top_p": sampling.top_p if sampling.top_p < 1 else None,
            "seed": Random(f"{sampling.seed}/{place}/{sample}").getrandbits(31)
            if sampling.temperature
            else None,
        }
        return {name: value for name, value in (body | self._extra).items() if value is not None}

    def _request(self, body: Mapping[str, Any]) -> str | None:
        """Send one request until it succeeds; return None where another request has failed for good.

        Raises:
            _RefusedError: The server refuses this prompt.
            GenerationError: No try succeeded. No further request is sent then.
        """
        url, fault = self.settings["base_url"], ""
        for attempt in range(self._retries + 1):
            if self._stopped.is_set():
                return None
            after, began = "", time.monotonic()
            try:
                status, after, content = self._send(body)
            except FAULTS as error:
                fault = self._describe(f"{type(error).__name__}: {error}")
            else:
                text = read_completion(content) if 200 <= status < 300 else None
                if text is not None:
                    usage = Usage(*read_token_counts(content), time.monotonic() - began)
                    return MeasuredText(self._redact_completion(text), usage)
                beginning = content[: 10 * _MAX_QUOTED].decode("utf-8", "replace")
                fault = self._describe(f"HTTP {status}: {beginning}")
                if status in REFUSED:
                    raise _RefusedError(fault)
                if 300 <= status < 500 and status not in RETRIED:
                    self._stopped.set()
                    raise GenerationError(f"{url}: {fault}.{HINTS.get(status, '')}")
            if attempt < self._retries:
                exponential = min(self._backoff * 2.0**attempt, LONGEST_WAIT) * uniform(0.5, 1.0)
                self._stopped.wait(min(float(after), 10 * LONGEST_WAIT) if after.isdecimal() else exponential)
        self._stopped.set()
        tries = f"{self._retries + 1} tries" if self._retries else "one try"
        raise GenerationError(f"no answer from {url} after {tries}: {fault}")

    def _send(self, body: Mapping[str, Any]) -> tuple[int, str, bytes]:
        """Send one request. Return the status, ``Retry-After`` and the body of its response.

        The body of a failure may be incomplete.
        """
        with Deadline(self._timeout) as deadline:
            self._running.add(deadline)
            try:
                extensions = {"trace": deadline.trace}
                with self._client.stream("POST", "chat/completions", json=body, extensions=extensions) as got:
                    content = b""
                    with suppress(*(() if got.is_success else FAULTS)):
                        content = read_body(got)
                    return got.status_code, got.headers.get("Retry-After", "").strip(), content
            except FAULTS:
                if not deadline.passed:
                    raise
            finally:
                self._running.discard(deadline)
        raise httpx.ReadTimeout(f"no complete response within {self._timeout:g} s")

    def _describe(self, fault: str) -> str:
        """Return a fault in one line, without secrets and control characters, and not too long."""
        line = " ".join(self._redact(fault).split())
        return escape_control(line[:_MAX_QUOTED])


def _parse_url(text: str) -> httpx.URL | None:
    try:
        return httpx.URL(text)
    except (httpx.InvalidURL, ValueError):
        return None

"""A model behind an endpoint that speaks OpenAI's chat completions protocol."""

from __future__ import annotations

import os
from collections.abc import Collection, Iterator, Mapping, Sequence
from concurrent.futures import CancelledError, ThreadPoolExecutor, as_completed
from random import Random, uniform
from threading import Event
from typing import Any

from benchmarks.generation.generator import Chat, SamplingParams
from sql_env.errors import GenerationError
from sql_env.prompts.prompt import chat_text

try:
    import httpx2 as httpx
except ImportError:
    raise ImportError("an endpoint needs httpx2: pip install 'sql-env[eval]'") from None

RETRIED = {408, 409, 425, 429}
"""Answers, beside those from 500 up, that another try may mend."""

REFUSED = {400, 413, 422}
"""Answers that are about one prompt, which may be too long for the model."""

LONGEST_WAIT = 60.0
"""Seconds between two tries, at most."""


class _Refused(GenerationError):
    """The server does not take one prompt; it may well take others."""


class Endpoint:
    """Asks a server for each completion in a request of its own, several at the same time.

    Not every server can give several completions at once, so each candidate is a request. A request
    that fails is sent again after 1, 2, 4, ... seconds, up to `LONGEST_WAIT` and each time a random part
    shorter, or after as long as ``Retry-After`` says. Where the server parts a model's native reasoning
    from the rest, the two are joined again with ``<think>`` tags, in which response formats look for it.

    Args:
        model: The model's name on the server.
        base_url: The protocol's root, which mostly ends in ``/v1``.
        concurrency: Requests at the same time.
        timeout: Seconds until a request counts as failed.
        retries: Further tries of a request that fails.
        backoff: Seconds before the first of them.
        api_key_variable: The environment variable that holds the key; without a key where it is not set.
            The key is written nowhere.
        extra_body: Further fields of each request; null takes one of ours away. For a server that knows
            ``max_completion_tokens`` instead of ``max_tokens``, give the former and null for the latter.

    Raises:
        GenerationError: ``base_url`` is no HTTP address, or a number is out of range.
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
        if not base_url.startswith(("http://", "https://")):
            raise GenerationError(f"{base_url!r} is no address such as http://localhost:8000/v1")
        if concurrency < 1 or retries < 0 or timeout <= 0:
            raise GenerationError("concurrency is at least 1, retries at least 0, and a time-out above 0")
        self._model, self._retries, self._backoff = model, retries, backoff
        self._concurrency, self._extra = concurrency, dict(extra_body or {})
        self._stop = Event()
        key = os.environ.get(api_key_variable)
        try:
            self._client = httpx.Client(
                base_url=base_url,
                timeout=httpx.Timeout(timeout, connect=min(timeout, 10.0)),
                limits=httpx.Limits(max_connections=concurrency),
                headers={"Authorization": f"Bearer {key}"} if key else {},
            )
        except (httpx.InvalidURL, ValueError) as error:
            raise GenerationError(f"{base_url!r} cannot be asked: {error}") from None
        public = str(self._client.base_url.copy_with(username=None, password=None))
        self.settings: dict[str, Any] = {"model": model, "base_url": public.rstrip("/")}
        if self._extra:
            self.settings["extra_body"] = self._extra
        self.environment: dict[str, Any] = {"concurrency": concurrency, "httpx2": httpx.__version__}

    def size(self, chat: Chat) -> int:
        """The characters of a prompt: what its tokens are only the server knows."""
        return len(chat_text(chat))

    def complete(
        self, prompts: Sequence[Chat], sampling: SamplingParams, done: Collection[int] = ()
    ) -> Iterator[tuple[int, list[str]]]:
        """See `benchmarks.generation.generator.Generator.complete`.

        Each request has a seed of its own, so that a server that heeds seeds gives the same samples
        whatever has been asked before. Where one fails for good, what is under way is still waited
        for, and nothing new is asked; where the server refuses one prompt, the others are asked first.
        """
        self._stop.clear()
        finished: dict[int, dict[int, str]] = {}
        refused: list[str] = []
        failed = ""
        pool = ThreadPoolExecutor(self._concurrency)
        try:
            asked = {
                pool.submit(self._one, self._body(prompts[place], sampling, place, sample)): (place, sample)
                for place in range(len(prompts))
                if place not in done
                for sample in range(sampling.samples)
            }
            for future in as_completed(asked):
                place, sample = asked[future]
                try:
                    finished.setdefault(place, {})[sample] = future.result()
                except CancelledError:
                    continue
                except _Refused as error:
                    refused.append(f"prompt {place}: {error}")
                    continue
                except GenerationError as error:
                    failed = failed or str(error)
                    continue
                if len(finished[place]) == sampling.samples:
                    yield place, [finished[place][n] for n in range(sampling.samples)]
        except (KeyboardInterrupt, GeneratorExit):
            self.close()  # which ends the requests that are under way
            raise
        finally:
            self._stop.set()
            pool.shutdown(cancel_futures=True)
        if failed or refused:
            raise GenerationError(failed or f"{len(refused)} requests were refused; {refused[0]}")

    def close(self) -> None:
        """Close the connections."""
        self._client.close()

    def _body(self, chat: Chat, sampling: SamplingParams, place: int, sample: int) -> dict[str, Any]:
        body: dict[str, Any] = {
            "model": self._model,
            "messages": chat,
            "temperature": sampling.temperature,
            "max_tokens": sampling.max_tokens,
        }
        if sampling.top_p < 1:
            body["top_p"] = sampling.top_p
        if sampling.temperature:
            body["seed"] = Random(f"{sampling.seed}/{place}/{sample}").getrandbits(31)
        return {name: value for name, value in (body | self._extra).items() if value is not None}

    def _one(self, body: Mapping[str, Any]) -> str:
        """One completion; the thread in which there is none keeps all threads from asking more.

        Raises:
            GenerationError: There is none after all tries.
            CancelledError: Another one has failed before.
        """
        if self._stop.is_set():
            raise CancelledError
        try:
            return self._ask(body)
        except _Refused:
            raise
        except GenerationError:
            self._stop.set()
            raise

    def _ask(self, body: Mapping[str, Any]) -> str:
        fault = ""
        for attempt in range(self._retries + 1):
            after = None
            try:
                response = self._client.post("chat/completions", json=body)
            except httpx.TransportError as error:
                fault = f"{type(error).__name__}: {error}"
            else:
                answer = read_completion(response) if response.is_success else None
                if answer is not None:
                    return answer
                fault = f"HTTP {response.status_code}: {' '.join(response.text[:300].split())}"
                _check(response.status_code, fault, self.settings["base_url"])
                after = response.headers.get("Retry-After")
            if attempt < self._retries and self._stop.wait(self._wait(attempt, after)):
                break
        tries = f"{self._retries + 1} tries" if self._retries else "one try"
        raise GenerationError(f"no answer from {self.settings['base_url']} after {tries}: {fault}")

    def _wait(self, attempt: int, after: str | None) -> float:
        if after is not None and after.strip().isdecimal():
            return min(float(after), 10 * LONGEST_WAIT)
        return min(self._backoff * 2.0**attempt, LONGEST_WAIT) * uniform(0.5, 1.0)


def _check(status: int, fault: str, base_url: str) -> None:
    """Raise where trying again is of no use.

    Raises:
        GenerationError: It is not.
    """
    if status in REFUSED:
        raise _Refused(fault)
    if 300 <= status < 500 and status not in RETRIED:
        hint = " Is the API key in the environment?" if status in (401, 403) else ""
        hint = f" Does {base_url} lack its /v1, or the server this model?" if status == 404 else hint
        raise GenerationError(f"{fault}.{hint}")


def read_completion(response: httpx.Response) -> str | None:
    """The completion in a response; None where there is none, as from a proxy that says something else."""
    try:
        message = response.json()["choices"][0]["message"]
        content, reasoning = (
            message.get("content"),
            message.get("reasoning_content") or message.get("reasoning"),
        )
    except (ValueError, RecursionError, LookupError, TypeError, AttributeError):
        return None
    said = content if isinstance(content, str) else ""
    if isinstance(reasoning, str) and reasoning and "<think>" not in said:
        return f"<think>\n{reasoning.strip()}\n</think>\n{said}"
    return said

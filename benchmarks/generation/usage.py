"""The tokens and the time that completions took."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class Usage:
    """The cost of one completion.

    Attributes:
        prompt_tokens: Tokens of the prompt; None if the server does not say it.
        completion_tokens: Tokens of the completion, likewise.
        seconds: Elapsed time of the request; in a batch, the time of the batch over its completions.
    """

    prompt_tokens: int | None
    completion_tokens: int | None
    seconds: float


class MeasuredText(str):
    """A completion that knows its cost. A generator may yield plain strings instead.

    Attributes:
        usage: The cost.
    """

    usage: Usage

    def __new__(cls, text: str, usage: Usage) -> MeasuredText:
        made = super().__new__(cls, text)
        made.usage = usage
        return made


def read_token_counts(body: bytes) -> tuple[int | None, int | None]:
    """Return the tokens of prompt and completion in an endpoint's response; None for what it does not say.

    Example:
        >>> read_token_counts(b'{"usage": {"prompt_tokens": 3, "completion_tokens": -1}}')
        (3, None)
    """
    try:
        usage = json.loads(body)["usage"]
        counts = (usage["prompt_tokens"], usage.get("completion_tokens"))
    except (ValueError, RecursionError, LookupError, TypeError, AttributeError):
        return None, None
    return _check_count(counts[0]), _check_count(counts[1])


def _check_count(value: object) -> int | None:
    return value if isinstance(value, int) and not isinstance(value, bool) and 0 <= value <= 2**40 else None


def add_usage(texts: Sequence[str]) -> dict[str, float | None]:
    """Add the costs of some completions, as a line of ``predictions.jsonl`` has them; {} if none is known.

    Example:
        >>> add_usage([MeasuredText("a", Usage(9, 1, 0.5)), MeasuredText("b", Usage(9, 2, 0.5))])
        {'prompt_tokens': 18, 'completion_tokens': 3, 'seconds': 1.0}
        >>> add_usage(["a"])
        {}
    """
    found = [text.usage for text in texts if isinstance(text, MeasuredText)]
    if len(found) < len(texts) or not found:
        return {}
    return {
        "prompt_tokens": _add(usage.prompt_tokens for usage in found),
        "completion_tokens": _add(usage.completion_tokens for usage in found),
        "seconds": round(sum(usage.seconds for usage in found), 4),
    }


def _add(counts: Iterable[int | None]) -> int | None:
    known = list(counts)
    return None if None in known else sum(count for count in known if count is not None)


def sum_usage(
    rows: Iterable[Mapping[str, Any]], price_in: float | None = None, price_out: float | None = None
) -> dict[str, Any]:
    """Sum the costs of a run over the lines of its ``predictions.jsonl``.

    Args:
        rows: The lines.
        price_in: The price of a million tokens of prompts.
        price_out: The price of a million tokens of completions.

    Returns:
        ``requests`` (completions with a known cost), their ``prompt_tokens``, ``completion_tokens`` and
        ``seconds``, ``seconds_per_request``, and ``cost`` if a price is given. A number of tokens is that of
        the lines that have one, and ``cost`` is None if a line has none. {} if no line has a cost.

    Example:
        >>> usage = {"prompt_tokens": 10, "completion_tokens": 5, "seconds": 2.0}
        >>> row = {"completions": ["a"], "usage": usage}
        >>> sum_usage([row, row], price_in=1.0, price_out=2.0)["cost"]
        4e-05
    """
    found = [row for row in rows if row.get("usage")]
    if not found:
        return {}
    usages = [row["usage"] for row in found]
    requests = sum(len(row["completions"]) for row in found)
    seconds = sum(usage["seconds"] for usage in usages)
    tokens = {
        name: sum(usage[name] or 0 for usage in usages) for name in ("prompt_tokens", "completion_tokens")
    }
    total = {
        "requests": requests,
        **tokens,
        "seconds": round(seconds, 3),
        "seconds_per_request": round(seconds / max(1, requests), 4),
    }
    if price_in is None and price_out is None:
        return total
    unknown = any(usage[name] is None for usage in usages for name in tokens)
    cost = ((price_in or 0) * tokens["prompt_tokens"] + (price_out or 0) * tokens["completion_tokens"]) / 1e6
    return total | {"price_in": price_in, "price_out": price_out, "cost": None if unknown else round(cost, 6)}

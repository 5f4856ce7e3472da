"""Gold results as JSON, without loss. Decoding is safe for any input."""

from __future__ import annotations

from itertools import chain
from json import JSONDecoder, JSONEncoder
from typing import Any

from sql_env.comparison.gold import Gold
from sql_env.types import ExecutionResult, Status


def encode_gold(gold: Gold) -> bytes:
    """Encode a gold result as JSON in UTF-8. A blob becomes an object with its hexadecimal digits."""
    result = gold.result
    text = _TO_JSON.encode(
        [result.status.value, result.columns, result.rows, result.error, gold.blocks, gold.steps]
    )
    return text.encode("utf-8", "surrogatepass")  # JSON's own escapes would make one character of two


def decode_gold(body: bytes) -> Gold:
    """Decode the output of `encode_gold`.

    Raises:
        ValueError: The bytes are something else.
    """
    try:
        status, columns, rows, error, blocks, steps = _FROM_JSON.decode(body.decode("utf-8", "surrogatepass"))
        _check(columns, str)
        _check(rows, list)
        _check(list(chain.from_iterable(rows)), int, bool, float, str, bytes, type(None))
        _check([error], str)
        if blocks is not None:
            _check(blocks, int)
        _check([steps], int, type(None))
        result = ExecutionResult(Status(status), tuple(columns), tuple(map(tuple, rows)), error)
        return Gold(result, None if blocks is None else tuple(blocks), steps)
    except (TypeError, ValueError, KeyError, AttributeError, RecursionError) as error:
        raise ValueError(f"not a gold result: {error}") from None


def _check(values: Any, *kinds: type) -> None:
    if type(values) is not list or not set(map(type, values)) <= set(kinds):
        raise ValueError(f"not a list of {', '.join(kind.__name__ for kind in kinds)}")


def _from_blob(value: object) -> dict[str, str]:
    if not isinstance(value, bytes):
        raise TypeError(f"a cell cannot be a {type(value).__name__}")
    return {"blob": value.hex()}


def _to_blob(value: dict[str, str]) -> bytes:
    return bytes.fromhex(value["blob"])


_TO_JSON = JSONEncoder(ensure_ascii=False, default=_from_blob, separators=(",", ":"))
_FROM_JSON = JSONDecoder(object_hook=_to_blob)

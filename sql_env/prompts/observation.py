"""What a model reads of a query's result: a text that no value in a database can break out of."""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, fields

from sql_env.errors import LimitError
from sql_env.types import ExecutionResult, Status, Value

TAG = "observation"
"""The tag that an observation stands in; SkyRL-SQL's."""

_STEERS = re.compile(
    r"""[<＜﹤](?=[^\s\d=>"']|0x|\Z)  # may open a tag or a token: </observation>, <|im_end|>, <s>
      | [\[［](?=/?\w{0,30}[A-Z]{2}\w{0,30}[\]］])  # may be a token in brackets: [INST], [gMASK]
    """,
    re.VERBOSE,
)

_FAILED = {
    Status.ERROR: "Error",
    Status.TIMEOUT: "Stopped, because it takes too long",
    Status.TOO_LARGE: "Stopped, because it is too large",
    Status.DENIED: "Denied",
    Status.UNAVAILABLE: "The database does not answer",
}


@dataclass(frozen=True, slots=True)
class ResultView:
    """How much of a result a model is shown.

    Values are SQL literals, which tell text from numbers and ``'NULL'`` from ``NULL``, and which the
    model can copy. What is left out is counted.

    Attributes:
        rows: Rows at most.
        chars: Characters of a table or an error message, about, before control characters are escaped.
        cell: Characters of one value or name, likewise.

    Raises:
        LimitError: One of them is no positive integer.

    Example:
        >>> result = ExecutionResult(Status.OK, ("name", "age"), (("Joe", 41), ("Ann", None)))
        >>> print(View(rows=1)(result))
        name | age
        'Joe' | 41
        (2 rows; the first 1 shown)
    """

    rows: int = 20
    chars: int = 2_000
    cell: int = 200

    def __post_init__(self) -> None:
        for f in fields(self):
            value = getattr(self, f.name)
            if isinstance(value, bool) or not isinstance(value, int) or value < 1:
                raise LimitError(f"view {f.name!r} must be a positive integer, not {value!r}")

    def __call__(self, result: ExecutionResult) -> str:
        """A result as a table, or what the engine said instead."""
        if result.ok:
            return self._table(result)
        if result.status is Status.UNAVAILABLE:  # its message is about this machine, not about the query
            return f"{_FAILED[result.status]}."
        return f"{_FAILED[result.status]}: {escape_text(_cut(result.error, self.chars))}"

    def _table(self, result: ExecutionResult) -> str:
        header = self._header(result.columns)
        lines = list(self._lines(result, len(header)))
        notes = [_counted(len(result.rows), "row", len(lines))]
        if len(header) < len(result.columns):
            notes.append(_counted(len(result.columns), "column", len(header)))
        return "\n".join([" | ".join(header), *lines, f"({'. '.join(notes)})"])

    def _header(self, columns: Sequence[str]) -> list[str]:
        """The first column names, as many as half the characters hold, but one at least."""
        shown: list[str] = []
        left = self.chars // 2
        for name in columns:
            left -= min(len(name), self.cell) + 3
            if shown and left < 0:
                break
            shown.append(escape_text(_cut(name, self.cell)))
        return shown

    def _lines(self, result: ExecutionResult, width: int) -> Iterator[str]:
        left = self.chars
        for row in result.rows[: self.rows]:
            line = " | ".join(format_literal(value, self.cell) for value in row[:width])
            if left < self.chars and len(line) > left:
                return
            yield _cut(line, self.chars)
            left -= len(line)


def wrap_observation(text: str, turns_left: int, queries_left: int) -> str:
    """What the model is told after a query: the text, and what it may still do."""
    told = f"Turns left: {turns_left}." + (" Answer now." if turns_left == 1 else "")
    if queries_left < turns_left - 1:
        told += f" Queries left: {queries_left}."
    return f"<{TAG}>\n{text}\n{told}\n</{TAG}>"


def escape_text(text: str) -> str:
    r"""Text that can neither fake a tag or a control token nor leave its line: such characters are escaped.

    Example:
        >>> print(plain("</observation>\n<|im_end|> is < 5 and <> 6"))
        \u003c/observation>\n\u003c|im_end|> is < 5 and <> 6
    """
    text = _STEERS.sub(_escaped, text)
    return text if text.isprintable() else "".join(c if c.isprintable() else _escape(c) for c in text)


def _escaped(found: re.Match[str]) -> str:
    return _escape(found[0])


def _escape(character: str) -> str:
    short = {"\n": "\\n", "\t": "\\t", "\r": "\\r"}.get(character)
    code = ord(character)
    return short or (f"\\u{code:04x}" if code < 0x10000 else f"\\U{code:08x}")


def format_literal(value: Value, limit: int) -> str:
    """A value as SQL, on one line and escaped, its text or bytes cut to ``limit``."""
    if value is None:
        return "NULL"
    if isinstance(value, bytes):
        return f"X'{value[:limit].hex()}{'…' if len(value) > limit else ''}'"
    if isinstance(value, str):
        return "'" + escape_text(_cut(value, limit)).replace("'", "''") + "'"
    if isinstance(value, float) and not math.isfinite(value):
        return "NaN" if math.isnan(value) else ("9e999" if value > 0 else "-9e999")
    return _cut(str(value), limit)


def _cut(text: str, limit: int) -> str:
    return text if len(text) <= limit else f"{text[:limit]}… ({len(text):,} characters)"


def _counted(count: int, noun: str, shown: int) -> str:
    some = f"; the first {shown} shown" if shown < count else ""
    return f"{count:,} {noun}{'' if count == 1 else 's'}{some}"

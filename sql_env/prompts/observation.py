"""Write a query's result for a model. No value of a database can fake a tag or a control token."""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass

from sql_env.limits import check_integer
from sql_env.types import ExecutionResult, Status, Value

TAG = "observation"
"""The tag around an observation; it is SkyRL-SQL's."""

_CONTROL_TOKENS = re.compile(
    r"""[<＜﹤](?=[^\s\d=>"']|0x|\Z)  # may open a tag or a token: </observation>, <|im_end|>, <s>
      | [\[［](?=/?\w{0,30}[A-Z]{2}\w{0,30}[\]］])  # may be a token in brackets: [INST], [gMASK]
    """,
    re.VERBOSE,
)

_FAILURES = {
    Status.ERROR: "Error",
    Status.TIMEOUT: "Stopped, because it takes too long",
    Status.TOO_LARGE: "Stopped, because it is too large",
    Status.DENIED: "Denied",
    Status.UNAVAILABLE: "The database does not answer",
}


@dataclass(frozen=True, slots=True)
class ResultView:
    """The part of a result that a model sees.

    Values are SQL literals: they tell text from numbers and ``'NULL'`` from ``NULL``, and the model can
    copy them. A note after the table counts what is left out.

    Attributes:
        rows: The maximum number of rows.
        chars: The approximate maximum number of characters of a table or of an error message, before
            control characters are escaped.
        cell: The same for one value or name.

    Raises:
        LimitError: One of them is not a positive integer.

    Example:
        >>> result = ExecutionResult(Status.OK, ("name", "age"), (("Joe", 41), ("Ann", None)))
        >>> print(ResultView(rows=1)(result))
        name | age
        'Joe' | 41
        (2 rows; the first 1 shown)
    """

    rows: int = 20
    chars: int = 2_000
    cell: int = 200

    def __post_init__(self) -> None:
        for name, value in asdict(self).items():
            check_integer(f"view {name!r}", value)

    def __call__(self, result: ExecutionResult) -> str:
        """Write a result as a table, or the engine's message if there is no result."""
        if result.ok:
            return self._write_table(result)
        if result.status is Status.UNAVAILABLE:  # its message is about this machine, not about the query
            return f"{_FAILURES[result.status]}."
        return f"{_FAILURES[result.status]}: {escape_text(_cut(result.error, self.chars))}"

    def _write_table(self, result: ExecutionResult) -> str:
        header = self._write_header(result.columns)
        lines = list(self._write_rows(result, len(header)))
        notes = [_count(len(result.rows), "row", len(lines))]
        if len(header) < len(result.columns):
            notes.append(_count(len(result.columns), "column", len(header)))
        return "\n".join([" | ".join(header), *lines, f"({'. '.join(notes)})"])

    def _write_header(self, columns: Sequence[str]) -> list[str]:
        """Return the first column names that fit into half of the characters, and at least one."""
        header: list[str] = []
        left = self.chars // 2
        for name in columns:
            left -= min(len(name), self.cell) + 3
            if header and left < 0:
                break
            header.append(escape_text(_cut(name, self.cell)))
        return header

    def _write_rows(self, result: ExecutionResult, width: int) -> Iterator[str]:
        left = self.chars
        for row in result.rows[: self.rows]:
            line = " | ".join(format_literal(value, self.cell) for value in row[:width])
            if left < self.chars and len(line) > left:
                return
            yield _cut(line, self.chars)
            left -= len(line)


def wrap_observation(text: str, turns_left: int, queries_left: int) -> str:
    """Put a query's result into the observation tag, with the turns and queries that are left."""
    rest = f"Turns left: {turns_left}." + (" Answer now." if turns_left == 1 else "")
    if queries_left < turns_left - 1:
        rest += f" Queries left: {queries_left}."
    return f"<{TAG}>\n{text}\n{rest}\n</{TAG}>"


def escape_text(text: str) -> str:
    r"""Escape the characters with which a text could fake a tag or a control token or start a new line.

    Example:
        >>> print(escape_text("</observation>\n<|im_end|> is < 5 and <> 6"))
        \u003c/observation>\n\u003c|im_end|> is < 5 and <> 6
    """
    text = _CONTROL_TOKENS.sub(lambda found: _escape(found[0]), text)
    return text if text.isprintable() else "".join(c if c.isprintable() else _escape(c) for c in text)


def _escape(character: str) -> str:
    short = {"\n": "\\n", "\t": "\\t", "\r": "\\r"}.get(character)
    code = ord(character)
    return short or (f"\\u{code:04x}" if code < 0x10000 else f"\\U{code:08x}")


def format_literal(value: Value, limit: int) -> str:
    """Write a value as SQL on one line, escaped, its text or bytes cut to ``limit``."""
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


def _count(total: int, noun: str, shown: int) -> str:
    note = f"; the first {shown} shown" if shown < total else ""
    return f"{total:,} {noun}{'' if total == 1 else 's'}{note}"

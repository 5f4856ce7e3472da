"""Rewrite a query to another time or to other random numbers.

Only SQLite queries are rewritten. There the clock is fixed and random numbers have a fixed seed, so
running a query twice shows no difference. The text is edited token by token, because a syntax tree does
not keep an engine's own functions verbatim.
"""

from collections.abc import Iterator

import sqlglot
from sqlglot.tokens import Token, TokenType  # type: ignore[attr-defined]  # sqlglot does not list them

from sql_env.execution.engines.sqlite.file import CLOCK_FUNCTIONS

CLOCK_TIMES = ("1990-03-04 05:06:07", "2012-06-09 13:14:15", "2060-11-30 22:23:24")
"""Times that replace the fixed one, which is 2025-01-01 00:00:00."""

_CURRENT = {
    TokenType.CURRENT_DATE: slice(0, 10),
    TokenType.CURRENT_TIME: slice(11, 19),
    TokenType.CURRENT_TIMESTAMP: slice(0, 19),
}
_QUOTED = (TokenType.STRING, TokenType.IDENTIFIER)
_NOW_WITHOUT_ARGUMENTS = frozenset({"date", "time", "datetime", "julianday", "unixepoch"})

Edit = tuple[int, int, str]
"""The start of a piece of text, its end, and its replacement."""


def change_clock(sql: str) -> tuple[str, ...]:
    """Return the query at each of `CLOCK_TIMES`; nothing if it does not read the clock.

    Example:
        >>> change_clock("SELECT date('now') - 1, CURRENT_DATE")[0]
        "SELECT date('1990-03-04 05:06:07') - 1, '1990-03-04'"
        >>> change_clock("SELECT 'now'")
        ()

    Raises:
        TokenError: The text cannot be split into tokens.
    """
    tokens = sqlglot.tokenize(sql, dialect="sqlite")
    if not any(token.text.lower() in CLOCK_FUNCTIONS for token in tokens):
        return ()
    changed = tuple(_apply(sql, _clock_edits(tokens, time)) for time in CLOCK_TIMES)
    return changed if changed[0] != sql else ()


def change_random_numbers(sql: str) -> tuple[str, ...]:
    """Return the query with other, equally likely random numbers; nothing if it uses none.

    Example:
        >>> change_random_numbers("SELECT a FROM t ORDER BY random()")
        ('SELECT a FROM t ORDER BY (~random())',)

    Raises:
        TokenError: The text cannot be split into tokens.
    """
    changed = _apply(sql, _random_edits(sqlglot.tokenize(sql, dialect="sqlite")))
    return (changed,) if changed != sql else ()


def _apply(sql: str, edits: Iterator[Edit]) -> str:
    pieces, at = [], 0
    for start, end, text in edits:
        pieces += [sql[at:start], text]
        at = end
    return "".join([*pieces, sql[at:]])


def _clock_edits(tokens: list[Token], time: str) -> Iterator[Edit]:
    for place, token in enumerate(tokens):
        name, after = token.text.lower(), tokens[place + 1 : place + 4]
        texts = [other.text for other in after]
        if token.token_type in _CURRENT:
            yield token.start, token.end + 1, f"'{time[_CURRENT[token.token_type]]}'"
        elif token.token_type in _QUOTED and name == "now":
            yield token.start, token.end + 1, f"'{time}'"
        elif name in _NOW_WITHOUT_ARGUMENTS and texts[:2] == ["(", ")"]:
            yield after[1].start, after[1].start, f"'{time}'"
        elif name == "strftime" and texts[:1] == ["("] and texts[2:] == [")"]:
            yield after[2].start, after[2].start, f", '{time}'"


def _random_edits(tokens: list[Token]) -> Iterator[Edit]:
    for place, token in enumerate(tokens):
        name, after = token.text.lower(), tokens[place + 1 : place + 3]
        texts = [other.text for other in after]
        if name == "random" and texts == ["(", ")"]:
            yield token.start, after[1].end + 1, "(~random())"
        elif name == "randomblob" and texts[:1] == ["("]:
            yield token.start, token.end + 1, "zeroblob"

"""A query as it would run at another time, or with other random numbers.

It is edited in the text, token by token: a syntax tree does not keep an engine's own functions to the
letter. SQLite alone: its clock stands still here and its random numbers are seeded, so that neither
shows by running a query twice.
"""

from __future__ import annotations

from collections.abc import Iterator

import sqlglot
from sqlglot.tokens import Token, TokenType  # type: ignore[attr-defined]  # not said to be exported

from sql_env.execution.engines.sqlite.file import CLOCK_FUNCTIONS

MOMENTS = ("1990-03-04 05:06:07", "2012-06-09 13:14:15", "2060-11-30 22:23:24")
"""What the clock is set to, where by itself it says 2025-01-01 00:00:00."""

_CURRENT = {
    TokenType.CURRENT_DATE: slice(0, 10),
    TokenType.CURRENT_TIME: slice(11, 19),
    TokenType.CURRENT_TIMESTAMP: slice(0, 19),
}
_QUOTED = (TokenType.STRING, TokenType.IDENTIFIER)
_OF_NOTHING = frozenset({"date", "time", "datetime", "julianday", "unixepoch"})

Edit = tuple[int, int, str]
"""Where a piece of text begins, where it ends, and what stands there instead."""


def at_other_times(sql: str) -> tuple[str, ...]:
    """The query at each of `MOMENTS`; nothing where it does not ask the time.

    Example:
        >>> at_other_times("SELECT date('now') - 1, CURRENT_DATE")[0]
        "SELECT date('1990-03-04 05:06:07') - 1, '1990-03-04'"
        >>> at_other_times("SELECT 'now'")
        ()

    Raises:
        TokenError: It cannot be taken apart.
    """
    tokens = sqlglot.tokenize(sql, dialect="sqlite")
    if not any(token.text.lower() in CLOCK_FUNCTIONS for token in tokens):
        return ()
    told = tuple(_rewritten(sql, _clock(tokens, moment)) for moment in MOMENTS)
    return told if told[0] != sql else ()


def with_other_dice(sql: str) -> tuple[str, ...]:
    """The query with other random numbers, as likely as the first; nothing where it uses none.

    Example:
        >>> with_other_dice("SELECT a FROM t ORDER BY random()")
        ('SELECT a FROM t ORDER BY (~random())',)

    Raises:
        TokenError: It cannot be taken apart.
    """
    told = _rewritten(sql, _dice(sqlglot.tokenize(sql, dialect="sqlite")))
    return (told,) if told != sql else ()


def _rewritten(sql: str, edits: Iterator[Edit]) -> str:
    pieces, at = [], 0
    for start, end, text in edits:
        pieces += [sql[at:start], text]
        at = end
    return "".join([*pieces, sql[at:]])


def _clock(tokens: list[Token], moment: str) -> Iterator[Edit]:
    for place, token in enumerate(tokens):
        name, after = token.text.lower(), tokens[place + 1 : place + 4]
        texts = [other.text for other in after]
        if token.token_type in _CURRENT:
            yield token.start, token.end + 1, f"'{moment[_CURRENT[token.token_type]]}'"
        elif token.token_type in _QUOTED and name == "now":
            yield token.start, token.end + 1, f"'{moment}'"
        elif name in _OF_NOTHING and texts[:2] == ["(", ")"]:
            yield after[1].start, after[1].start, f"'{moment}'"
        elif name == "strftime" and texts[:1] == ["("] and texts[2:] == [")"]:
            yield after[2].start, after[2].start, f", '{moment}'"


def _dice(tokens: list[Token]) -> Iterator[Edit]:
    for place, token in enumerate(tokens):
        name, after = token.text.lower(), tokens[place + 1 : place + 3]
        texts = [other.text for other in after]
        if name == "random" and texts == ["(", ")"]:
            yield token.start, after[1].end + 1, "(~random())"
        elif name == "randomblob" and texts[:1] == ["("]:
            yield token.start, token.end + 1, "zeroblob"

"""Where two queries differ, word by word."""

from __future__ import annotations

import re
from contextlib import suppress
from difflib import SequenceMatcher
from functools import lru_cache

import sqlparse
from sqlparse.exceptions import SQLParseError

MAX_COMPARED_CHARACTERS = 5_000
"""Characters of a query that are laid out and compared at most; the rest is as it was, and unmarked."""

_TOKEN = re.compile(r"""\s+|'[^']*'|"[^"]*"|\w+(?:\.\d+)?|[<>!=|]+|.""", re.DOTALL)


@lru_cache(maxsize=16_384)
def format_sql(sql: str) -> str:
    """SQL with a line for each clause; long or odd text, on which the formatter may choke, as it is."""
    if len(sql) <= MAX_COMPARED_CHARACTERS:
        with suppress(SQLParseError, RecursionError):
            return sqlparse.format(
                " ".join(sql.split()) if _one_line(sql) else sql, reindent=True, keyword_case="upper"
            )
    return sql


def _one_line(sql: str) -> bool:
    """Whether white space means nothing in this query: there are no texts and comments that hold it."""
    return not any(mark in sql for mark in ("--", "/*", "'", '"', "`", "["))


def diff_queries(ours: str, gold: str) -> tuple[list[str], list[str]]:
    """Two texts in pieces that are shared and pieces that differ, in turns, a shared one first.

    Letter case counts in quotes alone, white space nowhere, and either kind of quotes is as good. The
    pieces of each text together are that text.

    Example:
        >>> segments("SELECT a FROM t", "select b FROM t")
        (['SELECT ', 'a', ' FROM t'], ['select ', 'b', ' FROM t'])
    """
    left, right = (
        _TOKEN.findall(ours[:MAX_COMPARED_CHARACTERS]),
        _TOKEN.findall(gold[:MAX_COMPARED_CHARACTERS]),
    )
    same = SequenceMatcher(None, [*map(_key, left)], [*map(_key, right)], autojunk=False)
    blocks = [block for block in same.get_matching_blocks() if block.size]
    return (
        _pieces(left, [(b.a, b.size) for b in blocks], ours[MAX_COMPARED_CHARACTERS:]),
        _pieces(right, [(b.b, b.size) for b in blocks], gold[MAX_COMPARED_CHARACTERS:]),
    )


def _key(token: str) -> str:
    if len(token) > 1 and token[0] in ("'", '"'):
        return f"'{token[1:-1]}'"
    return " " if token.isspace() else token.lower()


def _pieces(tokens: list[str], shared: list[tuple[int, int]], rest: str) -> list[str]:
    pieces, done = [""], 0
    for start, size in shared:
        if start > done:
            pieces += ["".join(tokens[done:start]), ""]
        pieces[-1] += "".join(tokens[start : start + size])
        done = start + size
    if done < len(tokens):
        pieces += ["".join(tokens[done:]), ""]
    pieces[-1] += rest
    return pieces if pieces[-1] or len(pieces) == 1 else pieces[:-1]

"""Find the differences between two queries, word by word."""

import re
from collections import Counter
from contextlib import suppress
from difflib import Match, SequenceMatcher
from functools import lru_cache

import sqlparse
from sqlparse.exceptions import SQLParseError

MAX_COMPARED_CHARACTERS = 5_000
"""Only this many characters of a query are formatted and compared; the rest is not changed."""

MAX_COMPARED_PAIRS = 5_000_000
"""Maximum number of pairs of equal words to look at: about half a second. Ordinary queries need fewer."""

_TOKEN = re.compile(r"""\s+|'[^']*'|"[^"]*"|\w+(?:\.\d+)?|[<>!=|]+|.""", re.DOTALL)


@lru_cache(maxsize=16_384)
def format_sql(sql: str) -> str:
    """Format SQL with a line for each clause; do not change text that is too long or cannot be parsed."""
    if len(sql) <= MAX_COMPARED_CHARACTERS:
        with suppress(SQLParseError, RecursionError):
            return sqlparse.format(
                " ".join(sql.split()) if _can_join_lines(sql) else sql, reindent=True, keyword_case="upper"
            )
    return sql


def _can_join_lines(sql: str) -> bool:
    """Return whether white space has no meaning in this query: it has no quotes and no comments."""
    return not any(mark in sql for mark in ("--", "/*", "'", '"', "`", "["))


def diff_queries(ours: str, gold: str) -> tuple[list[str], list[str]]:
    """Split two queries into pieces that are shared and pieces that differ, by turns, a shared one first.

    Case matters only in quotes, white space never, and both kinds of quotes are equal. The pieces of each
    query together are that query.

    Example:
        >>> diff_queries("SELECT a FROM t", "select b FROM t")
        (['SELECT ', 'a', ' FROM t'], ['select ', 'b', ' FROM t'])
    """
    left, right = (
        _TOKEN.findall(ours[:MAX_COMPARED_CHARACTERS]),
        _TOKEN.findall(gold[:MAX_COMPARED_CHARACTERS]),
    )
    same = _BoundedMatcher([*map(_comparison_key, left)], [*map(_comparison_key, right)])
    blocks = [block for block in same.get_matching_blocks() if block.size]
    return (
        _split(left, [(b.a, b.size) for b in blocks], ours[MAX_COMPARED_CHARACTERS:]),
        _split(right, [(b.b, b.size) for b in blocks], gold[MAX_COMPARED_CHARACTERS:]),
    )


class _BoundedMatcher(SequenceMatcher[str]):
    """A matcher whose work is limited: many equal words, such as 600 times one column, match everywhere.

    Beyond the limit, a part of a query shares only its first words with the other one.
    """

    def __init__(self, left: list[str], right: list[str]) -> None:
        super().__init__(None, left, right, autojunk=False)
        self._left, self._right = left, right
        self._counts = Counter(right)
        self._budget = MAX_COMPARED_PAIRS

    def find_longest_match(
        self, alo: int = 0, ahi: int | None = None, blo: int = 0, bhi: int | None = None
    ) -> Match:
        ours, theirs = self._left[alo:ahi], self._right[blo:bhi]
        self._budget -= sum(self._counts[word] for word in ours)
        if self._budget >= 0:
            return super().find_longest_match(alo, ahi, blo, bhi)
        pairs = enumerate(zip(ours, theirs, strict=False))
        same = next((place for place, (a, b) in pairs if a != b), min(len(ours), len(theirs)))
        return Match(alo, blo, same)


def _comparison_key(token: str) -> str:
    if len(token) > 1 and token[0] in ("'", '"'):
        return f"'{token[1:-1]}'"
    return " " if token.isspace() else token.lower()


def _split(tokens: list[str], shared: list[tuple[int, int]], rest: str) -> list[str]:
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

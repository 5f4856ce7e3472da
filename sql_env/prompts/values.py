"""Values of a database that a question mentions: found by BM25, chosen by longest common substring.

CodeS (arXiv 2402.16347), OmniSQL (arXiv 2503.02240) and SQL-R1 (arXiv 2504.08600) show such values.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

import apsw

from sql_env.execution.backends import Backend
from sql_env.prompts.value_index import Found, load_value_index, rebuilt
from sql_env.schema.model import Schema

MOST = 10
"""Distinct values that are chosen, at most."""

POOL = 100
"""Places of values that BM25 proposes, at most."""

OVERLAP = 0.7
"""The least `overlap` of a value that is chosen: high enough to leave out what shares one word of
several with the question, low enough for a plural. Between 0.6 and 0.85 it makes little difference."""

_READ = 10_000  # characters of a question; real ones have some hundreds
_WORDS = re.compile(r"[^\W_]+")
_QUOTED = re.compile(r"""'([^'\n]{1,100})'|"([^"\n]{1,100})"|`([^`\n]{1,100})`|[“‘]([^”’\n]{1,100})[”’]""")


@dataclass(frozen=True, slots=True)
class Match:
    """A value that a text mentions.

    Attributes:
        table: The `sql_env.schema.model.Table.path` of the table that holds it.
        column: The column.
        value: The value.
        score: Its `overlap` with the text, from 0 to 1.
    """

    table: str
    column: str
    value: str
    score: float


def find_matches(
    executor: Backend, database: str, dialect: str, text: str, most: int = MOST
) -> tuple[Match, ...]:
    """The values that a text mentions, each in every column that was proposed, the best first.

    A value without letters and digits, such as ``#``, is found where the text quotes it.

    Args:
        executor: Builds the index if there is none yet; see `sql_env.prompts.value_index`.
        database: The database's path.
        dialect: The engine that runs its queries.
        text: A question, and its evidence.
        most: Distinct values at most.

    Raises:
        DatabaseError: The database is missing or is none, or the dialect has no engine.
    """
    text = text[:_READ]
    words = list(dict.fromkeys(_WORDS.findall(text)))
    quoted = [part.strip() for groups in _QUOTED.findall(text) for part in groups if part.strip()]
    try:
        index = load_value_index(executor, database, dialect)
        by_words, symbols = index.by_words(words, POOL), index.by_symbol(quoted, POOL)
    except apsw.Error:
        index = rebuilt(executor, database, dialect)
        by_words, symbols = index.by_words(words, POOL), index.by_symbol(quoted, POOL)
    return _best(by_words, symbols, text, most)


def _best(by_words: Sequence[Found], symbols: Sequence[Found], text: str, most: int) -> tuple[Match, ...]:
    spoken = normalize(text)
    scores = {value: overlap(value, spoken) for value in dict.fromkeys(value for *_, value in by_words)}
    scores |= {value: 1.0 for *_, value in symbols}
    good = [value for value, score in scores.items() if score >= OVERLAP]
    chosen = sorted(good, key=lambda value: (-scores[value], -len(value)))[:most]  # stable: else by BM25
    rank = {value: place for place, value in enumerate(chosen)}
    found = sorted((one for one in (*by_words, *symbols) if one[2] in rank), key=lambda one: rank[one[2]])
    return tuple(Match(table, column, value, scores[value]) for table, column, value in found)


def overlap(value: str, spoken: str) -> float:
    """The share of a value that its longest common substring with a text covers.

    Both are compared as `normal` has them, so that the ends of a word count, and ``art`` does not
    lie in ``party``.

    Args:
        value: The value.
        spoken: The text, `normal` already.

    Example:
        >>> overlap("New York City", normal("Who lives in New York?"))
        0.6666666666666666
    """
    own, longest, start = normalize(value), 0, 0
    for end in range(1, len(own) + 1):
        while own[start:end] not in spoken:  # a window that slides: what holds a stranger is one, too
            start += 1
        longest = max(longest, end - start)
    return longest / len(own)


def normalize(text: str) -> str:
    """A text's words in lower case without diacritics, a blank before, between and after them."""
    letters = (c for c in unicodedata.normalize("NFKD", text) if not unicodedata.combining(c))
    return f" {' '.join(_WORDS.findall(''.join(letters).casefold()))} "


def link_values(schema: Schema, found: Iterable[Match]) -> Schema:
    """A schema whose columns know which of their values were found."""
    by_column: dict[tuple[str, str], list[str]] = {}
    for match in found:
        by_column.setdefault((match.table, match.column), []).append(match.value)
    if not by_column:
        return schema
    tables = []
    for table in schema.tables:
        columns = (
            replace(column, matches=tuple(by_column.get((table.path, column.name), ())))
            for column in table.columns
        )
        tables.append(replace(table, columns=tuple(columns)))
    return replace(schema, tables=tuple(tables))

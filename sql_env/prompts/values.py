"""Find the values of a database that a question mentions.

BM25 proposes values, and the longest common substring selects them. CodeS (arXiv 2402.16347), OmniSQL
(arXiv 2503.02240) and SQL-R1 (arXiv 2504.08600) show such values in their prompts.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

import apsw

from sql_env.execution.backends import Backend
from sql_env.prompts.value_index import Found, ValueIndex, load_value_index, rebuild_value_index
from sql_env.schema.model import Schema

MAX_MATCHES = 10
"""The maximum number of distinct values that are selected."""

MAX_CANDIDATES = 100
"""The maximum number of candidates that BM25 proposes."""

MIN_OVERLAP = 0.7
"""The smallest overlap (see `measure_overlap`) of a selected value. It is high enough to reject a value
that shares one of several words with the question, and low enough to accept a plural. Between 0.6 and 0.85
it makes little difference."""

_MAX_QUESTION = 10_000  # characters; real questions have some hundreds
_WORDS = re.compile(r"[^\W_]+")
_QUOTED = re.compile(r"""'([^'\n]{1,100})'|"([^"\n]{1,100})"|`([^`\n]{1,100})`|[“‘]([^”’\n]{1,100})[”’]""")


@dataclass(frozen=True, slots=True)
class Match:
    """A value that a text mentions.

    Attributes:
        table: The `sql_env.schema.model.Table.path` of the table that has it.
        column: The column that has it.
        value: The value.
        score: Its overlap with the text, from 0 to 1.
    """

    table: str
    column: str
    value: str
    score: float


def find_matches(
    executor: Backend, database: str, dialect: str, text: str, max_values: int = MAX_MATCHES
) -> tuple[Match, ...]:
    """Find the values that a text mentions, in each column that was proposed, the best first.

    A value without letters and digits, such as ``#``, is found if the text has it in quotes.

    Args:
        executor: Builds the index if there is none yet; see `sql_env.prompts.value_index`.
        database: The database's path.
        dialect: The engine that runs its queries.
        text: A question and its evidence.
        max_values: The maximum number of distinct values.

    Raises:
        DatabaseError: The database is missing or invalid, or the dialect has no engine.
    """
    text = text[:_MAX_QUESTION]
    words = list(dict.fromkeys(_WORDS.findall(text)))
    quoted = [part.strip() for groups in _QUOTED.findall(text) for part in groups if part.strip()]

    def search(index: ValueIndex) -> tuple[list[Found], list[Found]]:
        return index.by_words(words, MAX_CANDIDATES), index.by_symbol(quoted, MAX_CANDIDATES)

    try:
        by_words, by_symbol = search(load_value_index(executor, database, dialect))
    except apsw.Error:
        by_words, by_symbol = search(rebuild_value_index(executor, database, dialect))
    return _select(by_words, by_symbol, text, max_values)


def _select(
    by_words: Sequence[Found], by_symbol: Sequence[Found], text: str, max_values: int
) -> tuple[Match, ...]:
    normalized = normalize(text)
    distinct = dict.fromkeys(value for *_, value in by_words)  # in the order of BM25
    scores = {value: measure_overlap(value, normalized) for value in distinct}
    scores |= {value: 1.0 for *_, value in by_symbol}
    good = [value for value, score in scores.items() if score >= MIN_OVERLAP]
    good.sort(key=lambda value: (-scores[value], -len(value)))  # stable: ties keep the order of BM25
    rank = {value: place for place, value in enumerate(good[:max_values])}
    found = sorted((one for one in (*by_words, *by_symbol) if one[2] in rank), key=lambda one: rank[one[2]])
    return tuple(Match(table, column, value, scores[value]) for table, column, value in found)


def measure_overlap(value: str, normalized: str) -> float:
    """Return the share of a value that its longest common substring with a text covers.

    Both are compared after `normalize`: the ends of a word count, so ``art`` is not a part of ``party``.

    Args:
        value: The value.
        normalized: The text, after `normalize`.

    Example:
        >>> measure_overlap("New York City", normalize("Who lives in New York?"))
        0.6666666666666666
    """
    own, longest, start = normalize(value), 0, 0
    for end in range(1, len(own) + 1):
        while own[start:end] not in normalized:  # a sliding window: if a part is missing, so is the whole
            start += 1
        longest = max(longest, end - start)
    return longest / len(own)


def normalize(text: str) -> str:
    """Return a text's words in lower case without diacritics, with a blank before and after each."""
    letters = (c for c in unicodedata.normalize("NFKD", text) if not unicodedata.combining(c))
    return f" {' '.join(_WORDS.findall(''.join(letters).casefold()))} "


def add_matches(schema: Schema, matches: Iterable[Match]) -> Schema:
    """Return a schema whose columns have the values that were found in them."""
    by_column: dict[tuple[str, str], list[str]] = {}
    for match in matches:
        by_column.setdefault((match.table, match.column), []).append(match.value)
    if not by_column:
        return schema
    return schema.map_columns(
        lambda table, column: replace(column, matches=tuple(by_column.get((table.path, column.name), ())))
    )

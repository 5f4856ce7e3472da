"""Format English: lists, articles, and the names of aggregates."""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

from benchmarks.demo.queries.sampler import Sampler
from benchmarks.demo.tables.table import TIME, Column


class Aggregate(NamedTuple):
    """An aggregate function and the word for it."""

    function: str
    word: str

    def of(self, column: str) -> str:
        return f"{self.function}({column})"


def join_labels(columns: Iterable[Column]) -> str:
    """Join the labels of columns: ``name, city and weight``."""
    *others, last = (c.label for c in columns)
    return f"{', '.join(others)} and {last}" if others else last


def with_article(noun: str) -> str:
    """Return the noun with its article."""
    return f"{'an' if noun[0] in 'aeiou' else 'a'} {noun}"


def draw_aggregate(s: Sampler, column: Column, *functions: str) -> Aggregate:
    """Draw an aggregate that makes sense for the column."""
    words = {"MAX": column.scale.most, "MIN": column.scale.least, "AVG": "average", "SUM": "total"}
    if column.scale is TIME:
        del words["AVG"]
    if not column.scale.adds:
        del words["SUM"]
    function = s.pick(functions or tuple(words))
    return Aggregate(function, words[function])


def draw_extreme(s: Sampler, column: Column) -> tuple[bool, str]:
    """Draw a direction; return whether it is descending, and its superlative."""
    descending = s.pick((True, False))
    return descending, column.scale.most if descending else column.scale.least

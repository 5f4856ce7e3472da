"""How much a table or a column has to do with a question: names, descriptions, values, neighbours."""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import dataclass

from sql_env.prompts.values import normalize
from sql_env.schema.model import Schema, Table

_DESCRIPTION = 0.5  # of what a name is worth
_NEIGHBOUR = 0.5  # of what a table's best neighbour is worth
_SAYS_NOTHING = """
a about after all an and any are as at be been before between by can did do does each every find for from
give had has have how i if in into is it its list many me more most much no not of on one or other per please
return see show than that the their them then there these they this those to was we were what when where
which who whom whose will with would you
"""
_STOP_WORDS = frozenset(_SAYS_NOTHING.split())
_ENDING = re.compile(r"(?<=\w\w)(?:ies|ie|y|es|e|s)$")
_CAMEL = re.compile(r"(?<=[a-z0-9])(?=[A-Z])")


@dataclass(frozen=True, slots=True)
class Relevance:
    """Scores of the parts of a schema; only their order means anything.

    Attributes:
        tables: A score for each table, in the schema's order.
        columns: For each table a score for each column, in the table's order.
    """

    tables: tuple[float, ...]
    columns: tuple[tuple[float, ...], ...]


def rate_relevance(schema: Schema, text: str) -> Relevance:
    """How relevant each table and column is to a question.

    A column counts for the words of its name that the question says, for half as much those of its
    description, and for having a value that the question mentions. A table counts for its own name and
    for its columns, and if that is more, for half of its most relevant neighbour by a foreign key. A
    word is worth the less the more names have it.

    Args:
        schema: The schema, `sql_env.prompts.values.link_values` with the question where it was searched.
        text: The question, and its evidence.
    """
    asked = stems(text)
    common = Counter(stem for table in schema.tables for stem in stems(_names(table)))

    def said(words: str) -> float:
        """The share of the words that the question says, by weight."""
        weights = {stem: 1 / max(1, common[stem]) for stem in stems(words)}
        return sum(weights[stem] for stem in weights.keys() & asked) / (sum(weights.values()) or 1.0)

    columns = tuple(
        tuple(
            said(column.name) + _DESCRIPTION * said(column.description) + bool(column.matches)
            for column in table.columns
        )
        for table in schema.tables
    )
    own = [
        2 * said(table.name)
        + _DESCRIPTION * said(table.description)
        + max(scores, default=0)
        + sum(scores) / 8
        for table, scores in zip(schema.tables, columns, strict=True)
    ]
    near = _neighbours(schema)
    tables = tuple(
        max(score, _NEIGHBOUR * max((own[other] for other in near[place]), default=0.0))
        for place, score in enumerate(own)
    )
    return Relevance(tables, columns)


def stems(text: str) -> frozenset[str]:
    """The words that matter of a text or a name, in lower case and without an ending of the plural.

    A stem is not always a word: ``cities`` and ``city`` are both ``cit``.
    """
    words = normalize(_CAMEL.sub(" ", text)).split()
    return frozenset(_ENDING.sub("", word) for word in words if word not in _STOP_WORDS)


def _names(table: Table) -> str:
    return " ".join((table.name, *(column.name for column in table.columns)))


def _neighbours(schema: Schema) -> list[set[int]]:
    """For each table the places of those that it refers to, or that refer to it."""
    near: list[set[int]] = [set() for _ in schema.tables]
    place = {table.name.lower(): i for i, table in enumerate(schema.tables)}
    for i, table in enumerate(schema.tables):
        for key in table.foreign_keys:
            other = place.get(key.table.lower(), i)
            if other != i:
                near[i].add(other)
                near[other].add(i)
    return near

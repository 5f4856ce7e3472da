"""Rate how relevant each table and column is to a question: by names, descriptions, values and neighbours."""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import dataclass

from sql_env.prompts.values import normalize
from sql_env.schema.model import Schema, Table

_DESCRIPTION_WEIGHT = 0.5  # relative to a name
_NEIGHBOUR_WEIGHT = 0.5  # relative to the neighbour's own score
_WITHOUT_MEANING = """
a about after all an and any are as at be been before between by can did do does each every find for from
give had has have how i if in into is it its list many me more most much no not of on one or other per please
return see show than that the their them then there these they this those to was we were what when where
which who whom whose will with would you
"""
_STOP_WORDS = frozenset(_WITHOUT_MEANING.split())
_ENDING = re.compile(r"(?<=\w\w)(?:ies|ie|y|es|e|s)$")
_CAMEL = re.compile(r"(?<=[a-z0-9])(?=[A-Z])")


@dataclass(frozen=True, slots=True)
class Relevance:
    """Scores of the parts of a schema. Only their order has a meaning.

    Attributes:
        tables: A score for each table, in the schema's order.
        columns: For each table a score for each column, in the table's order.
    """

    tables: tuple[float, ...]
    columns: tuple[tuple[float, ...], ...]


def rate_relevance(schema: Schema, text: str) -> Relevance:
    """Rate how relevant each table and column is to a question.

    The score of a column counts the words of its name that the question has. The words of its description
    count half as much. A value that the question mentions counts as much as a name. The score of a table
    counts its own name and its columns; if half of the score of its best neighbour (by a foreign key) is
    larger, it has that score. A word counts less if more names have it.

    Args:
        schema: The schema, after `sql_env.prompts.values.add_matches` if the values were searched.
        text: The question and its evidence.
    """
    question = find_stems(text)
    frequencies = Counter(
        stem
        for table in schema.tables
        for stem in find_stems(" ".join((table.name, *(column.name for column in table.columns))))
    )

    def rate(words: str) -> float:
        """Return the weighted share of the words that the question has."""
        weights = {stem: 1 / max(1, frequencies[stem]) for stem in find_stems(words)}
        return sum(weights[stem] for stem in weights.keys() & question) / (sum(weights.values()) or 1.0)

    def rate_table(table: Table, column_scores: tuple[float, ...]) -> float:
        own = 2 * rate(table.name) + _DESCRIPTION_WEIGHT * rate(table.description)
        return own + max(column_scores, default=0) + sum(column_scores) / 8

    columns = tuple(
        tuple(
            rate(column.name) + _DESCRIPTION_WEIGHT * rate(column.description) + bool(column.matches)
            for column in table.columns
        )
        for table in schema.tables
    )
    scores = [rate_table(table, own) for table, own in zip(schema.tables, columns, strict=True)]
    neighbours = _find_neighbours(schema)
    tables = tuple(
        max(score, _NEIGHBOUR_WEIGHT * max((scores[other] for other in neighbours[i]), default=0.0))
        for i, score in enumerate(scores)
    )
    return Relevance(tables, columns)


def find_stems(text: str) -> frozenset[str]:
    """Return the stems of a text or a name: lower case, without stop words and without plural endings.

    A stem is not always a word: ``cities`` and ``city`` both have the stem ``cit``.
    """
    words = normalize(_CAMEL.sub(" ", text)).split()
    return frozenset(_ENDING.sub("", word) for word in words if word not in _STOP_WORDS)


def _find_neighbours(schema: Schema) -> list[set[int]]:
    """Return for each table the places of the tables that it refers to or that refer to it."""
    neighbours: list[set[int]] = [set() for _ in schema.tables]
    places = {table.name.lower(): i for i, table in enumerate(schema.tables)}
    keys = ((i, key) for i, table in enumerate(schema.tables) for key in table.foreign_keys)
    for i, key in keys:
        other = places.get(key.table.lower(), i)  # a table that is its own neighbour changes no score
        neighbours[i].add(other)
        neighbours[other].add(i)
    return neighbours

"""Draw and format the clauses that many shapes share, with their English."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from benchmarks.demo.queries import predicates
from benchmarks.demo.queries.predicates import Predicate
from benchmarks.demo.queries.query import Condition, Join
from benchmarks.demo.queries.sampler import Sampler, Unfit
from benchmarks.demo.tables.table import TIME, Column, Kind, Link, Table

COUNTS = ((">", "more than"), ("<", "fewer than"), (">=", "at least"), ("<=", "at most"))
"""Comparisons of a count, in SQL and in English."""


@dataclass(frozen=True, slots=True)
class Filter:
    """An optional condition of a shape.

    Attributes:
        where: The condition, or nothing.
        among: Its English with a blank before it: `` hired in 2019``.
        also: The English that joins a further relative clause to it: `` and``.
        by: Its part of the reasoning: `` by hired``.
    """

    where: tuple[Condition, ...] = ()
    among: str = ""
    also: str = ""
    by: str = ""


def draw_filter(
    s: Sampler, table: Table, chance: float, but: Sequence[Column] = (), owner: str = ""
) -> Filter:
    """Draw, with this chance, a filter on a column other than ``but``, qualified by ``owner``."""
    if s.rng.random() >= chance:
        return Filter()
    p = predicates.draw_common(s, table)
    if p.column in but:
        return Filter()
    condition = p.on(owner)
    return Filter((condition,), f" {p.phrase()}", " and", f" by {condition.about}")


def draw_columns(s: Sampler, table: Table, n: int, but: Sequence[Column] = ()) -> tuple[list[Column], str]:
    """Draw ``n`` columns that a question asks for; return them and their English."""
    columns = s.shown(table, n, but)
    return columns, join_labels(columns)


def draw_group(s: Sampler) -> tuple[Table, Column]:
    """Draw a table and a category of it to group by."""
    table = s.table(Kind.CATEGORY)
    return table, s.column(table, Kind.CATEGORY, full=True)


def draw_two_predicates(s: Sampler, table: Table) -> tuple[Predicate, Predicate]:
    """Draw two predicates on different columns, in the order that reads well."""
    p, q = predicates.draw_common(s, table), predicates.draw_common(s, table)
    if p.column is q.column:
        raise Unfit("both predicates have the same column")
    return (q, p) if q.row_phrase and not p.row_phrase else (p, q)


def qualify_columns(columns: Sequence[Column], table: Table | None = None) -> tuple[str, ...]:
    """Return the columns in SQL, qualified if the table is given."""
    return tuple(qualify(table, c) if table else c.name for c in columns)


def qualify(table: Table, column: Column | None = None) -> str:
    """Return a column with its table; by default the key."""
    return f"{table.name}.{column.name if column else table.key[0]}"


def join_parent(link: Link) -> Join:
    """Return the join from a child to its parent."""
    return Join(link.parent.name, link.on)


def join_children(link: Link, kind: str = "JOIN") -> Join:
    """Return the join from a parent to its children."""
    return Join(link.child.name, link.on, kind)


def require_known(column: Column) -> tuple[Condition, ...]:
    """Return the condition that a column is not NULL, if it can be."""
    return (Condition(f"{column.name} IS NOT NULL", f"known {column.name}"),) if column.nulls else ()


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

"""Read from a query's text how it orders its rows."""

from __future__ import annotations

import logging
from itertools import chain

import sqlglot
from sqlglot import exp
from sqlglot.errors import SqlglotError

from sql_env.comparison.gold import Order

logging.getLogger("sqlglot").setLevel(logging.ERROR)


def order_of(sql: str, dialect: str) -> Order | None:
    """How a query's outermost ORDER BY binds its rows; None where it has none.

    ORDER BY in a subquery, a window or a string does not order the result, so the text is parsed.
    A sort key that is not among the output columns is added to them in ``Order.probe``. A query
    that cannot be parsed, or to which no column can be added (DISTINCT, UNION), keeps each row in
    its place.
    """
    try:
        trees = sqlglot.parse(sql, dialect=dialect)
    except (SqlglotError, RecursionError, ValueError):  # ValueError: a dialect that it does not know
        return Order()
    tree = trees[0]  # what follows is an empty statement, or a comment after the semicolon
    if tree is None or (order := tree.args.get("order")) is None:
        return None
    return _keys(tree, [term.this for term in order.expressions], dialect)


def _keys(tree: exp.Expr, terms: list[exp.Expr], dialect: str) -> Order:
    columns = tree.selects if isinstance(tree, exp.Query) else []
    terms = [_meant(term, columns) for term in terms]
    places = [_position(term, columns) for term in terms]
    hidden = [term for term, place in zip(terms, places, strict=True) if place is None]
    if not hidden:
        return Order(tuple(place for place in places if place is not None))
    if not isinstance(tree, exp.Select) or tree.args.get("distinct"):
        return Order()
    probe = tree.select(*(exp.alias_(term.copy(), f"_key{i}") for i, term in enumerate(hidden)))
    ends = iter(range(-len(hidden), 0))
    keys = tuple(next(ends) if place is None else place for place in places)
    return Order(keys, probe.sql(dialect=dialect))


def _meant(term: exp.Expr, columns: list[exp.Expr]) -> exp.Expr:
    """What a sort key stands for: a bare name is an alias first, and only then a table's column."""
    while isinstance(term, exp.Paren | exp.Collate):
        term = term.this
    if isinstance(term, exp.Column) and not term.table:
        named = (column for column in columns if column.alias.lower() == term.name.lower())
        return next((column.unalias() for column in named), term)
    return term


def _position(term: exp.Expr, columns: list[exp.Expr]) -> int | None:
    """The output column that a sort key names: by number, by being the same text, or by name."""
    if isinstance(term, exp.Literal) and term.is_int:
        return int(term.this) - 1
    if any(column.is_star for column in columns):
        return None
    same = (place for place, column in enumerate(columns) if column.unalias() == term)
    name = term.name.lower() if isinstance(term, exp.Column) and not term.table else None
    named = (place for place, column in enumerate(columns) if column.output_name.lower() == name)
    return next(chain(same, named), None)

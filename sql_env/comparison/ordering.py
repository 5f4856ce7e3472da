"""Find out from the text of a query how it orders its rows."""

from __future__ import annotations

import logging
from itertools import chain

import sqlglot
from sqlglot import exp
from sqlglot.errors import SqlglotError

from sql_env.comparison.gold import Order

logging.getLogger("sqlglot").setLevel(logging.ERROR)


def parse_order(sql: str, dialect: str) -> Order | None:
    """Return how the outermost ORDER BY of a query orders its rows; None if there is none.

    An ORDER BY in a subquery, a window or a string does not order the result, so the text is parsed. A sort
    key that is not an output column is added as a column in ``Order.probe``. If the query cannot be parsed,
    or no column can be added to it (DISTINCT, UNION), each row has a fixed place.
    """
    try:
        tree = sqlglot.parse(sql, dialect=dialect)[0]  # then only an empty statement or a comment follows
    except (SqlglotError, RecursionError, ValueError):  # ValueError: sqlglot does not know the dialect
        return Order()
    if tree is None or (order := tree.args.get("order")) is None:
        return None
    return _find_keys(tree, [term.this for term in order.expressions], dialect)


def _find_keys(tree: exp.Expr, terms: list[exp.Expr], dialect: str) -> Order:
    columns = tree.selects if isinstance(tree, exp.Query) else []
    terms = [_resolve_alias(term, columns) for term in terms]
    places = [_find_column(term, columns) for term in terms]
    hidden = [term for term, place in zip(terms, places, strict=True) if place is None]
    if not hidden:
        return Order(tuple(place for place in places if place is not None))
    if not isinstance(tree, exp.Select) or tree.args.get("distinct"):
        return Order()
    probe = tree.select(*(exp.alias_(term.copy(), f"_key{i}") for i, term in enumerate(hidden)))
    ends = iter(range(-len(hidden), 0))
    keys = tuple(next(ends) if place is None else place for place in places)
    return Order(keys, probe.sql(dialect=dialect))


def _resolve_alias(term: exp.Expr, columns: list[exp.Expr]) -> exp.Expr:
    """Return the expression of a sort key. SQL reads a bare name as an alias first, then as a column."""
    while isinstance(term, exp.Paren | exp.Collate):
        term = term.this
    if isinstance(term, exp.Column) and not term.table:
        named = (column for column in columns if column.alias.lower() == term.name.lower())
        return next((column.unalias() for column in named), term)
    return term


def _find_column(term: exp.Expr, columns: list[exp.Expr]) -> int | None:
    """Return the output column of a sort key: by its number, by the same expression, or by its name."""
    if isinstance(term, exp.Literal) and term.is_int:
        return int(term.this) - 1
    if any(column.is_star for column in columns):
        return None
    same = (place for place, column in enumerate(columns) if column.unalias() == term)
    name = term.name.lower() if isinstance(term, exp.Column) and not term.table else None
    named = (place for place, column in enumerate(columns) if column.output_name.lower() == name)
    return next(chain(same, named), None)

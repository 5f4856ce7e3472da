"""Find out from the text of a query how it orders its rows."""

from __future__ import annotations

import logging
from itertools import chain

import sqlglot
from sqlglot import exp
from sqlglot.errors import SqlglotError

from sql_env.comparison.gold import Order

logging.getLogger("sqlglot").setLevel(logging.ERROR)

_PARSER_ERRORS = (
    SqlglotError,
    RecursionError,
    ArithmeticError,
    AttributeError,
    LookupError,
    TypeError,
    ValueError,
)
"""The errors of sqlglot: its own, and those of Python on texts and dialects that it does not expect."""

_COLLATIONS = {
    ("sqlite", "nocase"): "ascii_lower",
    ("sqlite", "rtrim"): "rtrim",
    ("duckdb", "nocase"): "lower",
}
"""(dialect, collation) -> the name of its rule in `sql_env.comparison.gold`. Others tie equal values only."""


def parse_order(sql: str, dialect: str) -> Order | None:
    """Return how the outermost ORDER BY of a query orders its rows; None if there is none.

    An ORDER BY in a subquery, a window or a string does not order the result, so the text is parsed. One in
    brackets around the whole query does. A sort key that is not an output column is added as a column in
    ``Order.probe``. If the query cannot be parsed, or no column can be added to it (DISTINCT, UNION, brackets
    with a LIMIT outside), each row has a fixed place. A collation is read from the query, not from the
    declaration of a column.
    """
    try:
        trees = sqlglot.parse(sql, dialect=dialect)
        return _find_order(trees[0], dialect) if trees else Order()  # after it, only empty statements follow
    except _PARSER_ERRORS:
        return Order()


def _find_order(tree: exp.Expr | None, dialect: str) -> Order | None:
    limited = False
    while isinstance(tree, exp.Subquery) and tree.args.get("order") is None:
        limited = limited or any(value for name, value in tree.args.items() if name != "this")
        tree = tree.this
    if tree is None or (order := tree.args.get("order")) is None:
        return None
    found = _find_keys(tree, [term.this for term in order.expressions], dialect)
    return Order() if limited and found.probe else found


def _find_keys(tree: exp.Expr, terms: list[exp.Expr], dialect: str) -> Order:
    columns = tree.selects if isinstance(tree, exp.Query) else []
    resolved = [_resolve_alias(term, columns) for term in terms]
    collations = tuple(_COLLATIONS.get((dialect, collation), "") for _, collation in resolved)
    places = [_find_column(term, columns) for term, _ in resolved]
    hidden = [term for (term, _), place in zip(resolved, places, strict=True) if place is None]
    if not any(collations):
        collations = ()
    if not hidden:
        return Order(tuple(place for place in places if place is not None), collations=collations)
    if not isinstance(tree, exp.Select) or tree.args.get("distinct"):
        return Order()
    probe = tree.select(*(exp.alias_(term.copy(), f"_key{i}") for i, term in enumerate(hidden)))
    ends = iter(range(-len(hidden), 0))
    keys = tuple(next(ends) if place is None else place for place in places)
    return Order(keys, probe.sql(dialect=dialect), collations)


def _resolve_alias(term: exp.Expr, columns: list[exp.Expr]) -> tuple[exp.Expr, str]:
    """Return the expression and the collation of a sort key; an empty text if it names none.

    SQL reads a bare name as an alias first, then as a column.
    """
    term, collation = _remove_collation(term)
    column = None
    if isinstance(term, exp.Column) and not term.table:
        named = (column for column in columns if column.alias.lower() == term.name.lower())
        if (column := next(named, None)) is not None:
            term = column.unalias()
    elif (place := _find_column(term, columns)) is not None and place < len(columns):
        column = columns[place]
    if column is not None and not collation:
        collation = _remove_collation(column.unalias())[1]
    return term, collation


def _remove_collation(term: exp.Expr) -> tuple[exp.Expr, str]:
    collation = ""
    while isinstance(term, exp.Paren | exp.Collate):
        if isinstance(term, exp.Collate) and not collation:  # the outermost one decides
            collation = term.expression.name.lower()
        term = term.this
    return term, collation


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

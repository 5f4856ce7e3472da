"""The features of a query, from its parse. Reports give the accuracy of each group of features."""

import logging
from collections.abc import Mapping
from functools import lru_cache
from types import MappingProxyType

import sqlglot
from sqlglot import exp
from sqlglot.errors import SqlglotError

FEATURE_GROUPS: Mapping[str, tuple[str, ...]] = {
    "joins": ("no join", "1 join", "2 joins", "3 or more joins"),
    "nesting": ("no subquery", "1 subquery", "2 or more subqueries"),
    "set operations": ("no set operation", "UNION", "INTERSECT", "EXCEPT"),
    "aggregation": ("no aggregate", "aggregate only", "GROUP BY", "GROUP BY with HAVING"),
    "order": ("no order", "LIMIT only", "ORDER BY", "ORDER BY with LIMIT"),
}
"""The levels of each group. A query that can be parsed has exactly one level of each group."""

MAX_PARSED_CHARACTERS = 20_000
"""A longer text counts as one that cannot be parsed."""

logging.getLogger("sqlglot").setLevel(logging.ERROR)


@lru_cache(maxsize=16_384)
def parse_query(sql: str, dialect: str = "sqlite") -> exp.Expr | None:
    """Return the parse of one query, or None. Callers share the parse and must not change it."""
    if len(sql) > MAX_PARSED_CHARACTERS:
        return None
    try:
        tree = sqlglot.parse(sql, dialect=dialect)[0]
        return tree if isinstance(tree, exp.Query) else None
    # ValueError: an unknown dialect; IndexError: no statement, as in "ELSE"
    except (SqlglotError, RecursionError, ValueError, IndexError):
        return None


@lru_cache(maxsize=16_384)
def extract_features(sql: str, dialect: str = "sqlite") -> Mapping[str, str]:
    """Return the level of a query in each of `FEATURE_GROUPS`, counted over the whole query.

    Nested queries are counted too. A comma in FROM counts as a join. A query in FROM, in WITH or in an
    expression is a subquery; the two arms of a set operation are not. A function over a window is no
    aggregate. The outermost of several set operations gives the level.

    Returns:
        A level for each group, read-only; empty if the SQL cannot be parsed as one query.

    Example:
        >>> extract_features("SELECT name FROM a JOIN b USING (id) ORDER BY 1 LIMIT 3")["order"]
        'ORDER BY with LIMIT'
    """
    tree = parse_query(sql, dialect)
    if tree is None:
        return MappingProxyType({})
    operation = next(iter(tree.find_all(exp.SetOperation)), None)
    operations = sum(1 for _ in tree.find_all(exp.SetOperation))
    nested = sum(1 for _ in tree.find_all(exp.Select)) - 1 - operations
    joins = sum(1 for _ in tree.find_all(exp.Join))
    levels = {
        "joins": FEATURE_GROUPS["joins"][min(joins, 3)],
        "nesting": FEATURE_GROUPS["nesting"][min(max(nested, 0), 2)],
        "set operations": operation.key.upper() if operation is not None else "no set operation",
        "aggregation": _aggregation_level(tree),
        "order": _order_level(tree),
    }
    return MappingProxyType(levels)


def _aggregation_level(tree: exp.Expr) -> str:
    if tree.find(exp.Group) is None:
        calls = tree.find_all(exp.AggFunc)
        plain = any(not isinstance(call.parent, exp.Window) for call in calls)
        return "aggregate only" if plain else "no aggregate"
    return "GROUP BY with HAVING" if tree.find(exp.Having) is not None else "GROUP BY"


def _order_level(tree: exp.Expr) -> str:
    """Return the level of ORDER BY and LIMIT anywhere in the query, except for the order of windows."""
    queries = list(tree.find_all(exp.Query))
    ordered = any(query.args.get("order") is not None for query in queries)
    limited = any(query.args.get("limit") is not None for query in queries)
    return FEATURE_GROUPS["order"][2 * ordered + limited]

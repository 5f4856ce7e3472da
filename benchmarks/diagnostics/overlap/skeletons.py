"""Normalise queries and reduce them to skeletons, to find equal ones."""

import re

import sqlglot
from sqlglot import exp
from sqlglot.errors import SqlglotError

_PIECES = re.compile(r"('(?:[^']|'')*+'|\"(?:[^\"]|\"\")*+\"|`[^`]*+`|\[[^\]]*+\])|\s+")


def normalise_sql(sql: str) -> str:
    """Remove case and extra blanks outside of quotes from a query, and the semicolon at its end.

    Example:
        >>> normalise_sql("SELECT  a FROM t WHERE b = 'X  y' ;")
        "select a from t where b = 'X  y'"
    """
    pieces, at = [], 0
    for found in _PIECES.finditer(sql):
        pieces += [sql[at : found.start()].lower(), found[1] or " "]
        at = found.end()
    return "".join([*pieces, sql[at:].lower()]).strip("; ")


def make_skeleton(sql: str, dialect: str = "sqlite") -> str:
    """Reduce a query to its skeleton: names become ``_``, literals ``?``, and aliases are dropped.

    Example:
        >>> make_skeleton("SELECT T1.name FROM singer AS T1 WHERE T1.age > 20 LIMIT 1")
        'SELECT _ FROM _ WHERE _ > ? LIMIT ?'

    Returns:
        The skeleton; the query as `normalise_sql` gives it if it cannot be parsed.
    """
    try:
        tree = sqlglot.parse_one(sql, dialect=dialect)
        return tree.transform(_reduce_node).sql(dialect=dialect)
    except (SqlglotError, RecursionError, ValueError, IndexError):
        return normalise_sql(sql)


def _reduce_node(node: exp.Expr) -> exp.Expr:
    if isinstance(node, exp.Literal | exp.Boolean):
        return exp.Placeholder()
    if isinstance(node, exp.Column):
        return node if isinstance(node.this, exp.Star) else exp.column(exp.to_identifier("_"))
    if isinstance(node, exp.Alias):
        return _reduce_node(node.this)
    if isinstance(node, exp.Table | exp.TableAlias | exp.Subquery):
        node.set("db", None)
        node.set("alias", None)
        node.set("columns", None)
    if isinstance(node, exp.Identifier):
        return exp.to_identifier("_")
    return node

"""Which queries are the same, and which have the same skeleton."""

from __future__ import annotations

import re

import sqlglot
from sqlglot import exp
from sqlglot.errors import SqlglotError

_PIECES = re.compile(r"('(?:[^']|'')*+'|\"(?:[^\"]|\"\")*+\"|`[^`]*+`|\[[^\]]*+\])|\s+")


def exact(sql: str) -> str:
    """A query without case and extra blanks outside of quotes, and without a semicolon at its end.

    Example:
        >>> exact("SELECT  a FROM t WHERE b = 'X  y' ;")
        "select a from t where b = 'X  y'"
    """
    pieces, at = [], 0
    for found in _PIECES.finditer(sql):
        pieces += [sql[at : found.start()].lower(), found[1] or " "]
        at = found.end()
    return "".join([*pieces, sql[at:].lower()]).strip("; ")


def skeleton(sql: str, dialect: str = "sqlite") -> str:
    """A query's shape: every name is ``_``, every literal ``?``, and aliases are dropped.

    Example:
        >>> skeleton("SELECT T1.name FROM singer AS T1 WHERE T1.age > 20 LIMIT 1")
        'SELECT _ FROM _ WHERE _ > ? LIMIT ?'

    Returns:
        The shape; the query's `exact` text where it cannot be parsed.
    """
    try:
        tree = sqlglot.parse_one(sql, dialect=dialect)
        return tree.transform(_bare).sql(dialect=dialect)
    except (SqlglotError, RecursionError, ValueError):
        return exact(sql)


def _bare(node: exp.Expr) -> exp.Expr:
    if isinstance(node, exp.Literal | exp.Boolean):
        return exp.Placeholder()
    if isinstance(node, exp.Column):
        return node if isinstance(node.this, exp.Star) else exp.column(exp.to_identifier("_"))
    if isinstance(node, exp.Alias):
        return _bare(node.this)
    if isinstance(node, exp.Table | exp.TableAlias | exp.Subquery):
        node.set("db", None)
        node.set("alias", None)
        node.set("columns", None)
    if isinstance(node, exp.Identifier):
        return exp.to_identifier("_")
    return node

"""The parts of a query that can be right or wrong by themselves, each as a value that compares."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from typing import TypeAlias

from sqlglot import exp

_COMPARED = (exp.EQ, exp.NEQ, exp.GT, exp.GTE, exp.LT, exp.LTE, exp.Like, exp.ILike, exp.Between, exp.In)

Part: TypeAlias = Callable[[exp.Expr], object]


def normalise(tree: exp.Expr) -> exp.Expr:
    """A copy that does not depend on aliases, case, quotes and layout: columns have only names."""
    return _normal(tree, {})


def normalise_with_tables(tree: exp.Expr) -> exp.Expr:
    """As `normal`, but a column keeps its table, where the query says or leaves no doubt which it is."""
    tables = {t.alias_or_name.lower(): t.name.lower() for t in tree.find_all(exp.Table)}
    if len(tables) == 1:
        tables[""] = next(iter(tables.values()))
    return _normal(tree, tables)


def _normal(tree: exp.Expr, tables: dict[str, str]) -> exp.Expr:
    copy = tree.copy()
    for column in list(copy.find_all(exp.Column)):
        if _is_text(column):
            column.replace(exp.Literal.string(column.name))
            continue
        table = tables.get(column.table.lower())
        column.set("table", exp.to_identifier(table) if table else None)
    for name in copy.find_all(exp.Identifier):
        name.set("this", name.name.lower())
        name.set("quoted", False)
    for text in list(copy.find_all(exp.Literal)):
        if text.is_string and text.name.isascii() and text.name.isdigit():
            text.replace(exp.Literal.number(text.name))
    return copy


def _is_text(column: exp.Column) -> bool:
    """Whether SQLite would take a name in double quotes for text: no column stands there in practice."""
    quoted = isinstance(column.this, exp.Identifier) and column.this.quoted and not column.table
    return quoted and isinstance(column.parent, _COMPARED) and column.arg_key != "this"


def list_columns(tree: exp.Expr) -> list[str]:
    """The outermost SELECT list, in its order; of a set operation those of all its arms."""
    return [column.unalias().sql() for arm in _arms(tree) for column in arm.selects]


def _arms(tree: exp.Expr) -> Iterator[exp.Query]:
    if isinstance(tree, exp.SetOperation):
        yield from _arms(tree.this)
        yield from _arms(tree.expression)
    elif isinstance(tree, exp.Subquery):
        yield from _arms(tree.this)
    elif isinstance(tree, exp.Query):
        yield tree


def _tables(tree: exp.Expr) -> object:
    own = {name.alias.lower() for name in tree.find_all(exp.CTE)}
    return {table.name.lower() for table in tree.find_all(exp.Table)} - own


def _columns(tree: exp.Expr) -> object:
    """Each expression of the first SELECT list by the columns in it: functions are for `_aggregates`."""
    selects = next((arm.selects for arm in _arms(tree)), [])
    return Counter(tuple(sorted(c.sql() for c in column.find_all(exp.Column))) for column in selects)


def _aggregates(tree: exp.Expr) -> object:
    functions = Counter(
        (call.key, isinstance(call.this, exp.Distinct)) for call in tree.find_all(exp.AggFunc)
    )
    return functions, Counter(by.sql() for group in tree.find_all(exp.Group) for by in group.expressions)


def _conditions(tree: exp.Expr) -> object:
    """What stands between AND and OR in each WHERE and HAVING, how often OR, and the set operations."""
    clauses = tree.find_all(exp.Where, exp.Having)
    parts = Counter(part.sql() for clause in clauses for part in _split(clause.this) if not _joins(part))
    operations = Counter(operation.key for operation in tree.find_all(exp.SetOperation))
    return parts, sum(1 for _ in tree.find_all(exp.Or)), operations


def _split(condition: exp.Expr) -> Iterator[exp.Expr]:
    condition = condition.unnest()
    if isinstance(condition, exp.And | exp.Or):
        yield from _split(condition.this)
        yield from _split(condition.expression)
    else:
        yield condition


def _joins(part: exp.Expr) -> bool:
    """Whether a condition sets two columns equal, wherever it stands."""
    return (
        isinstance(part, exp.EQ)
        and isinstance(part.this, exp.Column)
        and isinstance(part.expression, exp.Column)
    )


def _joined(tree: exp.Expr) -> object:
    """How often each table is read, the outer joins, and the pairs of columns that are set equal."""
    tables = Counter(table.name.lower() for table in tree.find_all(exp.Table))
    outer = Counter(join.side for join in tree.find_all(exp.Join) if join.side)
    equal = {frozenset((e.this.sql(), e.expression.sql())) for e in tree.find_all(exp.EQ) if _joins(e)}
    using = {frozenset((u.name,)) for j in tree.find_all(exp.Join) for u in j.args.get("using") or ()}
    return tables, outer, equal | using


def _order(tree: exp.Expr) -> object:
    terms = [
        (term.this.sql(), bool(term.args.get("desc")))
        for order in tree.find_all(exp.Order)
        for term in order.expressions
    ]
    return terms, [limit.expression.sql() for limit in tree.find_all(exp.Limit)]


def _distinct(tree: exp.Expr) -> object:
    return sum(1 for query in tree.find_all(exp.Select) if query.args.get("distinct"))


PARTS: dict[str, Part] = {
    "table": _tables,
    "column": _columns,
    "aggregation": _aggregates,
    "condition": _conditions,
    "join": _joined,
    "order": _order,
    "duplicates": _distinct,
}
"""What two queries are compared by: for each class of errors, that part of a query.

Each takes what `normal` or `normalise_with_tables` made.
"""

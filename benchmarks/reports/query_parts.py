"""The parts of a query that can be right or wrong by themselves, as values that can be compared."""

from collections import Counter
from collections.abc import Callable, Iterator
from typing import TypeAlias

from sqlglot import exp

_COMPARED = (exp.EQ, exp.NEQ, exp.GT, exp.GTE, exp.LT, exp.LTE, exp.Like, exp.ILike, exp.Between, exp.In)

Part: TypeAlias = Callable[[exp.Expr], object]


def normalise(tree: exp.Expr) -> exp.Expr:
    """Copy a query without aliases, case, quotes and layout; columns keep only their names."""
    return _normalise(tree, {})


def normalise_with_tables(tree: exp.Expr) -> exp.Expr:
    """Normalise a query as `normalise` does, but keep the table of a column if it is known."""
    tables = {t.alias_or_name.lower(): t.name.lower() for t in tree.find_all(exp.Table)}
    if len(tables) == 1:
        tables[""] = next(iter(tables.values()))
    return _normalise(tree, tables)


def _normalise(tree: exp.Expr, tables: dict[str, str]) -> exp.Expr:
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
    """Return whether SQLite would read a name in double quotes as text.

    In practice no column has this place in a comparison.
    """
    quoted = isinstance(column.this, exp.Identifier) and column.this.quoted and not column.table
    return quoted and isinstance(column.parent, _COMPARED) and column.arg_key != "this"


def list_columns(tree: exp.Expr) -> list[str]:
    """Return the outermost SELECT list in its order; for a set operation, the lists of all arms."""
    return [column.unalias().sql() for arm in _iterate_arms(tree) for column in arm.selects]


def _iterate_arms(tree: exp.Expr) -> Iterator[exp.Query]:
    if isinstance(tree, exp.SetOperation):
        yield from _iterate_arms(tree.this)
        yield from _iterate_arms(tree.expression)
    elif isinstance(tree, exp.Subquery):
        yield from _iterate_arms(tree.this)
    elif isinstance(tree, exp.Query):
        yield tree


def _collect_tables(tree: exp.Expr) -> object:
    own = {name.alias.lower() for name in tree.find_all(exp.CTE)}
    return {table.name.lower() for table in tree.find_all(exp.Table)} - own


def _count_columns(tree: exp.Expr) -> object:
    """Count the expressions of the first SELECT list by their columns, without functions."""
    selects = next((arm.selects for arm in _iterate_arms(tree)), [])
    return Counter(tuple(sorted(c.sql() for c in column.find_all(exp.Column))) for column in selects)


def _count_aggregates(tree: exp.Expr) -> object:
    functions = Counter(
        (call.key, isinstance(call.this, exp.Distinct)) for call in tree.find_all(exp.AggFunc)
    )
    return functions, Counter(by.sql() for group in tree.find_all(exp.Group) for by in group.expressions)


def _count_conditions(tree: exp.Expr) -> object:
    """Count the conditions of each WHERE and HAVING, the ORs, and the set operations."""
    clauses = tree.find_all(exp.Where, exp.Having)
    parts = Counter(
        part.sql() for clause in clauses for part in _split_condition(clause.this) if not _is_join(part)
    )
    operations = Counter(operation.key for operation in tree.find_all(exp.SetOperation))
    return parts, sum(1 for _ in tree.find_all(exp.Or)), operations


def _split_condition(condition: exp.Expr) -> Iterator[exp.Expr]:
    condition = condition.unnest()
    if isinstance(condition, exp.And | exp.Or):
        yield from _split_condition(condition.this)
        yield from _split_condition(condition.expression)
    else:
        yield condition


def _is_join(part: exp.Expr) -> bool:
    """Return whether a condition sets two columns equal, in any clause."""
    return (
        isinstance(part, exp.EQ)
        and isinstance(part.this, exp.Column)
        and isinstance(part.expression, exp.Column)
    )


def _collect_joins(tree: exp.Expr) -> object:
    """Count the uses of each table and the outer joins; collect the pairs of columns that are set equal."""
    tables = Counter(table.name.lower() for table in tree.find_all(exp.Table))
    outer = Counter(join.side for join in tree.find_all(exp.Join) if join.side)
    equal = {frozenset((e.this.sql(), e.expression.sql())) for e in tree.find_all(exp.EQ) if _is_join(e)}
    using = {frozenset((u.name,)) for j in tree.find_all(exp.Join) for u in j.args.get("using") or ()}
    return tables, outer, equal | using


def _list_order(tree: exp.Expr) -> object:
    terms = [
        (term.this.sql(), bool(term.args.get("desc")))
        for order in tree.find_all(exp.Order)
        for term in order.expressions
    ]
    return terms, [limit.expression.sql() for limit in tree.find_all(exp.Limit)]


def _count_distinct(tree: exp.Expr) -> object:
    return sum(1 for query in tree.find_all(exp.Select) if query.args.get("distinct"))


PARTS: dict[str, Part] = {
    "table": _collect_tables,
    "column": _count_columns,
    "aggregation": _count_aggregates,
    "condition": _count_conditions,
    "join": _collect_joins,
    "order": _list_order,
    "duplicates": _count_distinct,
}
"""The part of a query that belongs to each class of errors.

Each function takes the result of `normalise` or `normalise_with_tables`.
"""

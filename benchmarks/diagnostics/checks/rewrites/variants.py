"""The same query, written so that what SQL leaves open is decided in another way."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, field

import sqlglot
from sqlglot import exp
from sqlglot.errors import SqlglotError

from benchmarks.diagnostics.checks.rewrites.clock import at_other_times, with_other_dice

TIE_AT_LIMIT = "tie-at-limit"
LIMIT_WITHOUT_ORDER = "limit-without-order"
TIE_IN_ORDER = "tie-in-order"
INTEGER_DIVISION = "integer-division"
NULL_ORDER = "null-order"
CLOCK = "clock"
RANDOM = "random"
STORED = "stored"
"""What is changed. ``stored`` changes no text: it runs the query on a copy of the database."""

TIES = (TIE_AT_LIMIT, LIMIT_WITHOUT_ORDER, TIE_IN_ORDER)


@dataclass(frozen=True, slots=True)
class Variants:
    """Texts to run in place of a gold query.

    Attributes:
        settled: The query with all its ties broken; the query itself where nothing has to be.
        retold: By what they change, texts that are compared with the query itself.
        edited: The same of those that the parser has written.
        nulls: ``settled`` with NULLs sorted to the other end; empty where nothing is sorted.
        plain: The query as the parser writes it. It must return what the query does: else ``settled``,
            ``edited`` and ``nulls`` are void. Empty where they do not need it.
        undecided: Why there are not all of them; empty where there are.
    """

    settled: str
    retold: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    edited: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    nulls: str = ""
    plain: str = ""
    undecided: str = ""


def variants(sql: str, dialect: str, width: int, ordered: bool) -> Variants:
    """All variants of a query.

    Args:
        sql: The query.
        dialect: Its engine.
        width: How many columns it returns.
        ordered: Whether the order of its rows counts when it is compared.
    """
    try:
        retold = _retold(sql) if dialect == "sqlite" else {}
        tree = sqlglot.parse(sql, dialect=dialect)[0]
        if not isinstance(tree, exp.Query):
            return Variants(sql, retold, undecided="the parser sees no query in it")
        return _edited(sql, tree, dialect, width, ordered, retold)
    except (SqlglotError, RecursionError, ValueError) as error:
        return Variants(sql, undecided=f"the parser does not know it: {str(error).splitlines()[0]}")


def _retold(sql: str) -> dict[str, tuple[str, ...]]:
    found = {CLOCK: at_other_times(sql), RANDOM: with_other_dice(sql)}
    return {name: texts for name, texts in found.items() if texts}


def _edited(
    sql: str, tree: exp.Query, dialect: str, width: int, ordered: bool, retold: Mapping[str, tuple[str, ...]]
) -> Variants:
    open_here = {name for _, name in open_orders(tree, ordered)}
    trees: dict[str, list[exp.Expr]] = {
        name: [broken(tree, width, ordered, [name], descending) for descending in (False, True)]
        for name in TIES
        if name in open_here
    }
    if tree.find(exp.Div):
        trees[INTEGER_DIVISION] = [tree.transform(_real)]
    sorts = any(node.args.get("order") for node in tree.find_all(exp.Query))
    if not trees and not sorts:
        return Variants(sql, retold)
    settled = broken(tree, width, ordered, TIES, False)
    moved = broken(nulls_moved(tree), width, ordered, TIES, False)
    return Variants(
        settled.sql(dialect=dialect),
        retold,
        {name: tuple(each.sql(dialect=dialect) for each in found) for name, found in trees.items()},
        moved.sql(dialect=dialect) if sorts else "",
        tree.sql(dialect=dialect),
    )


def open_orders(tree: exp.Query, ordered: bool) -> Iterator[tuple[exp.Query, str]]:
    """The parts of a query whose rows may tie where it matters, and how it matters."""
    for node in tree.find_all(exp.Query):
        if node.args.get("limit"):
            yield node, TIE_AT_LIMIT if node.args.get("order") else LIMIT_WITHOUT_ORDER
        elif node is tree and ordered:
            yield node, TIE_IN_ORDER


def broken(tree: exp.Query, width: int, ordered: bool, names: Collection[str], descending: bool) -> exp.Query:
    """A copy of the query with ties broken by the columns that it returns, first to last.

    A part that returns ``*`` inside the query is left alone: its columns are not known.
    """
    tree = tree.copy()
    for node, name in list(open_orders(tree, ordered)):
        columns = width if node is tree else 0 if node.is_star else len(node.selects)
        if name in names and columns:
            order = node.args.get("order") or exp.Order(expressions=[])
            more = [_by_place(place, descending) for place in range(1, columns + 1)]
            order.set("expressions", [*order.expressions, *more])
            node.set("order", order)
    return tree


def nulls_moved(tree: exp.Query) -> exp.Query:
    """A copy of the query with NULLs at the other end of each ORDER BY (but those of windows)."""
    tree = tree.copy()
    for node in tree.find_all(exp.Query):
        order = node.args.get("order")
        for term in order.expressions if order else ():
            term.set("nulls_first", not term.args.get("nulls_first"))
    return tree


def _by_place(place: int, descending: bool) -> exp.Ordered:
    return exp.Ordered(this=exp.Literal.number(place), desc=descending, nulls_first=not descending)


def _real(node: exp.Expr) -> exp.Expr:
    if not isinstance(node, exp.Div):
        return node
    return exp.Div(
        this=exp.Mul(this=exp.Literal.number("1.0"), expression=exp.paren(node.this)),
        expression=node.expression,
        typed=node.args.get("typed"),
        safe=node.args.get("safe"),
    )

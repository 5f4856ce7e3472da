"""Rewrite a query so that what SQL leaves open is decided in another way."""

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, field

import sqlglot
from sqlglot import exp
from sqlglot.errors import SqlglotError

from benchmarks.diagnostics.checks.rewrites.clock_and_random import change_clock, change_random_numbers

TIE_AT_LIMIT = "tie-at-limit"
LIMIT_WITHOUT_ORDER = "limit-without-order"
TIE_IN_ORDER = "tie-in-order"
INTEGER_DIVISION = "integer-division"
NULL_ORDER = "null-order"
CLOCK = "clock"
RANDOM = "random"
STORED = "stored"
"""The names of the changes. ``stored`` changes no text: the query runs on a copy of the database."""

TIES = (TIE_AT_LIMIT, LIMIT_WITHOUT_ORDER, TIE_IN_ORDER)


@dataclass(frozen=True, slots=True)
class VariantTexts:
    """The texts of a gold query's variants.

    Attributes:
        without_ties: The query with all its ties broken; the query itself if it needs no change.
        token_edits: By what they change, texts that were edited token by token. Their results are compared
            with the query's.
        tree_edits: The same for texts that the parser has written.
        nulls: ``without_ties`` with NULLs sorted to the other end; empty if nothing is sorted.
        reprinted: The query as the parser writes it. If its result differs from the query's,
            ``without_ties``, ``tree_edits`` and ``nulls`` are invalid. Empty if there are none of these.
        undecided: Why some variants are missing; empty if all were made.
    """

    without_ties: str
    token_edits: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    tree_edits: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    nulls: str = ""
    reprinted: str = ""
    undecided: str = ""


def make_variants(sql: str, dialect: str, width: int, ordered: bool) -> VariantTexts:
    """Make all variants of a query.

    Args:
        sql: The query.
        dialect: Its engine.
        width: The number of columns that it returns.
        ordered: Whether the comparison checks the order of rows.
    """
    try:
        token_edits = (
            {CLOCK: change_clock(sql), RANDOM: change_random_numbers(sql)} if dialect == "sqlite" else {}
        )
        token_edits = {name: texts for name, texts in token_edits.items() if texts}
        tree = sqlglot.parse(sql, dialect=dialect)[0]
        if not isinstance(tree, exp.Query):
            return VariantTexts(sql, token_edits, undecided="the parser finds no query in it")
        return _edit_tree(sql, tree, dialect, width, ordered, token_edits)
    except (SqlglotError, RecursionError, ValueError, IndexError) as error:
        return VariantTexts(sql, undecided=f"the parser cannot read it: {str(error).splitlines()[0]}")


def _edit_tree(
    sql: str,
    tree: exp.Query,
    dialect: str,
    width: int,
    ordered: bool,
    token_edits: Mapping[str, tuple[str, ...]],
) -> VariantTexts:
    open_orders = {name for _, name in find_open_orders(tree, ordered)}
    trees: dict[str, list[exp.Expr]] = {
        name: [break_ties(tree, width, ordered, [name], descending) for descending in (False, True)]
        for name in TIES
        if name in open_orders
    }
    if tree.find(exp.Div):
        trees[INTEGER_DIVISION] = [tree.transform(_make_real_division)]
    sorts = any(node.args.get("order") for node in tree.find_all(exp.Query))
    if not trees and not sorts:
        return VariantTexts(sql, token_edits)
    moved = break_ties(move_nulls(tree), width, ordered, TIES, False)
    return VariantTexts(
        break_ties(tree, width, ordered, TIES, False).sql(dialect=dialect),
        token_edits,
        {name: tuple(each.sql(dialect=dialect) for each in found) for name, found in trees.items()},
        moved.sql(dialect=dialect) if sorts else "",
        tree.sql(dialect=dialect),
    )


def find_open_orders(tree: exp.Query, ordered: bool) -> Iterator[tuple[exp.Query, str]]:
    """Yield the parts of a query in which ties matter, and why they matter."""
    for node in tree.find_all(exp.Query):
        if node.args.get("limit"):
            yield node, TIE_AT_LIMIT if node.args.get("order") else LIMIT_WITHOUT_ORDER
        elif node is tree and ordered:
            yield node, TIE_IN_ORDER


def break_ties(
    tree: exp.Query, width: int, ordered: bool, names: Collection[str], descending: bool
) -> exp.Query:
    """Copy the query and break ties by the columns that it returns, first to last.

    A part inside the query that returns ``*`` is not changed, because its columns are not known.
    """
    tree = tree.copy()
    for node, name in list(find_open_orders(tree, ordered)):
        columns = width if node is tree else 0 if node.is_star else len(node.selects)
        if name in names and columns:
            order = node.args.get("order") or exp.Order(expressions=[])
            more = [
                exp.Ordered(this=exp.Literal.number(place), desc=descending, nulls_first=not descending)
                for place in range(1, columns + 1)
            ]
            order.set("expressions", [*order.expressions, *more])
            node.set("order", order)
    return tree


def move_nulls(tree: exp.Query) -> exp.Query:
    """Copy the query and put NULLs at the other end of each ORDER BY, except those of windows."""
    tree = tree.copy()
    for node in tree.find_all(exp.Query):
        order = node.args.get("order")
        for term in order.expressions if order else ():
            term.set("nulls_first", not term.args.get("nulls_first"))
    return tree


def _make_real_division(node: exp.Expr) -> exp.Expr:
    if not isinstance(node, exp.Div):
        return node
    return exp.Div(
        this=exp.Mul(this=exp.Literal.number("1.0"), expression=exp.paren(node.this)),
        expression=node.expression,
        typed=node.args.get("typed"),
        safe=node.args.get("safe"),
    )

"""Gold results that hang on the order in which rows are stored.

What is run on copies of the database, see `benchmarks.diagnostics.checks.rewrites.copies`, has its ties
broken already; so
what changes there has another cause. That it changes is measured; its cause is read from the query.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

import sqlglot
from sqlglot import exp

from benchmarks.diagnostics.checks.gold_case import Trial, Variant, difference
from benchmarks.diagnostics.checks.rewrites.variants import RANDOM, STORED
from benchmarks.records.finding import Finding
from sql_env.comparison.strict import is_same_multiset

BARE_COLUMN, CONCAT_ORDER, ROUNDING, ROW_ORDER = "bare-column", "concat-order", "rounding", "row-order"


def bare_column(trial: Trial) -> Finding | None:
    """A column that is neither grouped by nor aggregated: SQLite takes it from any row of the group.

    That is SQLite's rule ("Bare columns in an aggregate query", sqlite.org/lang_select.html); other
    engines refuse such a query.
    """
    return _because(
        trial, BARE_COLUMN, "Group by the column too, or say by an aggregate which value is meant."
    )


def concat_order(trial: Trial) -> Finding | None:
    """Values are put together (group_concat, a JSON array) in the order in which they are found."""
    return _because(trial, CONCAT_ORDER, "Give the order inside: group_concat(x ORDER BY x).")


def rounding(trial: Trial) -> Finding | None:
    """A sum of floats differs in its last digits, and the comparison wants them all."""
    return _because(trial, ROUNDING, "Round the result, or compare with 'strict', which has a tolerance.")


def row_order(trial: Trial) -> Finding | None:
    """The result changes with the order of rows, through a window or a subquery of several rows, say."""
    return _because(
        trial,
        ROW_ORDER,
        "Look for a window without a full ORDER BY, or a subquery that returns several rows.",
    )


def _because(trial: Trial, code: str, advice: str) -> Finding | None:
    variant = trial.changed(STORED)
    if variant is None or trial.changed(RANDOM):  # random numbers meet other rows
        return None
    found, detail = _cause(trial, variant)
    if found != code:
        return None
    return trial.finding(
        code, f"{detail}with the rows stored in another order, {difference(variant)}", advice
    )


def _cause(trial: Trial, variant: Variant) -> tuple[str, str]:
    after, before = variant.result.rows, variant.before.rows
    if len(after) == len(before) and Counter(after) != Counter(before) and is_same_multiset(after, before):
        return ROUNDING, ""
    tree = sqlglot.parse_one(trial.sql, dialect=trial.task.dialect)
    if bare := ", ".join(dict.fromkeys(bare_columns(tree))):
        return BARE_COLUMN, f"{bare}: from any row of its group; "
    if any(isinstance(node, exp.GroupConcat | exp.ArrayAgg | exp.JSONArrayAgg) for node in tree.walk()):
        return CONCAT_ORDER, ""
    if any(node.name.lower().startswith("json_group") for node in tree.find_all(exp.Anonymous)):
        return CONCAT_ORDER, ""
    return ROW_ORDER, ""


def bare_columns(tree: exp.Expr) -> Iterator[str]:
    """The columns of aggregate queries that are neither grouped by nor inside an aggregate.

    Example:
        >>> list(bare_columns(sqlglot.parse_one("SELECT a, b, max(c) FROM t GROUP BY a")))
        ['b']
    """
    for select in tree.find_all(exp.Select):
        group = select.args.get("group")
        if group is None and not any(_aggregates(term, select) for term in select.selects):
            continue
        keys = list(group.expressions) if group else []
        texts = {key.sql().lower() for key in keys}
        for place, term in enumerate(select.selects, 1):
            if not texts & {str(place), term.alias.lower(), term.unalias().sql().lower()}:
                bare = (
                    column for column in _outside(term, select) if not any(_same(column, k) for k in keys)
                )
                yield from (column.sql() for column in bare)


def _same(column: exp.Expr, key: exp.Expr) -> bool:
    """Whether a key is this column, as far as both say of which table it is."""
    names = column.name.lower() == key.name.lower() and isinstance(key, exp.Column)
    tables = {each.text("table").lower() for each in (column, key)} - {""}
    return names and len(tables) < 2


def _aggregates(term: exp.Expr, select: exp.Select) -> bool:
    found = term.find_all(exp.AggFunc)
    return any(node.find_ancestor(exp.Window, exp.Query) is select for node in found)


def _outside(term: exp.Expr, select: exp.Select) -> Iterator[exp.Expr]:
    """The columns of a term that are in no aggregate, and belong to this query and not to one inside."""
    columns = term.find_all(exp.Column, exp.Star)
    return (column for column in columns if column.find_ancestor(exp.AggFunc, exp.Query) is select)

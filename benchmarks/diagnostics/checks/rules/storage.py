"""Find gold results that depend on the order in which rows are stored.

The variants run on copies of the database (see `benchmarks.diagnostics.checks.rewrites.copies`) with all
ties already broken, so a change there has another cause. The change is measured; its cause is read from
the query.
"""

from collections import Counter
from collections.abc import Iterator

import sqlglot
from sqlglot import exp

from benchmarks.diagnostics.checks.gold_case import Check, GoldCase, Variant, describe_difference
from benchmarks.diagnostics.checks.rewrites.variants import RANDOM, STORED
from benchmarks.records.finding import Finding
from sql_env.comparison.strict import is_same_multiset

BARE_COLUMN, CONCAT_ORDER, ROUNDING, ROW_ORDER = "bare-column", "concat-order", "rounding", "row-order"


def make_storage_check(code: str, advice: str) -> Check:
    """Make a check for results that change with the stored order, for the cause with this code."""

    def check_storage(case: GoldCase) -> Finding | None:
        """Report the first copy of the database with another result, if the cause has this code."""
        variant = next(case.find_changed(STORED), None)
        if variant is None or any(case.find_changed(RANDOM)):  # each row order gets other random numbers
            return None
        found, detail = _find_cause(case, variant)
        if found != code:
            return None
        evidence = f"{detail}with the rows stored in another order, {describe_difference(variant)}"
        return case.make_finding(code, evidence, advice)

    return check_storage


bare_column = make_storage_check(
    BARE_COLUMN, "Group by the column too, or choose its value with an aggregate."
)
"""A column is neither grouped by nor aggregated, so SQLite takes it from any row of the group.

This is SQLite's rule ("Bare columns in an aggregate query", sqlite.org/lang_select.html); other engines
refuse such a query.
"""

concat_order = make_storage_check(CONCAT_ORDER, "Give the order inside: group_concat(x ORDER BY x).")
"""Values are concatenated (group_concat, a JSON array) in the order in which they are read."""

rounding = make_storage_check(ROUNDING, "Round the result, or compare with 'strict', which has a tolerance.")
"""A sum of floats differs in its last digits, and the comparison needs all of them."""

row_order = make_storage_check(
    ROW_ORDER, "Look for a window without a full ORDER BY, or a subquery that returns several rows."
)
"""The result changes with the order of rows, for example through a window or a subquery of several rows."""


def _find_cause(case: GoldCase, variant: Variant) -> tuple[str, str]:
    after, before = variant.result.rows, variant.before.rows
    if len(after) == len(before) and Counter(after) != Counter(before) and is_same_multiset(after, before):
        return ROUNDING, ""
    tree = sqlglot.parse_one(case.sql, dialect=case.task.dialect)
    if bare := ", ".join(dict.fromkeys(find_bare_columns(tree))):
        return BARE_COLUMN, f"{bare}: from any row of its group; "
    concatenates = any(
        isinstance(node, exp.GroupConcat | exp.ArrayAgg | exp.JSONArrayAgg)
        or (isinstance(node, exp.Anonymous) and node.name.lower().startswith("json_group"))
        for node in tree.walk()
    )
    return (CONCAT_ORDER if concatenates else ROW_ORDER), ""


def find_bare_columns(tree: exp.Expr) -> Iterator[str]:
    """Yield the columns of aggregate queries that are neither grouped by nor inside an aggregate.

    Example:
        >>> list(find_bare_columns(sqlglot.parse_one("SELECT a, b, max(c) FROM t GROUP BY a")))
        ['b']
    """
    for select in tree.find_all(exp.Select):
        group = select.args.get("group")
        if group is None and not any(_has_aggregate(term, select) for term in select.selects):
            continue
        keys = list(group.expressions) if group else []
        texts = {key.sql().lower() for key in keys}
        for place, term in enumerate(select.selects, 1):
            if not texts & {str(place), term.alias.lower(), term.unalias().sql().lower()}:
                for column in term.find_all(exp.Column, exp.Star):
                    # a column inside an aggregate or an inner query has another ancestor
                    bare = column.find_ancestor(exp.AggFunc, exp.Query) is select
                    if bare and not any(_is_same_column(column, key) for key in keys):
                        yield column.sql()


def _is_same_column(column: exp.Expr, key: exp.Expr) -> bool:
    """Return whether a key is this column. If both name a table, the tables must be equal."""
    names = column.name.lower() == key.name.lower() and isinstance(key, exp.Column)
    tables = {each.text("table").lower() for each in (column, key)} - {""}
    return names and len(tables) < 2


def _has_aggregate(term: exp.Expr, select: exp.Select) -> bool:
    found = term.find_all(exp.AggFunc)
    return any(node.find_ancestor(exp.Window, exp.Query) is select for node in found)

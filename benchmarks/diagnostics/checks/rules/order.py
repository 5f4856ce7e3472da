"""Find gold results that depend on an order that the query does not define."""

from benchmarks.diagnostics.checks.gold_case import GoldCase, describe_difference, make_variant_check
from benchmarks.diagnostics.checks.rewrites.variants import (
    LIMIT_WITHOUT_ORDER,
    NULL_ORDER,
    TIE_AT_LIMIT,
    TIE_IN_ORDER,
)
from benchmarks.records.finding import Finding

_OTHER_TIES = "with ties broken in another way"


def tie_at_limit(case: GoldCase) -> Finding | None:
    """Report a LIMIT that cuts between rows with equal sort keys, so that other ties return other rows."""
    for variant in case.find_changed(TIE_AT_LIMIT):
        if not variant.reordered:
            return case.make_finding(
                TIE_AT_LIMIT,
                f"{_OTHER_TIES}, {describe_difference(variant)}",
                "Ask for all rows that tie, add a sort key that the question names, or change the data: "
                "a right answer that breaks the tie in another way is judged wrong.",
            )
    return None


limit_without_order = make_variant_check(
    LIMIT_WITHOUT_ORDER,
    "with the rows sorted before the LIMIT",
    "Add the ORDER BY that the question means: without it, the engine decides which rows are right.",
)
"""A LIMIT takes some rows of a result that is not sorted."""


def tie_in_order(case: GoldCase) -> Finding | None:
    """Report rows with equal sort keys whose order the comparison checks. A LIMIT cuts none of them off."""
    for variant in case.find_changed(TIE_IN_ORDER, TIE_AT_LIMIT):
        if variant.reordered:
            return case.make_finding(
                TIE_IN_ORDER,
                f"{_OTHER_TIES}, {describe_difference(variant)}",
                "Compare with 'strict', which accepts any order of rows that tie, or add a sort key: "
                "a right answer with another query plan is judged wrong.",
            )
    return None


null_order = make_variant_check(
    NULL_ORDER,
    "with NULLs at the other end",
    "Leave out rows without a value (IS NOT NULL) if the question means rows that have one; "
    "other engines sort NULLs to the other end.",
)
"""The query sorts NULLs, and NULLs at the other end give another result."""

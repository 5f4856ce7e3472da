"""Find gold results that depend on an order that the query does not define."""

from benchmarks.diagnostics.checks.gold_case import make_variant_check
from benchmarks.diagnostics.checks.rewrites.variants import (
    LIMIT_WITHOUT_ORDER,
    NULL_ORDER,
    TIE_AT_LIMIT,
    TIE_IN_ORDER,
)

tie_at_limit = make_variant_check(
    TIE_AT_LIMIT,
    "with ties broken in another way",
    "Ask for all rows that tie, add a sort key that the question names, or change the data: "
    "a right answer that breaks the tie in another way is judged wrong.",
)
"""A LIMIT cuts between rows with equal sort keys."""

limit_without_order = make_variant_check(
    LIMIT_WITHOUT_ORDER,
    "with the rows sorted before the LIMIT",
    "Add the ORDER BY that the question means: without it, the engine decides which rows are right.",
)
"""A LIMIT takes some rows of a result that is not sorted."""

tie_in_order = make_variant_check(
    TIE_IN_ORDER,
    "with ties broken in another way",
    "Compare with 'strict', which accepts any order of rows that tie, or add a sort key: "
    "a right answer with another query plan is judged wrong.",
)
"""The comparison checks the order of rows, and the query does not define it for equal sort keys."""

null_order = make_variant_check(
    NULL_ORDER,
    "with NULLs at the other end",
    "Leave out rows without a value (IS NOT NULL) if the question means rows that have one; "
    "other engines sort NULLs to the other end.",
)
"""The query sorts NULLs, and NULLs at the other end give another result."""

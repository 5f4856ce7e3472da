"""Find gold results that integer division truncates."""

from benchmarks.diagnostics.checks.gold_case import make_variant_check
from benchmarks.diagnostics.checks.rewrites.variants import INTEGER_DIVISION

integer_division = make_variant_check(
    INTEGER_DIVISION,
    "with real division",
    "Write CAST(... AS REAL) if the question asks for a ratio or an average; keep it if for whole units.",
)
"""A division of integers drops the remainder, and the result shows it."""

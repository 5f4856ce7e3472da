"""Find gold results that depend on something outside the data."""

from benchmarks.diagnostics.checks.gold_case import make_variant_check
from benchmarks.diagnostics.checks.rewrites.variants import CLOCK, RANDOM

clock = make_variant_check(
    CLOCK,
    "at another time",
    "Write the date that the question means into the query. Here the clock is fixed at 2025-01-01, for "
    "predictions too; a result from elsewhere is of another day.",
)
"""The result depends on the time."""

random = make_variant_check(
    RANDOM,
    "with other random numbers",
    "Leave the task out: here random() has a fixed seed, and elsewhere any answer is as right.",
)
"""The result depends on random numbers."""

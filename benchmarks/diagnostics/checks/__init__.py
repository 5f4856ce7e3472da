"""Check the gold queries of a benchmark: run each one, run it again in other ways, compare the results.

A check is a function from a `benchmarks.diagnostics.checks.gold_case.GoldCase` to a finding or None. It is
an entry point of the group ``sql_env.checks``, so an installed package can add one.
"""

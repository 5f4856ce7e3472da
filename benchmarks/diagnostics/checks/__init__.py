"""Is a benchmark's gold sound? Each gold query is run, run again in other ways, and compared with itself.

A check is a function from a `benchmarks.diagnostics.checks.gold_case.Trial` to what it finds, behind an
entry point of the group ``sql_env.checks``, so that a package of yours can add one.
"""

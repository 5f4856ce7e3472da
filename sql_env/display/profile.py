"""Draw the statistics of a scorer for a terminal."""

from __future__ import annotations

from rich.table import Table

from sql_env.execution.stats import FAILURES
from sql_env.scoring.stats import ScorerStats

PHASES = {
    "parse": "parse completions",
    "gather": "look up gold results, collect distinct queries",
    "queue": "wait for workers",
    "execute": "run queries",
    "compare": "compare with gold results",
    "reward": "compute rewards",
}
"""The work in each phase of `ScorerStats.seconds`."""


def draw_profile(stats: ScorerStats) -> Table:
    """Draw a table: the time of each phase, the saved work, and the outcomes of queries.

    Seconds are wall time. Shares are of all seconds, completions, gold results and executed queries. Rows
    with the count 0 are left out.

    Args:
        stats: The statistics of a scorer, or the difference of two of them.
    """
    seconds, executor = stats.seconds, stats.executor
    total = sum(seconds.values())
    table = Table(title=f"{stats.scores:,} scores in {1000 * total:,.1f} ms, {stats.workers} worker(s)")
    for name, justify in (("", "left"), ("", "right"), ("share", "right")):
        table.add_column(name, justify=justify)  # type: ignore[arg-type]
    for phase, each in seconds.items():
        spent = max(0.0, each)  # the queue's time is a difference and can be negative
        table.add_row(f"{phase}: {PHASES[phase]}", f"{1000 * spent:,.1f} ms", _share(spent, total))
    completions = {
        "without SQL": stats.without_sql,
        "the gold query": stats.known,
        "duplicates": stats.duplicates,
        "queries to run": stats.distinct,
    }
    _add_section(table, "completions: ", completions, stats.scores)
    golds = {
        "in memory": stats.gold_hits,
        "on disk": stats.gold_stored,
        "to run": stats.gold_misses - stats.gold_stored,
    }
    _add_section(table, "gold results: ", golds, stats.gold_hits + stats.gold_misses)
    ends = {str(status): executor.ended[status] for status in FAILURES}
    queries = {"ok": executor.executed - sum(ends.values()), **ends}
    _add_section(table, "queries run: ", queries, executor.executed)
    others = {
        "queries shared in flight": executor.shared,
        "workers: started": executor.started,
        "workers: killed": executor.killed,
        "workers: retired": executor.retired,
    }
    _add_section(table, "", others)
    return table


def _add_section(table: Table, prefix: str, counts: dict[str, int], whole: int = 0) -> None:
    table.add_section()
    for name, count in counts.items():
        if count:
            table.add_row(prefix + name, f"{count:,}", _share(count, whole))


def _share(part: float, whole: float) -> str:
    return f"{part / whole:.1%}" if whole else ""

"""What a scorer has done, drawn for a terminal."""

from __future__ import annotations

from collections.abc import Iterable

from rich.table import Table

from sql_env.execution.stats import FAILURES
from sql_env.scoring.stats import ScorerStats

PHASES = {
    "parse": "take completions apart",
    "gather": "look up golds, gather distinct queries",
    "queue": "wait for workers",
    "execute": "run queries",
    "compare": "compare with golds",
    "reward": "compute rewards",
}
"""What is done in each of `ScorerStats.seconds`."""


def draw_profile(stats: ScorerStats) -> Table:
    """Where the time went, what was saved, and how queries ended, as a table.

    Seconds are wall time; shares are of all seconds, of all completions, of all golds, and of all queries
    that were run. What did not happen is left out.

    Args:
        stats: What is shown, from the beginning or between two moments.
    """
    seconds, done = stats.seconds, stats.executor
    total = sum(seconds.values())
    shown = Table(title=f"{stats.scores:,} scores in {1000 * total:,.1f} ms, {stats.workers} worker(s)")
    for name, justify in (("", "left"), ("", "right"), ("share", "right")):
        shown.add_column(name, justify=justify)  # type: ignore[arg-type]
    for phase, each in seconds.items():
        spent = max(0.0, each)  # the queue's may be less
        shown.add_row(f"{phase}: {PHASES[phase]}", f"{1000 * spent:,.1f} ms", _share(spent, total))
    completions = {
        "without SQL": stats.without_sql,
        "the gold query": stats.known,
        "duplicates": stats.duplicates,
        "queries to run": stats.distinct,
    }
    _section(shown, _shares("completions", completions, stats.scores))
    golds = {
        "in memory": stats.gold_hits,
        "on disk": stats.gold_stored,
        "to run": stats.gold_misses - stats.gold_stored,
    }
    _section(shown, _shares("golds", golds, stats.gold_hits + stats.gold_misses))
    ends = {str(status): done.ended[status] for status in FAILURES}
    queries = {"ok": done.executed - sum(ends.values()), **ends}
    _section(shown, _shares("queries run", queries, done.executed))
    others = {
        "queries shared in flight": done.shared,
        "workers: started": done.started,
        "workers: killed": done.killed,
        "workers: retired": done.retired,
    }
    _section(shown, [(name, f"{count:,}", "") for name, count in others.items() if count])
    return shown


def _section(table: Table, rows: Iterable[tuple[str, str, str]]) -> None:
    table.add_section()
    for row in rows:
        table.add_row(*row)


def _shares(kind: str, counts: dict[str, int], whole: int) -> list[tuple[str, str, str]]:
    return [(f"{kind}: {name}", f"{n:,}", _share(n, whole)) for name, n in counts.items() if n]


def _share(part: float, whole: float) -> str:
    return f"{part / whole:.1%}" if whole else ""

"""The whole hunt: passes over both engines, episodes, and the memory of dear queries."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from random import Random
from typing import Any

from benchmarks.hostile.campaign import (
    LIMITS,
    RUBRIC,
    Case,
    Cases,
    Finding,
    check_tasks,
    compare_passes,
    run_pass,
    shorten,
)
from benchmarks.hostile.databases import ENGINES, make_databases
from benchmarks.hostile.known import list_dear
from benchmarks.hostile.surroundings import MemoryWatch, Surroundings, make_surroundings
from sql_env import Limits, Scorer, respond
from sql_env.envs.episode import Episode, step

MAX_TREE = 1_500_000_000
"""Bytes that the workers and the growth of this process may take together, while one query runs."""

IDLE_BYTES = 150_000_000
"""Bytes of a worker that its limit of memory does not count, such as its program."""

MAX_GROWTH = 200_000_000
"""Bytes by which this process may grow. Before the hunt it has about 100 MB."""

MEMORY_WORKERS, MEMORY_BATCH = 2, 60
BATCHES = (256, 100, 400)
"""The batch sizes of the passes, one after the other."""

_LONG_NAMES = ("sqlite", "FROM t")
"""The engine and the end of the known query with long column names. DuckDB needs seconds for it."""

_TURNS = 4
_DIFFERENCES = ("other verdict", "other text", "other rows")
"""The differences between passes that no query of SQLite may have.

Column names are not among them: if a subquery has many equal names, SQLite numbers them at random.
"""

Progress = Callable[[str], None]


@dataclass(slots=True)
class Report:
    """The outcome of a hunt.

    Attributes:
        figures: The counts of each stage, as JSON.
        findings: All completions that break a rule, also those that no bar counts.
        missed: The bars that were missed, one sentence each.
    """

    figures: dict[str, Any] = field(default_factory=dict)
    findings: list[Finding] = field(default_factory=list)
    missed: list[str] = field(default_factory=list)

    def check(self, fine: bool, message: str) -> None:
        """Note a missed bar."""
        if not fine:
            self.missed.append(message)

    def add(self, stage: str, findings: Sequence[Finding], figures: dict[str, Any]) -> None:
        """Add the outcome of a stage, and check its bars."""
        found = Counter(finding.rule for finding in findings)
        self.figures[stage] = figures | {"findings": dict(sorted(found.items()))}
        self.findings += findings
        for rule in ("masked", "leak", "right answer lost"):
            self.check(not found[rule], f"{stage}: {found[rule]} {rule}")
        if stage.startswith("sqlite"):
            for rule in _DIFFERENCES:
                self.check(not found[rule], f"{stage}: {found[rule]} {rule}")

    def to_dict(self) -> dict[str, Any]:
        """Return the report as JSON, with shortened findings."""
        findings = [asdict(shorten(finding)) for finding in self.findings]
        return {"figures": self.figures, "missed": self.missed, "findings": findings}


def hunt(
    count: int = 200_000,
    seed: int = 0,
    workers: Sequence[int] = (1, 2, 16),
    engines: Sequence[str] = ENGINES,
    *,
    dear: int | None = None,
    memory_limits: Limits = Limits(),  # noqa: B008 - frozen
    progress: Progress = lambda line: None,
) -> Report:
    """Score hostile completions over healthy tasks.

    Each pass scores the same completions: with another number of workers, another size of batches and, after
    the first pass, in another order.

    Args:
        count: Number of completions, of all engines together.
        seed: Random seed.
        workers: Number of worker processes of each pass.
        engines: ``sqlite``, ``duckdb`` or both.
        dear: Number of generated queries of the memory stage, which needs up to ``cpu_seconds`` for each;
            None for one in 4,000.
        memory_limits: The limits of the memory stage.
        progress: Called with a line after each pass.

    Returns:
        The report. The hunt is passed if ``missed`` is empty.
    """
    report = Report()
    with make_surroundings(seed) as around:
        make_databases(around.databases, seed)
        before, descriptors = around.snapshot(), _count_descriptors()
        for engine in engines:
            cases = Cases(engine, around, seed)
            check_tasks(cases)
            _run_passes(report, cases, range(count // len(engines)), around, workers, progress)
            _run_episodes(report, cases, count // len(engines) // 100, around)
            progress(f"{engine}: episodes")
        if dear is None or dear > 0:
            _measure_memory(
                report,
                around,
                engines,
                seed,
                count // 4_000 if dear is None else dear,
                memory_limits,
                progress,
            )
        after = around.snapshot()
        changed = sorted(name for name in before | after if before.get(name) != after.get(name))
        report.check(not changed, f"files changed: {', '.join(changed)}")
        left = _count_descriptors() - descriptors
        report.check(left <= 0, f"{left} file descriptors are left open")
        report.figures["files"] = {"files": len(before), "changed": len(changed)}
    return report


def _run_passes(
    report: Report,
    cases: Cases,
    numbers: Sequence[int],
    around: Surroundings,
    workers: Sequence[int],
    progress: Progress,
) -> None:
    first = None
    for place, size in enumerate(workers):
        order, batch = list(numbers), BATCHES[place % len(BATCHES)]
        if place:
            Random(place).shuffle(order)
            order.sort(key=cases.is_dear)  # together, so that all workers are busy at the same time
        with MemoryWatch() as memory:
            tally, executor = run_pass(cases, order, around, workers=size, batch=batch)
        found = tally.findings + (list(compare_passes(cases, first, tally)) if first else [])
        first = first or tally
        stage = f"{cases.engine}, {size} workers, batches of {batch}"
        figures = {
            "completions": len(order),
            "right_answers": tally.right,
            "statuses": dict(sorted(tally.statuses.items())),
            "workers_started": executor["started"],
            "workers_killed": executor["killed"],
            "tree_bytes": memory.tree,
            "parent_bytes": memory.parent,
        }
        report.add(stage, found, figures)
        progress(f"{stage}: {figures['statuses']}, {report.figures[stage]['findings']}")


def _run_episodes(report: Report, cases: Cases, count: int, around: Surroundings) -> None:
    """Explore with hostile queries, and then give a right answer: it must count."""
    findings, right = [], 0
    with Scorer("sql-r1", limits=LIMITS, workers=2) as scorer:
        for start in range(0, count, 64):
            group = [cases[number] for number in range(start, min(count, start + 64))]
            episodes = [Episode(scorer, case.task, max_turns=_TURNS) for case in group]
            queries: list[list[str]] = [[] for _ in group]
            for turn in range(_TURNS - 1):
                for place in range(len(group)):
                    queries[place].append(cases[(turn + 1) * count + start + place].sql)
                texts = [f"<think>A look.</think><sql>{sql[-1]}</sql>" for sql in queries]
                going = [
                    (episode, text) for episode, text in zip(episodes, texts, strict=True) if not episode.done
                ]
                steps = step([episode for episode, _ in going], [text for _, text in going])
                for (_, text), done in zip(going, steps, strict=True):
                    if leak := around.find_leak(text, done.observation.encode(errors="replace")):
                        findings.append(Finding("leak", cases.engine, text, leak))
            for episode, case, sql in zip(episodes, group, queries, strict=True):
                text = respond(f"{case.task.gold_sql} -- {start}", "It is so.", scorer.rubric.form)
                score = episode.score or episode.answer(text)
                right += bool(score.rollout.correct)
                if score.masked:
                    findings.append(Finding("masked", cases.engine, " ;; ".join(sql), score.rollout.masked))
                elif len(episode.turns) == _TURNS - 1 and not score.rollout.correct:
                    findings.append(
                        Finding(
                            "right answer lost", cases.engine, " ;; ".join(sql), str(score.rollout.result)
                        )
                    )
    report.add(f"{cases.engine}, episodes", findings, {"episodes": count, "right": right})


def _measure_memory(
    report: Report,
    around: Surroundings,
    engines: Sequence[str],
    seed: int,
    dear: int,
    limits: Limits,
    progress: Progress,
) -> None:
    """Score the dear queries at the default limits, under each comparison, without their rows."""
    every = {engine: Cases(engine, around, seed) for engine in engines}
    stages = {
        "memory, one query at a time": (list(_list_known(every)), MAX_TREE),
        "memory, batches": (
            list(_make_dear_batches(every, dear)),
            MEMORY_WORKERS * (limits.process_bytes + IDLE_BYTES),
        ),
    }
    with Scorer(RUBRIC, limits=limits, workers=MEMORY_WORKERS, rows=False) as scorer:
        for stage, (batches, most) in stages.items():
            findings, statuses = list[Finding](), Counter[str]()
            with MemoryWatch() as memory:
                for batch in batches:
                    scores = scorer.score([case.sql for case in batch], [case.task for case in batch])
                    for case, score in zip(batch, scores, strict=True):
                        result = score.rollout.result
                        statuses[str(result.status if result else "malformed")] += 1
                        if score.masked:
                            detail = score.rollout.masked
                            findings.append(Finding("masked", case.task.dialect, case.sql, detail))
                    progress(f"{stage}: {statuses.total()} queries, {memory.tree / 1e6:,.0f} MB")
            figures = {
                "completions": statuses.total(),
                "statuses": dict(sorted(statuses.items())),
                "tree_bytes": memory.tree,
                "parent_bytes": memory.parent,
                "parent_growth": memory.growth,
            }
            report.add(stage, findings, figures)
            report.check(memory.tree <= most, f"{stage}: the process tree takes {memory.tree / 1e6:,.0f} MB")
            grown = f"{stage}: this process grows by {memory.growth / 1e6:,.0f} MB"
            report.check(memory.growth <= MAX_GROWTH, grown)


def _list_known(every: Mapping[str, Cases]) -> Iterator[list[Case]]:
    """Yield each known dear query alone, once with a task of each comparison."""
    for engine, sql in list_dear():
        if engine in every:
            tasks = {task.comparison: task for task in every[engine].tasks}
            yield from ([Case(sql, task)] for task in tasks.values())


def _make_dear_batches(every: Mapping[str, Cases], dear: int) -> Iterator[list[Case]]:
    engines = list(every)
    bombs = [every[engines[n % len(engines)]].make_bomb(n) for n in range(dear)]
    # The same query many times in one batch, with texts of its own: all errors and names are kept at once.
    cheap = [
        Case(f"{sql} -- {n}", every[engine].tasks[0])
        for engine, sql in list_dear()
        if engine in every and ("json_extract" in sql or "error(" in sql or (engine, sql[-6:]) == _LONG_NAMES)
        for n in range(MEMORY_BATCH)
    ]
    for cases in (bombs, cheap):
        for start in range(0, len(cases), MEMORY_BATCH):
            yield cases[start : start + MEMORY_BATCH]


def _count_descriptors() -> int:
    return len(os.listdir("/dev/fd"))

"""Workloads of whole processes: their memory, their start, and their verdicts under load."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Sequence
from contextlib import ExitStack
from functools import partial
from itertools import cycle, islice, product
from pathlib import Path
from statistics import median

from benchmarks.performance.batches import Batch, hostile_batch, spider_batch
from benchmarks.performance.resources import clocked, peak_memory
from benchmarks.performance.settings import Settings
from benchmarks.performance.throughput.measurement import Contender, Finding, Workload
from benchmarks.performance.throughput.scorers import start_scorer
from sql_env import Score, Scorer

HOSTILE_TASKS, WORKERS = 512, 2
STARTS = 3
"""Fresh interpreters in each repeat. The fastest counts."""


def memory(settings: Settings) -> Workload:
    """Return the batch of the workload ``hostile``, made and scored by a fresh interpreter."""
    code = f"from {__name__} import score_hostile; score_hostile({settings.seed}, {settings.scale})"
    row = f"scorer-{WORKERS}"
    return Workload(
        "the hostile mix as one batch in a fresh interpreter; PSS of the whole process tree",
        {row: lambda: {row: {"peak_gb": peak_memory([sys.executable, "-c", code]) / 1e9}}},
        lambda seen: [
            Finding(
                f"peak memory of the whole tree, hostile mix, {WORKERS} workers, GB",
                max(seen.values(row, "peak_gb")),
                most=1.5,
            )
        ],
        {"completions": len(hostile_batch(settings, HOSTILE_TASKS).tasks)},
    )


def score_hostile(seed: int, scale: float) -> None:
    """Score the hostile batch once."""
    batch = hostile_batch(Settings(seed=seed, scale=scale), HOSTILE_TASKS)
    with Scorer(limits=batch.limits, workers=WORKERS) as scorer:
        scorer.score(batch.completions, batch.tasks)


def imports(settings: Settings) -> Workload:
    """Return fresh interpreters: one imports gymnasium, one this library, and one prints the help."""
    commands = {
        "import gymnasium": [sys.executable, "-c", "import gymnasium"],
        "import sql_env": [sys.executable, "-c", "import sql_env"],
        "sql-env --help": [str(Path(sys.executable).with_name("sql-env")), "--help"],
    }

    def contender(row: str) -> Contender:
        start = partial(subprocess.run, commands[row], check=True, stdout=subprocess.DEVNULL)

        def run() -> dict[str, dict[str, float]]:
            starts = [clocked(start)[1] for _ in range(STARTS)]
            return {row: min(starts, key=lambda figures: figures["wall_s"])}

        return run

    return Workload(
        "fresh interpreters, files in the system's cache",
        {row: contender(row) for row in commands},
        lambda seen: [
            Finding(
                "import sql_env over import gymnasium, s",
                median(
                    ours - theirs
                    for ours, theirs in zip(
                        seen.values("import sql_env", "wall_s"),
                        seen.values("import gymnasium", "wall_s"),
                        strict=True,
                    )
                ),
                most=0.25,
            ),
            Finding("sql-env --help, s", seen.median("sql-env --help", "wall_s"), most=0.5),
        ],
    )


def verdicts(settings: Settings) -> Workload:
    """Return real and hostile completions, scored with more workers and under load, and compared."""
    batches = (hostile_batch(settings, 278), spider_batch(settings))
    pairs = cycle(
        (text, task) for batch in batches for text, task in zip(batch.completions, batch.tasks, strict=True)
    )
    completions, tasks = zip(*islice(pairs, settings.scaled(10_000)), strict=True)
    batch = Batch(completions, tasks)
    with start_scorer(batch, 1) as scorer:
        expected = _verdicts(scorer.score(completions, tasks))

    def contender(row: str, workers: int, busy: int) -> Contender:
        def run() -> dict[str, dict[str, float]]:
            with start_scorer(batch, workers) as scorer, ExitStack() as stack:
                for _ in range(busy):
                    process = subprocess.Popen([sys.executable, "-c", "while True: pass"])
                    stack.callback(process.wait)
                    stack.callback(process.kill)
                scores, figures = clocked(lambda: scorer.score(completions, tasks))
            differing = sum(a != b for a, b in zip(_verdicts(scores), expected, strict=True))
            return {row: {"differing": float(differing), "wall_s": figures["wall_s"]}}

        return run

    loads = {"idle": 0, "full load": os.cpu_count() or 1}
    contenders = {
        f"workers {workers}, {load}": contender(f"workers {workers}, {load}", workers, loads[load])
        for workers, load in product((1, 2, 4), loads)
    }
    return Workload(
        "real Spider completions and the hostile mix; full load is one busy process on each core",
        contenders,
        lambda seen: [
            Finding(
                "verdicts that differ, with 1, 2 and 4 workers, idle and under full load",
                sum(max(seen.values(row, "differing")) for row in contenders),
                most=0.0,
            )
        ],
        batch.facts(),
        repeats=1,
    )


def _verdicts(scores: Sequence[Score]) -> list[tuple[object, ...]]:
    """Return what must not differ: statuses, correctness, totals and components."""
    return [
        (
            score.rollout.result and score.rollout.result.status,
            score.rollout.gold.status,
            score.rollout.correct,
            score.total,
            tuple(score.components.items()),
        )
        for score in scores
    ]

"""A long run: how fast it goes, and how the memory of the process that drives it develops."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from statistics import median

import psutil

from benchmarks.diagnostics.checks.checker import check_tasks
from benchmarks.evaluation.scoring import SQL
from benchmarks.performance.scaling.generated import Generated
from benchmarks.performance.throughput.clock import clocked
from sql_env.execution.backends import load_executor
from sql_env.scoring.scorer import Scorer
from sql_env.scoring.stream import score_stream

BATCH = 1024
"""Completions a worker that are scored at a time."""

SAMPLES = 50
"""How often a run looks at the memory of its process."""


@dataclass(frozen=True, slots=True)
class Flow:
    """What a long run took.

    Attributes:
        job: ``score`` or ``check``.
        backend: What ran the queries.
        workers: How many processes ran them.
        tasks: How many tasks there were.
        wall: Seconds of elapsed time, with the start of the workers.
        cpu: Seconds of CPU of this process and all that it has started; a cluster elsewhere is not seen.
        memory: MB that this process held for itself (USS), first to last, after equal numbers of tasks.
        outcome: What came of it, which is the same for any backend and any number of workers.
    """

    job: str
    backend: str
    workers: int
    tasks: int
    wall: float
    cpu: float
    memory: tuple[float, ...]
    outcome: dict[str, int]

    @property
    def rate(self) -> float:
        """Tasks a second."""
        return self.tasks / self.wall

    @property
    def growth(self) -> float:
        """MB by which the last fifth of the run holds more than the second fifth, at their medians."""
        fifth = max(1, len(self.memory) // 5)
        return median(self.memory[-fifth:]) - median(self.memory[fifth : 2 * fifth] or self.memory)


@dataclass(slots=True)
class Watch:
    """Told how many more tasks are done, it looks at the memory of this process now and then."""

    every: int
    done: int = 0
    memory: list[float] = field(default_factory=list)

    def __call__(self, more: int) -> None:
        """So many more are done."""
        before, self.done = self.done, self.done + more
        if before // self.every != self.done // self.every:
            self.memory.append(psutil.Process().memory_full_info().uss / 1e6)


def flow(
    job: str, generated: Generated, workers: int, backend: str, progress: Callable[[int], None] | None = None
) -> Flow:
    """Do a job, and say what it took.

    Args:
        job: One of `JOBS`.
        generated: The tasks. Their databases are made before the clock starts.
        workers: How many processes run queries.
        backend: Where; see `sql_env.execution.backends`. A cluster is joined before the clock starts.
        progress: Told how many more tasks are done, now and then.
    """
    generated.prepare()
    load_executor(backend, workers=workers).close()
    watch = Watch(max(1, generated.tasks // SAMPLES))

    def advance(more: int) -> None:
        watch(more)
        if progress is not None:
            progress(more)

    outcome, took = clocked(lambda: JOBS[job](generated, workers, backend, advance))
    return Flow(
        job, backend, workers, generated.tasks, took.wall, took.cpu, tuple(watch.memory), dict(outcome)
    )


def _score(
    generated: Generated, workers: int, backend: str, advance: Callable[[int], None]
) -> Mapping[str, int]:
    """Score one completion for each task, as a stream that is never held as a whole."""
    verdicts: Counter[str] = Counter()
    with Scorer(SQL, workers=workers, backend=backend) as scorer:
        for score in score_stream(scorer, generated.pairs(), batch=BATCH * workers):
            verdicts["masked" if score.masked else "right" if score.rollout.correct else "wrong"] += 1
            advance(1)
    return verdicts


def _check(
    generated: Generated, workers: int, backend: str, advance: Callable[[int], None]
) -> Mapping[str, int]:
    """Check the gold of each task. The tasks are held, as those of a benchmark are that is loaded."""
    tasks = list(generated)
    return check_tasks(tasks, workers=workers, backend=backend, progress=advance).counts


JOBS = {"score": _score, "check": _check}
"""What may be done: a completion scored for each task, or its gold checked."""

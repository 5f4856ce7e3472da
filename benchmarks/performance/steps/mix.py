"""A batch with runaway queries in it, and what it takes under any budget."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from math import inf
from random import Random

from benchmarks.performance.throughput.hostile import spoiled
from sql_env.comparison import get_comparison
from sql_env.execution.engines import load_engine
from sql_env.limits import Limits
from sql_env.types import Status, Task

SIZE = 4_096
"""Completions of the mix."""

PROBE = 10_000_000
"""Steps after which a query of the mix counts as a runaway, whose time goes on as it has gone so far."""


@dataclass(frozen=True, slots=True)
class Load:
    """One distinct query of the mix.

    Attributes:
        gold_steps: What the gold query of its task takes, where that is known.
        steps: What it takes without a budget; infinite for a runaway.
        seconds_a_step: CPU time.
        seconds_at_least: CPU time that no budget saves.
    """

    gold_steps: float | None
    steps: float
    seconds_a_step: float
    seconds_at_least: float = 0.0

    def seconds(self, steps: float) -> float:
        """CPU time of so many of its steps."""
        return self.seconds_at_least + steps * self.seconds_a_step


def mix(
    groups: Sequence[tuple[Task, Sequence[str]]],
    gold_steps: dict[str, float | None],
    *,
    size: int = SIZE,
    seed: int = 0,
    probe: int = PROBE,
    progress: Callable[[int], None] | None = None,
) -> list[Load]:
    """Draw groups of answers, spoil some as `benchmarks.performance.throughput.hostile.spoiled` does, and
    run them.

    Each distinct query runs once in this process, to its end or until ``probe`` steps.

    Args:
        groups: Tasks, each with its answers.
        gold_steps: What the gold query of each task takes, by the task's id.
        size: How many answers there are in all, about.
        seed: Of what is drawn.
        probe: Steps after which a query counts as a runaway.
        progress: Told how many more are done.
    """
    draw = Random(seed)
    chosen: list[tuple[Task, Sequence[str]]] = []
    while groups and sum(len(answers) for _, answers in chosen) < size:
        chosen += draw.sample(groups, len(groups))
    while chosen and sum(len(answers) for _, answers in chosen[:-1]) >= size:
        chosen.pop()
    engine = load_engine("sqlite", replace(Limits(), max_steps=probe))
    asked = {
        (task.database, get_comparison(task.comparison).prepare(sql)): task
        for task, answers in spoiled(chosen, draw)
        for sql in answers
    }
    found: list[Load] = []
    for (database, sql), task in asked.items():
        began = time.thread_time()
        result, steps = engine.measure(database, sql)
        seconds = time.thread_time() - began
        if result.status is Status.TIMEOUT:
            found.append(Load(gold_steps[task.id], inf, seconds / probe))
        else:
            found.append(Load(gold_steps[task.id], steps or 0, 0.0, seconds))
        if progress is not None:
            progress(1)
    engine.close()
    return found

"""How long a trainer waits for its rewards: a batch that several reward workers share.

verl cuts a batch into as many parts as it has reward workers, which are processes, and each scores its
part sample by sample from a pool of threads, with a scorer of its own (verl 0.9.1,
``verl/experimental/reward_loop``). So is it done here.
"""

from __future__ import annotations

import multiprocessing as mp
import os
import time
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from dataclasses import dataclass, replace
from itertools import islice, pairwise
from random import Random
from typing import Any

from benchmarks.performance.throughput.items import Items
from benchmarks.performance.throughput.settings import Settings
from benchmarks.performance.throughput.workloads.small import small_items
from benchmarks.performance.throughput.workloads.spider import spider_items
from sql_env.errors import DataError
from sql_env.scoring.scorer import Scorer
from sql_env.types import Task

THREADS = min(32, (os.cpu_count() or 1) + 4)
"""Threads of a reward worker: those of asyncio's default executor."""


@dataclass(frozen=True, slots=True)
class Wait:
    """How long a batch took.

    Attributes:
        batch: How many completions.
        workers: How many reward workers shared them, each with one process that runs SQL.
        seconds: Elapsed time of each repeat, each with tasks of its own draw and golds not yet known.
        masked: How many completions nobody could judge.
    """

    batch: int
    workers: int
    seconds: tuple[float, ...]
    masked: int


def wait(data: Items, batch: int, workers: int, settings: Settings) -> Wait:
    """Have a batch scored by so many reward workers, which are up and warm when the clock starts.

    Args:
        data: What batches are drawn from: groups of completions, one task's after another.
        batch: How many completions.
        workers: How many reward workers.
        settings: The seed and the number of repeats.
    """
    draw, seconds, masked = settings.draw(f"{batch} completions"), [], 0
    for _ in range(settings.repeats):
        drawn = _batch(data, batch, draw)
        took, more = _shared(drawn, workers)
        seconds.append(took)
        masked += more
    return Wait(batch, workers, tuple(seconds), masked)


def spider_or_demo(settings: Settings) -> tuple[str, Items]:
    """Spider dev with what eight models said, where it is at hand; else the demo benchmark's like of it."""
    try:
        return "spider", spider_items(settings)
    except DataError:
        return "demo", small_items(settings, 6000)


def _batch(data: Items, count: int, draw: Random) -> Items:
    """So many completions: groups of tasks that are drawn, the last cut short if need be."""
    groups: dict[Task, list[str]] = {}
    for task, completion in zip(data.tasks, data.completions, strict=True):
        groups.setdefault(task, []).append(completion)
    tasks = list(groups)
    draw.shuffle(tasks)
    pairs = list(islice(((text, task) for task in tasks for text in groups[task]), count))
    return replace(data, completions=[text for text, _ in pairs], tasks=[task for _, task in pairs])


def _shared(batch: Items, workers: int) -> tuple[float, int]:
    """Seconds until all parts of a batch are scored, and how many completions are masked."""
    context = mp.get_context("spawn")
    together = context.Barrier(workers)
    with ProcessPoolExecutor(workers, context, _begin, (together, batch.reward.name)) as pool:
        for ready in [pool.submit(_warm, batch.completions[:1], batch.tasks[:1]) for _ in range(workers)]:
            ready.result()
        began = time.perf_counter()
        cuts = [len(batch) * n // workers for n in range(workers + 1)]
        parts = [slice(*cut) for cut in pairwise(cuts)]
        calls = [pool.submit(_score, batch.completions[part], batch.tasks[part]) for part in parts]
        masked = sum(call.result() for call in calls)
        return time.perf_counter() - began, masked


class _Here:
    """What a reward worker keeps."""

    scorer: Scorer
    together: Any


def _begin(together: Any, reward: str) -> None:
    _Here.scorer, _Here.together = Scorer(reward), together


def _warm(completions: Sequence[str], tasks: Sequence[Task]) -> None:
    _Here.together.wait()  # so that each process gets one of these
    _Here.scorer.score(completions, tasks)


def _score(completions: Sequence[str], tasks: Sequence[Task]) -> int:
    _Here.together.wait()
    with ThreadPoolExecutor(THREADS) as threads:
        scores = threads.map(lambda text, task: _Here.scorer.score([text], [task])[0], completions, tasks)
        return sum(score.masked for score in scores)

"""Begin the episodes of one environment or of a vector of environments."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Mapping, Sequence
from functools import lru_cache
from typing import Any

from numpy.random import Generator

from sql_env.envs.config import EnvConfig
from sql_env.envs.episode import Episode
from sql_env.errors import GoldError, TaskError
from sql_env.execution.engines.files import read_signature
from sql_env.plugins import find_named, suggest
from sql_env.prompts.prompt import Prompt
from sql_env.scoring.rubric import Rubric, load_rubric
from sql_env.scoring.scorer import Scorer
from sql_env.types import Task

log = logging.getLogger(__name__)

CACHED_PROMPTS = 4096
"""The maximum number of prompts to keep. A group, and every epoch, needs the same prompt again."""


class Sampler:
    """Draw tasks of a benchmark and begin their episodes.

    Args:
        config: The arguments of the environment.
        workers: The number of processes that run queries.
        backend: The backend that runs queries; see `sql_env.Scorer`.

    Raises:
        SQLEnvError: An argument names something that is not installed, or data is missing.
    """

    def __init__(self, config: EnvConfig, *, workers: int = 1, backend: str = "local") -> None:
        self._settings = config.make_episode_settings()
        rubric = config.reward if isinstance(config.reward, Rubric) else load_rubric(config.reward)
        self.tasks = config.load_tasks()
        self.scorer = Scorer(
            rubric,
            limits=config.make_limits(),
            comparison=config.comparison,
            workers=workers,
            backend=backend,
            rows=True if config.render_mode else None,  # the panel shows them
        )
        self._tasks_by_id = {task.id: task for task in self.tasks}
        self._cached_prompt = lru_cache(CACHED_PROMPTS)(self._build_prompt)

    def draw(self, generators: Sequence[Generator]) -> list[Episode]:
        """Begin one episode for each random generator, with the task that it draws.

        All tasks whose gold query runs are equally likely. The others are skipped. The task of a generator
        depends on no other generator.

        Raises:
            GoldError: The gold query of every task fails.
        """
        drawn = [self.tasks[generator.integers(len(self.tasks))] for generator in generators]
        others: dict[int, Iterator[int]] = {}  # all tasks in random order, to replace one that fails
        unchecked: Sequence[int] = range(len(drawn))
        while unchecked:
            golds = self.scorer.golds([drawn[place] for place in unchecked])
            failed = {place: gold for place, gold in zip(unchecked, golds, strict=True) if not gold.ok}
            for place, gold in failed.items():
                log.warning("task %s is skipped: its gold query fails: %s", drawn[place].id, gold.error)
                if place not in others:
                    others[place] = iter(generators[place].permutation(len(self.tasks)))
                if (index := next(others[place], None)) is None:
                    raise GoldError("the gold query of every task fails: check the benchmark's databases")
                drawn[place] = self.tasks[index]
            unchecked = list(failed)
        return self._begin(drawn)

    def by_id(self, task_ids: Sequence[str]) -> list[Episode]:
        """Begin one episode for each task id.

        Raises:
            TaskError: No task has this id.
            GoldError: The gold query of the task fails.
        """
        if unknown := [i for i in task_ids if not isinstance(i, str) or i not in self._tasks_by_id]:
            known = suggest(str(unknown[0]), sorted(self._tasks_by_id)[:20])
            raise TaskError(f"no task has the id {unknown[0]!r}.{known}")
        tasks = [self._tasks_by_id[task_id] for task_id in task_ids]
        for task, gold in zip(tasks, self.scorer.golds(tasks), strict=True):
            if not gold.ok:
                raise GoldError(f"the gold query of task {task.id!r} fails ({gold.status}): {gold.error}")
        return self._begin(tasks)

    def _begin(self, tasks: Sequence[Task]) -> list[Episode]:
        states = {database: read_signature(database) for database in {task.database for task in tasks}}
        prompts = [self._cached_prompt(task.id, states[task.database]) for task in tasks]
        return [
            Episode(self.scorer, task, **self._settings, built_prompt=prompt)
            for task, prompt in zip(tasks, prompts, strict=True)
        ]

    def _build_prompt(self, task_id: str, _state: object) -> Prompt:
        """Build the prompt of a task. The state of its database is a part of the cache's key."""
        return Episode(self.scorer, self._tasks_by_id[task_id], **self._settings).built_prompt


def check_options(options: Mapping[str, Any] | None, known: Sequence[str]) -> Mapping[str, Any]:
    """Return the options of a reset after a check of their names.

    Raises:
        TaskError: An option is unknown.
    """
    for name in options or {}:
        find_named(dict.fromkeys(known), name, "reset option", TaskError)
    return options or {}

"""Sampler: begins the episodes of an environment, be it one or a vector of them."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Mapping, Sequence
from functools import lru_cache
from typing import Any, TypeVar

from numpy.random import Generator

from sql_env.benchmark import load_benchmark
from sql_env.envs.episode import Episode, check_turns
from sql_env.errors import GoldError, LimitError, TaskError
from sql_env.execution.engines.files import signature
from sql_env.limits import Limits
from sql_env.plugins import suggest
from sql_env.prompts.observation import ResultView
from sql_env.prompts.prompt import Prompt, PromptBudget
from sql_env.prompts.template import get_template
from sql_env.scoring.rubric import RubricSpec
from sql_env.scoring.scorer import Scorer
from sql_env.types import Task

log = logging.getLogger(__name__)

T = TypeVar("T", Limits, ResultView)

ASKED = 4096
"""Prompts that are kept: a group asks the same task several times, and so does every epoch."""


class Sampler:
    """A benchmark's tasks, how they are asked, and the scorer of the answers.

    The arguments are those of `sql_env.SQLEnv`, and ``workers``, ``backend`` and ``rows`` those
    of `sql_env.Scorer`.

    Raises:
        SQLEnvError: An argument names nothing that is installed, or data is missing.
    """

    def __init__(
        self,
        benchmark: str = "demo",
        *,
        split: str | None = None,
        data_dir: str | None = None,
        reward: RubricSpec = "sql-r1",
        comparison: str | None = None,
        prompt: str = "full",
        prompt_budget: int | None = None,
        limits: Mapping[str, float] | None = None,
        max_turns: int = 1,
        max_queries: int | None = None,
        view: Mapping[str, int] | None = None,
        workers: int = 1,
        backend: str = "local",
        rows: bool | None = None,
        **params: Any,
    ) -> None:
        check_turns(max_turns, max_queries)
        self._turns: dict[str, Any] = {
            "max_turns": max_turns,
            "max_queries": max_queries,
            "view": _named(ResultView, "view", view),
            "template": get_template(prompt),
            "budget": None if prompt_budget is None else PromptBudget(prompt_budget),
        }
        self.tasks = load_benchmark(benchmark, split, data_dir, **params).tasks
        self.scorer = Scorer(
            reward,
            limits=_named(Limits, "limit", limits),
            comparison=comparison,
            workers=workers,
            backend=backend,
            rows=rows,
        )
        self._by_id = {task.id: task for task in self.tasks}
        self._asked = lru_cache(ASKED)(self._ask)

    def random(self, generators: Sequence[Generator]) -> list[Episode]:
        """Begin one episode for each generator, with the task that it draws.

        Every task whose gold query runs is equally likely; the others are passed over. What is drawn
        depends on the generator alone, not on the others.

        Raises:
            GoldError: The gold query of every task fails.
        """
        drawn = [self.tasks[generator.integers(len(self.tasks))] for generator in generators]
        others: dict[int, Iterator[int]] = {}  # for a task that will not do: all, in random order
        unknown: Sequence[int] = range(len(drawn))
        while unknown:
            golds = self.scorer.golds([drawn[place] for place in unknown])
            failed = {place: gold for place, gold in zip(unknown, golds, strict=True) if not gold.ok}
            for place, gold in failed.items():
                log.warning("task %s is passed over: its gold query fails: %s", drawn[place].id, gold.error)
                if place not in others:
                    others[place] = iter(generators[place].permutation(len(self.tasks)))
                drawn[place] = self._another(others[place])
            unknown = list(failed)
        return self._begin(drawn)

    def certain(self, task_ids: Sequence[str]) -> list[Episode]:
        """Begin one episode for each id of a task.

        Raises:
            TaskError: No task has that id.
            GoldError: The gold query of that task fails.
        """
        tasks = [self._task(task_id) for task_id in task_ids]
        for task, gold in zip(tasks, self.scorer.golds(tasks), strict=True):
            if not gold.ok:
                raise GoldError(f"the gold query of task {task.id!r} fails ({gold.status}): {gold.error}")
        return self._begin(tasks)

    def _begin(self, tasks: Sequence[Task]) -> list[Episode]:
        states = {database: signature(database) for database in {task.database for task in tasks}}
        asked = [self._asked(task.id, states[task.database]) for task in tasks]
        return [
            Episode(self.scorer, task, **self._turns, asked=prompt)
            for task, prompt in zip(tasks, asked, strict=True)
        ]

    def _ask(self, task_id: str, _state: object) -> Prompt:
        """A task as it is asked while its database is in this state."""
        return Episode(self.scorer, self._by_id[task_id], **self._turns).asked

    def _task(self, task_id: str) -> Task:
        if not isinstance(task_id, str) or task_id not in self._by_id:
            known = suggest(str(task_id), sorted(self._by_id)[:20])
            raise TaskError(f"no task has the id {task_id!r}.{known}")
        return self._by_id[task_id]

    def _another(self, order: Iterator[int]) -> Task:
        place = next(order, None)
        if place is None:
            raise GoldError("the gold query of every task fails: check the benchmark's databases")
        return self.tasks[place]


def check_options(options: Mapping[str, Any] | None, known: Sequence[str]) -> Mapping[str, Any]:
    """The options of a reset, none of them unknown.

    Raises:
        TaskError: One is.
    """
    options = options or {}
    if unknown := sorted(set(options) - set(known)):
        raise TaskError(f"unknown reset option(s) {unknown}; known: {sorted(known)}")
    return options


def _named(kind: type[T], noun: str, given: Mapping[str, Any] | None) -> T:
    """Limits or a view from its fields by name."""
    known = sorted(kind.__dataclass_fields__)
    if unknown := sorted(set(given or {}) - set(known)):
        raise LimitError(f"unknown {noun}(s) {unknown}.{suggest(unknown[0], known)}")
    return kind(**(given or {}))

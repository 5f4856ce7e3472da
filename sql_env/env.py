"""The Gymnasium environment: shows a task, takes a completion, pays its score."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from typing import Any, ClassVar

import gymnasium
from gymnasium.error import ResetNeeded

from sql_env.benchmark import load_benchmark
from sql_env.errors import GoldError, LimitError, TaskError
from sql_env.limits import Limits
from sql_env.panel import panel
from sql_env.plugins import suggest
from sql_env.prompt import Message, messages, text
from sql_env.rubric import RubricSpec
from sql_env.scorer import Scorer
from sql_env.space import TextSpace
from sql_env.types import Score, Task

log = logging.getLogger(__name__)


class SQLEnv(gymnasium.Env[str, str]):
    """One question an episode: the observation is the prompt, the action is the completion.

    The reward is the total of `sql_env.scorer.Scorer`; ``info`` has its components. An episode
    ends with its first step. Make it by name: ``gymnasium.make("SQLEnv-demo-v0")``.

    Args:
        benchmark: The name of an installed benchmark.
        split: The split to draw tasks from; the benchmark's default where None.
        data_dir: The folder of the benchmark's files, where it needs one.
        reward: A preset or reward by name, or a list of rewards; see `sql_env.rubric.rubric`.
        comparison: Semantics that replace the preset's and the tasks' own.
        prompt: The prompt template; see `sql_env.prompt.TEMPLATES`.
        limits: Fields of `sql_env.limits.Limits` by name.
        render_mode: ``ansi`` for a text, ``human`` to print it.
        params: Further arguments of the benchmark's loader.

    Raises:
        SQLEnvError: An argument names nothing that is installed, or data is missing.
    """

    metadata: ClassVar[dict[str, Any]] = {"render_modes": ["ansi", "human"], "render_fps": 1}  # type: ignore[misc]

    def __init__(
        self,
        benchmark: str = "demo",
        *,
        split: str | None = None,
        data_dir: str | None = None,
        reward: RubricSpec = "sql-r1",
        comparison: str | None = None,
        prompt: str = "full",
        limits: Mapping[str, float] | None = None,
        render_mode: str | None = None,
        **params: Any,
    ) -> None:
        if render_mode is not None and render_mode not in self.metadata["render_modes"]:
            known = suggest(render_mode, self.metadata["render_modes"])
            raise gymnasium.error.UnsupportedMode(f"no render mode is called {render_mode!r}.{known}")
        self.render_mode = render_mode
        self.observation_space = TextSpace()
        self.action_space = TextSpace()
        self.tasks = load_benchmark(benchmark, split, data_dir, **params).tasks
        self.scorer = Scorer(reward, limits=_limits(limits or {}), comparison=comparison)
        self._prompt = prompt
        self._by_id = {task.id: task for task in self.tasks}
        self._task: Task | None = None
        self._score: Score | None = None

    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[str, dict[str, Any]]:
        """Begin an episode with a random task, or the one that ``options["task_id"]`` names.

        Random tasks whose gold query fails are passed over.

        Returns:
            The prompt; and ``task_id``, ``db_id``, and the prompt as chat ``messages``.

        Raises:
            TaskError: No task has that id.
            GoldError: The gold query of that task, or of every task, fails.
            DatabaseError: The task's database cannot be read.
        """
        super().reset(seed=seed)
        options = options or {}
        if unknown := sorted(set(options) - {"task_id"}):
            raise TaskError(f"unknown reset option(s) {unknown}; known: ['task_id']")
        self._task = self._chosen(options["task_id"]) if "task_id" in options else self._drawn()
        self._score = None
        chat = self._messages(self._task)
        return text(chat), {"task_id": self._task.id, "db_id": self._task.db_id, "messages": chat}

    def step(self, action: str) -> tuple[str, float, bool, bool, dict[str, Any]]:
        """Score a completion, whatever it says.

        Returns:
            An empty observation, the total, ``terminated=True``, ``truncated=False``, and
            ``task_id``, ``sql``, ``status`` (None without SQL), ``error``, ``correct``,
            ``components`` and ``masked``. A masked step's reward is 0.0 and must not be learnt
            from.

        Raises:
            ResetNeeded: The episode is over, or has not begun.
        """
        if self._task is None or self._score is not None:
            raise ResetNeeded("the episode is over: call reset() before step()")
        [self._score] = self.scorer.score([action], [self._task])
        if self.render_mode == "human":
            self.render()
        return "", self._score.total or 0.0, True, False, _info(self._score)

    def render(self) -> str | None:
        """A panel of the task and, after a step, of its score: returned or printed."""
        if self.render_mode is None or self._task is None:
            return None
        drawn = panel(self._task, self._score, color=self.render_mode == "human")
        if self.render_mode == "ansi":
            return drawn
        print(drawn)
        return None

    def close(self) -> None:
        """Stop the workers."""
        self.scorer.close()

    def _messages(self, task: Task) -> list[Message]:
        schema = self.scorer.executor.schema(task.database, task.dialect)
        return messages(task, schema, self.scorer.rubric.form, self._prompt)

    def _chosen(self, task_id: str) -> Task:
        if task_id not in self._by_id:
            raise TaskError(f"no task has the id {task_id!r}.{suggest(task_id, sorted(self._by_id)[:20])}")
        task = self._by_id[task_id]
        [gold] = self.scorer.golds([task])
        if not gold.ok:
            raise GoldError(f"the gold query of task {task_id!r} fails ({gold.status}): {gold.error}")
        return task

    def _drawn(self) -> Task:
        for index in self.np_random.permutation(len(self.tasks)):
            task: Task = self.tasks[index]
            [gold] = self.scorer.golds([task])
            if gold.ok:
                return task
            log.warning("task %s is passed over: its gold query fails: %s", task.id, gold.error)
        raise GoldError("the gold query of every task fails: check the benchmark's databases")


def _limits(fields: Mapping[str, float]) -> Limits:
    try:
        return Limits(**fields)  # type: ignore[arg-type]
    except TypeError:
        unknown = sorted(set(fields) - set(Limits.__dataclass_fields__))
        known = sorted(Limits.__dataclass_fields__)
        raise LimitError(f"unknown limit(s) {unknown}.{suggest(unknown[0], known)}") from None


def _info(score: Score) -> dict[str, Any]:
    rollout = score.rollout
    return {
        "task_id": rollout.task.id,
        "sql": rollout.action.sql,
        "status": None if rollout.result is None else str(rollout.result.status),
        "error": "" if rollout.result is None else rollout.result.error,
        "correct": rollout.correct,
        "components": dict(score.components),
        "masked": rollout.masked,
    }

"""The Gymnasium environment: shows a task, takes a completion, pays its score."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from typing import Any, ClassVar, TypeVar

import gymnasium
from gymnasium.error import ResetNeeded

from sql_env.benchmark import load_benchmark
from sql_env.episode import Episode, check_turns
from sql_env.errors import GoldError, LimitError, TaskError
from sql_env.limits import Limits
from sql_env.observation import View
from sql_env.panel import panel
from sql_env.plugins import suggest
from sql_env.prompt import Budget
from sql_env.rubric import RubricSpec
from sql_env.scorer import Scorer
from sql_env.space import TextSpace
from sql_env.template import template
from sql_env.types import ExecutionResult, Task

log = logging.getLogger(__name__)

T = TypeVar("T", Limits, View)


class SQLEnv(gymnasium.Env[str, str]):
    """One question an episode: the observation is the prompt, the action is the completion.

    The reward is the total of `sql_env.scorer.Scorer`; ``info`` has its components. An episode
    ends with its first step, unless there are more turns: then the model may run SQL and read what
    it returns before it answers; see `sql_env.episode.Episode`. Make it by name:
    ``gymnasium.make("SQLEnv-demo-v0")``.

    Args:
        benchmark: The name of an installed benchmark.
        split: The split to draw tasks from; the benchmark's default where None.
        data_dir: The folder of the benchmark's files, where it needs one.
        reward: A preset or reward by name, or a list of rewards; see `sql_env.rubric.rubric`.
        comparison: Semantics that replace the preset's and the tasks' own.
        prompt: The prompt template; see `sql_env.template.template`.
        prompt_budget: Characters of a prompt at most, beyond which the least relevant parts of the
            schema are left out; None for no limit. See `sql_env.prompt.Budget`.
        limits: Fields of `sql_env.limits.Limits` by name.
        max_turns: Steps of an episode at most, the answer among them.
        max_queries: Queries that an episode runs before its answer at most; None for no limit but
            the turns.
        view: Fields of `sql_env.observation.View` by name: how much of a result is shown.
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
        prompt_budget: int | None = None,
        limits: Mapping[str, float] | None = None,
        max_turns: int = 1,
        max_queries: int | None = None,
        view: Mapping[str, int] | None = None,
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
        self.scorer = Scorer(reward, limits=_named(Limits, "limit", limits), comparison=comparison)
        check_turns(max_turns, max_queries)
        self._turns: dict[str, Any] = {
            "max_turns": max_turns,
            "max_queries": max_queries,
            "view": _named(View, "view", view),
            "template": template(prompt),
            "budget": None if prompt_budget is None else Budget(prompt_budget),
        }
        self._by_id = {task.id: task for task in self.tasks}
        self._episode: Episode | None = None

    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[str, dict[str, Any]]:
        """Begin an episode with a random task, or the one that ``options["task_id"]`` names.

        Random tasks whose gold query fails are passed over.

        Returns:
            The prompt; and ``task_id``, ``db_id``, ``turns_left``, the prompt as chat ``messages``, and
            its ``template``, as ``name@version``.

        Raises:
            TaskError: No task has that id.
            GoldError: The gold query of that task, or of every task, fails.
            DatabaseError: The task's database cannot be read.
        """
        super().reset(seed=seed)
        options = options or {}
        if unknown := sorted(set(options) - {"task_id"}):
            raise TaskError(f"unknown reset option(s) {unknown}; known: ['task_id']")
        task = self._chosen(options["task_id"]) if "task_id" in options else self._drawn()
        self._episode = episode = Episode(self.scorer, task, **self._turns)
        return episode.prompt, {
            "task_id": task.id,
            "db_id": task.db_id,
            "messages": episode.messages,
            "template": episode.asked.template,
            "turns_left": episode.turns_left,
        }

    def step(self, action: str) -> tuple[str, float, bool, bool, dict[str, Any]]:
        """Take a completion, whatever it says, and score it if it ends the episode.

        An episode that ends without an answer, because no turns are left, has ended like any other:
        it is scored as malformed, ``terminated`` and never ``truncated``.

        Returns:
            An empty observation, the total, ``terminated=True``, ``truncated=False``, and
            ``task_id``, ``turn``, ``turns_left``, ``sql``, ``status`` (None without SQL), ``error``,
            ``correct``, ``components`` and ``masked``. A masked step's reward is 0.0 and must not
            be learnt from. A step that explores is told its query's result, is paid 0.0, and has no
            components.

        Raises:
            ResetNeeded: The episode is over, or has not begun.
        """
        episode = self._episode
        if episode is None or episode.done:
            raise ResetNeeded("the episode is over: call reset() before step()")
        step = episode.step(action)
        if self.render_mode == "human":
            self.render()
        reward = step.score.total or 0.0 if step.score else 0.0
        return step.observation, reward, step.done, False, _info(episode)

    def render(self) -> str | None:
        """A panel of the task and, after a step, of its turns and its score: returned or printed."""
        if self.render_mode is None or self._episode is None:
            return None
        shown = self._episode
        drawn = panel(shown.task, shown.score, turns=shown.turns, color=self.render_mode == "human")
        if self.render_mode == "ansi":
            return drawn
        print(drawn)
        return None

    def close(self) -> None:
        """Stop the workers."""
        self.scorer.close()

    def _chosen(self, task_id: str) -> Task:
        if not isinstance(task_id, str) or task_id not in self._by_id:
            known = suggest(str(task_id), sorted(self._by_id)[:20])
            raise TaskError(f"no task has the id {task_id!r}.{known}")
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


def _named(kind: type[T], noun: str, given: Mapping[str, Any] | None) -> T:
    """Limits or a view from its fields by name."""
    known = sorted(kind.__dataclass_fields__)
    if unknown := sorted(set(given or {}) - set(known)):
        raise LimitError(f"unknown {noun}(s) {unknown}.{suggest(unknown[0], known)}")
    return kind(**(given or {}))


def _info(episode: Episode) -> dict[str, Any]:
    place = {"task_id": episode.task.id, "turns_left": episode.turns_left}
    if episode.score is None:
        last = episode.turns[-1]
        unknown: dict[str, Any] = {"correct": None, "components": {}, "masked": ""}
        return {**place, "turn": len(episode.turns), **_ran(last.query, last.result), **unknown}
    rollout = episode.score.rollout
    return {
        **place,
        "turn": len(episode.turns) + 1,
        **_ran(rollout.action.sql, rollout.result),
        "correct": rollout.correct,
        "components": dict(episode.score.components),
        "masked": rollout.masked,
    }


def _ran(sql: str | None, result: ExecutionResult | None) -> dict[str, Any]:
    status = None if result is None else str(result.status)
    return {"sql": sql, "status": status, "error": "" if result is None else result.error}

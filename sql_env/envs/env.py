"""The Gymnasium environment: it shows a task, takes a completion and returns its score."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

import gymnasium
from gymnasium.error import ResetNeeded

from sql_env.envs.config import EnvConfig, show_arguments
from sql_env.envs.episode import Episode
from sql_env.envs.info import reset_info, step_info
from sql_env.envs.sampler import Sampler, check_options
from sql_env.envs.space import TextSpace
from sql_env.errors import ArgumentError
from sql_env.types import Task


@show_arguments
class SQLEnv(gymnasium.Env[str, str]):
    """An environment for text-to-SQL. Each episode asks one question.

    The observation is the prompt, the action is the completion. The reward is the total of
    `sql_env.scoring.scorer.Scorer`, and ``info`` has its components. By default an episode has one step. If
    ``max_turns`` is larger, the model can run queries and read their results before it answers; see
    `sql_env.envs.episode.Episode`. Make an environment by its id:
    ``gymnasium.make("SQLEnv-demo-v0", reward="sql-r1")``.

    Args:
        benchmark: The name of an installed benchmark. An id such as ``SQLEnv-demo-v0`` sets it. The id
            ``SQLEnv-v0`` sets none: it is for tasks of your own.
        arguments: The other arguments. `sql_env.envs.config.EnvConfig` documents all of them.

    Raises:
        SQLEnvError: An argument names something that is not installed, or data is missing.
    """

    metadata: ClassVar[dict[str, Any]] = {  # type: ignore[misc]
        "render_modes": list(EnvConfig.RENDER_MODES),
        "render_fps": 1,
    }

    def __init__(self, benchmark: str | None = None, **arguments: Any) -> None:
        config = EnvConfig.from_arguments(benchmark=benchmark, **arguments)
        self.render_mode = config.render_mode
        self.observation_space = TextSpace()
        self.action_space = TextSpace()
        self._sampler = Sampler(config)
        self.tasks = self._sampler.tasks
        self.scorer = self._sampler.scorer
        self._episode: Episode | None = None

    def reset(
        self, *, seed: int | None = None, options: Mapping[str, Any] | None = None
    ) -> tuple[str, dict[str, Any]]:
        """Begin an episode with a random task, or with the task that ``options["task_id"]`` names.

        Random tasks whose gold query fails are skipped.

        Returns:
            The prompt, and an info with ``task_id``, ``db_id``, ``turns_left``, ``messages`` (the prompt as
            chat messages) and ``template`` (as ``name@version``).

        Raises:
            TaskError: No task has this id, or an option is unknown.
            GoldError: The gold query of this task, or of every task, fails.
            DatabaseError: The task's database cannot be read.
        """
        super().reset(seed=seed)
        given = check_options(options, ["task_id"])
        if "task_id" in given:
            [self._episode] = self._sampler.by_id([given["task_id"]])
        else:
            [self._episode] = self._sampler.draw([self.np_random])
        return self._episode.prompt, reset_info(self._episode)

    def step(self, action: str) -> tuple[str, float, bool, bool, dict[str, Any]]:
        """Take one completion.

        An answer ends the episode and is scored. A query runs, and its result is returned. A malformed
        completion ends the episode. If the last allowed completion is not an answer, it is scored as
        malformed. The episode is then ``terminated``, not ``truncated``.

        Returns:
            The observation, the reward, ``terminated``, ``truncated`` (always False), and an info with
            ``task_id``, ``turn``, ``turns_left``, ``sql``, ``status`` (None without SQL), ``error``,
            ``correct``, ``components`` and ``masked``.

            At the end of an episode the observation is empty and the reward is the score's total. A masked
            score has the reward 0.0 and must not be used for training. Before the end, the observation is
            the result of the query, the reward is 0.0 and there are no components.

        Raises:
            ResetNeeded: The episode is over, or has not begun.
            ArgumentError: The action is not a text.
        """
        if not isinstance(action, str):
            raise ArgumentError(f"an action is a completion, a str, not {action!r:.100}")
        episode = self._episode
        if episode is None or episode.done:
            raise ResetNeeded("the episode is over: call reset() before step()")
        step = episode.step(action)
        if self.render_mode == "human":
            self.render()
        reward = (step.score.total or 0.0) if step.score else 0.0
        return step.observation, reward, step.done, False, step_info(episode)

    def render(self) -> str | None:
        """Return or print a panel with the task and, after a step, its turns and its score."""
        return render_episode(self._episode, self.render_mode)

    @property
    def task(self) -> Task | None:
        """The task of the current episode; None before the first reset."""
        return None if self._episode is None else self._episode.task

    def close(self) -> None:
        """Stop the workers."""
        self.scorer.close()


def render_episode(episode: Episode | None, render_mode: str | None) -> str | None:
    """Draw the panel of an episode. Return it in the mode ``ansi``; print it in the mode ``human``."""
    if render_mode is None or episode is None:
        return None
    from sql_env.display.panel import draw_panel  # slow to import, and rarely needed

    drawn = draw_panel(episode.task, episode.score, turns=episode.turns, color=render_mode == "human")
    if render_mode == "human":
        print(drawn)
    return drawn if render_mode == "ansi" else None

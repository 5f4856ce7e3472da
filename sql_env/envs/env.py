"""The Gymnasium environment: shows a task, takes a completion, pays its score."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

import gymnasium
from gymnasium.error import ResetNeeded

from sql_env.envs.episode import Episode
from sql_env.envs.info import reset_info, step_info
from sql_env.envs.sampler import Sampler, check_options
from sql_env.envs.space import TextSpace
from sql_env.errors import ArgumentError
from sql_env.plugins import suggest
from sql_env.scoring.rubric import RubricSpec


class SQLEnv(gymnasium.Env[str, str]):
    """One question an episode: the observation is the prompt, the action is the completion.

    The reward is the total of `sql_env.scoring.scorer.Scorer`; ``info`` has its components. An episode
    ends with its first step, unless there are more turns: then the model may run SQL and read what
    it returns before it answers; see `sql_env.envs.episode.Episode`. Make it by name:
    ``gymnasium.make("SQLEnv-demo-v0")``.

    Args:
        benchmark: The name of an installed benchmark.
        split: The split to draw tasks from; the benchmark's default where None.
        data_dir: The folder of the benchmark's files, where it needs one.
        reward: A preset or reward by name, or a list of rewards; see `sql_env.scoring.rubric.load_rubric`.
        comparison: Semantics that replace the preset's and the tasks' own.
        prompt: The prompt template; see `sql_env.prompts.template.get_template`.
        prompt_budget: Characters of a prompt at most, beyond which the least relevant parts of the
            schema are left out; None for no limit. See `sql_env.prompts.prompt.PromptBudget`.
        limits: Fields of `sql_env.limits.Limits` by name.
        max_turns: Steps of an episode at most, the answer among them.
        max_queries: Queries that an episode runs before its answer at most; None for no limit but
            the turns.
        view: Fields of `sql_env.prompts.observation.ResultView` by name: how much of a result is shown.
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
        check_render_mode(render_mode)
        self.render_mode = render_mode
        self.observation_space = TextSpace()
        self.action_space = TextSpace()
        self._sampler = Sampler(
            benchmark,
            split=split,
            data_dir=data_dir,
            reward=reward,
            comparison=comparison,
            prompt=prompt,
            prompt_budget=prompt_budget,
            limits=limits,
            max_turns=max_turns,
            max_queries=max_queries,
            view=view,
            rows=True if render_mode else None,  # to be drawn
            **params,
        )
        self.tasks = self._sampler.tasks
        self.scorer = self._sampler.scorer
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
        given = check_options(options, ["task_id"])
        if "task_id" in given:
            [episode] = self._sampler.certain([given["task_id"]])
        else:
            [episode] = self._sampler.random([self.np_random])
        self._episode = episode
        return episode.prompt, reset_info(episode)

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
            ArgumentError: The action is no text.
        """
        if not isinstance(action, str):
            raise ArgumentError(f"an action is a completion, a str, not {action!r:.100}")
        episode = self._episode
        if episode is None or episode.done:
            raise ResetNeeded("the episode is over: call reset() before step()")
        step = episode.step(action)
        if self.render_mode == "human":
            self.render()
        reward = step.score.total or 0.0 if step.score else 0.0
        return step.observation, reward, step.done, False, step_info(episode)

    def render(self) -> str | None:
        """A panel of the task and, after a step, of its turns and its score: returned or printed."""
        return render_episode(self._episode, self.render_mode)

    def close(self) -> None:
        """Stop the workers."""
        self.scorer.close()


def render_episode(episode: Episode | None, render_mode: str | None) -> str | None:
    """The panel of an episode: returned where the mode is ``ansi``, printed where it is ``human``."""
    if render_mode is None or episode is None:
        return None
    from sql_env.display.panel import draw_panel  # takes long to import, and few look

    drawn = draw_panel(episode.task, episode.score, turns=episode.turns, color=render_mode == "human")
    if render_mode == "ansi":
        return drawn
    print(drawn)
    return None


def check_render_mode(render_mode: str | None) -> None:
    """Check that there is such a mode.

    Raises:
        gymnasium.error.UnsupportedMode: There is none.
    """
    modes = SQLEnv.metadata["render_modes"]
    if render_mode is not None and render_mode not in modes:
        known = suggest(render_mode, modes)
        raise gymnasium.error.UnsupportedMode(f"no render mode is called {render_mode!r}.{known}")

"""Many environments that are stepped together: each step is one batch for the scorer."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
from gymnasium.error import ResetNeeded
from gymnasium.utils import seeding
from gymnasium.vector import AutoresetMode, VectorEnv
from gymnasium.vector.utils import batch_space

from sql_env.envs.config import EnvConfig, show_arguments
from sql_env.envs.env import SQLEnv, render_episode
from sql_env.envs.episode import Episode, step
from sql_env.envs.info import Info, batch_infos, reset_info, step_info
from sql_env.envs.sampler import Sampler, check_options
from sql_env.envs.space import TextSpace
from sql_env.errors import ArgumentError
from sql_env.plugins import find_named

Array = npt.NDArray[Any]


@show_arguments
class SQLVectorEnv(VectorEnv[tuple[str, ...], Sequence[str], Array]):
    """A vector of ``num_envs`` environments. Each behaves like a `sql_env.SQLEnv` with its seed.

    ``gymnasium.vector.SyncVectorEnv`` behaves in the same way, but there each environment has its own
    workers and scores alone. Here all environments share one scorer: the answers of a step are one batch,
    and its queries are one batch. Make it by id: ``gymnasium.make_vec("SQLEnv-demo-v0", num_envs=1024)``.

    Args:
        num_envs: The number of environments.
        autoreset_mode: When the next episode begins after the end of one; see
            ``gymnasium.vector.AutoresetMode``. ``SameStep``: in the step that ends it; ``final_obs`` and
            ``final_info`` then have the last observation and info. ``NextStep``: in the next step, which
            ignores its action. ``Disabled``: at the next call of `reset`.
        workers: The number of processes that run queries.
        backend: The backend that runs queries; see `sql_env.Scorer`.
        arguments: The arguments of an environment. `sql_env.envs.config.EnvConfig` documents all of them.

    Raises:
        SQLEnvError: An argument names something that is not installed, or data is missing.
    """

    def __init__(
        self,
        num_envs: int = 1,
        *,
        autoreset_mode: str | AutoresetMode = AutoresetMode.SAME_STEP,
        workers: int = 1,
        backend: str = "local",
        **arguments: Any,
    ) -> None:
        if isinstance(num_envs, bool) or not isinstance(num_envs, int) or num_envs < 1:
            raise ArgumentError(f"num_envs must be a positive integer, not {num_envs!r}")
        config = EnvConfig.from_arguments(**arguments)
        self.num_envs = num_envs
        self.render_mode = config.render_mode
        name = autoreset_mode.value if isinstance(autoreset_mode, AutoresetMode) else autoreset_mode
        self._mode = find_named(
            {mode.value: mode for mode in AutoresetMode}, name, "autoreset mode", ArgumentError
        )
        self.metadata = {**SQLEnv.metadata, "autoreset_mode": self._mode}
        self.single_observation_space = TextSpace()
        self.single_action_space = TextSpace()
        self.observation_space = batch_space(self.single_observation_space, num_envs)
        self.action_space = batch_space(self.single_action_space, num_envs)
        self._sampler = Sampler(config, workers=workers, backend=backend)
        self.tasks = self._sampler.tasks
        self.scorer = self._sampler.scorer
        self._generators: list[tuple[np.random.Generator, int] | None] = [None] * num_envs
        self._episodes: list[Episode | None] = [None] * num_envs
        self._observations = [""] * num_envs

    @property  # type: ignore[misc]  # a tuple, as in SyncVectorEnv
    def np_random(self) -> tuple[np.random.Generator, ...]:  # type: ignore[override]
        """The random generator of each environment."""
        return tuple(self._generator(place)[0] for place in range(self.num_envs))

    @property
    def np_random_seed(self) -> tuple[int, ...]:  # type: ignore[override]
        """The seed of each environment."""
        return tuple(self._generator(place)[1] for place in range(self.num_envs))

    def reset(
        self,
        *,
        seed: int | Sequence[int | None] | None = None,
        options: Mapping[str, Any] | None = None,
    ) -> tuple[tuple[str, ...], Info]:
        """Begin an episode in every environment, or in those of ``options["reset_mask"]``.

        Args:
            seed: An integer, or a sequence of ``num_envs`` seeds. With an integer, the seed of environment
                ``i`` is ``seed + i``. An environment without a seed continues its random sequence.
            options: ``task_id`` as in `sql_env.SQLEnv.reset`: one id for all environments or a sequence
                of one id for each; ``reset_mask``, an array of ``num_envs`` truth values.

        Returns:
            ``num_envs`` observations; an environment that was not reset keeps its last one. Then the info of
            `sql_env.SQLEnv.reset`: each key has an array of ``num_envs`` values, and ``_key`` has a mask of
            the environments that have a value.

        Raises:
            ArgumentError: The number of seeds, task ids or truth values is not ``num_envs``.
            TaskError: No task has this id, or an option is unknown.
            GoldError: The gold query of this task, or of every task, fails.
            DatabaseError: A task's database cannot be read.
        """
        given = check_options(options, ["reset_mask", "task_id"])
        places = self._read_mask(given["reset_mask"]) if "reset_mask" in given else range(self.num_envs)
        seeds = [seed + i for i in range(self.num_envs)] if isinstance(seed, int) else seed
        if seeds is not None:
            self._check_count("seeds", seeds)
            for place in places:
                if seeds[place] is not None:
                    self._generators[place] = seeding.np_random(seeds[place])
        infos = self._begin(places, given)
        return tuple(self._observations), batch_infos(infos, self.num_envs)

    def step(self, actions: Sequence[str]) -> tuple[tuple[str, ...], Array, Array, Array, Info]:
        """Take a completion for each environment, and score those that end an episode in one batch.

        Args:
            actions: ``num_envs`` completions.

        Returns:
            ``num_envs`` observations; three arrays of ``num_envs`` values: the rewards, ``terminated``, and
            ``truncated`` (always False); and the info of `sql_env.SQLEnv.step` in the form that `reset`
            describes.

        Raises:
            ArgumentError: ``actions`` is not a sequence of ``num_envs`` texts.
            ResetNeeded: An episode is over, or has not begun.
            GoldError: A new episode must begin, and the gold query of every task fails.
        """
        self._check_count("actions", actions)
        if wrong := [action for action in actions if not isinstance(action, str)]:
            raise ArgumentError(f"an action is a completion, a str, not {wrong[0]!r:.100}")
        due = self._find_done() if self._mode is AutoresetMode.NEXT_STEP else []
        infos = dict(self._advance(sorted({*range(self.num_envs)} - {*due}), actions))
        rewards, ended = np.zeros(self.num_envs), np.zeros(self.num_envs, np.bool_)
        for place in infos:
            score = self._episode(place).score
            rewards[place] = score.total or 0.0 if score else 0.0
            ended[place] = score is not None
        if self._mode is AutoresetMode.SAME_STEP:
            due = self._find_done()
            for place in due:
                infos[place] = {"final_obs": self._observations[place], "final_info": infos[place]}
        for place, info in self._begin(due, {}):
            infos[place] = {**infos.get(place, {}), **info}
        merged = batch_infos(sorted(infos.items()), self.num_envs)
        return tuple(self._observations), rewards, ended, np.zeros_like(ended), merged

    def render(self) -> tuple[str | None, ...]:  # type: ignore[override]
        """Return or print the panel of each environment; see `sql_env.SQLEnv.render`."""
        return tuple(render_episode(episode, self.render_mode) for episode in self._episodes)

    def close_extras(self) -> None:
        """Stop the workers."""
        self.scorer.close()

    def _begin(self, places: Sequence[int], options: Mapping[str, Any]) -> list[tuple[int, Info]]:
        """Begin an episode in these environments. Return pairs of a place and its info."""
        if "task_id" in options:
            task_id = options["task_id"]
            ids = [task_id] * self.num_envs if isinstance(task_id, str) else task_id
            self._check_count("task ids", ids)
            episodes = self._sampler.by_id([ids[place] for place in places])
        else:
            episodes = self._sampler.draw([self._generator(place)[0] for place in places])
        for place, episode in zip(places, episodes, strict=True):
            self._observations[place] = episode.prompt
            self._episodes[place] = episode
        return [(place, reset_info(episode)) for place, episode in zip(places, episodes, strict=True)]

    def _advance(self, places: Sequence[int], actions: Sequence[str]) -> list[tuple[int, Info]]:
        """Step these environments. Return pairs of a place and its info."""
        episodes = [self._episode(place) for place in places]
        if over := [place for place, episode in zip(places, episodes, strict=True) if episode.done]:
            raise ResetNeeded(f"the episodes of environments {over[:9]} are over: reset them before step()")
        steps = step(episodes, [actions[place] for place in places])
        for place, taken in zip(places, steps, strict=True):
            self._observations[place] = taken.observation
        if self.render_mode == "human":
            for episode in episodes:
                render_episode(episode, self.render_mode)
        return [(place, step_info(episode)) for place, episode in zip(places, episodes, strict=True)]

    def _episode(self, place: int) -> Episode:
        episode = self._episodes[place]
        if episode is None:
            raise ResetNeeded(f"environment {place} has no episode: call reset() before step()")
        return episode

    def _find_done(self) -> list[int]:
        return [place for place, episode in enumerate(self._episodes) if episode is not None and episode.done]

    def _generator(self, place: int) -> tuple[np.random.Generator, int]:
        """Return the random generator of an environment, and its seed."""
        generator = self._generators[place] = self._generators[place] or seeding.np_random()
        return generator

    def _read_mask(self, mask: Any) -> list[int]:
        if not isinstance(mask, np.ndarray) or mask.dtype != np.bool_ or mask.shape != (self.num_envs,):
            raise ArgumentError(f"reset_mask must be a numpy array of {self.num_envs} bool, not {mask!r}")
        return [int(place) for place in np.flatnonzero(mask)]

    def _check_count(self, noun: str, given: Any) -> None:
        countable = isinstance(given, Sequence | np.ndarray) and not isinstance(given, str)
        if not countable or len(given) != self.num_envs:
            count = str(len(given)) if isinstance(given, Sequence | np.ndarray) else repr(given)
            raise ArgumentError(f"give {self.num_envs} {noun}, one for each environment, not {count}")

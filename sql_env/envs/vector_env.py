"""Many environments that are stepped as one: each step is one batch for the scorer."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
from gymnasium.error import ResetNeeded
from gymnasium.utils import seeding
from gymnasium.vector import AutoresetMode, VectorEnv
from gymnasium.vector.utils import batch_space

from sql_env.envs.env import SQLEnv, check_render_mode, render_episode
from sql_env.envs.episode import Episode, step
from sql_env.envs.info import Info, batch_infos, reset_info, step_info
from sql_env.envs.sampler import Sampler, check_options
from sql_env.envs.space import TextSpace
from sql_env.errors import ArgumentError
from sql_env.plugins import suggest

Array = npt.NDArray[Any]


class SQLVectorEnv(VectorEnv[tuple[str, ...], Sequence[str], Array]):
    """``num_envs`` environments, each of which does what a `sql_env.SQLEnv` of its seed does.

    So does ``gymnasium.vector.SyncVectorEnv``, with workers of its own and a batch of one for each
    environment. Here they share one scorer: the answers of a step are one batch, and so are the queries
    of those that explore. Make it by name: ``gymnasium.make_vec("SQLEnv-demo-v0", num_envs=1024)``.

    Args:
        num_envs: How many environments.
        autoreset_mode: When the next episode begins where one has ended; see
            ``gymnasium.vector.AutoresetMode``. ``SameStep``: in the step that ends it, whose own
            observation and info are then ``final_obs`` and ``final_info``. ``NextStep``: in the next
            step, which ignores its action. ``Disabled``: with `reset`.
        workers: How many processes run queries.
        backend: What runs queries; see `sql_env.Scorer`.
        render_mode: ``ansi`` for a text of each environment, ``human`` to print them.
        arguments: The other arguments of `sql_env.SQLEnv`.

    Raises:
        SQLEnvError: An argument names nothing that is installed, or data is missing.
    """

    def __init__(
        self,
        num_envs: int = 1,
        *,
        autoreset_mode: str | AutoresetMode = AutoresetMode.SAME_STEP,
        workers: int = 1,
        backend: str = "local",
        render_mode: str | None = None,
        **arguments: Any,
    ) -> None:
        check_render_mode(render_mode)
        if isinstance(num_envs, bool) or not isinstance(num_envs, int) or num_envs < 1:
            raise ArgumentError(f"num_envs must be a positive integer, not {num_envs!r}")
        self.num_envs = num_envs
        self.render_mode = render_mode
        self._mode = _mode(autoreset_mode)
        self.metadata = {**SQLEnv.metadata, "autoreset_mode": self._mode}
        self.single_observation_space = TextSpace()
        self.single_action_space = TextSpace()
        self.observation_space = batch_space(self.single_observation_space, num_envs)
        self.action_space = batch_space(self.single_action_space, num_envs)
        rows = True if render_mode else None  # to be drawn
        self._sampler = Sampler(**arguments, workers=workers, backend=backend, rows=rows)
        self.tasks = self._sampler.tasks
        self.scorer = self._sampler.scorer
        self._random: list[tuple[np.random.Generator, int] | None] = [None] * num_envs
        self._episodes: list[Episode | None] = [None] * num_envs
        self._observations = [""] * num_envs

    @property  # type: ignore[misc]  # one for each environment, as SyncVectorEnv has them
    def np_random(self) -> tuple[np.random.Generator, ...]:  # type: ignore[override]
        """The generator of each environment."""
        return tuple(self._seeded(place)[0] for place in range(self.num_envs))

    @property
    def np_random_seed(self) -> tuple[int, ...]:  # type: ignore[override]
        """The seed of each environment."""
        return tuple(self._seeded(place)[1] for place in range(self.num_envs))

    def reset(
        self,
        *,
        seed: int | Sequence[int | None] | None = None,
        options: Mapping[str, Any] | None = None,
    ) -> tuple[tuple[str, ...], Info]:
        """Begin an episode in every environment, or in those of ``options["reset_mask"]``.

        Args:
            seed: Environment ``i`` draws its tasks as one with the seed ``seed + i``, or the ``i``-th
                of a sequence. Where it is None, it goes on drawing as before.
            options: ``task_id`` as in `sql_env.SQLEnv.reset`, one for all or a sequence of one for each
                environment; ``reset_mask``, an array of ``num_envs`` truth values.

        Returns:
            ``num_envs`` prompts, those of before where nothing was reset; and what
            `sql_env.SQLEnv.reset` says in ``info``: under each key an array of ``num_envs`` values,
            and under ``_key`` a mask of the environments that have one.

        Raises:
            ArgumentError: There are not ``num_envs`` seeds, task ids or truth values.
            TaskError: No task has that id.
            GoldError: The gold query of that task, or of every task, fails.
            DatabaseError: A task's database cannot be read.
        """
        given = check_options(options, ["reset_mask", "task_id"])
        places = self._masked(given["reset_mask"]) if "reset_mask" in given else range(self.num_envs)
        seeds = [seed + i for i in range(self.num_envs)] if isinstance(seed, int) else seed
        if seeds is not None:
            self._check_count("seeds", seeds)
            for place in places:
                if seeds[place] is not None:
                    self._random[place] = seeding.np_random(seeds[place])
        infos = self._begin(places, given)
        return tuple(self._observations), batch_infos(infos, self.num_envs)

    def step(self, actions: Sequence[str]) -> tuple[tuple[str, ...], Array, Array, Array, Info]:
        """Take a completion for each environment, and score those that end an episode in one batch.

        Args:
            actions: ``num_envs`` completions, whatever they say.

        Returns:
            ``num_envs`` observations; arrays of ``num_envs`` values: the rewards, which episodes have
            ended, and which were cut off, which none ever is; and what `sql_env.SQLEnv.step` says in
            ``info``, in the form that `reset` gives it.

        Raises:
            ArgumentError: They are not ``num_envs`` texts.
            ResetNeeded: An episode is over, or has not begun.
            GoldError: Another episode is due, and the gold query of every task fails.
        """
        self._check_count("actions", actions)
        if strange := [action for action in actions if not isinstance(action, str)]:
            raise ArgumentError(f"an action is a completion, a str, not {strange[0]!r:.100}")
        due = self._over() if self._mode is AutoresetMode.NEXT_STEP else []
        infos = dict(self._advance(sorted({*range(self.num_envs)} - {*due}), actions))
        rewards, ended = np.zeros(self.num_envs), np.zeros(self.num_envs, np.bool_)
        for place in infos:
            score = self._episode(place).score
            rewards[place] = score.total or 0.0 if score else 0.0
            ended[place] = score is not None
        if self._mode is AutoresetMode.SAME_STEP:
            due = self._over()
            for place in due:
                infos[place] = {"final_obs": self._observations[place], "final_info": infos[place]}
        for place, first in self._begin(due, {}):
            infos[place] = {**infos.get(place, {}), **first}
        found = batch_infos(sorted(infos.items()), self.num_envs)
        return tuple(self._observations), rewards, ended, np.zeros_like(ended), found

    def render(self) -> tuple[str | None, ...]:  # type: ignore[override]
        """The panel of each environment, as `sql_env.SQLEnv.render` draws it: returned or printed."""
        return tuple(render_episode(episode, self.render_mode) for episode in self._episodes)

    def close_extras(self) -> None:
        """Stop the workers."""
        self.scorer.close()

    def _begin(self, places: Sequence[int], options: Mapping[str, Any]) -> list[tuple[int, Info]]:
        """Begin an episode in the environments of these places; the places, and their infos."""
        if "task_id" in options:
            wanted = options["task_id"]
            ids = [wanted] * self.num_envs if isinstance(wanted, str) else wanted
            self._check_count("task ids", ids)
            episodes = self._sampler.certain([ids[place] for place in places])
        else:
            episodes = self._sampler.random([self._seeded(place)[0] for place in places])
        for place, episode in zip(places, episodes, strict=True):
            self._observations[place] = episode.prompt
            self._episodes[place] = episode
        return [(place, reset_info(episode)) for place, episode in zip(places, episodes, strict=True)]

    def _advance(self, places: Sequence[int], actions: Sequence[str]) -> list[tuple[int, Info]]:
        """Step the environments of these places; the places, and their infos."""
        episodes = [self._episode(place) for place in places]
        if over := [place for place, episode in zip(places, episodes, strict=True) if episode.done]:
            raise ResetNeeded(f"the episodes of environments {over[:9]} are over: reset them before step()")
        for place, one in zip(places, step(episodes, [actions[place] for place in places]), strict=True):
            self._observations[place] = one.observation
        if self.render_mode == "human":
            for episode in episodes:
                render_episode(episode, self.render_mode)
        return [(place, step_info(episode)) for place, episode in zip(places, episodes, strict=True)]

    def _episode(self, place: int) -> Episode:
        episode = self._episodes[place]
        if episode is None:
            raise ResetNeeded(f"environment {place} has no episode: call reset() before step()")
        return episode

    def _over(self) -> list[int]:
        return [place for place, episode in enumerate(self._episodes) if episode is not None and episode.done]

    def _seeded(self, place: int) -> tuple[np.random.Generator, int]:
        found = self._random[place] = self._random[place] or seeding.np_random()
        return found

    def _masked(self, mask: Any) -> list[int]:
        if not isinstance(mask, np.ndarray) or mask.dtype != np.bool_ or mask.shape != (self.num_envs,):
            raise ArgumentError(f"reset_mask must be a numpy array of {self.num_envs} bool, not {mask!r}")
        return [int(place) for place in np.flatnonzero(mask)]

    def _check_count(self, noun: str, given: Any) -> None:
        if (
            isinstance(given, str)
            or not isinstance(given, Sequence | np.ndarray)
            or len(given) != self.num_envs
        ):
            count = f"{len(given)}" if isinstance(given, Sequence | np.ndarray) else f"{given!r}"
            raise ArgumentError(f"give {self.num_envs} {noun}, one for each environment, not {count}")


def _mode(name: str | AutoresetMode) -> AutoresetMode:
    known = [mode.value for mode in AutoresetMode]
    if not isinstance(name, AutoresetMode) and name not in known:
        raise ArgumentError(f"no autoreset mode is called {name!r}.{suggest(str(name), known)}")
    return AutoresetMode(name)

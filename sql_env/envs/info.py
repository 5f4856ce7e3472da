"""What gymnasium's ``info`` says of an episode, for one environment and for a vector of them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from sql_env.envs.episode import Episode
from sql_env.types import ExecutionResult

Info = dict[str, Any]


def reset_info(episode: Episode) -> Info:
    """The info of a reset; see `sql_env.SQLEnv.reset`."""
    return {
        "task_id": episode.task.id,
        "db_id": episode.task.db_id,
        "messages": episode.messages,
        "template": episode.asked.template,
        "turns_left": episode.turns_left,
    }


def step_info(episode: Episode) -> Info:
    """The info of an episode's last step; see `sql_env.SQLEnv.step`."""
    place = {"task_id": episode.task.id, "turns_left": episode.turns_left}
    if episode.score is None:
        last = episode.turns[-1]
        unknown: Info = {"correct": None, "components": {}, "masked": ""}
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


def batch_infos(infos: Sequence[tuple[int, Mapping[str, Any]]], num_envs: int) -> Info:
    """The infos of some environments of a vector as one, a column at a time.

    What comes of it is what ``gymnasium.vector.VectorEnv._add_info`` makes of one info after the other
    (and a test holds them equal), in a tenth of the time: under each key an array of ``num_envs``
    values, whose type that of the first decides, and under ``_key`` a mask of those that have one;
    what is itself an info becomes one again.

    Args:
        infos: The place of an environment and its info, in ascending order of places.
        num_envs: How many environments the vector has.
    """
    everywhere = np.array([place for place, _ in infos], np.intp)
    found: Info = {}
    for key in dict.fromkeys(key for _, info in infos for key in info):
        values = [info[key] for _, info in infos if key in info]
        places = everywhere
        if len(values) < len(infos):
            places = np.array([place for place, info in infos if key in info], np.intp)
        nested = isinstance(values[0], dict)
        found[key] = (
            batch_infos(list(zip(places.tolist(), values, strict=True)), num_envs)
            if nested
            else _array(places, values, num_envs)
        )
        found[f"_{key}"] = mask = np.zeros(num_envs, np.bool_)
        mask[places] = True
    return found


def _array(places: npt.NDArray[np.intp], values: Sequence[Any], num_envs: int) -> npt.NDArray[Any]:
    kind = type(values[0])
    if kind in (int, float, bool):
        array = np.zeros(num_envs, kind)
        array[places] = values
    else:
        array = np.full(num_envs, None, object)
        array[places] = np.fromiter(values, object, len(values))  # as it is, were it a list
    return array


def _ran(sql: str | None, result: ExecutionResult | None) -> Info:
    status = None if result is None else str(result.status)
    return {"sql": sql, "status": status, "error": "" if result is None else result.error}

"""The scorer as verl's reward: ``reward.custom_reward_function.path=pkg://trainers.verl_reward``."""

from __future__ import annotations

import atexit
import json
import logging
import threading
from collections.abc import Mapping
from functools import lru_cache
from typing import Any

from sql_env import Score, Scorer, Task
from sql_env.errors import PluginError
from sql_env.scoring.rubric import Rubric, load_rubric
from trainers.logs.scoring_stats import StepStats

log = logging.getLogger(__name__)

OWN = ("score", "acc", "masked")
"""What `compute_score` says of each sample beside the components; no component may be called so."""

STATS = "stats"
"""What it says of the scorer, where it is told to; no component may be called so either."""

_scorers: dict[tuple[str, int], Scorer] = {}
_stats: dict[tuple[str, int], StepStats] = {}
_lock = threading.Lock()


def compute_score(
    data_source: str,
    solution_str: str,
    ground_truth: str,
    extra_info: Mapping[str, Any] | None = None,
    *,
    reward: str = "sql-r1",
    workers: int = 1,
    profile: bool = False,
    **others: Any,
) -> dict[str, Any]:
    """Score one completion, as verl's reward managers ask for it.

    verl calls this from many threads of many processes. It never raises, because verl takes a
    failed reward for a failed rollout and goes on without a word: what cannot be scored is
    ``masked``, and `trainers.verl_adapter.replay_sampler` leaves it out of the batch.

    Args:
        data_source: The benchmark's name.
        solution_str: The model's text.
        ground_truth: The gold SQL; the task holds it too.
        extra_info: ``task`` is `Task.to_dict` as JSON.
        reward: A preset or reward by name, or a rubric as JSON.
        workers: How many processes run SQL for this one.
        profile: Whether to add `stats_of` this process's scorer.
        others: What verl hands over beside these.

    Returns:
        ``score``: the total. ``acc``: 1 if the result is the gold's, else 0. ``masked``: 1 if
        nobody can tell, and then all else is 0. And each component by its name, before its weight;
        0 where it does not apply, as it adds nothing to the total then. All of these are floats.

    Example:
        >>> from benchmarks.demo import demo
        >>> task = demo(split="test").tasks[0]
        >>> compute_score("demo", "no idea", task.gold_sql, {"task": json.dumps(task.to_dict())})["format"]
        -1.0
    """
    try:
        scorer = scorer_of(reward, workers)
        said = as_floats(scorer.score([solution_str], [task_of(str((extra_info or {})["task"]))])[0])
    except Exception as error:  # noqa: BLE001
        log.error("a completion could not be scored: %s: %s", type(error).__name__, error)
        said = nothing(reward)
    return {**said, **stats_of(reward, workers)} if profile else said


def as_floats(score: Score) -> dict[str, float]:
    """A score as what verl logs: the same keys for each of a rubric's scores, and only floats."""
    values = (score.total or 0.0, float(score.rollout.correct or 0), float(score.masked))
    return dict(zip(OWN, values, strict=True)) | {
        name: 0.0 if value is None else value for name, value in score.components.items()
    }


def nothing(reward: str) -> dict[str, float]:
    """What is said of a sample that cannot be scored."""
    return {**dict.fromkeys((*OWN, *_components(reward)), 0.0), "masked": 1.0}


def stats_of(text: str, workers: int = 1) -> dict[str, str]:
    """What this process's scorer for a rubric has done since this was last asked, whichever sample asks.

    So the sum over samples, whatever process has scored them, is what all scorers have done.

    Returns:
        ``stats``: `trainers.logs.scoring_stats.StepStats` as JSON. It is a text because verl takes the
        mean of all floats, and in a validation with several answers draws bootstrap samples of each.
    """
    since = _stats.get((text, workers))
    return {STATS: json.dumps(since() if since else {})}


def checked(text: str) -> Rubric:
    """The rubric, if verl can log it.

    Raises:
        PluginError: A component is called as one of `OWN`, or `STATS`.
    """
    built = load_rubric(text)
    if taken := sorted({reward.name for reward in built.rewards} & {*OWN, STATS}):
        raise PluginError(f"verl needs the name(s) {taken} itself: call these rewards something else")
    return built


def scorer_of(text: str, workers: int = 1) -> Scorer:
    """This process's scorer for a rubric; its workers stop when the process ends."""
    key = (text, workers)
    with _lock:
        if key not in _scorers:
            _scorers[key] = Scorer(checked(text), workers=workers, gold_store=True)
            _stats[key] = StepStats(_scorers[key])
            atexit.register(_scorers[key].close)
        return _scorers[key]


@lru_cache(maxsize=16)
def _components(text: str) -> tuple[str, ...]:
    try:
        return tuple(reward.name for reward in load_rubric(text).rewards)
    except Exception:  # noqa: BLE001
        return ()


task_of = lru_cache(maxsize=8192)(Task.from_json)
"""Build a task from its JSON text. Each process keeps the tasks that it used last."""

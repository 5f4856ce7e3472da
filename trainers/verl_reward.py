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

OWN_KEYS = ("score", "acc", "masked")
"""The keys of `compute_score`'s result beside the components. No component may have such a name."""

STATS_KEY = "stats"
"""The key of the scorer's statistics, with ``profile``. No component may have this name either."""

_scorers: dict[tuple[str, int], tuple[Scorer, StepStats]] = {}
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
    """Score one completion for verl's reward managers.

    verl calls this from many threads of many processes. It never raises, because verl treats a
    failed reward as a failed rollout and continues without a message: what cannot be scored is
    ``masked``, and `trainers.verl_adapter.replay_sampler` leaves it out of the batch.

    Args:
        data_source: The benchmark's name.
        solution_str: The model's text.
        ground_truth: The gold SQL, which the task has too.
        extra_info: ``task`` is `Task.to_dict` as JSON.
        reward: A preset or reward by name, or a rubric as JSON.
        workers: How many processes run SQL for this one.
        profile: Whether to add `get_stats` this process's scorer.
        others: Further arguments of verl, which are not used.

    Returns:
        ``score``: the total. ``acc``: 1 if the result is the gold result, else 0. ``masked``: 1 if
        this is unknown; then all other values are 0. And each component by its name, before its weight;
        0 if it does not apply, because it adds nothing to the total then. All values are floats.

    Example:
        >>> from benchmarks.demo import demo
        >>> task = demo(split="test").tasks[0]
        >>> compute_score("demo", "no idea", task.gold_sql, {"task": json.dumps(task.to_dict())})["format"]
        -1.0
    """
    try:
        scorer = get_scorer(reward, workers)
        task = decode_task(str((extra_info or {})["task"]))
        result = flatten_score(scorer.score([solution_str], [task])[0])
    except Exception as error:  # noqa: BLE001
        log.error("a completion could not be scored: %s: %s", type(error).__name__, error)
        result = make_masked_scores(reward)
    return {**result, **get_stats(reward, workers)} if profile else result


def flatten_score(score: Score) -> dict[str, float]:
    """Return a score as verl logs it: the same keys for each score of a rubric, and only floats."""
    values = (score.total or 0.0, float(score.rollout.correct or 0), float(score.masked))
    return dict(zip(OWN_KEYS, values, strict=True)) | {
        name: 0.0 if value is None else value for name, value in score.components.items()
    }


def make_masked_scores(reward: str) -> dict[str, float]:
    """Return the scores of a sample that cannot be scored."""
    return {**dict.fromkeys((*OWN_KEYS, *_list_components(reward)), 0.0), "masked": 1.0}


def get_stats(text: str, workers: int = 1) -> dict[str, str]:
    """Return the statistics of this process's scorer for a rubric since the last call.

    So the sum over all samples of all processes is what all scorers have done.

    Returns:
        ``stats``: `trainers.logs.scoring_stats.StepStats` as JSON. It is a text because verl takes the
        mean of all floats, and in a validation with several answers draws bootstrap samples of each.
    """
    _, stats = _scorers.get((text, workers), (None, dict))
    return {STATS_KEY: json.dumps(stats())}


def load_checked_rubric(text: str) -> Rubric:
    """Load a rubric and check that verl can log it.

    Raises:
        PluginError: A component has the name of one of `OWN_KEYS`, or of `STATS_KEY`.
    """
    built = load_rubric(text)
    if taken := sorted({reward.name for reward in built.rewards} & {*OWN_KEYS, STATS_KEY}):
        raise PluginError(f"verl uses the name(s) {taken} itself: give these rewards other names")
    return built


def get_scorer(text: str, workers: int = 1) -> Scorer:
    """Return this process's scorer for a rubric; its workers stop when the process ends."""
    key = (text, workers)
    with _lock:  # verl's threads share one scorer: without the lock two could start workers
        if key not in _scorers:
            scorer = Scorer(load_checked_rubric(text), workers=workers, gold_store=True)
            atexit.register(scorer.close)
            _scorers[key] = scorer, StepStats(scorer)
        return _scorers[key][0]


@lru_cache(maxsize=16)
def _list_components(text: str) -> tuple[str, ...]:
    try:
        return tuple(reward.name for reward in load_rubric(text).rewards)
    except Exception:  # noqa: BLE001
        return ()


decode_task = lru_cache(maxsize=8192)(Task.from_json)
"""Return a task from its JSON. Each process keeps the tasks that it used last."""

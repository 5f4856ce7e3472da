"""The scorer as TRL's ``reward_funcs``: one function for each component, one execution for all of them."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from functools import lru_cache
from typing import Any, TypeAlias

from sql_env import Score, Scorer, Status, Task
from sql_env.scoring.rubric import Rubric
from trainers.logs.learning import LearningWatch
from trainers.logs.rollouts import RolloutWriter
from trainers.logs.scoring_stats import StepStats

Completion: TypeAlias = str | Sequence[Mapping[str, Any]]
"""A completion in TRL: a text, or the messages of a conversation."""

Reward: TypeAlias = Callable[..., list[float | None]]

MALFORMED = "malformed"
"""The status of a completion without SQL."""

MAX_BATCHES = 4
"""Scored batches that are kept: TRL calls the functions of the components one after another."""


def make_reward_functions(scorer: Scorer, rollouts: RolloutWriter | None = None) -> list[Reward]:
    """Make one reward function for each component of the scorer's rubric, in its order.

    Each returns the component before its weight, so pass `get_reward_weights` as the configuration's
    ``reward_weights``. All of them return None for a masked sample, whose advantage TRL then sets
    to 0. The dataset needs a column ``task`` with `Task.to_dict` as JSON; see `trainers.dataset`.

    Args:
        scorer: Scores the completions.
        rollouts: Writes some of the rollouts to disk; None for none.

    Raises:
        RewardError: By a call of a function: a reward is broken. It stops the training.

    Example:
        >>> with Scorer("sql-r1") as scorer:
        ...     [function.__name__ for function in make_reward_functions(scorer)]
        ['format', 'execution', 'result', 'length']
    """
    lock = threading.Lock()

    @lru_cache(maxsize=MAX_BATCHES)
    def score(completions: tuple[str, ...], tasks: tuple[str, ...]) -> list[Score]:
        return scorer.score(completions, [_decode_task(task) for task in tasks])

    def score_batch(completions: Sequence[Completion], task: Sequence[str], **others: Any) -> list[Score]:
        with lock:  # a second thread with the same batch waits for its scores
            return score(tuple(map(extract_text, completions)), tuple(task))

    return make_component_functions(scorer, score_batch, compute_metrics, rollouts)


def make_component_functions(
    scorer: Scorer,
    score_batch: Callable[..., list[Score]],
    measure: Callable[[Sequence[Score]], dict[str, float]],
    rollouts: RolloutWriter | None = None,
) -> list[Reward]:
    """Make one reward function for each component of the scorer's rubric, in its order.

    The first of them also logs the metrics of the batch, writes its rollouts, and warns if nothing can be
    learnt.

    Args:
        scorer: Its rubric has the components.
        score_batch: Scores a batch from its columns in TRL.
        measure: Computes the metrics of the scores.
        rollouts: Writes some of the rollouts to disk; None for none.
    """
    names, stats = [reward.name for reward in scorer.rubric.rewards], StepStats(scorer)
    watch = LearningWatch()

    def make_function(name: str) -> Reward:
        def component(
            completions: Sequence[Any],
            log_metric: Callable[[str, float], None] | None = None,
            trainer_state: Any = None,
            **columns: Any,
        ) -> list[float | None]:
            scores = score_batch(completions, **columns)
            if name == names[0]:
                if trainer_state is not None:
                    watch.add_scores(scores, trainer_state.global_step + 1)
                    if rollouts is not None:
                        rollouts.add(scores, trainer_state.global_step + 1)
                if log_metric is not None:
                    for metric, value in {**measure(scores), **stats()}.items():
                        log_metric(metric, value)
            return [score.components[name] for score in scores]

        component.__name__ = component.__qualname__ = name  # TRL names the metrics by it
        return component

    return [make_function(name) for name in names]


def get_reward_weights(rubric: Rubric) -> list[float]:
    """Return the weights of a rubric's components, in the order of `make_reward_functions`."""
    return [reward.weight for reward in rubric.rewards]


def extract_text(completion: Completion) -> str:
    """Return the text of a completion. For a conversation this is the text of its last message."""
    if isinstance(completion, str):
        return completion
    content = completion[-1].get("content") if completion else ""
    if isinstance(content, str) or content is None:
        return content or ""
    return "".join(part.get("text") or "" for part in content)


def compute_metrics(scores: Sequence[Score]) -> dict[str, float]:
    """Compute the shares of correct and masked samples, and of each status, in a batch.

    The names are always the same, because TRL gathers the metrics one by one from all processes: a
    process with one more name would wait forever. If every sample is masked, all other shares are 0.
    """
    counted = [score.rollout for score in scores if not score.masked]
    statuses = Counter(MALFORMED if r.result is None else str(r.result.status) for r in counted)
    total = max(1, len(counted))
    shares = {f"sql/{status}": statuses[status] / total for status in (*map(str, Status), MALFORMED)}
    correct = sum(bool(rollout.correct) for rollout in counted) / total
    return {**shares, "sql/correct": correct, "sql/masked": 1 - len(counted) / max(1, len(scores))}


_decode_task = lru_cache(maxsize=8192)(Task.from_json)

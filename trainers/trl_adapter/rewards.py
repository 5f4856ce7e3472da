"""The scorer as TRL's ``reward_funcs``: one function a component, one execution for all."""

from __future__ import annotations

import threading
from collections import Counter, OrderedDict
from collections.abc import Callable, Mapping, Sequence
from functools import lru_cache
from typing import Any, TypeAlias

from sql_env import Score, Scorer, Status, Task
from sql_env.scoring.rubric import Rubric
from trainers.logs.rollouts import Rollouts
from trainers.logs.scoring_stats import StepStats

Completion: TypeAlias = str | Sequence[Mapping[str, Any]]
"""A completion as TRL hands it over: a text, or the messages of a conversation."""

Reward: TypeAlias = Callable[..., list[float | None]]

MALFORMED = "malformed"
"""How a completion without SQL ended."""

KEPT = 4
"""How many scored batches are remembered: TRL asks for each component in turn."""


class BatchScores:
    """Scores a batch once, however many reward functions ask for it, from whichever thread."""

    def __init__(self, scorer: Scorer) -> None:
        self._scorer = scorer
        self._lock = threading.Lock()
        self._batches: OrderedDict[tuple[tuple[str, ...], tuple[str, ...]], list[Score]] = OrderedDict()

    def __call__(self, completions: Sequence[Completion], tasks: Sequence[str]) -> list[Score]:
        """The scores of a batch.

        Args:
            completions: As TRL hands them over.
            tasks: The task of each, as JSON.

        Raises:
            RewardError: A reward is broken; training stops.
        """
        key = (tuple(text(completion) for completion in completions), tuple(tasks))
        with self._lock:
            if key not in self._batches:
                self._batches[key] = self._scorer.score(key[0], [_task(task) for task in tasks])
            self._batches.move_to_end(key)
            while len(self._batches) > KEPT:
                self._batches.popitem(last=False)
            return self._batches[key]


def reward_functions(scorer: Scorer, rollouts: Rollouts | None = None) -> list[Reward]:
    """One reward function for each component of the scorer's rubric, in its order.

    Each returns the component before its weight, so pass `reward_weights` as the configuration's
    ``reward_weights``. All of them return None for a masked sample, whose advantage TRL then sets
    to 0. The dataset needs a column ``task`` with `Task.to_dict` as JSON; see `trainers.dataset`.

    Args:
        scorer: Scores the completions.
        rollouts: Keeps some of them, where it is given.

    Example:
        >>> with Scorer("sql-r1") as scorer:
        ...     [function.__name__ for function in reward_functions(scorer)]
        ['format', 'execution', 'result', 'length']
    """
    scores = BatchScores(scorer)
    names, stats = [reward.name for reward in scorer.rubric.rewards], StepStats(scorer)
    return [_function(name, scores, rollouts, stats if name == names[0] else None) for name in names]


def reward_weights(rubric: Rubric) -> list[float]:
    """The weights of a rubric's components, in the order of `reward_functions`."""
    return [reward.weight for reward in rubric.rewards]


def text(completion: Completion) -> str:
    """The text of a completion: itself, or what the assistant last said."""
    if isinstance(completion, str):
        return completion
    content = completion[-1].get("content") if completion else ""
    if isinstance(content, str) or content is None:
        return content or ""
    return "".join(part.get("text") or "" for part in content)


def metrics(scores: Sequence[Score]) -> dict[str, float]:
    """What a batch of scores says beside its rewards: shares of correct, masked, and each status.

    The names are always the same, because TRL gathers them one by one from all processes: one that has
    a name more would wait for ever. Where every sample is masked all other shares are 0.
    """
    counted = [score.rollout for score in scores if not score.masked]
    ended = Counter(MALFORMED if r.result is None else str(r.result.status) for r in counted)
    of = max(1, len(counted))
    found = {f"sql/{status}": ended[status] / of for status in (*map(str, Status), MALFORMED)}
    correct = sum(bool(rollout.correct) for rollout in counted) / of
    return {**found, "sql/correct": correct, "sql/masked": 1 - len(counted) / max(1, len(scores))}


def _function(name: str, scores: BatchScores, rollouts: Rollouts | None, stats: StepStats | None) -> Reward:
    def component(
        completions: Sequence[Completion],
        task: Sequence[str],
        prompts: Sequence[Any] | None = None,
        log_metric: Callable[[str, float], None] | None = None,
        trainer_state: Any = None,
        **others: Any,
    ) -> list[float | None]:
        batch = scores(completions, task)
        if stats and rollouts is not None and trainer_state is not None:
            rollouts.add(batch, trainer_state.global_step + 1)
        if stats and log_metric is not None:
            for metric, value in {**metrics(batch), **stats()}.items():
                log_metric(metric, value)
        return [score.components[name] for score in batch]

    component.__name__ = component.__qualname__ = name
    return component


_task = lru_cache(maxsize=8192)(Task.from_json)

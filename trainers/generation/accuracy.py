"""The accuracy of a model on held-out tasks: greedy, sampled, and by vote."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from benchmarks.metrics.accuracy import is_vote_correct, mean_at_1, pass_at_k
from sql_env import Rollout, Task
from trainers.dataset import Prompter
from trainers.generation.sampling import generate_completions


def generate_rollouts(
    model: Any, tokenizer: Any, tasks: Sequence[Task], prompter: Prompter, *, samples: int = 1, **others: Any
) -> list[list[Rollout]]:
    """Complete the prompt of each task, run the SQL of the completions and compare the results.

    Args:
        model: A causal language model of transformers.
        tokenizer: Its tokenizer.
        tasks: ``n`` tasks.
        prompter: Makes the prompts; its scorer runs the queries.
        samples: Completions of each task.
        others: Further arguments of `trainers.generation.sampling.generate_completions`.

    Returns:
        ``n`` lists of ``samples`` rollouts.
    """
    prompts = [prompter(task) for task in tasks]
    groups = generate_completions(model, tokenizer, prompts, samples=samples, **others)
    completions = [completion for group in groups for completion in group]
    repeated = [task for task in tasks for _ in range(samples)]
    rollouts = prompter.scorer.rollouts(completions, repeated, rows=True)
    return [rollouts[i : i + samples] for i in range(0, len(rollouts), samples)]


@dataclass(frozen=True, slots=True)
class GreedyAccuracy:
    """The figures of greedy decoding.

    Attributes:
        accuracy: The execution accuracy; masked answers do not count. 0 if there are no others.
        masked: The share of answers that are masked.
    """

    accuracy: float
    masked: float


def measure_greedy(
    model: Any, tokenizer: Any, tasks: Sequence[Task], prompter: Prompter, **others: Any
) -> float:
    """Measure the execution accuracy of greedy decoding; masked tasks do not count."""
    return measure_greedy_accuracy(model, tokenizer, tasks, prompter, **others).accuracy


def measure_greedy_accuracy(
    model: Any, tokenizer: Any, tasks: Sequence[Task], prompter: Prompter, **others: Any
) -> GreedyAccuracy:
    """Measure the execution accuracy of greedy decoding, and the share of masked answers."""
    groups = generate_rollouts(model, tokenizer, tasks, prompter, **others)
    return GreedyAccuracy(mean_at_1(_list_verdicts(groups)) or 0.0, compute_masked_share(groups))


def measure_accuracy(
    model: Any,
    tokenizer: Any,
    tasks: Sequence[Task],
    prompter: Prompter,
    *,
    k: int = 8,
    temperature: float = 1.0,
    **others: Any,
) -> dict[str, float]:
    """Measure the four accuracies of a model, in which masked rollouts do not count, and their share.

    Returns:
        ``greedy``: execution accuracy of greedy decoding. ``mean@1``: of one sample, on average.
        ``pass@k``: the probability that one of k samples is right. ``vote@k``: of the sample whose
        result is the most frequent among k. ``masked``: the share of masked samples.
    """
    sampled = generate_rollouts(
        model, tokenizer, tasks, prompter, samples=k, temperature=temperature, **others
    )
    right = _list_verdicts(sampled)
    return {
        "greedy": measure_greedy(model, tokenizer, tasks, prompter, **others),
        "mean@1": mean_at_1(right) or 0.0,
        f"pass@{k}": pass_at_k([group for group in right if None not in group], k) or 0.0,
        f"vote@{k}": mean_at_1([[is_vote_correct(group)] for group in sampled]) or 0.0,
        "masked": compute_masked_share(sampled),
    }


def compute_masked_share(groups: Iterable[Iterable[Rollout]]) -> float:
    """Return the share of rollouts that are masked; 0 without any."""
    masked = [bool(rollout.masked) for group in groups for rollout in group]
    return sum(masked) / max(1, len(masked))


def _list_verdicts(groups: Sequence[Sequence[Rollout]]) -> list[list[bool | None]]:
    return [[None if r.masked else bool(r.correct) for r in group] for group in groups]

"""How good a model is on held-out tasks: greedy, sampled, and by vote."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

from benchmarks.metrics.accuracy import mean_at_1, pass_at_k, voted
from sql_env import Rollout, Task
from trainers.dataset import Prompter
from trainers.generation.sampling import generate_completions


def generate_rollouts(
    model: Any, tokenizer: Any, tasks: Sequence[Task], prompter: Prompter, *, samples: int = 1, **how: Any
) -> list[list[Rollout]]:
    """What a model answers to each task, run and compared.

    Args:
        model: A causal language model of transformers.
        tokenizer: Its tokenizer.
        tasks: ``n`` tasks.
        prompter: How they are asked, and what runs the answers.
        samples: Answers a task.
        how: Further arguments of `trainers.generation.sampling.generate_completions`.

    Returns:
        ``n`` lists of ``samples`` rollouts.
    """
    prompts = [prompter(task) for task in tasks]
    answers = generate_completions(model, tokenizer, prompts, samples=samples, **how)
    flat = [answer for group in answers for answer in group]
    judged = prompter.scorer.rollouts(flat, [task for task in tasks for _ in range(samples)], rows=True)
    return [judged[i : i + samples] for i in range(0, len(judged), samples)]


def measure_greedy(
    model: Any, tokenizer: Any, tasks: Sequence[Task], prompter: Prompter, **how: Any
) -> float:
    """Execution accuracy of greedy decoding; masked tasks do not count."""
    return mean_at_1(_verdicts(generate_rollouts(model, tokenizer, tasks, prompter, **how))) or 0.0


def measure_accuracy(
    model: Any,
    tokenizer: Any,
    tasks: Sequence[Task],
    prompter: Prompter,
    *,
    k: int = 8,
    temperature: float = 1.0,
    **how: Any,
) -> dict[str, float]:
    """The four figures of a model; masked answers do not count.

    Returns:
        ``greedy``: execution accuracy of greedy decoding. ``mean@1``: of one sample, on average.
        ``pass@k``: the chance that one of k samples is right. ``vote@k``: of the sample whose
        result most of the k have.
    """
    sampled = generate_rollouts(model, tokenizer, tasks, prompter, samples=k, temperature=temperature, **how)
    right = _verdicts(sampled)
    return {
        "greedy": measure_greedy(model, tokenizer, tasks, prompter, **how),
        "mean@1": mean_at_1(right) or 0.0,
        f"pass@{k}": pass_at_k([group for group in right if None not in group], k) or 0.0,
        f"vote@{k}": mean_at_1([[voted(group)] for group in sampled]) or 0.0,
    }


def compute_standard_error(share: float, n: int) -> float:
    """The standard error of a share of ``n`` tasks."""
    return math.sqrt(share * (1 - share) / n) if n else 0.0


def _verdicts(groups: Sequence[Sequence[Rollout]]) -> list[list[bool | None]]:
    return [[None if r.masked else bool(r.correct) for r in group] for group in groups]

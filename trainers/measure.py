"""How good a model is on held-out tasks: greedy, sampled, and by vote."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from sql_env import Rollout, Task
from trainers.dataset import Prompter
from trainers.generate import generate


def rollouts(
    model: Any, tokenizer: Any, tasks: Sequence[Task], prompter: Prompter, *, samples: int = 1, **how: Any
) -> list[list[Rollout]]:
    """What a model answers to each task, run and compared; masked ones are left out.

    Args:
        model: A causal language model of transformers.
        tokenizer: Its tokenizer.
        tasks: ``n`` tasks.
        prompter: How they are asked, and what runs the answers.
        samples: Answers a task.
        how: Further arguments of `trainers.generate.generate`.

    Returns:
        ``n`` lists of at most ``samples`` rollouts.
    """
    prompts = [prompter(task) for task in tasks]
    answers = generate(model, tokenizer, prompts, samples=samples, **how)
    flat = [answer for group in answers for answer in group]
    judged = prompter.scorer.rollouts(flat, [task for task in tasks for _ in range(samples)])
    groups = [judged[i : i + samples] for i in range(0, len(judged), samples)]
    return [[rollout for rollout in group if not rollout.masked] for group in groups]


def greedy(model: Any, tokenizer: Any, tasks: Sequence[Task], prompter: Prompter, **how: Any) -> float:
    """Execution accuracy of greedy decoding."""
    judged = [group[0] for group in rollouts(model, tokenizer, tasks, prompter, **how) if group]
    return sum(bool(rollout.correct) for rollout in judged) / max(1, len(judged))

"""Tasks as the datasets that TRL trains on."""

from __future__ import annotations

import json
import logging
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeAlias

from sql_env import Scorer, Task, respond
from sql_env.errors import TaskError
from sql_env.prompts.prompt import PromptBudget, build_prompt, chat_text
from sql_env.prompts.template import Message

if TYPE_CHECKING:
    from datasets import Dataset
    from transformers import PreTrainedTokenizerBase

log = logging.getLogger(__name__)

Prompt: TypeAlias = str | list[Message]


@dataclass(frozen=True, slots=True)
class Prompter:
    """Asks tasks the same way in the cold start, in GRPO and in every measurement.

    Attributes:
        scorer: Knows the schemas and the response format.
        template: The prompt template; see `sql_env.prompts.template.get_template`.
        chat: Whether the model has a chat template: prompts are then messages, else plain text.
        budget: How large a prompt may be; None for as large as it gets.
    """

    scorer: Scorer
    template: str = "full"
    chat: bool = False
    budget: PromptBudget | None = None

    def __call__(self, task: Task) -> Prompt:
        """The prompt of one task."""
        form = self.scorer.rubric.form
        asked = build_prompt(task, self.scorer.executor, form, self.template, budget=self.budget)
        return asked.messages if self.chat else chat_text(asked.messages)

    def make_completion(self, task: Task, strategy: str) -> str:
        """The completion that is taught: the gold SQL, with its reasoning or without.

        Raises:
            TaskError: The strategy is ``reasoning``, and the task has none.
        """
        if strategy == "reasoning" and not task.reasoning:
            raise TaskError(f"task {task.id!r} has no reasoning to teach: use the strategy 'sql'")
        reasoning = task.reasoning if strategy == "reasoning" else ""
        return respond(task.gold_sql, reasoning, self.scorer.rubric.form)


def filter_usable(tasks: Sequence[Task], scorer: Scorer, keep_empty: bool = False) -> list[Task]:
    """Those of the tasks that can be learnt from; what is left out, and why, is logged.

    A task whose gold query fails has no reward. One whose gold result is empty pays every wrong
    query that happens to return nothing, so it is left out too unless ``keep_empty``.
    """
    reasons: Counter[str] = Counter()
    kept = []
    for task, gold in zip(tasks, scorer.golds(tasks), strict=True):
        if not gold.ok:
            reasons[f"gold query fails ({gold.status})"] += 1
        elif not gold.rows and not keep_empty:
            reasons["gold result is empty"] += 1
        else:
            kept.append(task)
    for reason, count in reasons.items():
        log.warning("%d of %d tasks left out: %s", count, len(tasks), reason)
    return kept


def filter_by_length(
    tasks: Sequence[Task], prompter: Prompter, tokenizer: PreTrainedTokenizerBase, at_most: int
) -> list[Task]:
    """Those of the tasks whose prompt has at most so many tokens; all of them where it is 0."""
    if not at_most:
        return list(tasks)
    kept = [task for task in tasks if count_prompt_tokens(prompter(task), tokenizer) <= at_most]
    if len(kept) < len(tasks):
        log.warning("%d of %d tasks left out: prompt too long", len(tasks) - len(kept), len(tasks))
    return kept


def make_token_budget(most: int, tokenizer: PreTrainedTokenizerBase) -> PromptBudget | None:
    """A budget in a model's tokens; None where it is 0."""
    chat = tokenizer.chat_template is not None

    def size(messages: list[Message]) -> int:
        return count_prompt_tokens(messages if chat else chat_text(messages), tokenizer)

    return PromptBudget(most, size) if most else None


def count_prompt_tokens(prompt: Prompt, tokenizer: PreTrainedTokenizerBase) -> int:
    """How many tokens a prompt has."""
    return len(tokenizer(render_prompt(prompt, tokenizer))["input_ids"])


def render_prompt(prompt: Prompt, tokenizer: PreTrainedTokenizerBase) -> str:
    """A prompt as the text that the model reads."""
    if isinstance(prompt, str):
        return prompt
    rendered: Any = tokenizer.apply_chat_template(prompt, tokenize=False, add_generation_prompt=True)
    return str(rendered)


def make_sft_dataset(tasks: Sequence[Task], prompter: Prompter, strategy: str = "auto") -> Dataset:
    """Prompt and completion for `trl.SFTTrainer`.

    Args:
        tasks: What is taught.
        prompter: How it is asked.
        strategy: ``reasoning`` or ``sql``, the two of SQL-R1 (arXiv 2504.08600); ``auto`` for the
            former where every task has reasoning.
    """
    from datasets import Dataset

    if strategy == "auto":
        strategy = "reasoning" if all(task.reasoning for task in tasks) else "sql"
        log.info("the cold start teaches %s", "reasoning and SQL" if strategy == "reasoning" else "SQL only")
    rows = [(prompter(task), prompter.make_completion(task, strategy)) for task in tasks]
    said = [[Message(role="assistant", content=answer)] if prompter.chat else answer for _, answer in rows]
    return Dataset.from_dict({"prompt": [prompt for prompt, _ in rows], "completion": said})


def make_grpo_dataset(tasks: Iterable[Task], prompter: Prompter) -> Dataset:
    """Prompt and task for `trl.GRPOTrainer` and `trainers.trl_adapter.rewards.make_reward_functions`."""
    from datasets import Dataset

    rows = [(prompter(task), json.dumps(task.to_dict())) for task in tasks]
    return Dataset.from_dict({"prompt": [p for p, _ in rows], "task": [t for _, t in rows]})

"""Tasks as prompts, and as the datasets that TRL trains on."""

from __future__ import annotations

import json
import logging
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeAlias

from sql_env import Scorer, Task, respond
from sql_env.errors import GenerationError, TaskError
from sql_env.prompts.prompt import PromptBudget, build_prompt, join_messages
from sql_env.prompts.template import Message, Template

if TYPE_CHECKING:
    from datasets import Dataset
    from transformers import PreTrainedTokenizerBase

log = logging.getLogger(__name__)

Prompt: TypeAlias = str | list[Message]


@dataclass(frozen=True, slots=True)
class Prompter:
    """Makes the same prompts in the cold start, in GRPO and in every measurement.

    Attributes:
        scorer: Has the schemas and the response format.
        template: The prompt template; see `sql_env.prompts.template.get_template`.
        chat: True if the model has a chat template: prompts are messages then, else text.
        budget: The limit of a prompt's size; None for no limit.
    """

    scorer: Scorer
    template: str | Template = "full"
    chat: bool = False
    budget: PromptBudget | None = None

    def __call__(self, task: Task) -> Prompt:
        """Return the prompt of one task."""
        form = self.scorer.rubric.form
        prompt = build_prompt(task, self.scorer.executor, form, self.template, budget=self.budget)
        return prompt.messages if self.chat else join_messages(prompt.messages)

    def make_completion(self, task: Task, strategy: str) -> str:
        """Make the completion to learn: the gold SQL, with its reasoning or without.

        Raises:
            TaskError: The strategy is ``reasoning``, and the task has none.
        """
        if strategy == "reasoning" and not task.reasoning:
            raise TaskError(f"task {task.id!r} has no reasoning to teach: use the strategy 'sql'")
        reasoning = task.reasoning if strategy == "reasoning" else ""
        return respond(task.gold_sql, reasoning, self.scorer.rubric.form)


def filter_usable(tasks: Sequence[Task], scorer: Scorer, keep_empty: bool = False) -> list[Task]:
    """Return the tasks that a model can learn from. Log how many others there are, and why.

    A task whose gold query fails has no reward. If the gold result is empty, every wrong query that
    returns no rows is rewarded, so such a task is left out too unless ``keep_empty``.
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
    tasks: Sequence[Task], prompter: Prompter, tokenizer: PreTrainedTokenizerBase, max_tokens: int
) -> list[Task]:
    """Return the tasks whose prompt has at most ``max_tokens`` tokens; all tasks if that is 0."""
    kept = [
        task
        for task in tasks
        if not max_tokens or count_prompt_tokens(prompter(task), tokenizer) <= max_tokens
    ]
    if len(kept) < len(tasks):
        log.warning("%d of %d tasks left out: prompt too long", len(tasks) - len(kept), len(tasks))
    return kept


def load_tokenizer(model: str, revision: str | None = None, *, trust_remote_code: bool = False) -> Any:
    """Load a model's tokenizer. It gets a token to pad with if it has none.

    Args:
        model: The model's name on the hub, or its folder.
        revision: Its revision on the hub; None for the newest.
        trust_remote_code: True to run code from the model's folder. The user must have asked for it.

    Raises:
        ValueError: The tokenizer needs code from the folder.
    """
    from transformers import AutoTokenizer

    tokenizer = AutoTokenizer.from_pretrained(model, revision=revision, trust_remote_code=trust_remote_code)
    if tokenizer.pad_token is None:
        tokenizer.pad_token = tokenizer.eos_token
    return tokenizer


@contextmanager
def expect_model(name: str) -> Iterator[None]:
    """Turn the errors of transformers about a model or a tokenizer that is missing into one of ours.

    Raises:
        GenerationError: The block could not load it.
    """
    try:
        yield
    except (OSError, ValueError) as error:
        reason = " ".join(str(error).split()).rstrip(".")
        raise GenerationError(
            f"no model at {name!r}: {reason}. Give a folder with a model and its tokenizer, or "
            "a name on the Hugging Face hub. A model that needs code of its own wants --trust_remote_code"
        ) from None


def make_token_budget(max_tokens: int, tokenizer: PreTrainedTokenizerBase) -> PromptBudget | None:
    """Make a budget in a model's tokens; None if ``max_tokens`` is 0."""

    def size(messages: list[Message]) -> int:
        chat = tokenizer.chat_template is not None
        return count_prompt_tokens(messages if chat else join_messages(messages), tokenizer)

    return PromptBudget(max_tokens, size) if max_tokens else None


def count_prompt_tokens(prompt: Prompt, tokenizer: PreTrainedTokenizerBase) -> int:
    """Count the tokens of a prompt."""
    return len(tokenizer(render_prompt(prompt, tokenizer))["input_ids"])


def render_prompt(prompt: Prompt, tokenizer: PreTrainedTokenizerBase) -> str:
    """Return a prompt as the text that the model reads."""
    if isinstance(prompt, str):
        return prompt
    rendered: Any = tokenizer.apply_chat_template(prompt, tokenize=False, add_generation_prompt=True)
    return str(rendered)


def make_sft_dataset(tasks: Sequence[Task], prompter: Prompter, strategy: str = "auto") -> Dataset:
    """Make the prompts and completions for `trl.SFTTrainer`.

    Args:
        tasks: The tasks.
        prompter: Makes the prompts.
        strategy: ``reasoning`` or ``sql``, the two of SQL-R1 (arXiv 2504.08600); ``auto`` chooses
            ``reasoning`` if every task has reasoning.
    """
    from datasets import Dataset

    if strategy == "auto":
        strategy = "reasoning" if all(task.reasoning for task in tasks) else "sql"
        log.info("the cold start teaches %s", "reasoning and SQL" if strategy == "reasoning" else "SQL only")
    texts = [prompter.make_completion(task, strategy) for task in tasks]
    chats = [[Message(role="assistant", content=text)] for text in texts]
    completions = chats if prompter.chat else texts
    return Dataset.from_dict({"prompt": list(map(prompter, tasks)), "completion": completions})


def make_grpo_dataset(tasks: Iterable[Task], prompter: Prompter) -> Dataset:
    """Make the prompts and tasks for `trl.GRPOTrainer` and `trainers.trl_adapter.rewards`."""
    from datasets import Dataset

    tasks = list(tasks)
    encoded = [json.dumps(task.to_dict()) for task in tasks]
    return Dataset.from_dict({"prompt": list(map(prompter, tasks)), "task": encoded})

"""Build the prompt of a task. The environment, the trainers and the benchmarks all use it."""

from __future__ import annotations

import logging
import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field, replace

from sql_env.execution.backends import Backend
from sql_env.limits import check_integer
from sql_env.parser import ResponseFormat
from sql_env.prompts.pruning import LeftOut, prune_to_fit
from sql_env.prompts.relevance import rate_relevance
from sql_env.prompts.template import Message, Template, get_template
from sql_env.prompts.values import add_matches, find_matches
from sql_env.schema.model import Schema, cache_on_schema
from sql_env.types import Task

log = logging.getLogger(__name__)


def join_messages(chat: Iterable[Message]) -> str:
    """Return chat messages as one text that ends with a newline, for models without a chat template."""
    return "\n\n".join(message["content"] for message in chat).rstrip("\n") + "\n"


def count_characters(chat: list[Message]) -> int:
    """Return the length of `join_messages`: the size of a prompt if there is no tokenizer."""
    return len(join_messages(chat))


@dataclass(frozen=True, slots=True)
class PromptBudget:
    """The maximum size of a prompt.

    Attributes:
        max_size: The maximum size.
        measure: Returns the size of chat messages: their characters, or their tokens by a tokenizer.

    Raises:
        LimitError: ``max_size`` is not a positive integer.
    """

    max_size: int
    measure: Callable[[list[Message]], int] = count_characters

    def __post_init__(self) -> None:
        check_integer("a prompt's budget", self.max_size)


@dataclass(frozen=True, slots=True)
class Prompt:
    """The prompt of a task.

    Attributes:
        messages: The chat messages.
        template: The id of the template, ``name@version``.
        left_out: The parts of the schema that the budget has left out.
        dropped_gold_tables: The tables among them that the gold query reads. They are only for reports:
            the model does not see them, and the pruning does not use them.
    """

    messages: list[Message]
    template: str
    left_out: LeftOut = field(default_factory=LeftOut)
    dropped_gold_tables: tuple[str, ...] = ()


def build_prompt(
    task: Task,
    executor: Backend,
    form: ResponseFormat,
    name: str | Template = "full",
    turns: int = 1,
    budget: PromptBudget | None = None,
) -> Prompt:
    """Build the prompt of a task.

    Args:
        task: The task. Its gold SQL and its reasoning do not change the prompt.
        executor: Reads the schema. If the template shows them, it also finds the values that the question
            mentions.
        form: The response format that the prompt asks for.
        name: The template; see `sql_env.prompts.template.get_template`.
        turns: The number of turns of the episode. Above 1 the prompt explains how to explore.
        budget: The maximum size of the prompt; None for no limit.

    Raises:
        DatabaseError: The database cannot be read.
        FormatError: No template has this name.
    """
    template = get_template(name)
    text = f"{task.evidence}\n{task.question}"
    matches = find_matches(executor, task.database, task.dialect, text) if template.matches else ()
    whole_schema = executor.schema(task.database, task.dialect)
    schema = add_matches(_select_parts(whole_schema, template.values, template.descriptions), matches)

    def render(part: Schema) -> list[Message]:
        return template.render(task, part, form, turns)

    messages = render(schema)
    if budget is None or budget.measure(messages) <= budget.max_size:
        return Prompt(messages, template.id)
    relevance = rate_relevance(schema, text)
    pruned, left_out = prune_to_fit(
        schema, relevance, lambda part: budget.measure(render(part)), budget.max_size
    )
    dropped = _find_gold_tables(task, left_out.tables) if left_out.tables else ()
    if dropped:
        log.warning("task %s: the prompt's budget leaves out gold table(s) %s", task.id, ", ".join(dropped))
    return Prompt(render(pruned), template.id, left_out, dropped)


@cache_on_schema
def _select_parts(schema: Schema, with_values: bool, with_descriptions: bool) -> Schema:
    """Remove the parts that a template does not show, so that the pruning does not count them."""
    if with_values and with_descriptions:
        return schema
    return schema.map_columns(
        lambda _, column: replace(
            column,
            values=column.values if with_values else (),
            description=column.description if with_descriptions else "",
        )
    )


def _find_gold_tables(task: Task, tables: tuple[str, ...]) -> tuple[str, ...]:
    """Return the tables that the gold query reads. If it cannot be parsed, search its text for the names."""
    import sqlglot  # slow to import, and rarely needed

    try:
        tree = sqlglot.parse_one(task.gold_sql, dialect=task.dialect)
        read = {node.name.lower() for node in tree.find_all(sqlglot.exp.Table)}
    except (sqlglot.errors.SqlglotError, RecursionError):
        read = set(re.findall(r"\w+", task.gold_sql.lower()))
    return tuple(path for path in tables if path.rpartition(".")[2].lower() in read)

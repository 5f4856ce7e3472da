"""What the model is shown: a task and its database as chat messages, the same through every door."""

from __future__ import annotations

import logging
import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field, replace

from sql_env.errors import LimitError
from sql_env.execution.backends import Backend
from sql_env.parser import ResponseFormat
from sql_env.prompts import values
from sql_env.prompts.pruning import LeftOut, prune_to_fit
from sql_env.prompts.relevance import rate_relevance
from sql_env.prompts.template import Message, Template, get_template
from sql_env.schema.model import Schema, once
from sql_env.types import Task

log = logging.getLogger(__name__)


def chat_text(chat: Iterable[Message]) -> str:
    """Chat messages as one text that ends its line, for models without a chat template."""
    return "\n\n".join(message["content"] for message in chat).rstrip("\n") + "\n"


def count_characters(chat: list[Message]) -> int:
    """The length of `text`, as the size of a prompt where no tokenizer is at hand."""
    return len(chat_text(chat))


@dataclass(frozen=True, slots=True)
class PromptBudget:
    """How large a prompt may be.

    Attributes:
        most: Its size, at most.
        size: The size of chat messages: their characters, or their tokens by a tokenizer.

    Raises:
        LimitError: ``most`` is no positive integer.
    """

    most: int
    size: Callable[[list[Message]], int] = count_characters

    def __post_init__(self) -> None:
        if isinstance(self.most, bool) or not isinstance(self.most, int) or self.most < 1:
            raise LimitError(f"a prompt's budget must be a positive integer, not {self.most!r}")


@dataclass(frozen=True, slots=True)
class Prompt:
    """A task as it is asked.

    Attributes:
        messages: The chat messages.
        template: The id of the template, ``name@version``.
        left_out: What the budget has left out of the schema.
        dropped_gold_tables: Tables among it that the gold query reads. For reports alone: the model is
            not told, and nothing is kept because the gold query needs it.
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
    """Ask a task. The environment, the trainers and the benchmarks all do it here.

    Args:
        task: What is asked. Its gold SQL and its reasoning are not shown, and change nothing.
        executor: Reads the schema, and the values that the question mentions where the template
            shows them.
        form: The response format that the model is told to keep.
        name: The template; see `sql_env.prompts.template.get_template`.
        turns: How many turns the episode has. Of exploring the model is told where it is above 1.
        budget: How large the prompt may be; None for as large as it gets.

    Raises:
        DatabaseError: The database cannot be read.
        FormatError: No template has this name.
    """
    chosen = get_template(name)
    words = f"{task.evidence}\n{task.question}"
    found: tuple[values.Match, ...] = ()
    if chosen.matches:
        found = values.find_matches(executor, task.database, task.dialect, words)
    schema = values.link_values(
        _shown(executor.schema(task.database, task.dialect), chosen.values, chosen.descriptions), found
    )

    def messages(some: Schema) -> list[Message]:
        return chosen.render(task, some, form, turns)

    whole = messages(schema)
    if budget is None or budget.size(whole) <= budget.most:
        return Prompt(whole, chosen.id)
    room, left_out = prune_to_fit(
        schema, rate_relevance(schema, words), lambda some: budget.size(messages(some)), budget.most
    )
    dropped = _read_by_gold(task, left_out.tables) if left_out.tables else ()
    if dropped:
        log.warning("task %s: the prompt's budget leaves out gold table(s) %s", task.id, ", ".join(dropped))
    return Prompt(messages(room), chosen.id, left_out, dropped)


@once
def _shown(schema: Schema, shows_values: bool, shows_descriptions: bool) -> Schema:
    """A schema without what a template does not show, so that no budget needs to leave it out."""
    if shows_descriptions and shows_values:
        return schema
    tables = []
    for table in schema.tables:
        columns = (
            replace(
                column,
                values=column.values if shows_values else (),
                description=column.description if shows_descriptions else "",
            )
            for column in table.columns
        )
        tables.append(replace(table, columns=tuple(columns)))
    return replace(schema, tables=tuple(tables))


def _read_by_gold(task: Task, tables: tuple[str, ...]) -> tuple[str, ...]:
    """Those of the tables that the gold query names; where it cannot be parsed, whose names occur in it."""
    import sqlglot  # takes long to import, and few prompts need it

    try:
        tree = sqlglot.parse_one(task.gold_sql, dialect=task.dialect)
        read = {node.name.lower() for node in tree.find_all(sqlglot.exp.Table)}
    except (sqlglot.errors.SqlglotError, RecursionError):
        read = set(re.findall(r"\w+", task.gold_sql.lower()))
    return tuple(path for path in tables if path.rpartition(".")[2].lower() in read)

"""What the model is shown: a task and its schema as chat messages."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypedDict

from sql_env.errors import FormatError
from sql_env.observation import plain
from sql_env.parser import ResponseFormat
from sql_env.plugins import suggest
from sql_env.schema import Schema
from sql_env.types import Task

ENGINES = {"sqlite": "SQLite", "duckdb": "DuckDB"}


class Message(TypedDict):
    """One chat message, as chat templates take it."""

    role: str
    content: str


def messages(
    task: Task, schema: Schema, form: ResponseFormat, template: str = "full", turns: int = 1
) -> list[Message]:
    """The chat messages that ask a task.

    Args:
        task: What is asked. Its gold SQL and its reasoning are not shown.
        schema: The database's schema, from `sql_env.executor.Executor.schema`.
        form: The response format that the model is told to keep.
        template: ``full`` for language models; ``compact`` for tiny models that are trained from
            scratch, who get the bare names of tables and columns, and no instruction.
        turns: How many turns the episode has. Of exploring the model is told where it is above 1.

    Raises:
        FormatError: No template has this name.
    """
    if template not in TEMPLATES:
        raise FormatError(f"no prompt template is called {template!r}.{suggest(template, list(TEMPLATES))}")
    return TEMPLATES[template](task, schema, _instruction(form, turns))


def text(chat: list[Message]) -> str:
    """Chat messages as one text that ends its line, for models without a chat template."""
    return "\n\n".join(message["content"] for message in chat).rstrip("\n") + "\n"


def _full(task: Task, schema: Schema, instruction: str) -> list[Message]:
    engine = ENGINES.get(task.dialect, task.dialect)
    system = f"You turn questions about a {engine} database into one SQL query. {instruction}"
    parts = [f"Schema:\n{schema}"]
    if task.evidence:
        parts.append(f"Evidence: {task.evidence}")
    parts.append(f"Question: {task.question}")
    return [Message(role="system", content=system), Message(role="user", content="\n\n".join(parts))]


def _compact(task: Task, schema: Schema, instruction: str) -> list[Message]:
    lines = [outline(schema), task.evidence, task.question]
    return [Message(role="user", content="\n".join(line for line in lines if line) + "\n")]


TEMPLATES: dict[str, Callable[[Task, Schema, str], list[Message]]] = {
    "full": _full,
    "compact": _compact,
}
"""Every prompt template by name."""


def _instruction(form: ResponseFormat, turns: int) -> str:
    place = f"in a ```{form.fence} code block" if form.fence else "as plain text"
    if form.answer:
        place = f"between <{form.answer}> and </{form.answer}>, {place}"
    think = f"First reason between <{form.think}> and </{form.think}>. Then g" if form.think else "G"
    if turns > 1:
        return _exploring(form, place, turns)
    return f"{think}ive the query {place}. Write each tag exactly once."


def _exploring(form: ResponseFormat, place: str, turns: int) -> str:
    think = f", first reason between <{form.think}> and </{form.think}>. Then" if form.think else " you"
    return (
        f"You have {turns} turns. In each{think} do one of two things. Either look around: write one query "
        f"between <{form.tool}> and </{form.tool}>, end your turn, and read its result. Or answer: give the "
        f"query {place}, which ends the task. Write each tag exactly once a turn. The last turn must answer."
    )


def outline(schema: Schema) -> str:
    """The names of a schema's tables and columns, ``table(column, ...)``, a line each."""
    return "\n".join(
        f"{plain(table.name)}({', '.join(plain(column.name) for column in table.columns)})"
        for table in schema.tables
    )

"""Prompt templates, by name and version."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TypedDict

from sql_env.errors import FormatError
from sql_env.parser import ResponseFormat
from sql_env.plugins import find_named, import_typed
from sql_env.prompts.ddl import format_description_and_values, format_text, schema_to_ddl
from sql_env.schema.model import Schema, cache_on_schema
from sql_env.types import Task

RECORD = "prompt.json"
"""The file in a model's folder that records the prompt template of its training."""

DIALECT_NAMES = {"sqlite": "SQLite", "duckdb": "DuckDB"}


class Message(TypedDict):
    """One chat message in the form that chat templates take."""

    role: str
    content: str


@dataclass(frozen=True, slots=True)
class Template:
    """A prompt template. Its text never changes; a changed text is a template with the next version.

    Attributes:
        name: Its name.
        version: Its version, counted from 1.
        render: Returns chat messages for a task, the part of the schema that fits, the response format and
            the number of turns.
        values: True if the prompt shows sample values.
        descriptions: True if it shows descriptions.
        matches: True if it shows the values that the question mentions.
    """

    name: str
    version: int
    render: Callable[[Task, Schema, ResponseFormat, int], list[Message]]
    values: bool = True
    descriptions: bool = False
    matches: bool = False

    @property
    def id(self) -> str:
        """The name and the version: ``name@version``. A run records it."""
        return f"{self.name}@{self.version}"


def get_template(name: str | Template) -> Template:
    """Return a template of this library. The name may come with data: nothing is imported.

    Args:
        name: The name, for its newest version; ``name@version``; or a template, which is returned.

    Raises:
        FormatError: No template has this name.
    """
    if isinstance(name, Template):
        return name
    return find_named({**TEMPLATES, **_BY_ID}, name, "prompt template", FormatError)


def load_template(spec: str | Template) -> Template:
    """Return a template of this library, or import one.

    The text must be the user's own: the module of ``package.module:object`` is imported, so its code runs.

    Args:
        spec: A name as in `get_template`, or ``package.module:object``.

    Raises:
        FormatError: No template has this name, or the object is no template.
        PluginError: The object cannot be imported.
    """
    if isinstance(spec, Template) or ":" not in spec:
        return get_template(spec)
    found = import_typed(spec)
    if not isinstance(found, Template):
        raise FormatError(f"{spec!r} is a {type(found).__name__}, not a sql_env.prompts.template.Template")
    return found


def record_template(folder: Path, chosen: Template, budget: int | None) -> None:
    """Write the template into a model's folder, for `read_recorded_template`.

    Args:
        folder: The model's folder.
        chosen: The template.
        budget: The maximum size of a prompt, in the unit of the trainer; None for no limit.
    """
    (folder / RECORD).write_text(json.dumps({"template": chosen.id, "budget": budget}) + "\n")


def read_recorded_template(folder: str | Path) -> Template | None:
    """Return the template of a model's training; None if its folder has no record.

    The folder may be somebody else's. So the record can only name a template of this library.

    Raises:
        FormatError: The record is damaged, or names another template.
    """
    path = Path(folder) / RECORD
    if not path.is_file():
        return None
    try:
        name = str(json.loads(path.read_text(encoding="utf-8"))["template"])
    except (OSError, ValueError, KeyError, TypeError, RecursionError) as error:
        raise FormatError(
            f"{path} does not name a prompt template: {error!r}; correct or delete it"
        ) from None
    try:
        return get_template(name)
    except FormatError as error:
        raise FormatError(
            f"{path}: {error} A record cannot name code. If you trust the template, name it yourself as "
            "package.module:object: with --template in an evaluation, with --prompt in a training"
        ) from None


@cache_on_schema
def format_outline(schema: Schema) -> str:
    """Return the names of a schema's tables and columns: one line ``table(column, ...)`` for each table."""
    return "\n".join(
        f"{format_text(table.name)}({', '.join(format_text(column.name) for column in table.columns)})"
        for table in schema.tables
    )


def _render_full(task: Task, schema: Schema, form: ResponseFormat, turns: int) -> list[Message]:
    engine = DIALECT_NAMES.get(task.dialect, task.dialect)
    return _make_chat(
        f"You turn questions about a {engine} database into one SQL query. {_explain_format(form, turns)}",
        f"Schema:\n{schema_to_ddl(schema)}",
        f"Evidence: {task.evidence}" if task.evidence else "",
        f"Question: {task.question}",
    )


def _render_compact(task: Task, schema: Schema, form: ResponseFormat, turns: int) -> list[Message]:
    lines = [format_outline(schema), task.evidence, task.question]
    return [Message(role="user", content="\n".join(line for line in lines if line) + "\n")]


def _render_rich(task: Task, schema: Schema, form: ResponseFormat, turns: int) -> list[Message]:
    engine = DIALECT_NAMES.get(task.dialect, task.dialect)
    return _make_chat(
        f"You are given a {engine} database and a question. Write the one {engine} query whose result "
        f"answers the question.\n\nRules:\n"
        "- Return the columns that the question asks for, in its order, and no others.\n"
        "- Spell tables, columns and values as the schema does. Behind a column stand what it holds and "
        "some of its values, those that the question mentions first; it may have others.\n"
        f"- {_explain_format(form, turns)}",
        f"Database schema:\n{schema_to_ddl(schema, format_description_and_values)}",
        f"Hint: {task.evidence}" if task.evidence else "",
        f"Question: {task.question}",
    )


def _make_chat(system: str, *parts: str) -> list[Message]:
    """Return a system message, and a user message of the parts that are not empty."""
    user = "\n\n".join(filter(None, parts))
    return [Message(role="system", content=system), Message(role="user", content=user)]


def _explain_format(form: ResponseFormat, turns: int) -> str:
    place = f"in a ```{form.fence} code block" if form.fence else "as plain text"
    if form.answer:
        place = f"between <{form.answer}> and </{form.answer}>, {place}"
    think = f"First reason between <{form.think}> and </{form.think}>. Then g" if form.think else "G"
    if turns > 1:
        return _explain_exploration(form, place, turns)
    return f"{think}ive the query {place}. Write each tag exactly once."


def _explain_exploration(form: ResponseFormat, place: str, turns: int) -> str:
    think = f", first reason between <{form.think}> and </{form.think}>. Then" if form.think else " you"
    return (
        f"You have {turns} turns. In each{think} do one of two things. Either look around: write one query "
        f"between <{form.tool}> and </{form.tool}>, end your turn, and read its result. Or answer: give the "
        f"query {place}, which ends the task. Write each tag exactly once a turn. The last turn must answer."
    )


FULL = Template("full", 1, _render_full)
"""The schema as DDL with sample values, for language models."""

COMPACT = Template("compact", 1, _render_compact, values=False)
"""The bare names of tables and columns and no instruction, for tiny models trained from scratch."""

RICH = Template("rich", 1, _render_rich, descriptions=True, matches=True)
"""DDL with descriptions, sample values and the values that the question mentions."""

_ALL = (FULL, COMPACT, RICH)
_BY_ID = {template.id: template for template in _ALL}

TEMPLATES = {template.name: template for template in sorted(_ALL, key=lambda template: template.version)}
"""The newest version of every prompt template, by name."""

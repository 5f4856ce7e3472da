"""Prompt templates, by name and version."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TypedDict

from sql_env.errors import FormatError
from sql_env.parser import ResponseFormat
from sql_env.plugins import load_object, suggest
from sql_env.prompts.ddl import description_and_values, display_text, schema_to_ddl
from sql_env.schema.model import Schema, once
from sql_env.types import Task

RECORD = "prompt.json"
"""The file in a model's folder that says how it was asked."""

ENGINES = {"sqlite": "SQLite", "duckdb": "DuckDB"}


class Message(TypedDict):
    """One chat message, as chat templates take it."""

    role: str
    content: str


@dataclass(frozen=True, slots=True)
class Template:
    """A way to ask. Its text never changes: what changes it is a template of the next version.

    Attributes:
        name: Its name.
        version: Its version, counted from 1.
        render: A task, the part of the schema that is shown, the response format and the number of
            turns, as chat messages.
        values: Whether it shows values.
        descriptions: Whether it shows descriptions.
        matches: Whether values that the question mentions are looked up for it.
    """

    name: str
    version: int
    render: Callable[[Task, Schema, ResponseFormat, int], list[Message]]
    values: bool = True
    descriptions: bool = False
    matches: bool = False

    @property
    def id(self) -> str:
        """``name@version``, which a run records."""
        return f"{self.name}@{self.version}"


def get_template(name: str | Template) -> Template:
    """A template by name, the newest version of it; by ``name@version``; or by ``package.module:object``.

    Raises:
        FormatError: There is none.
        PluginError: The object cannot be imported.
    """
    if isinstance(name, Template):
        return name
    found = load_object(name) if ":" in name else TEMPLATES.get(name) or _BY_ID.get(name)
    if isinstance(found, Template):
        return found
    if found is not None:
        raise FormatError(f"{name!r} is no sql_env.prompts.template.Template, but a {type(found).__name__}")
    known = sorted({*TEMPLATES, *_BY_ID})
    raise FormatError(f"no prompt template is called {name!r}.{suggest(name, known)}")


def record_template(folder: Path, chosen: Template, budget: int | None) -> None:
    """Write into a model's folder how it was asked, for `recorded`.

    Args:
        folder: The model's folder.
        chosen: The template.
        budget: The most that a prompt could have, in the unit of its trainer; None for no limit.
    """
    (folder / RECORD).write_text(json.dumps({"template": chosen.id, "budget": budget}) + "\n")


def recorded_template(folder: str | Path) -> str | None:
    """The id of the template that a model was trained with; None where its folder does not say.

    Raises:
        FormatError: The record is damaged.
    """
    path = Path(folder) / RECORD
    if not path.is_file():
        return None
    try:
        return str(json.loads(path.read_text(encoding="utf-8"))["template"])
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise FormatError(
            f"{path} does not say which prompt template: {error!r}; mend or delete it"
        ) from None


@once
def outline(schema: Schema) -> str:
    """The names of a schema's tables and columns, ``table(column, ...)``, a line each."""
    return "\n".join(
        f"{display_text(table.name)}({', '.join(display_text(column.name) for column in table.columns)})"
        for table in schema.tables
    )


def _full(task: Task, schema: Schema, form: ResponseFormat, turns: int) -> list[Message]:
    engine = ENGINES.get(task.dialect, task.dialect)
    instruction = _instruction(form, turns)
    system = f"You turn questions about a {engine} database into one SQL query. {instruction}"
    parts = [f"Schema:\n{schema_to_ddl(schema)}"]
    if task.evidence:
        parts.append(f"Evidence: {task.evidence}")
    parts.append(f"Question: {task.question}")
    return [Message(role="system", content=system), Message(role="user", content="\n\n".join(parts))]


def _compact(task: Task, schema: Schema, form: ResponseFormat, turns: int) -> list[Message]:
    lines = [outline(schema), task.evidence, task.question]
    return [Message(role="user", content="\n".join(line for line in lines if line) + "\n")]


def _rich(task: Task, schema: Schema, form: ResponseFormat, turns: int) -> list[Message]:
    engine = ENGINES.get(task.dialect, task.dialect)
    system = (
        f"You are given a {engine} database and a question. Write the one {engine} query whose result "
        f"answers the question.\n\nRules:\n"
        "- Return the columns that the question asks for, in its order, and no others.\n"
        "- Spell tables, columns and values as the schema does. Behind a column stand what it holds and "
        "some of its values, those that the question mentions first; it may have others.\n"
        f"- {_instruction(form, turns)}"
    )
    parts = [f"Database schema:\n{schema_to_ddl(schema, description_and_values)}"]
    if task.evidence:
        parts.append(f"Hint: {task.evidence}")
    parts.append(f"Question: {task.question}")
    return [Message(role="system", content=system), Message(role="user", content="\n\n".join(parts))]


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


FULL = Template("full", 1, _full)
"""The schema as DDL with sample values, for language models."""

COMPACT = Template("compact", 1, _compact, values=False)
"""The bare names of tables and columns and no instruction, for tiny models trained from scratch."""

RICH = Template("rich", 1, _rich, descriptions=True, matches=True)
"""DDL with descriptions, sample values and the values that the question mentions."""

_ALL = (FULL, COMPACT, RICH)
_BY_ID = {one.id: one for one in _ALL}

TEMPLATES = {one.name: one for one in sorted(_ALL, key=lambda one: one.version)}
"""The newest version of every prompt template, by name."""

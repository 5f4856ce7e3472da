"""The data types of this library: plain frozen dataclasses."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from enum import StrEnum
from typing import Any, Protocol, TypeAlias

from sql_env.errors import TaskError

Value: TypeAlias = int | float | str | bytes | None
"""The value of one cell. Engines convert all other types to these: dates and lists to text, whole decimals
to int, other decimals to the nearest float, and NaN to None."""

Row: TypeAlias = tuple[Value, ...]


@dataclass(frozen=True, slots=True)
class Task:
    """One question over one database, with its gold query.

    Attributes:
        id: Unique in its benchmark and split.
        question: The question in natural language.
        gold_sql: The gold query: a correct answer to the question.
        database: The path of the database file.
        db_id: The short name of the database in the benchmark.
        dialect: The engine that runs the SQL: ``sqlite`` or ``duckdb``.
        evidence: A hint for the question. BIRD calls it evidence. May be empty.
        difficulty: The benchmark's difficulty level; may be empty.
        comparison: The name of the comparison that decides if two results are equal; see
            `sql_env.comparison`.
        reasoning: A chain of thought that leads to the gold query; may be empty.
        extra: Further columns of your own data, as JSON values. Nothing in this library reads them: they are
            for rewards. Do not change them: many rollouts share a task.

    Raises:
        TaskError: ``extra`` has something other than names with JSON values.
    """

    id: str
    question: str
    gold_sql: str
    database: str
    db_id: str = ""
    dialect: str = "sqlite"
    evidence: str = ""
    difficulty: str = ""
    comparison: str = "strict"
    reasoning: str = ""
    extra: Mapping[str, Any] = field(default_factory=dict, hash=False)

    def __post_init__(self) -> None:
        if self.extra != {}:
            _check_json(self.id, self.extra)

    def to_dict(self) -> dict[str, Any]:
        """Return the task as a dict for JSON. `from_dict` reads it. An empty ``extra`` is left out."""
        named = {each.name: getattr(self, each.name) for each in fields(self)}
        return {name: value for name, value in named.items() if name != "extra" or value}

    @classmethod
    def from_dict(cls, row: Mapping[str, Any]) -> Task:
        """Build a task from a JSON object.

        Raises:
            TaskError: A field is missing or unknown, or has the wrong type. ``extra`` must be an object, all
                other fields must be strings.
        """
        known = {f.name for f in fields(cls)}
        if unknown := sorted(set(row) - known):
            raise TaskError(f"unknown task field(s) {unknown}; known: {sorted(known)}")
        if wrong := sorted(k for k, v in row.items() if k != "extra" and not isinstance(v, str)):
            raise TaskError(f"task field(s) {wrong} must be strings")
        if missing := [k for k in ("id", "question", "gold_sql", "database") if k not in row]:
            raise TaskError(f"task field(s) {missing} are missing")
        return cls(**row)

    @classmethod
    def from_json(cls, text: str) -> Task:
        """Build a task from a JSON object as text.

        Raises:
            TaskError: The text is not a JSON object, or `from_dict` does not accept it.
        """
        try:
            row = json.loads(text)
        except (ValueError, RecursionError) as error:
            raise TaskError(f"a task must be a JSON object; {text[:200]!r} is not JSON: {error}") from None
        if not isinstance(row, dict):
            raise TaskError(f"a task must be a JSON object, not {text[:200]!r}")
        return cls.from_dict(row)


def _check_json(task_id: str, extra: object) -> None:
    """Check that own columns are JSON: names with values that come back from their text unchanged.

    Raises:
        TaskError: They are not.
    """
    if not isinstance(extra, dict):
        raise TaskError(
            f"task {task_id!r}: extra must be a dict from names to JSON values, not a {type(extra).__name__}"
        )
    for name, value in extra.items():
        try:
            same = isinstance(name, str) and json.loads(json.dumps(value, allow_nan=False)) == value
        except (TypeError, ValueError, RecursionError):
            same = False
        if not same:
            raise TaskError(
                f"task {task_id!r}: extra[{name!r}], a {type(value).__name__}, is not a JSON value: use "
                "strings, finite numbers, True, False, None, and lists and dicts of them"
            )


@dataclass(frozen=True, slots=True)
class Benchmark:
    """One loaded split of a benchmark.

    Attributes:
        name: The name of the benchmark.
        split: The name of the split.
        tasks: The tasks in the benchmark's order.
        left_out: One message for each part that could not be loaded, such as a missing database.
    """

    name: str
    split: str
    tasks: tuple[Task, ...]
    left_out: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Action:
    """The parts of a completion, from `sql_env.parser.parse`.

    Attributes:
        sql: The final query. None if the completion explores, or does not follow its response format.
        reasoning: The text of the reasoning block.
        answer: The text of the answer block, with its code fences.
        query: An exploring query, in an episode of several turns. None if the completion does not explore.
            At most one of ``sql`` and ``query`` is set.
    """

    sql: str | None
    reasoning: str = ""
    answer: str = ""
    query: str | None = None

    @property
    def well_formed(self) -> bool:
        """True if the completion answers in its response format."""
        return self.sql is not None


class Status(StrEnum):
    """The outcome of a query. Only ``unavailable`` says nothing about the query."""

    OK = "ok"
    ERROR = "error"
    """The query is invalid or failed: a syntax error, an unknown column, an overflow."""
    TIMEOUT = "timeout"
    """The query exceeded its step limit or its CPU time."""
    TOO_LARGE = "too_large"
    """The query's text, a value, its memory or its result exceeded a limit."""
    DENIED = "denied"
    """The query tried something other than reading, or has more than one statement."""
    UNAVAILABLE = "unavailable"
    """The database or a worker failed, not the query. The rollout is masked."""


@dataclass(frozen=True, slots=True)
class Query:
    """One query on one database. Equal queries share one run."""

    database: str
    sql: str
    dialect: str = "sqlite"


@dataclass(frozen=True, slots=True)
class ExecutionResult:
    """The result of a query.

    Attributes:
        status: The outcome.
        columns: The column names as the engine spells them. A name can occur more than once.
        rows: All rows in the engine's order. Empty if ``status`` is not ``ok``. If a scorer does not fetch
            rows, reading them raises `sql_env.errors.RowsError`.
        error: The engine's message, or the reason why there is no result. Empty if ``status`` is ``ok``.
    """

    status: Status
    columns: tuple[str, ...] = ()
    rows: tuple[Row, ...] = ()
    error: str = ""

    @property
    def ok(self) -> bool:
        return self.status is Status.OK


@dataclass(frozen=True, slots=True)
class Cost:
    """The cost of a query.

    Attributes:
        status: The outcome. If it is not ``ok``, there are no numbers.
        steps: SQLite virtual-machine instructions. Always the same number. Work inside virtual tables (FTS5,
            R-trees) is not counted. None if the engine does not count steps.
        cpu_seconds: CPU time of the thread, from the query's text to its last row. The first query on a
            database includes the time to open the file.
        error: The engine's message, or the reason why there are no numbers. Empty if ``status`` is ``ok``.
    """

    status: Status
    steps: int | None = None
    cpu_seconds: float | None = None
    error: str = ""

    @property
    def ok(self) -> bool:
        return self.status is Status.OK


@dataclass(frozen=True, slots=True)
class Turn:
    """One turn before the answer: an exploring query and its observation.

    Attributes:
        completion: The model's text, unchanged; empty if the query was a tool call.
        query: The SQL.
        result: The query's result, with only the rows that the model saw, and the first 1,000 characters of
            each value. None if no queries were left, so the query did not run.
        observation: The text that the model read.
        row_count: The number of rows of the full result.
    """

    completion: str
    query: str
    result: ExecutionResult | None
    observation: str
    row_count: int = 0


@dataclass(frozen=True, slots=True)
class Rollout:
    """A completion with all its results. A reward reads only this.

    Attributes:
        task: The task.
        completion: The model's text, unchanged.
        action: The parts of the completion.
        result: The result of the SQL; None if there was no SQL to run.
        gold: The result of the gold query.
        correct: True if ``result`` equals ``gold`` under the task's comparison. None if this is unknown,
            because the gold query, the database or a worker failed.
        turns: The turns before this completion; empty in an episode of one turn.
    """

    task: Task
    completion: str
    action: Action
    result: ExecutionResult | None
    gold: ExecutionResult
    correct: bool | None
    turns: tuple[Turn, ...] = ()

    @property
    def masked(self) -> str:
        """A text: the reason why this rollout is left out of training and averages. Empty if it counts."""
        if self.gold.status is not Status.OK:
            return f"the gold query fails ({self.gold.status}): {self.gold.error}"
        results = (*(turn.result for turn in self.turns), self.result) if self.turns else (self.result,)
        for result in results:
            if result is not None and result.status is Status.UNAVAILABLE:
                return f"the query could not be run: {result.error}"
        return ""


@dataclass(frozen=True, slots=True)
class Score:
    """The reward of one rollout.

    Attributes:
        total: The weighted sum of the components that are not None. None if the rollout is masked.
        components: The value of each reward without its weight; None if it does not apply.
        rollout: The rollout.
    """

    total: float | None
    components: Mapping[str, float | None]
    rollout: Rollout = field(repr=False)

    @property
    def masked(self) -> bool:
        """True if this rollout must be left out of training and averages."""
        return self.total is None


class RewardFunc(Protocol):
    """A reward: a function of a rollout, with keyword parameters of its own.

    It may be a coroutine function. If it is marked with `sql_env.batched`, it takes a list of rollouts and
    returns a list of values.

    Returns:
        The reward, a finite number, or None if it does not apply to this rollout.
    """

    def __call__(self, rollout: Rollout, /, **params: Any) -> float | None: ...


class BenchmarkLoader(Protocol):
    """A function that loads a benchmark. Entry points of the group ``sql_env.benchmarks`` name it."""

    def __call__(self, *, split: str = ..., data_dir: str | None = ..., **params: Any) -> Benchmark: ...

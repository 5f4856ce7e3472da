"""The nouns that everything else is made of: plain, frozen, and free of behaviour."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields
from enum import StrEnum
from typing import Any, Protocol, TypeAlias

from sql_env.errors import TaskError

Value: TypeAlias = int | float | str | bytes | None
"""One cell. Engines map every richer type (dates, decimals, lists) onto these five."""

Row: TypeAlias = tuple[Value, ...]


@dataclass(frozen=True, slots=True)
class Task:
    """One question over one database, with the query that answers it.

    Attributes:
        id: Unique within its benchmark and split.
        question: The natural-language question.
        gold_sql: The reference query.
        database: Path of the database file.
        db_id: The database's short name, as the benchmark spells it.
        dialect: The engine that runs the SQL: ``sqlite`` or ``duckdb``.
        evidence: External knowledge that comes with the question (BIRD's term), or empty.
        difficulty: The benchmark's own level, or empty.
        comparison: The semantics under which two results are equal; see `sql_env.comparison`.
        reasoning: A worked-out chain of thought, where the benchmark has one.
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

    def to_dict(self) -> dict[str, str]:
        """The task as a JSON-able dict; `from_dict` is its inverse."""
        return asdict(self)

    @classmethod
    def from_dict(cls, row: Mapping[str, Any]) -> Task:
        """Build a task from a JSON object.

        Raises:
            TaskError: A field is missing, unknown, or no string.
        """
        known = {f.name for f in fields(cls)}
        if unknown := sorted(set(row) - known):
            raise TaskError(f"unknown task field(s) {unknown}; known: {sorted(known)}")
        if wrong := sorted(k for k, v in row.items() if not isinstance(v, str)):
            raise TaskError(f"task field(s) {wrong} must be strings")
        if missing := [k for k in ("id", "question", "gold_sql", "database") if k not in row]:
            raise TaskError(f"task field(s) {missing} are missing")
        return cls(**row)

    @classmethod
    def from_json(cls, text: str) -> Task:
        """Build a task from a JSON object as text.

        Raises:
            TaskError: The text is not a JSON object, or a field is missing, unknown, or no string.
        """
        try:
            row = json.loads(text)
        except (ValueError, RecursionError) as error:
            raise TaskError(f"a task must be a JSON object; {text[:200]!r} is not JSON: {error}") from None
        if not isinstance(row, dict):
            raise TaskError(f"a task must be a JSON object, not {text[:200]!r}")
        return cls.from_dict(row)


@dataclass(frozen=True, slots=True)
class Benchmark:
    """One split of a benchmark, loaded.

    Attributes:
        name: The name under which it is installed.
        split: The split that was loaded.
        tasks: Its tasks, in the benchmark's own order.
        left_out: One line for each thing that could not be loaded (a missing database, say).
    """

    name: str
    split: str
    tasks: tuple[Task, ...]
    left_out: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Action:
    """What a completion says, taken apart by `sql_env.parser.parse`.

    Attributes:
        sql: The query that answers, or None where the completion does not follow its response format.
        reasoning: The text of the reasoning block.
        answer: The text of the answer block, fences included.
        query: The query that only explores, which an episode of several turns runs for the model
            to read; None where the completion explores nothing. Never beside ``sql``.
    """

    sql: str | None
    reasoning: str = ""
    answer: str = ""
    query: str | None = None

    @property
    def well_formed(self) -> bool:
        """Whether the completion answers in its response format."""
        return self.sql is not None


class Status(StrEnum):
    """How running a query ended. All but the last are verdicts on the query."""

    OK = "ok"
    ERROR = "error"
    """The engine refused or failed the query: syntax, an unknown column, an overflow."""
    TIMEOUT = "timeout"
    """The query used up its step or CPU budget."""
    TOO_LARGE = "too_large"
    """The query, a value, its memory or its result exceeded a cap."""
    DENIED = "denied"
    """The query tried to do something other than read, or was several statements."""
    UNAVAILABLE = "unavailable"
    """No verdict: the database or a worker failed. Never the query's fault, never paid."""


@dataclass(frozen=True, slots=True)
class Query:
    """One query on one database: the key under which execution is shared."""

    database: str
    sql: str
    dialect: str = "sqlite"


@dataclass(frozen=True, slots=True)
class ExecutionResult:
    """What came of running one query.

    Attributes:
        status: How it ended.
        columns: Column names, as the engine words them; duplicates are kept.
        rows: All rows, in the engine's order. Empty unless ``status`` is ``ok``. Where a scorer keeps no
            rows, reading them raises `sql_env.errors.RowsError`.
        error: The engine's message, or why there is no result. Empty when ``ok``.
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
    """What running one query took.

    Attributes:
        status: How it ended. Unless ``ok``, it has no figures.
        steps: SQLite virtual-machine instructions, which are the same each time, without those inside
            virtual tables (FTS5, R-trees); None where the engine counts none.
        cpu_seconds: CPU time of the thread that ran it, from its text to its last row. The first query
            on a database includes the opening of the file.
        error: The engine's message, or why there are no figures. Empty when ``ok``.
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
    """One step of an episode before its answer: a query that the model ran to look around.

    Attributes:
        completion: The model's text, unchanged; empty where the query came as a tool call.
        query: The SQL.
        result: What it returned, with no more rows than the model was shown; None where it was not
            run, because no queries were left.
        observation: What the model was told.
        row_count: How many rows there were.
    """

    completion: str
    query: str
    result: ExecutionResult | None
    observation: str
    row_count: int = 0


@dataclass(frozen=True, slots=True)
class Rollout:
    """A completion, what it did, and what it should have done: all that a reward may look at.

    Attributes:
        task: The task that was asked.
        completion: The model's text, unchanged.
        action: The completion, taken apart.
        result: What the SQL returned; None where there was no SQL to run.
        gold: What the gold SQL returned.
        correct: Whether ``result`` equals ``gold`` under the task's comparison. None where
            nobody can tell, because the gold query or the machinery failed.
        turns: What the model looked at before this completion, where it could.
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
        """Why this rollout must neither be paid nor punished; empty where it counts."""
        result = self.result
        if (
            self.gold.status is Status.OK
            and (result is None or result.status is not Status.UNAVAILABLE)
            and not self.turns
        ):
            return ""
        if not self.gold.ok:
            return f"the gold query fails ({self.gold.status}): {self.gold.error}"
        for result in (*(turn.result for turn in self.turns), self.result):
            if result is not None and result.status is Status.UNAVAILABLE:
                return f"the query could not be run: {result.error}"
        return ""


@dataclass(frozen=True, slots=True)
class Score:
    """What one rollout is paid.

    Attributes:
        total: The weighted sum of the components that apply; None where the rollout is masked.
        components: Each reward's own value before its weight; None where it does not apply.
        rollout: What was judged.
    """

    total: float | None
    components: Mapping[str, float | None]
    rollout: Rollout = field(repr=False)

    @property
    def masked(self) -> bool:
        """Whether this sample must be left out of training and of every average."""
        return self.total is None


class RewardFunc(Protocol):
    """A reward: any callable of this shape, plus keyword parameters of its own.

    Returns:
        The reward, a finite number, or None where it does not apply to this rollout.
    """

    def __call__(self, rollout: Rollout, /, **params: Any) -> float | None: ...


class BenchmarkLoader(Protocol):
    """What an entry point of the group ``sql_env.benchmarks`` names."""

    def __call__(self, *, split: str = ..., data_dir: str | None = ..., **params: Any) -> Benchmark: ...

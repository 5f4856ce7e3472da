"""Judged answers, as lines of ``items.jsonl``: the input of reports and checks."""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, TypeAlias

from benchmarks.records.fields import (
    MAX_NUMBER,
    check_fields,
    check_flag,
    check_number,
    check_text,
    check_whole,
    list_of,
    mapping_of,
    optional,
)
from benchmarks.records.json_lines import parse_lines, replace_file
from sql_env.errors import DataError
from sql_env.types import ExecutionResult, Score, Value

ITEMS = "items.jsonl"
ROLLOUTS = "rollouts"
"""The folder with the items in the output folder of a trainer."""

ROWS = 50
TEXT = 500
_SAFE = 2**53  # JavaScript rounds integers beyond this one

Cell: TypeAlias = int | float | str | dict[str, Any] | None
"""A value in JSON.

Text of more than `TEXT` characters is ``{"text": its beginning, "length": n}``. Bytes are
``{"hex": their beginning, "length": n}``. A number that JSON cannot represent is ``{"number": "inf"}``.
"""


@dataclass(frozen=True, slots=True)
class ResultPreview:
    """The first rows of a result.

    Attributes:
        columns: Column names.
        rows: At most `ROWS` rows.
        row_count: Number of rows in the whole result.
    """

    columns: list[str]
    rows: list[list[Cell]]
    row_count: int


@dataclass(frozen=True, slots=True)
class Candidate:
    """One of several answers to a task. A vote chooses among them.

    Attributes:
        sql: The query; None where the completion is malformed.
        status: The status of the query's execution.
        correct: Whether the result is right; None where the item is masked.
        votes: Number of candidates with this result, this one included; 0 where the query did not run.
    """

    sql: str | None
    status: str
    correct: bool | None
    votes: int


@dataclass(frozen=True, slots=True)
class Item:
    """One judged answer.

    Attributes:
        index: The position of the task in the benchmark's own file, from 0.
        task_id: The id of the task.
        db_id: The short name of the database.
        dialect: The engine.
        difficulty: The benchmark's own level, or empty.
        question: The question.
        evidence: The external knowledge that comes with the question.
        gold_sql: The gold query.
        completion: The text of the model; of a file of predictions, the SQL.
        reasoning: The reasoning in the completion.
        sql: The SQL in the completion; None where the completion does not follow the response format.
        correct: Execution accuracy of this item; None where the item is masked.
        status: The status of the execution; ``malformed`` where there was no SQL to run.
        error: The engine's message.
        masked: The reason why the item is left out of all averages; empty where it is not.
        total: The reward; None where the item is masked.
        components: The value of each reward before its weight; None where the reward does not apply.
        metrics: Further metrics of this item, such as ``exact`` and ``soft_f1``.
        result: The result of the SQL; None where the SQL failed.
        gold_result: The result of the gold query.
        candidates: All answers to the task, where there are several.
        step: The step of a training run; None in an evaluation.
    """

    index: int
    task_id: str
    db_id: str
    dialect: str
    difficulty: str
    question: str
    evidence: str
    gold_sql: str
    completion: str
    reasoning: str
    sql: str | None
    correct: bool | None
    status: str
    error: str
    masked: str
    total: float | None
    components: dict[str, float | None]
    metrics: dict[str, float | None] = field(default_factory=dict)
    result: ResultPreview | None = None
    gold_result: ResultPreview | None = None
    candidates: list[Candidate] = field(default_factory=list)
    step: int | None = None

    def to_dict(self) -> dict[str, Any]:
        """Return the item as a dict for JSON; `from_dict` is the inverse."""
        return asdict(self)

    @classmethod
    def from_dict(cls, row: Mapping[str, Any]) -> Item:
        """Build an item from a JSON object.

        Raises:
            DataError: A field is missing, unknown or of the wrong type.
        """
        return cls(**check_fields(row, "", _REQUIRED, _OPTIONAL))


def _check_preview(value: Any, name: str) -> ResultPreview:
    preview = ResultPreview(**check_fields(value, name, _PREVIEW))
    for place, row in enumerate(preview.rows):
        if len(row) != len(preview.columns):
            raise DataError(f"'{name}.rows[{place}]' must have a value for each of the columns")
    return preview


def _check_row(value: Any, name: str) -> list[Cell]:
    # Most rows have plain values only. To check them without their names takes a third of the time.
    if type(value) is list and all(
        type(cell) in _PLAIN or (type(cell) in (int, float) and abs(cell) < MAX_NUMBER) for cell in value
    ):
        return value
    cells: list[Cell] = _check_cells(value, name)
    return cells


def _check_cell(value: Any, name: str) -> Cell:
    if not isinstance(value, dict):
        return value if value is None or isinstance(value, str | bool) else check_number(value, name)
    kind = next((kind for kind in ("hex", "number", "text") if kind in value), "text")
    more = {} if kind == "number" else {"length": check_whole}
    return check_fields(value, name, {kind: check_text, **more})


def _check_candidate(value: Any, name: str) -> Candidate:
    return Candidate(**check_fields(value, name, _CANDIDATE))


_TEXTS = ("task_id", "db_id", "dialect", "difficulty", "question", "evidence", "gold_sql", "completion",
          "reasoning", "status", "error", "masked")  # fmt: skip
_PLAIN = frozenset({str, bool, type(None)})
_check_cells = list_of(_check_cell)
_FIGURES = mapping_of(optional(check_number))
_PREVIEW = {"columns": list_of(check_text), "rows": list_of(_check_row), "row_count": check_whole}
_CANDIDATE = {
    "sql": optional(check_text), "status": check_text, "correct": optional(check_flag), "votes": check_whole,
}  # fmt: skip
_REQUIRED = {
    "index": check_whole,
    **dict.fromkeys(_TEXTS, check_text),
    "sql": optional(check_text),
    "correct": optional(check_flag),
    "total": optional(check_number),
    "components": _FIGURES,
}
_OPTIONAL = {
    "metrics": _FIGURES,
    "result": optional(_check_preview),
    "gold_result": optional(_check_preview),
    "candidates": list_of(_check_candidate),
    "step": optional(check_whole),
}


def make_item(
    index: int,
    score: Score,
    *,
    metrics: Mapping[str, float | None] | None = None,
    candidates: Iterable[Candidate] = (),
    step: int | None = None,
) -> Item:
    """Make the item of a score."""
    rollout = score.rollout
    task, result = rollout.task, rollout.result
    return Item(
        index=index,
        task_id=task.id,
        db_id=task.db_id,
        dialect=task.dialect,
        difficulty=task.difficulty,
        question=task.question,
        evidence=task.evidence,
        gold_sql=task.gold_sql,
        completion=rollout.completion,
        reasoning=rollout.action.reasoning,
        sql=rollout.action.sql,
        correct=rollout.correct,
        status=str(result.status) if result is not None else "malformed",
        error=result.error if result is not None else "",
        masked=rollout.masked,
        total=score.total,
        components=dict(score.components),
        metrics=dict(metrics or {}),
        result=preview_result(result),
        gold_result=preview_result(rollout.gold),
        candidates=list(candidates),
        step=step,
    )


def preview_result(result: ExecutionResult | None) -> ResultPreview | None:
    """Return the first rows of a result; None where there is none, or the query failed."""
    if result is None or not result.ok:
        return None
    rows = [[encode_cell(value) for value in row] for row in result.rows[:ROWS]]
    return ResultPreview(list(result.columns), rows, len(result.rows))


def encode_cell(value: Value) -> Cell:
    """Convert a value to JSON.

    Example:
        >>> encode_cell(b"ab"), encode_cell("a"), encode_cell(float("inf")), encode_cell(None)
        ({'hex': '6162', 'length': 2}, 'a', {'number': 'inf'}, None)
    """
    if isinstance(value, bytes):
        return {"hex": value[: TEXT // 2].hex(), "length": len(value)}
    if isinstance(value, str):
        return value if len(value) <= TEXT else {"text": value[:TEXT], "length": len(value)}
    not_finite = isinstance(value, float) and not math.isfinite(value)
    if not_finite or (isinstance(value, int) and abs(value) > _SAFE):
        return {"number": str(value)}
    return value


def write_items(folder: Path, items: Iterable[Item]) -> Path:
    """Write ``items.jsonl`` into a folder, and return its path. An older file is replaced as a whole.

    Raises:
        DataError: The file cannot be written.
    """
    path = folder / ITEMS
    replace_file(path, (json.dumps(item.to_dict()) + "\n" for item in items))
    return path


def find_items(place: Path) -> Path:
    """Return the folder with the items of a run: in a trainer's output folder, ``rollouts``."""
    return place / ROLLOUTS if not (place / ITEMS).exists() and (place / ROLLOUTS).is_dir() else place


def read_items(folder: str | Path) -> Iterator[Item]:
    """Yield the items of a run folder, or of one file of items, in order.

    A kill can cut off the last line; that line is left out.

    Raises:
        DataError: There are no items, or a line is not an item. The message names the line and the field.
    """
    path = Path(folder)
    path = path / ITEMS if path.is_dir() else path
    try:
        content = path.read_bytes()
    except OSError as error:
        raise DataError(
            f"no items at {str(path)!r}: {error}. Give a folder that benchmarks.evaluate --out or a trainer "
            "has written"
        ) from None
    yield from parse_lines(content, path, Item.from_dict)

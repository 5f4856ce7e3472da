"""One judged answer, as a line of ``items.jsonl``: what reports and checks read."""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import asdict, dataclass, field, fields
from pathlib import Path
from typing import Any, TypeAlias

from sql_env.errors import DataError
from sql_env.types import ExecutionResult, Score, Value

ITEMS = "items.jsonl"
ROWS = 50
TEXT = 500
_SAFE = 2**53  # integers beyond are rounded where JSON is read by JavaScript

Cell: TypeAlias = int | float | str | dict[str, Any] | None
"""A value in JSON.

Text of more than `TEXT` characters is ``{"text": its beginning, "length": n}``, bytes are
``{"hex": the beginning, "length": n}``, and a number that JSON cannot hold is ``{"number": "inf"}``.
"""


@dataclass(frozen=True, slots=True)
class Shown:
    """The first rows of a result.

    Attributes:
        columns: Column names.
        rows: At most `ROWS` rows.
        row_count: How many rows there were.
    """

    columns: list[str]
    rows: list[list[Cell]]
    row_count: int


@dataclass(frozen=True, slots=True)
class Candidate:
    """One of several answers to a task, among which a vote has chosen.

    Attributes:
        sql: Its query; None where the completion is malformed.
        status: How that ended.
        correct: Whether it is right; None where nobody can tell.
        votes: How many candidates, itself among them, have its result; 0 where it did not run.
    """

    sql: str | None
    status: str
    correct: bool | None
    votes: int


@dataclass(frozen=True, slots=True)
class Item:
    """One judged answer.

    Attributes:
        index: The task's place in the benchmark's own file.
        task_id: The task.
        db_id: Its database's short name.
        dialect: The engine.
        difficulty: The benchmark's own level, or empty.
        question: What was asked.
        evidence: The external knowledge that came with it.
        gold_sql: The reference query.
        completion: What the model said; of a file of predictions, the SQL.
        reasoning: The reasoning in it.
        sql: The SQL in it; None where it does not follow the response format.
        correct: Execution accuracy of this item; None where it is masked.
        status: How the SQL ended; ``malformed`` where there was none to run.
        error: The engine's message.
        masked: Why the item counts in no average; empty where it does.
        total: The reward; None where it is masked.
        components: Each reward's own value; None where it does not apply.
        metrics: Further figures of this item, such as ``exact`` and ``soft_f1``.
        result: What the SQL returned; None where it did not run to its end.
        gold_result: What the gold SQL returned.
        candidates: All answers to the task, where there were several.
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
    result: Shown | None = None
    gold_result: Shown | None = None
    candidates: list[Candidate] = field(default_factory=list)
    step: int | None = None

    def to_dict(self) -> dict[str, Any]:
        """The item as a JSON-able dict; `from_dict` is its inverse."""
        return asdict(self)

    @classmethod
    def from_dict(cls, row: Mapping[str, Any]) -> Item:
        """Build an item from a JSON object.

        Raises:
            DataError: A field is missing or unknown.
        """
        try:
            given = dict(row)
            for name in ("result", "gold_result"):
                given[name] = Shown(**row[name]) if row.get(name) else None
            given["candidates"] = [Candidate(**each) for each in row.get("candidates", ())]
            return cls(**given)
        except TypeError as error:
            known = ", ".join(f.name for f in fields(cls))
            raise DataError(f"an item has other fields than {known}: {error}") from None


def item(
    index: int,
    score: Score,
    *,
    metrics: Mapping[str, float | None] | None = None,
    candidates: Iterable[Candidate] = (),
    step: int | None = None,
) -> Item:
    """What is kept of a score."""
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
        result=shown(result) if result is not None else None,
        gold_result=shown(rollout.gold),
        candidates=list(candidates),
        step=step,
    )


def shown(result: ExecutionResult) -> Shown | None:
    """The first rows of a result; None where there is none."""
    if not result.ok:
        return None
    rows = [[cell(value) for value in row] for row in result.rows[:ROWS]]
    return Shown(list(result.columns), rows, len(result.rows))


def cell(value: Value) -> Cell:
    """A value in JSON.

    Example:
        >>> cell(b"ab"), cell("a"), cell(float("inf")), cell(None)
        ({'hex': '6162', 'length': 2}, 'a', {'number': 'inf'}, None)
    """
    if isinstance(value, bytes):
        return {"hex": value[: TEXT // 2].hex(), "length": len(value)}
    if isinstance(value, str):
        return value if len(value) <= TEXT else {"text": value[:TEXT], "length": len(value)}
    if isinstance(value, float) and not math.isfinite(value):
        return {"number": str(value)}
    if isinstance(value, int) and abs(value) > _SAFE:
        return {"number": str(value)}
    return value


def write_items(folder: Path, items: Iterable[Item]) -> Path:
    """Write ``items.jsonl`` into a folder, which is made; the file is replaced as a whole.

    Raises:
        DataError: It cannot be written.
    """
    path, part = folder / ITEMS, folder / f"{ITEMS}.part"
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with part.open("w", encoding="utf-8") as out:
            out.writelines(json.dumps(each.to_dict()) + "\n" for each in items)
        part.replace(path)
    except OSError as error:
        raise DataError(f"cannot write the items into {str(folder)!r}: {error}") from None
    return path


def read_items(folder: str | Path) -> Iterator[Item]:
    """The items of a run's folder, or of one file of items, in their order.

    A last line that was cut off by a kill is left out.

    Raises:
        DataError: There are none, or a line is no item.
    """
    path = Path(folder)
    path = path / ITEMS if path.is_dir() else path
    try:
        lines = path.read_text(encoding="utf-8").split("\n")
    except (OSError, UnicodeDecodeError) as error:
        raise DataError(
            f"no items at {str(path)!r}: {error}. A folder that benchmarks.evaluate --out or a trainer "
            "has written is wanted"
        ) from None
    for number, line in enumerate(lines[:-1], 1):
        try:
            row = json.loads(line)
        except (ValueError, RecursionError) as error:
            raise DataError(f"{path}, line {number}: not JSON: {error}") from None
        if not isinstance(row, dict):
            raise DataError(f"{path}, line {number}: not a JSON object")
        yield Item.from_dict(row)

"""The result of a comparison of a training set with a test set."""

import json
from dataclasses import asdict, dataclass
from pathlib import Path

from benchmarks.diagnostics.overlap.databases import KINDS
from sql_env.errors import DataError


@dataclass(frozen=True, slots=True, order=True)
class Neighbour:
    """A training task near a test task.

    Attributes:
        similarity: The Jaccard similarity of their questions' n-grams, 0 to 1.
        same_sql: Whether the queries are equal except for case and blanks.
        same_skeleton: Whether the queries differ only in names and literals.
        task_id: The training task.
        db_id: Its database.
        question: Its question.
        sql: Its gold query.
    """

    similarity: float
    same_sql: bool
    same_skeleton: bool
    task_id: str
    db_id: str
    question: str
    sql: str


@dataclass(frozen=True, slots=True)
class SharedTask:
    """The overlap of one test task with the training set.

    Attributes:
        task_id: The test task.
        db_id: Its database.
        question: Its question.
        sql: Its gold query.
        database: How its database equals one of the training set: by ``name``, ``schema``, ``content``.
        same_question: Training tasks whose question is equal except for case and punctuation.
        near_question: Training tasks whose question is nearly equal, including equal ones.
        same_sql: Training tasks whose query is equal except for case and blanks.
        same_sql_and_name: Those of them on a database of the same name.
        same_skeleton: Training tasks whose query differs only in names and literals, including equal ones.
        near_duplicates: Near-duplicates: training tasks with a nearly equal question and the same skeleton.
        nearest: The training tasks with the most similar questions, best first.
    """

    task_id: str
    db_id: str
    question: str
    sql: str
    database: tuple[str, ...]
    same_question: int
    near_question: int
    same_sql: int
    same_sql_and_name: int
    same_skeleton: int
    near_duplicates: int
    nearest: tuple[Neighbour, ...]


@dataclass(frozen=True, slots=True)
class Overlap:
    """The overlap of a test set with a training set.

    Attributes:
        train: The number of training tasks.
        items: The overlap of each test task, in order.
    """

    train: int
    items: tuple[SharedTask, ...]

    @property
    def counts(self) -> dict[str, int]:
        """The number of test tasks that share something, by what it is."""
        databases = {f"database, by {kind}": sum(kind in i.database for i in self.items) for kind in KINDS}
        return databases | {
            "question, the same": sum(item.same_question > 0 for item in self.items),
            "question, near": sum(item.near_question > 0 for item in self.items),
            "SQL, the same": sum(item.same_sql > 0 for item in self.items),
            "SQL, the same on a database of that name": sum(
                item.same_sql_and_name > 0 for item in self.items
            ),
            "SQL, the same skeleton": sum(item.same_skeleton > 0 for item in self.items),
            "near question and same skeleton, of one training task": sum(
                item.near_duplicates > 0 for item in self.items
            ),
        }


def write_overlap(path: Path, overlap: Overlap) -> None:
    """Write a JSON line for each test task.

    Raises:
        DataError: The file cannot be written.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with path.open("w", encoding="utf-8") as out:
            out.writelines(json.dumps(asdict(item)) + "\n" for item in overlap.items)
    except OSError as error:
        raise DataError(f"cannot write the overlap to {str(path)!r}: {error}") from None

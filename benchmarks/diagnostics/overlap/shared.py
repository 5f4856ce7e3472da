"""What a test set shares with a training set, as data."""

from __future__ import annotations

from dataclasses import dataclass

from benchmarks.diagnostics.overlap.databases import KINDS


@dataclass(frozen=True, slots=True, order=True)
class Neighbour:
    """A training task that is near a test task.

    Attributes:
        likeness: The Jaccard similarity of their questions' n-grams, 0 to 1.
        same_sql: Whether the queries are the same but for case and blanks.
        same_skeleton: Whether they differ in names and literals alone.
        task_id: The training task.
        db_id: Its database.
        question: Its question.
        sql: Its gold query.
    """

    likeness: float
    same_sql: bool
    same_skeleton: bool
    task_id: str
    db_id: str
    question: str
    sql: str


@dataclass(frozen=True, slots=True)
class Shared:
    """What a test task shares with the training set.

    Attributes:
        task_id: The test task.
        db_id: Its database.
        question: Its question.
        sql: Its gold query.
        database: How its database is one of the training set's: of ``name``, ``schema``, ``content``.
        same_question: How many training tasks ask the same but for case and punctuation.
        near_question: How many ask nearly the same, those among them.
        same_sql: How many have the same query but for case and blanks.
        same_sql_here: How many of those on a database of the same name.
        same_skeleton: How many have a query that differs in names and literals alone, those among them.
        twins: How many ask nearly the same and have the same skeleton.
        nearest: The training tasks whose questions are most alike, best first.
    """

    task_id: str
    db_id: str
    question: str
    sql: str
    database: tuple[str, ...]
    same_question: int
    near_question: int
    same_sql: int
    same_sql_here: int
    same_skeleton: int
    twins: int
    nearest: tuple[Neighbour, ...]


@dataclass(frozen=True, slots=True)
class Overlap:
    """A test set beside a training set.

    Attributes:
        train: How many training tasks there are.
        items: What each test task shares, in order.
    """

    train: int
    items: tuple[Shared, ...]

    @property
    def counts(self) -> dict[str, int]:
        """How many test tasks share something, by what it is."""
        kinds = {f"database, by {kind}": [kind in item.database for item in self.items] for kind in KINDS}
        return {name: sum(found) for name, found in kinds.items()} | {
            "question, the same": sum(item.same_question > 0 for item in self.items),
            "question, near": sum(item.near_question > 0 for item in self.items),
            "SQL, the same": sum(item.same_sql > 0 for item in self.items),
            "SQL, the same on a database of that name": sum(item.same_sql_here > 0 for item in self.items),
            "SQL, the same skeleton": sum(item.same_skeleton > 0 for item in self.items),
            "near question and same skeleton, of one training task": sum(
                item.twins > 0 for item in self.items
            ),
        }

"""BIRD (Li et al. 2023, arXiv 2305.03111) and its Mini-Dev, in SQLite."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmarks.loading.files import Databases, Folders, Source, assemble, further, rows, text
from sql_env.types import Benchmark, Task

SOURCE = Source(
    name="bird",
    origin="BIRD (dev.zip, train.zip or minidev.zip, from https://bird-bench.github.io)",
    layout="dev.json, train/train.json or mini_dev_sqlite.json, and beside it dev_databases/ or "
    "train_databases/ with <db_id>/<db_id>.sqlite",
    variable="SQL_ENV_BIRD_DIR",
)


@dataclass(frozen=True, slots=True)
class _Split:
    """Where the archives that were published put a split's questions, and its databases."""

    files: tuple[str, ...]
    databases: str


_SPLITS = {
    "dev": _Split(("dev.json", "dev/dev.json", "dev_2*/dev.json"), "dev_databases"),
    "train": _Split(("train.json", "train/train.json"), "train_databases"),
    "mini_dev": _Split(
        (
            "mini_dev_sqlite.json",
            "mini_dev/mini_dev_sqlite.json",
            "mini_dev_data/mini_dev_sqlite.json",
            "MINIDEV/mini_dev_sqlite.json",
            "minidev/MINIDEV/mini_dev_sqlite.json",
        ),
        "dev_databases",
    ),
}


def bird(*, split: str = "dev", data_dir: str | None = None, database_dir: Folders = ()) -> Benchmark:
    """Load BIRD.

    A task's id ends in its place in the file, counted from 0, as the keys of BIRD's prediction
    files do; in ``mini_dev`` that is not the ``question_id``.

    Args:
        split: ``dev``, ``train`` or ``mini_dev``.
        data_dir: BIRD's folder; else the environment variable SQL_ENV_BIRD_DIR says it.
        database_dir: Further folders of databases, for those that BIRD's own does not have.

    Raises:
        DataError: The folder, a file or all databases are missing, or a file is malformed.
    """
    files = _SPLITS[SOURCE.choose(split, _SPLITS)]
    folder = SOURCE.folder(data_dir)
    path = SOURCE.file(folder, files.files)
    databases = Databases([*_database_folders(folder, path.parent, files.databases), *further(database_dir)])
    return assemble(SOURCE.name, split, _tasks(split, path, databases), SOURCE.advice)


def _database_folders(folder: Path, beside: Path, name: str) -> list[Path]:
    """Beside the questions or above them, but not outside the folder; some archives nest it twice."""
    above = [place for place in (beside, *beside.parents) if place.is_relative_to(folder)]
    return [path for place in above for path in (place / name, place / name / name)]


def _tasks(split: str, path: Path, databases: Databases) -> Iterator[Task]:
    for place, row in enumerate(rows(path)):
        yield _task(f"bird-{split}-{place:04d}", row, databases, f"{path}, item {place}")


def _task(task_id: str, row: Mapping[str, Any], databases: Databases, where: str) -> Task:
    db_id = text(row, "db_id", where=where)
    return Task(
        id=task_id,
        question=text(row, "question", where=where),
        gold_sql=text(row, "SQL", where=where),
        database=databases(db_id),
        db_id=db_id,
        evidence=str(row.get("evidence") or ""),
        difficulty=str(row.get("difficulty") or ""),
        comparison="bird",
    )

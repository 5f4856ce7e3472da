"""Spider 1.0 (Yu et al. 2018, arXiv 1809.08887), and files of questions in its format."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from benchmarks.loading.files import Databases, Folders, Source, assemble, further, rows, text
from benchmarks.metrics.hardness import classify_hardness
from benchmarks.metrics.spider_sql import Catalog, parse
from sql_env.errors import DatabaseError, DataError
from sql_env.types import Benchmark, Task

SOURCE = Source(
    name="spider",
    origin="Spider 1.0 (spider_data.zip, from https://yale-lily.github.io/spider)",
    layout="dev.json, train_spider.json and database/<db_id>/<db_id>.sqlite",
    variable="SQL_ENV_SPIDER_DIR",
)


@dataclass(frozen=True, slots=True)
class _Split:
    """The files of a split, each by its possible names, and its folder of databases."""

    files: tuple[tuple[str, ...], ...]
    databases: str = "database"


_SPLITS = {
    "dev": _Split((("dev.json",),)),
    "train": _Split((("train_spider.json", "train_spider_min.json"), ("train_others.json",))),
    "test": _Split((("test.json",),), "test_database"),
}


def spider(
    *,
    split: str = "dev",
    data_dir: str | None = None,
    questions: str | None = None,
    database_dir: Folders = (),
) -> Benchmark:
    """Load Spider.

    A task's id ends in its place in the file, counted from 0; in ``train`` the questions of
    ``train_others.json`` follow those of ``train_spider.json``. (The official ``train_gold.sql``
    has another order.) Its difficulty is the official hardness class of its gold query; empty where
    that is outside the grammar on which the classes are defined.

    Args:
        split: ``dev``, ``train`` or ``test``.
        data_dir: Spider's folder; else the environment variable SQL_ENV_SPIDER_DIR says it.
        questions: A file in Spider's format that is read in place of the split's own, such as
            Spider-DK, Spider-Syn or Spider-Realistic. Its name becomes the name of the split.
        database_dir: Further folders of databases, for those that Spider's own does not have.

    Raises:
        DataError: The folder, a file or all databases are missing, or a file (``tables.json`` too) is
            malformed.
    """
    files = _SPLITS[SOURCE.choose(split, _SPLITS)]
    folder = SOURCE.folder(data_dir)
    paths, left_out = [Path(questions)] if questions else [], list[str]()
    for names in () if questions else files.files:
        try:
            paths.append(SOURCE.file(folder, names))
        except DataError:
            if not paths:
                raise
            left_out.append(f"{names[0]}: all its tasks, no such file in {folder}")
    name = paths[0].stem if questions else split
    databases = Databases([folder / files.databases, *further(database_dir)])
    loaded = assemble(SOURCE.name, name, _tasks(name, paths, databases), SOURCE.advice, left_out)
    catalog = Catalog()
    tasks = tuple(replace(task, difficulty=_difficulty(task, catalog)) for task in loaded.tasks)
    return replace(loaded, tasks=tasks)


def _tasks(split: str, paths: list[Path], databases: Databases) -> Iterator[Task]:
    start = 0
    for path in paths:
        items = rows(path)
        for place, row in enumerate(items):
            yield _task(f"spider-{split}-{start + place:04d}", row, databases, f"{path}, item {place}")
        start += len(items)


def _task(task_id: str, row: Mapping[str, Any], databases: Databases, where: str) -> Task:
    db_id = text(row, "db_id", where=where)
    return Task(
        id=task_id,
        question=text(row, "question", "SpiderSynQuestion", where=where),
        gold_sql=text(row, "query", where=where),
        database=databases(db_id),
        db_id=db_id,
        comparison="spider",
    )


def _difficulty(task: Task, catalog: Catalog) -> str:
    """The hardness class; empty where the gold query is outside the grammar that defines it."""
    try:
        query = parse(task.gold_sql, catalog(task))
    except DatabaseError:  # the scorer masks its tasks, and says why
        return ""
    return "" if query is None else classify_hardness(query)

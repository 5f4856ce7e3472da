"""Spider 1.0 (Yu et al. 2018, arXiv 1809.08887), and files of questions in its format."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from benchmarks.loading.files import (
    Folders,
    Source,
    Split,
    build_benchmark,
    make_database_finder,
    make_tasks,
    read_objects,
)
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


_KEYS = {"question": ("question", "SpiderSynQuestion"), "gold_sql": ("query",)}

_SPLITS = {
    "dev": Split((("dev.json",),), "database"),
    "train": Split((("train_spider.json", "train_spider_min.json"), ("train_others.json",)), "database"),
    "test": Split((("test.json",),), "test_database"),
}


def spider(
    *,
    split: str = "dev",
    data_dir: str | None = None,
    questions: str | None = None,
    database_dir: Folders = (),
) -> Benchmark:
    """Load Spider.

    The id of a task ends in its position in the file, counted from 0. In ``train`` the questions of
    ``train_others.json`` follow those of ``train_spider.json``. (The official ``train_gold.sql``
    has another order.) The difficulty is the official hardness class of the gold query. It is empty
    where the gold query is outside the grammar that defines the classes.

    Args:
        split: ``dev``, ``train`` or ``test``.
        data_dir: Spider's folder. Default: the environment variable SQL_ENV_SPIDER_DIR.
        questions: A file in Spider's format that replaces the files of the split, such as
            Spider-DK, Spider-Syn or Spider-Realistic. Its name becomes the name of the split.
        database_dir: Further folders with databases that Spider's folder does not have.

    Raises:
        DataError: The folder, a file or all databases are missing, or a file is malformed
            (``tables.json`` included).
    """
    chosen, folder = SOURCE.choose_split(split, _SPLITS), SOURCE.find_folder(data_dir)
    paths, left_out = [Path(questions)] if questions else [], list[str]()
    for names in () if questions else chosen.files:
        try:
            paths.append(SOURCE.find_file(folder, names))
        except DataError:
            if not paths:
                raise
            left_out.append(f"{names[0]}: all its tasks, no such file in {folder}")
    name = paths[0].stem if questions else split
    find_database = make_database_finder([folder / chosen.databases], database_dir)
    rows = ((path, read_objects(path)) for path in paths)
    tasks = make_tasks(f"spider-{name}", rows, find_database, _KEYS, comparison="spider")
    loaded = build_benchmark(SOURCE.name, name, tasks, SOURCE.advice, left_out)
    catalog = Catalog()
    graded = [replace(task, difficulty=_grade(task, catalog)) for task in loaded.tasks]
    return replace(loaded, tasks=tuple(graded))


def _grade(task: Task, catalog: Catalog) -> str:
    """Return the hardness class; empty where the gold query is outside the grammar that defines it."""
    try:
        query = parse(task.gold_sql, catalog(task))
    except DatabaseError:  # the scorer masks the tasks of this database, and gives the reason
        return ""
    return "" if query is None else classify_hardness(query)

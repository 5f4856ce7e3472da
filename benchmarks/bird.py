"""BIRD (Li et al. 2023, arXiv 2305.03111) and its Mini-Dev, in SQLite."""

from __future__ import annotations

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
from sql_env.types import Benchmark

SOURCE = Source(
    name="bird",
    origin="BIRD (dev.zip, train.zip or minidev.zip, from https://bird-bench.github.io)",
    layout="dev.json, train/train.json or mini_dev_sqlite.json, and next to it dev_databases/ or "
    "train_databases/ with <db_id>/<db_id>.sqlite",
    variable="SQL_ENV_BIRD_DIR",
)


_KEYS = {
    "question": ("question",),
    "gold_sql": ("SQL",),
    "evidence": ("evidence",),
    "difficulty": ("difficulty",),
}

_SPLITS = {
    "dev": Split((("dev.json", "dev/dev.json", "dev_2*/dev.json"),), "dev_databases"),
    "train": Split((("train.json", "train/train.json"),), "train_databases"),
    "mini_dev": Split(
        (
            (
                "mini_dev_sqlite.json",
                "mini_dev/mini_dev_sqlite.json",
                "mini_dev_data/mini_dev_sqlite.json",
                "MINIDEV/mini_dev_sqlite.json",
                "minidev/MINIDEV/mini_dev_sqlite.json",
            ),
        ),
        "dev_databases",
    ),
}


def bird(*, split: str = "dev", data_dir: str | None = None, database_dir: Folders = ()) -> Benchmark:
    """Load BIRD.

    The id of a task ends in its position in the file, counted from 0. The keys of BIRD's prediction
    files are the same positions. In ``mini_dev`` the position is not the ``question_id``.

    Args:
        split: ``dev``, ``train`` or ``mini_dev``.
        data_dir: BIRD's folder. Default: the environment variable SQL_ENV_BIRD_DIR.
        database_dir: Further folders with databases that BIRD's folder does not have.

    Raises:
        DataError: The folder, a file or all databases are missing, or a file is malformed.
    """
    chosen, folder = SOURCE.choose_split(split, _SPLITS), SOURCE.find_folder(data_dir)
    path = SOURCE.find_file(folder, chosen.files[0])
    find_database = make_database_finder(
        _list_database_folders(folder, path.parent, chosen.databases), database_dir
    )
    rows = [(path, read_objects(path))]
    tasks = make_tasks(f"bird-{split}", rows, find_database, _KEYS, comparison="bird")
    return build_benchmark(SOURCE.name, split, tasks, SOURCE.advice)


def _list_database_folders(folder: Path, questions: Path, name: str) -> list[Path]:
    """List the folders that may have the databases: next to the questions or above them, inside ``folder``.

    Some archives nest the name twice.
    """
    above = [place for place in (questions, *questions.parents) if place.is_relative_to(folder)]
    return [path for place in above for path in (place / name, place / name / name)]

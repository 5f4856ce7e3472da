"""A benchmark without a download: ten small databases and about 7,000 questions, made on first use.

The repository contains only the generator. It has a seed. It draws the rows of ten domains (clinic, library,
airline, football league, restaurant, company, film festival, power grid, museum, observatory), writes them
as SQLite files and draws questions about them: 61 query shapes in SynSQL's four levels, from a simple
projection to windows and set operations, each with reasoning.

A query becomes a task only if the data prove it sound (`benchmarks.demo.queries.proof`): it returns
something, every clause changes its result, and no LIMIT cuts through a tie.

======  =====  ====================================================================
split   tasks  use
======  =====  ====================================================================
train   6,459  training; `benchmarks.demo.wrong_labels` adds wrong labels on purpose
dev     200    selection of settings
test    400    evaluation: its SQL never occurs in training on the same database
======  =====  ====================================================================

The sizes are those of seed 0. The held-out splits take one shape after the other: ``test`` has six or seven
examples of each shape. The same seed and SQLite release make the same bytes. Another seed makes other
contents and constants in the same schemas. Files are in ``data_dir``, else in ``$SQL_ENV_CACHE``, else in
``~/.cache/sql-env``.
"""

import json
from dataclasses import replace

from benchmarks.demo import data_folder
from benchmarks.demo.examples import SPLIT_NAMES
from sql_env.errors import DataError
from sql_env.types import Benchmark, Task


def demo(*, split: str = "test", data_dir: str | None = None, seed: int = 0) -> Benchmark:
    """Load a split of the demo benchmark; the first use generates it, in a few seconds.

    Args:
        split: ``train``, ``dev`` or ``test``.
        data_dir: The folder for the generated files instead of the user's cache.
        seed: The seed of the generator. Results can be compared only under the same seed.

    Returns:
        The split, with absolute database paths.

    Raises:
        DataError: The split is unknown, or the files cannot be written.

    Example:
        >>> tasks = demo(split="dev").tasks
        >>> len(tasks), tasks[0].id
        (200, 'demo-dev-0000')
    """
    if split not in SPLIT_NAMES:
        raise DataError(f"the demo benchmark has no split {split!r}; known: {', '.join(SPLIT_NAMES)}")
    folder = data_folder.prepare_data_folder(data_dir, seed)
    lines = (folder / f"{split}.jsonl").read_text(encoding="utf-8").splitlines()
    tasks = (Task.from_dict(json.loads(line)) for line in lines)
    return Benchmark("demo", split, tuple(replace(t, database=str(folder / t.database)) for t in tasks))

"""Tasks as the parquet files that verl trains on."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from sql_env import Scorer, Task, load_benchmark
from sql_env.errors import DataError
from trainers.dataset import Prompter, usable
from trainers.setup import drawn

PLAIN = "{{ (messages | map(attribute='content') | join('\\n\\n')).rstrip('\\n') + '\\n' }}"
"""Chat template of a model that has none: the very text that `trainers.dataset.Prompter` gives it."""


def row(task: Task, index: int, prompter: Prompter, benchmark: str) -> dict[str, Any]:
    """One row, in the columns that verl expects. The task travels as JSON, as it does in TRL."""
    return {
        "data_source": benchmark,
        "prompt": prompter(task),
        "reward_model": {"style": "rule", "ground_truth": task.gold_sql},
        "extra_info": {"index": index, "task": json.dumps(task.to_dict())},
    }


def write(path: Path, tasks: Sequence[Task], scorer: Scorer, template: str, benchmark: str) -> None:
    """Write tasks to a parquet file.

    Args:
        path: The file; its folder is made.
        tasks: What is asked, in this order.
        scorer: Knows the schemas and the response format.
        template: The prompt template.
        benchmark: What verl's metrics call the data.
    """
    from datasets import Dataset

    prompter = Prompter(scorer, template, chat=True)
    path.parent.mkdir(parents=True, exist_ok=True)
    rows = [row(task, index, prompter, benchmark) for index, task in enumerate(tasks)]
    Dataset.from_list(rows).to_parquet(str(path))


def prepare(sql: Mapping[str, Any], scorer: Scorer, train: Path, held_out: Path) -> tuple[int, int]:
    """Write the training and the held-out tasks of a benchmark; what is left out is logged.

    Args:
        sql: The ``sql`` block of the configuration.
        scorer: Runs the gold queries.
        train: Parquet file of the tasks to train on.
        held_out: Parquet file of those that verl validates on.

    Returns:
        How many tasks each has.

    Raises:
        DataError: No task is left.
    """
    return _part(sql, scorer, "split", "tasks", train), _part(
        sql, scorer, "eval_split", "eval_tasks", held_out
    )


def _part(sql: Mapping[str, Any], scorer: Scorer, split: str, at_most: str, path: Path) -> int:
    found = load_benchmark(sql["benchmark"], sql[split], sql["data_dir"]).tasks
    kept = drawn(usable(found, scorer, sql["keep_empty"]), sql[at_most], sql["seed"])
    if not kept:
        raise DataError(f"benchmark {sql['benchmark']!r}, split {sql[split]!r}: no task is left to ask")
    here = [replace(task, database=str(Path(task.database).resolve())) for task in kept]
    write(path, here, scorer, sql["prompt"], sql["benchmark"])
    return len(here)


def chat_template(model: str) -> str | None:
    """The template that a model's tokenizer has to be given, or None where it has its own."""
    from transformers import AutoTokenizer

    return PLAIN if AutoTokenizer.from_pretrained(model).chat_template is None else None

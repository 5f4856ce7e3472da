"""Tasks as the parquet files that verl trains on."""

from __future__ import annotations

import json
import random
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from itertools import islice
from pathlib import Path
from typing import Any

from sql_env import Scorer, Task, load_benchmark
from sql_env.errors import DataError
from sql_env.prompts.prompt import PromptBudget, build_prompt
from trainers.dataset import filter_usable

PLAIN_CHAT_TEMPLATE = (
    "{% for m in messages %}{% if m['role'] == 'system' %}{{ m['content'] + '\n\n' }}"
    "{% else %}{{ m['content'].rstrip('\n') + '\n' }}{% endif %}{% endfor %}"
)
"""Chat template of a model that has none.

A prompt becomes the very text that `trainers.dataset.Prompter` makes of it, and a message that follows
changes no token of it.
"""

CHUNK = 512
"""Gold queries that are run at the same time while tasks are drawn."""


def write_datasets(
    sql: Mapping[str, Any], scorer: Scorer, train: Path, held_out: Path, budget: PromptBudget | None = None
) -> tuple[int, int]:
    """Write the tasks to train on and those that verl validates on; what is left out is logged.

    Where both come from one split, none is in both.

    Args:
        sql: The ``sql`` block of the configuration.
        scorer: Runs the gold queries, and knows the schemas and the response format.
        train: Parquet file of the tasks to train on.
        held_out: Parquet file of the others.
        budget: How large a prompt may be; None for as large as it gets.

    Returns:
        How many tasks each has.

    Raises:
        DataError: No task is left.
    """
    apart = sql["eval_split"] not in (None, sql["split"])
    kept = draw_tasks(sql, sql["eval_split"] or sql["split"], sql["eval_tasks"], scorer)
    without = frozenset() if apart else frozenset(task.id for task in kept)
    learnt = draw_tasks(sql, sql["split"], sql["tasks"], scorer, without)
    for path, tasks in ((train, learnt), (held_out, kept)):
        write_parquet(path, tasks, scorer, sql["benchmark"], sql["prompt"], sql["max_turns"], budget)
    return len(learnt), len(kept)


def draw_tasks(
    sql: Mapping[str, Any], split: str, at_most: int, scorer: Scorer, without: frozenset[str] = frozenset()
) -> list[Task]:
    """Tasks that can be learnt from, drawn with the seed; where ``at_most`` is 0 all, in their order.

    Gold queries run only until enough is found, so that a part of millions of tasks is soon drawn.
    """
    found = load_benchmark(sql["benchmark"], split, sql["data_dir"], **sql["params"]).tasks
    levels = sql["levels"] or ()
    tasks = [t for t in found if (not levels or t.difficulty in levels) and t.id not in without]
    if at_most:
        random.Random(sql["seed"]).shuffle(tasks)
    chunks = (tasks[i : i + CHUNK] for i in range(0, len(tasks), CHUNK))
    good = (task for chunk in chunks for task in filter_usable(chunk, scorer, sql["keep_empty"]))
    kept = list(islice(good, at_most or None))
    if not kept:
        raise DataError(f"benchmark {sql['benchmark']!r}, split {split!r}: no task is left to ask")
    return kept


def write_parquet(
    path: Path,
    tasks: Sequence[Task],
    scorer: Scorer,
    benchmark: str,
    template: str,
    max_turns: int = 1,
    budget: PromptBudget | None = None,
) -> None:
    """Write tasks to a parquet file.

    Args:
        path: The file; its folder is made.
        tasks: What is asked, in this order.
        scorer: Knows the schemas and the response format.
        benchmark: What verl's metrics call the data.
        template: The prompt template.
        max_turns: How many turns an episode has.
        budget: How large a prompt may be; None for as large as it gets.
    """
    import pyarrow
    from pyarrow import parquet

    path.parent.mkdir(parents=True, exist_ok=True)
    table = pyarrow.Table.from_pylist(list(make_rows(tasks, scorer, benchmark, template, max_turns, budget)))
    parquet.write_table(table, str(path))


def make_rows(
    tasks: Sequence[Task],
    scorer: Scorer,
    benchmark: str,
    template: str,
    max_turns: int = 1,
    budget: PromptBudget | None = None,
) -> Iterator[dict[str, Any]]:
    """A row for each task, in the columns that verl expects. The task travels as JSON, as it does in TRL.

    Paths of databases are made absolute, because verl's processes run elsewhere.
    """
    for index, task in enumerate(tasks):
        here = replace(task, database=str(Path(task.database).resolve()))
        yield {
            "data_source": benchmark,
            "prompt": build_prompt(
                here, scorer.executor, scorer.rubric.form, template, max_turns, budget
            ).messages,
            "reward_model": {"style": "rule", "ground_truth": here.gold_sql},
            "extra_info": {"index": index, "task": json.dumps(here.to_dict())},
        }


def get_chat_template(model: str) -> str | None:
    """The template that a model's tokenizer has to be given, or None where it has its own."""
    from transformers import AutoTokenizer

    return PLAIN_CHAT_TEMPLATE if AutoTokenizer.from_pretrained(model).chat_template is None else None

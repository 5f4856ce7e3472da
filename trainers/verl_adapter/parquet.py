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
from sql_env.prompts.template import load_template
from trainers.dataset import expect_model, filter_usable, load_tokenizer

PLAIN_CHAT_TEMPLATE = (
    "{% for m in messages %}{% if m['role'] == 'system' %}{{ m['content'] + '\n\n' }}"
    "{% else %}{{ m['content'].rstrip('\n') + '\n' }}{% endif %}{% endfor %}"
)
"""Chat template of a model that has none.

A prompt becomes exactly the text that `trainers.dataset.Prompter` makes of it, and a message after it
changes none of its tokens.
"""

CHUNK = 512
"""Gold queries that run at the same time while tasks are drawn."""


def write_datasets(
    sql: Mapping[str, Any], scorer: Scorer, train: Path, held_out: Path, budget: PromptBudget | None = None
) -> tuple[int, int]:
    """Write the training tasks and the validation tasks; the number of unusable tasks is logged.

    If both come from one split, no task is in both.

    Args:
        sql: The ``sql`` block of the configuration.
        scorer: Runs the gold queries, and has the schemas and the response format.
        train: Parquet file of the training tasks.
        held_out: Parquet file of the validation tasks.
        budget: The limit of a prompt's size; None for no limit.

    Returns:
        The number of tasks in each.

    Raises:
        DataError: No task is left.
    """
    apart = sql["eval_split"] not in (None, sql["split"])
    validation = draw_tasks(sql, sql["eval_split"] or sql["split"], sql["eval_tasks"], scorer)
    without = frozenset() if apart else frozenset(task.id for task in validation)
    training = draw_tasks(sql, sql["split"], sql["tasks"], scorer, without)
    for path, tasks in ((train, training), (held_out, validation)):
        write_parquet(path, tasks, scorer, sql["benchmark"], sql["prompt"], sql["max_turns"], budget)
    return len(training), len(validation)


def draw_tasks(
    sql: Mapping[str, Any], split: str, at_most: int, scorer: Scorer, without: frozenset[str] = frozenset()
) -> list[Task]:
    """Draw usable tasks with the seed. If ``at_most`` is 0, return all in their order.

    Gold queries run only until there are enough tasks, so drawing a few of millions is fast.
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
        raise DataError(f"benchmark {sql['benchmark']!r}, split {split!r}: no task is left")
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
        tasks: The tasks, in this order.
        scorer: Has the schemas and the response format.
        benchmark: The name of the data in verl's metrics.
        template: The prompt template; see `sql_env.prompts.template.load_template`.
        max_turns: The number of turns of an episode.
        budget: The limit of a prompt's size; None for no limit.
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
    """Yield a row for each task, with the columns that verl expects. The task is JSON, as in TRL.

    Paths of databases become absolute, because verl's processes run in other folders.
    """
    chosen = load_template(template)
    for index, task in enumerate(tasks):
        here = replace(task, database=str(Path(task.database).resolve()))
        yield {
            "data_source": benchmark,
            "prompt": build_prompt(
                here, scorer.executor, scorer.rubric.form, chosen, max_turns, budget
            ).messages,
            "reward_model": {"style": "rule", "ground_truth": here.gold_sql},
            "extra_info": {"index": index, "task": json.dumps(here.to_dict())},
        }


def get_chat_template(model: str, trust_remote_code: bool = False) -> str | None:
    """Return the chat template for a model; None if its tokenizer has one."""
    with expect_model(model):
        tokenizer = load_tokenizer(model, trust_remote_code=trust_remote_code)
    return PLAIN_CHAT_TEMPLATE if tokenizer.chat_template is None else None

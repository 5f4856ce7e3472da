"""The tasks of the demo: questions under several contents of the databases, some with a wrong label."""

from __future__ import annotations

import random
from dataclasses import dataclass

from benchmarks.demo import demo
from benchmarks.demo.mislabel import mislabel
from sql_env import Task
from trainers.demo.arguments import DemoArguments
from trainers.training import sample_tasks


@dataclass(frozen=True, slots=True)
class DemoTasks:
    """The tasks of a run.

    Attributes:
        train: Training tasks with their right labels.
        mislabelled: The same tasks; a share of them has a wrong label.
        held_out: Tasks whose label, on databases of that schema, is not among the right labels of ``train``.
    """

    train: list[Task]
    mislabelled: list[Task]
    held_out: list[Task]

    @property
    def wrong_share(self) -> float:
        """The share of labels that are wrong."""
        pairs = list(zip(self.train, self.mislabelled, strict=True))
        wrong = sum(right.gold_sql != other.gold_sql for right, other in pairs)
        return round(wrong / max(1, len(pairs)), 4)


def load_demo_tasks(args: DemoArguments) -> DemoTasks:
    """Load the benchmark under several contents and replace a share of the labels by wrong ones."""
    levels = args.levels.split(",")
    splits = load_splits(args.contents, args.data_dir)
    chosen = {split: [task for task in tasks if task.difficulty in levels] for split, tasks in splits.items()}
    reserved = {get_label(task) for task in chosen["test"] + chosen["dev"]}
    train = [task for task in chosen["train"] if get_label(task) not in reserved]
    rng = random.Random(args.seed)
    spoilt = [(mislabel(task, rng) or task) if rng.random() < args.mislabelled else task for task in train]
    return DemoTasks(train, spoilt, sample_tasks(chosen[args.split], args.questions, args.seed))


def load_splits(contents: int, data_dir: str | None) -> dict[str, list[Task]]:
    """Load the three splits, each under the contents with the seeds 0, 1, ... ``contents - 1``."""
    return {
        split: [
            task for seed in range(contents) for task in demo(split=split, data_dir=data_dir, seed=seed).tasks
        ]
        for split in ("train", "dev", "test")
    }


def get_label(task: Task) -> tuple[str, str]:
    """Return the schema and the SQL of a task. What is held out must not be taught in this sense."""
    return task.db_id, task.gold_sql

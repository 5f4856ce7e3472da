"""The settings and the tasks of the demo: questions, some with a wrong label on purpose."""

from __future__ import annotations

import random
from dataclasses import dataclass

from benchmarks.demo import demo
from benchmarks.demo.wrong_labels import mislabel
from sql_env import Task
from trainers.arguments import STRATEGIES, make_option
from trainers.training import sample_tasks


@dataclass
class StageSettings:
    """The settings of the stages. The studies have them too, with other defaults."""

    levels: str = make_option("simple,moderate", "Levels of the demo benchmark, separated by commas.")
    contents: int = make_option(
        4, "Contents of the databases: the seeds 0, 1, ... of the benchmark, this many of them."
    )
    split: str = make_option(
        "test", "Split of the held-out questions: dev to choose settings, test to measure."
    )
    questions: int = make_option(300, "Held-out questions, drawn with the seed.")
    sft_steps: int = make_option(2000, "Steps of the cold start, 16 examples each.")
    sft_rate: float = make_option(3e-3, "Learning rate of the cold start.")
    grpo_steps: int = make_option(60, "Steps of GRPO, 16 questions with 8 answers each.")
    grpo_rate: float = make_option(7e-4, "Learning rate of GRPO.")


@dataclass
class DemoArguments(StageSettings):
    """The settings of the demo. All of them are in its record."""

    out: str = make_option(
        "", "Folder of the record, the curves and the models; where empty, runs/demo or runs/demo-verl."
    )
    seed: int = make_option(0, "Seed of the weights, the wrong labels, and every random choice.")
    backend: str = make_option("trl", "Library that runs the RL.", choices=("trl", "verl"))
    algorithm: str = make_option(
        "", "RL algorithm of trainers.algorithms; where empty, GRPO as tuned for the demo."
    )
    start: str = make_option(
        "", "Folder of a cold start with this seed, from another run; where empty, train one."
    )
    clean: bool = make_option(True, "Also train a cold start on clean labels, for comparison.")
    mislabelled: float = make_option(0.7, "Share of the cold start's labels that become wrong.")
    strategy: str = make_option(
        "sql", "Teach reasoning and SQL, or SQL only, in the cold start.", choices=STRATEGIES
    )
    reward: str = make_option("sql-r1", "Preset that is the reward of GRPO.")
    threads: int = make_option(0, "Threads of torch; 0 for the number of idle cores.")
    data_dir: str | None = make_option(None, "Folder of the benchmark; the user's cache if not given.")

    def __post_init__(self) -> None:
        self.out = self.out or ("runs/demo-verl" if self.backend == "verl" else "runs/demo")


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

"""What the cold start of `trainers.studies.cold_start` covers, what RL asks, and what is held out."""

from __future__ import annotations

import random
from dataclasses import dataclass

from benchmarks.demo import demo
from sql_env import Task
from trainers.arguments import option
from trainers.training import drawn


@dataclass
class Settings:
    """What the arms of one seed are told; all of it goes into their records."""

    levels: str = option("simple,moderate", "Levels that the cold start covers well, with commas between.")
    complex_levels: str = option("complex", "Levels that it covers thinly, and RL asks.")
    contents: int = option(4, "Contents of the databases: the benchmark's seeds 0, 1, ... up to this many.")
    covered: int = option(4000, "Simple questions in the cold start, drawn with the seed; 0 for all.")
    thin: int = option(300, "Complex questions in the cold start, drawn with the seed.")
    copies: int = option(1, "How often each of them is in it, so that it is learnt and not only met.")
    split: str = option("test", "Split of the held-out questions: dev to choose settings, test to measure.")
    questions: int = option(400, "Held-out questions of either kind, drawn with the seed; 0 for all.")
    reward: str = option("sql-r1", "Preset that GRPO is paid by.")
    longest: int = option(72, "Tokens of the longest answer.")
    sft_steps: int = option(2500, "Steps of the cold start, 16 examples each.")
    sft_rate: float = option(3e-3, "Learning rate of the cold start.")
    replay: float = option(
        0.25, "Share of simple questions among those that GRPO and rejection sampling ask."
    )
    grpo_steps: int = option(160, "Steps of GRPO, 16 questions with 8 answers each.")
    grpo_rate: float = option(4e-4, "Learning rate of GRPO.")
    temperature: float = option(1.0, "Temperature of GRPO's sampling, and of rejection sampling's.")
    margin: float = option(1.15, "Processor time of a control, of that of GRPO.")
    supervised_rate: float = option(1e-3, "Learning rate of the supervised control.")
    rounds: int = option(3, "Rounds of rejection sampling: sample, keep what is right, train on it.")
    asked: int = option(800, "Questions that a round asks.")
    kept: float = option(
        0.5, "Share of the kept answers in what a round trains on; the rest is the cold start's."
    )
    rejection_rate: float = option(1e-3, "Learning rate of a round.")


@dataclass(frozen=True, slots=True)
class Data:
    """The tasks of a seed.

    Attributes:
        train: All questions to train on: their words make the vocabulary.
        cold: What the cold start teaches: simple questions, and a few complex ones several times.
        asked: Further complex questions with some simple ones. Their SQL is never taught; only its
            result is looked at.
        held_out: ``complex`` and ``simple`` questions that are measured on. The SQL of none is, on
            databases of its schema, that of a question to train on.
        secret: Schema and SQL of everything that is held out, measured on or not.
    """

    train: list[Task]
    cold: list[Task]
    asked: list[Task]
    held_out: dict[str, list[Task]]
    secret: frozenset[tuple[str, str]]


def data(settings: Settings, seed: int, data_dir: str | None = None) -> Data:
    """Load the benchmark under several contents, and deal it out."""
    splits = {split: _tasks(settings, split, data_dir) for split in ("train", "dev", "test")}
    secret = frozenset(label(task) for split in ("dev", "test") for task in splits[split])
    train = [task for task in splits["train"] if label(task) not in secret]

    def of(levels: str, tasks: list[Task]) -> list[Task]:
        return [task for task in tasks if task.difficulty in levels.split(",")]

    simple, hard = of(settings.levels, train), of(settings.complex_levels, train)
    thin = drawn(hard, settings.thin, seed)
    cold = drawn(simple, settings.covered, seed) + thin * settings.copies
    taught = {label(task) for task in cold}
    further = [task for task in hard if label(task) not in taught]
    replayed = [task for task in simple if label(task) not in taught] or simple
    kinds = {"complex": settings.complex_levels, "simple": settings.levels}
    return Data(
        train=simple + hard,
        cold=cold,
        asked=further + shared(replayed, len(further), settings.replay, random.Random(seed)),
        held_out={
            kind: drawn(of(levels, splits[settings.split]), settings.questions, seed)
            for kind, levels in kinds.items()
        },
        secret=secret,
    )


def label(task: Task) -> tuple[str, str]:
    """What must not be taught if it is held out: an SQL on databases of a schema."""
    return task.db_id, task.gold_sql


def shared(tasks: list[Task], others: int, share: float, rng: random.Random) -> list[Task]:
    """So many of the tasks that they are this share of themselves and the others together."""
    return rng.choices(tasks, k=round(others * share / (1 - share))) if tasks else []


def _tasks(settings: Settings, split: str, data_dir: str | None) -> list[Task]:
    contents = (demo(split=split, data_dir=data_dir, seed=seed) for seed in range(settings.contents))
    return [task for content in contents for task in content.tasks]

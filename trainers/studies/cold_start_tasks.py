"""The settings and the tasks of `trainers.studies.cold_start`."""

from __future__ import annotations

import random
from dataclasses import dataclass

from sql_env import Task
from trainers.arguments import make_option
from trainers.demo.tasks import StageSettings, get_label, load_splits
from trainers.training import sample_tasks


@dataclass
class Settings(StageSettings):
    """The settings of the arms of one seed. All of them are in the records."""

    levels: str = make_option(
        "simple,moderate", "Levels with many examples in the cold start, separated by commas."
    )
    complex_levels: str = make_option(
        "complex", "Levels with few examples in the cold start; the questions of RL have these levels."
    )
    covered: int = make_option(4000, "Simple questions in the cold start, drawn with the seed; 0 for all.")
    thin: int = make_option(300, "Complex questions in the cold start, drawn with the seed.")
    copies: int = make_option(1, "Copies of each complex question in the cold start.")
    questions: int = make_option(400, "Held-out questions of each kind, drawn with the seed; 0 for all.")
    reward: str = make_option("sql-r1", "Preset that is the reward of GRPO.")
    longest: int = make_option(72, "Tokens of the longest answer.")
    sft_steps: int = make_option(2500, "Steps of the cold start, 16 examples each.")
    replay: float = make_option(
        0.25, "Share of simple questions among the questions of GRPO and of rejection sampling."
    )
    grpo_steps: int = make_option(160, "Steps of GRPO, 16 questions with 8 answers each.")
    grpo_rate: float = make_option(4e-4, "Learning rate of GRPO.")
    temperature: float = make_option(1.0, "Temperature of the sampling in GRPO and rejection sampling.")
    margin: float = make_option(1.15, "Processor time of a control, as a multiple of that of GRPO.")
    supervised_rate: float = make_option(1e-3, "Learning rate of the supervised control.")
    rounds: int = make_option(
        3, "Rounds of rejection sampling: sample, keep the right answers, train on them."
    )
    asked: int = make_option(800, "Questions in a round.")
    kept: float = make_option(
        0.5, "Share of the kept answers in the training data of a round; the rest is from the cold start."
    )
    rejection_rate: float = make_option(1e-3, "Learning rate of a round.")


@dataclass(frozen=True, slots=True)
class ColdStartTasks:
    """The tasks of a seed.

    Attributes:
        train: All training questions. Their words make the vocabulary.
        cold_start: The examples of the cold start: simple questions, and a few complex ones several times.
        rl: Further complex questions, with some simple ones. RL uses the result of their SQL, not the SQL.
        held_out: ``complex`` and ``simple`` held-out questions. No training question on databases of the
            same schema has the SQL of one.
        reserved: Schema and SQL of all held-out questions, measured or not.
    """

    train: list[Task]
    cold_start: list[Task]
    rl: list[Task]
    held_out: dict[str, list[Task]]
    reserved: frozenset[tuple[str, str]]


def load_cold_start_tasks(settings: Settings, seed: int, data_dir: str | None = None) -> ColdStartTasks:
    """Load the benchmark under several contents and split it."""
    splits = load_splits(settings.contents, data_dir)
    reserved = frozenset(get_label(task) for split in ("dev", "test") for task in splits[split])
    train = [task for task in splits["train"] if get_label(task) not in reserved]
    kinds = {"complex": settings.complex_levels.split(","), "simple": settings.levels.split(",")}

    def select(kind: str, tasks: list[Task]) -> list[Task]:
        return [task for task in tasks if task.difficulty in kinds[kind]]

    simple, hard = select("simple", train), select("complex", train)
    thin = sample_tasks(hard, settings.thin, seed)
    cold_start = sample_tasks(simple, settings.covered, seed) + thin * settings.copies
    taught = {get_label(task) for task in cold_start}
    further = [task for task in hard if get_label(task) not in taught]
    replayed = [task for task in simple if get_label(task) not in taught] or simple
    return ColdStartTasks(
        train=simple + hard,
        cold_start=cold_start,
        rl=further + sample_share(replayed, len(further), settings.replay, random.Random(seed)),
        held_out={
            kind: sample_tasks(select(kind, splits[settings.split]), settings.questions, seed)
            for kind in kinds
        },
        reserved=reserved,
    )


def sample_share(tasks: list[Task], others: int, share: float, rng: random.Random) -> list[Task]:
    """Sample tasks so that they are this share of themselves and ``others`` further tasks together."""
    return rng.choices(tasks, k=round(others * share / (1 - share))) if tasks else []

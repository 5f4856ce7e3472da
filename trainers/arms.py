"""The arms of `trainers.cold_start`: one start, and three ways to go on from it for as long."""

from __future__ import annotations

import math
import random
import time
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from benchmarks.demo import demo
from sql_env import Scorer, Task
from trainers.arguments import option
from trainers.dataset import Prompter
from trainers.demo import vocabulary
from trainers.measure import rollouts
from trainers.setup import drawn
from trainers.stages import Log, Stages, load

SAMPLES = 8
"""Answers a question: of GRPO, of rejection sampling, of the measurement."""


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
    sft_steps: int = option(2000, "Steps of the cold start, 16 examples each.")
    sft_rate: float = option(3e-3, "Learning rate of the cold start.")
    replay: float = option(
        0.25, "Share of simple questions among those that GRPO and rejection sampling ask."
    )
    grpo_steps: int = option(130, "Steps of GRPO, 16 questions with 8 answers each.")
    grpo_rate: float = option(4e-4, "Learning rate of GRPO.")
    temperature: float = option(1.2, "Temperature of GRPO's sampling, and of rejection sampling's.")
    margin: float = option(1.1, "Processor time of a control, of that of GRPO.")
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


class Arms:
    """The ways of one seed. Each trains a model in place, and returns its log."""

    def __init__(
        self, settings: Settings, data: Data, scorer: Scorer, display: Any, out: str, seed: int
    ) -> None:
        self.settings, self.data, self.seed = settings, data, seed
        self.prompter = Prompter(scorer, "compact")
        answers = [self.prompter.answer(task, "sql") for task in data.cold]
        tokenizer = vocabulary(data.train, answers, self.prompter)
        self.stages = Stages(tokenizer, self.prompter, display, out=out, seed=seed, longest=settings.longest)

    def start(self) -> tuple[Any, Log]:
        """A new model after its cold start."""
        settings, model = self.settings, self.stages.model()
        how = {"steps": settings.sft_steps, "rate": settings.sft_rate}
        return model, self.stages.supervise(model, self.data.cold, "cold start", **how)

    def grpo(self, model: Any) -> Log:
        """RL on the results of complex questions, and of some simple ones so that they are not forgotten."""
        settings = self.settings
        return self.stages.reinforce(
            model,
            self.data.asked,
            "GRPO",
            steps=settings.grpo_steps,
            rate=settings.grpo_rate,
            temperature=settings.temperature,
        )

    def supervised(self, model: Any, budget: float, step: float) -> Log:
        """More steps on the labels of the cold start.

        Args:
            model: Is trained in place.
            budget: Processor seconds.
            step: Processor seconds that a step takes.
        """
        how = {"steps": math.ceil(budget / step), "rate": self.settings.supervised_rate}
        return self.stages.supervise(model, self.data.cold, "more supervised steps", **how)

    def rejection(self, model: Any, budget: float, step: float) -> Log:
        """Rounds of sampling answers to the questions of GRPO and training on the right ones.

        A round has its share of the budget: what sampling leaves of it is training, on all that has
        been kept so far and the cold start's labels. No answer that is a held-out label is kept.
        """
        settings, rng, began = self.settings, random.Random(self.seed), time.process_time()
        log: Log = []
        right: list[Task] = []
        for turn in range(1, settings.rounds + 1):
            asked = rng.sample(self.data.asked, min(settings.asked, len(self.data.asked)))
            right += self.kept(model, asked, turn)
            left = budget * turn / settings.rounds - (time.process_time() - began)
            tasks = right + shared(self.data.cold, len(right), 1 - settings.kept, rng) or self.data.cold
            how = {"steps": max(1, math.ceil(left / step)), "rate": settings.rejection_rate}
            rows = self.stages.supervise(model, tasks, f"rejection sampling, round {turn}", **how)
            log += [{"round": turn, "kept": len(right), **row} for row in rows]
        return log

    def kept(self, model: Any, tasks: list[Task], turn: int) -> list[Task]:
        """The tasks with the right answers of the model for their labels, each answer once."""
        settings = self.settings
        with self.stages.display.stage(f"sampling, round {turn}", len(tasks)) as stage:
            groups = rollouts(
                model,
                self.stages.tokenizer,
                tasks,
                self.prompter,
                samples=SAMPLES,
                temperature=settings.temperature,
                max_new_tokens=settings.longest,
                seed=self.seed * 100 + turn,
                progress=stage.advance,
            )
            answers = [
                replace(task, gold_sql=sql)
                for task, group in zip(tasks, groups, strict=True)
                for sql in sorted(
                    {r.action.sql for r in group if r.correct and not r.masked and r.action.sql}
                )
            ]
            new = [task for task in answers if label(task) not in self.data.secret]
            answered = len({task.id + task.database for task in new})
            stage.say(f"  {len(new)} right answers to {answered} of {len(tasks)} questions")
            return new

    def measure(self, model: Any, name: str) -> dict[str, dict[str, float]]:
        """The four figures on the held-out questions of either kind."""
        kinds = self.data.held_out.items()
        return {kind: self.stages.measure(model, tasks, f"{name}, {kind}") for kind, tasks in kinds}

    def load(self, folder: Path) -> Any:
        """The start, to go on from; with the words that it was made with."""
        from transformers import AutoTokenizer

        from sql_env.errors import DataError

        if AutoTokenizer.from_pretrained(folder).get_vocab() != self.stages.tokenizer.get_vocab():
            raise DataError(f"{folder} is a start of other settings: give those in its record.json")
        return load(folder)

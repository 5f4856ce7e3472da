"""The arms of `trainers.studies.cold_start`: one start, and three ways to go on from it for as long."""

from __future__ import annotations

import math
import random
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

from sql_env import Scorer, Task
from sql_env.errors import DataError
from trainers.dataset import Prompter
from trainers.demo.run import vocabulary
from trainers.demo.stages import Log, Stages, load
from trainers.generation.measure import rollouts
from trainers.studies.coverage import Data, Settings, label, shared

SAMPLES = 8
"""Answers a question: of GRPO, of rejection sampling, of the measurement."""


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
            right += self.sampled(model, asked, turn)
            left = budget * turn / settings.rounds - (time.process_time() - began)
            tasks = right + shared(self.data.cold, len(right), 1 - settings.kept, rng) or self.data.cold
            how = {"steps": max(1, math.ceil(left / step)), "rate": settings.rejection_rate}
            rows = self.stages.supervise(model, tasks, f"rejection sampling, round {turn}", **how)
            log += [{"round": turn, "kept": len(right), **row} for row in rows]
        return log

    def sampled(self, model: Any, tasks: list[Task], turn: int) -> list[Task]:
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
        """The start, to go on from.

        Raises:
            DataError: It has another vocabulary.
        """
        from transformers import AutoTokenizer

        if AutoTokenizer.from_pretrained(folder).get_vocab() != self.stages.tokenizer.get_vocab():
            raise DataError(f"{folder} is a start of other settings: give those in its record.json")
        return load(folder)

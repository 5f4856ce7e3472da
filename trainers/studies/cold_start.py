"""The gain of RL over a clean cold start: ``python -m trainers.studies.cold_start``.

SQL-R1's claim in miniature. A tiny model learns many simple questions and few complex ones, from right
labels only. Then GRPO trains it on further complex questions; it uses their right results, not their SQL.
Two controls continue from the same start, for at least as much processor time: more supervised steps on
the same labels, and rejection sampling on the same questions.

An arm that has a ``record.json`` does not run again, so the command resumes after a stop.
"""

from __future__ import annotations

import math
import random
import time
from collections.abc import Mapping
from contextlib import ExitStack
from dataclasses import asdict, dataclass, replace
from functools import partial
from pathlib import Path
from statistics import mean
from typing import Any

from sql_env import Scorer, Task
from sql_env.errors import DataError
from trainers.arguments import make_option
from trainers.dataset import Prompter
from trainers.demo.stages import GROUP_SIZE, Log, Stages
from trainers.demo.tasks import get_label
from trainers.logs.record import StageTimes
from trainers.studies.cold_start_tasks import (
    ColdStartTasks,
    Settings,
    load_cold_start_tasks,
    sample_share,
)
from trainers.studies.experiment import (
    FIGURES,
    Experiment,
    Record,
    Report,
    StudyArguments,
    compute_spread,
    format_mean,
    get_values,
    make_table,
    run_study,
    subtract,
)

ARMS = {
    "start": "start",
    "grpo": "GRPO",
    "supervised": "more supervised steps",
    "rejection": "rejection sampling",
}
"""The name of each arm, in the order in which they run."""

CONTROLS = ("supervised", "rejection")

GRPO_SETTINGS = {"replay", "grpo_steps", "grpo_rate", "temperature"}
"""Settings of GRPO. The controls depend on them too."""

OWN_SETTINGS: dict[str, set[str]] = {
    "start": set(),
    "grpo": GRPO_SETTINGS,
    "supervised": GRPO_SETTINGS | {"margin", "supervised_rate"},
    "rejection": GRPO_SETTINGS | {"margin", "rounds", "asked", "kept", "rejection_rate"},
}
"""The settings that an arm depends on beside those of the start."""

LEAD, LOSS = 0.10, 0.02
"""The bar: what GRPO must gain on the supervised control, and may lose on simple questions (greedy)."""

COMPARISONS = {
    ("supervised", "complex"): "the supervised control, complex",
    ("start", "complex"): "the start, complex",
    ("start", "simple"): "the start, simple",
    ("rejection", "complex"): "rejection sampling on the same questions, complex",
}
"""The comparisons with GRPO: an arm, a kind of questions, and their name."""


@dataclass
class RunArguments(StudyArguments):
    """The folder, the seeds, the arms and the threads."""

    out: str = make_option("runs/cold_start", "Folder of the records, the models, the table and the figure.")
    seeds: str = make_option(
        "21,22,23", "Seeds of the weights and of every random choice, separated by commas."
    )
    arms: str = make_option(
        ",".join(ARMS), "Arms to run; every arm needs the start, and a control needs GRPO."
    )
    starts: str = make_option(
        "", "Folder of another run whose cold starts are used; where empty, train new ones."
    )


class ColdStart(Experiment):
    """One start, and three ways to continue from it."""

    name = "cold_start"

    @property
    def arms(self) -> list[str]:
        """The chosen arms, in the order in which they depend on each other."""
        return [arm for arm in ARMS if arm in self.args.arms.split(",")]

    def get_folder(self, seed: int, arm: str) -> Path:
        """Return the folder of an arm; a start may be that of another run."""
        return Path((arm == "start" and self.args.starts) or self.args.out, str(seed), arm)

    def list_settings(self, arm: str) -> set[str]:
        """See `Experiment.list_settings`."""
        return set(asdict(self.settings)) - set().union(*OWN_SETTINGS.values()) | OWN_SETTINGS[arm]

    def load(self, seed: int, stack: ExitStack) -> tuple[ColdStartTasks, Stages]:
        """Load the tasks of a seed."""
        self.display.console.print(f"seed {seed}: loading the demo benchmark ...")
        tasks = load_cold_start_tasks(self.settings, seed, self.args.data_dir)
        held_out = ", ".join(f"{len(chosen)} {kind}" for kind, chosen in tasks.held_out.items())
        self.display.console.print(
            f"{len(tasks.cold_start)} examples in the cold start, {len(tasks.rl)} questions for RL, "
            f"{held_out} questions held out"
        )
        prompter = Prompter(stack.enter_context(Scorer(self.settings.reward)), "compact")
        answers = [prompter.make_completion(task, "sql") for task in tasks.cold_start]
        place = {"out": f"{self.args.out}/{seed}", "seed": seed, "max_tokens": self.settings.longest}
        return tasks, Stages(tasks.train, answers, prompter, self.display, **place)

    def run_arm(
        self, loaded: tuple[ColdStartTasks, Stages], seed: int, arm: str, earlier: Mapping[str, Record]
    ) -> Record:
        """See `Experiment.run_arm`.

        Raises:
            DataError: The arm is a control, and there is no GRPO whose processor time it could match.
        """
        settings, times, (tasks, stages) = self.settings, StageTimes(), loaded
        if arm in CONTROLS:
            if "grpo" not in earlier:
                raise DataError("a control needs the processor time of GRPO: add grpo to --arms")
            spent = {name: record["cpu_seconds"]["training"] for name, record in earlier.items()}
            budget = settings.margin * spent["grpo"]
            step = spent["start"] / earlier["start"]["settings"]["sft_steps"]
        with times.time_stage("all"):
            with times.time_stage("training"):
                start = self.get_folder(seed, "start")
                model = stages.make_model() if arm == "start" else stages.load_model(start)
                train = partial(stages.supervise, model, tasks.cold_start)
                if arm == "start":
                    log = train("cold start", steps=settings.sft_steps, rate=settings.sft_rate)
                elif arm == "grpo":
                    log = stages.reinforce(
                        model,
                        tasks.rl,
                        "GRPO",
                        steps=settings.grpo_steps,
                        rate=settings.grpo_rate,
                        temperature=settings.temperature,
                    )
                elif arm == "supervised":
                    log = train(
                        "more supervised steps",
                        steps=math.ceil(budget / step),
                        rate=settings.supervised_rate,
                    )
                else:
                    log = self.train_rejection(model, loaded, budget, step)
            stages.save(model, arm)
            figures = {
                kind: stages.measure(model, held_out, f"{ARMS[arm]}, {kind}")
                for kind, held_out in tasks.held_out.items()
            }
        return {
            **figures,
            "held_out_questions": {kind: len(held_out) for kind, held_out in tasks.held_out.items()},
            "cold_start_examples": len(tasks.cold_start),
            "rl_questions": len(tasks.rl),
            "parameters": model.num_parameters(),
            "seconds": times.seconds,
            "cpu_seconds": times.cpu_seconds,
            "log": log,
        }

    def train_rejection(
        self, model: Any, loaded: tuple[ColdStartTasks, Stages], budget: float, step: float
    ) -> Log:
        """Repeat: sample answers to the questions of GRPO, then train on the right ones.

        Each round has its share of the budget. The time that sampling leaves goes into training, on all
        answers that have been kept so far and on labels of the cold start. An answer that is a held-out
        label is not kept.

        Args:
            model: The model, which is trained in place.
            loaded: The tasks and the stages.
            budget: Processor seconds.
            step: Processor seconds that a step of training takes.
        """
        settings, began, (tasks, stages) = self.settings, time.process_time(), loaded
        rng, right, log = random.Random(stages.seed), list[Task](), Log()
        for turn in range(1, settings.rounds + 1):
            questions = rng.sample(tasks.rl, min(settings.asked, len(tasks.rl)))
            groups = stages.generate(
                model,
                questions,
                f"sampling, round {turn}",
                samples=GROUP_SIZE,
                temperature=settings.temperature,
                seed=stages.seed * 100 + turn,
            )
            answers = [
                replace(task, gold_sql=sql)
                for task, group in zip(questions, groups, strict=True)
                for sql in sorted(
                    {r.action.sql for r in group if r.correct and not r.masked and r.action.sql}
                )
            ]
            new = [task for task in answers if get_label(task) not in tasks.reserved]
            right += new
            answered = len({(task.id, task.database) for task in new})
            self.display.console.print(
                f"  {len(new)} right answers to {answered} of {len(questions)} questions"
            )
            left = budget * turn / settings.rounds - (time.process_time() - began)
            examples = right + sample_share(tasks.cold_start, len(right), 1 - settings.kept, rng)
            rows = stages.supervise(
                model,
                examples or tasks.cold_start,
                f"rejection sampling, round {turn}",
                steps=max(1, math.ceil(left / step)),
                rate=settings.rejection_rate,
            )
            log += [{"round": turn, "kept": len(right), **row} for row in rows]
        return log

    def make_report(self, records: Mapping[int, Mapping[str, Record]]) -> Report:
        """Compare the arms that every seed has: mean and spread over the seeds, then each seed."""
        arms = [arm for arm in ARMS if all(arm in found for found in records.values())]
        rows = [("questions", "arm", *FIGURES, *(f"greedy, seed {seed}" for seed in records), "CPU s")]
        bars: dict[str, dict[str, list[float]]] = {}
        for kind in ("complex", "simple"):
            greedy = {arm: get_values(records, arm, kind, "greedy") for arm in arms}
            bars[f"{kind} questions, greedy"] = {ARMS[arm]: values for arm, values in greedy.items()}
            for arm in arms:
                means = [format_mean(get_values(records, arm, kind, figure)) for figure in FIGURES]
                each = [f"{value:.3f}" for value in greedy[arm]]
                cpu = mean(get_values(records, arm, "cpu_seconds", "training"))
                rows.append((kind, ARMS[arm], *means, *each, f"{cpu:.0f}"))
        curves = {
            f"seed {seed}": (found["grpo"]["log"], "sql/correct")
            for seed, found in records.items()
            if "grpo" in found
        }
        table = make_table("mean ± standard deviation over the seeds", rows, 2, len(arms))
        return Report(rows, table, conclude(records, arms), bars, compute_spread, curves)


def conclude(records: Mapping[int, Mapping[str, Record]], arms: list[str]) -> str:
    """State if GRPO reached the bar on every seed, and how far it is from the other arms."""
    if not {"start", "grpo", "supervised"} <= set(arms):
        return "No verdict: it needs the start, GRPO and more supervised steps on every seed."
    leads = {
        (other, kind): subtract(
            get_values(records, "grpo", kind, "greedy"), get_values(records, other, kind, "greedy")
        )
        for other, kind in COMPARISONS
        if other in arms
    }
    short = [
        f"{ARMS[arm]} (seed {seed})"
        for seed, found in records.items()
        for arm in CONTROLS
        if arm in arms and found[arm]["cpu_seconds"]["training"] < found["grpo"]["cpu_seconds"]["training"]
    ]
    above = min(leads["supervised", "complex"]) >= LEAD and min(leads["start", "simple"]) >= -LOSS
    lines = [
        f"The bar was {'reached' if above and not short else 'not reached'}. It is: on every seed, GRPO "
        f"at least {LEAD:.2f} above the supervised control on complex questions, and at most "
        f"{LOSS:.2f} below the start on simple ones."
    ]
    for key, lead in leads.items():
        each = ", ".join(f"{value:+.3f}" for value in lead)
        lines.append(f"GRPO against {COMPARISONS[key]}: {each} (mean {mean(lead):+.3f}).")
    if short:
        lines.append(f"Less processor time than GRPO: {', '.join(short)}.")
    return "\n".join(lines)


if __name__ == "__main__":
    run_study(ColdStart, RunArguments, Settings)

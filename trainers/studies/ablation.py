"""The value of each part of the recipe, in miniature: ``python -m trainers.studies.ablation``.

SQL-R1's ablations (arXiv 2504.08600) with the demo benchmark and a tiny model: RL with and without a
cold start (table 4), without each part of the reward (table 5), and the number of candidates in a vote
(figure 9). All arms of a seed share the data and the held-out questions, and all but ``random`` share the
cold start. An arm that has a record does not run again.
"""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import ExitStack
from dataclasses import asdict, dataclass, replace
from statistics import mean
from typing import Any

from benchmarks.metrics.accuracy import is_vote_correct, mean_at_1
from rewards.presets import SQL_R1
from sql_env import Scorer
from sql_env.errors import DataError
from trainers.arguments import make_option
from trainers.demo.run import Demo
from trainers.demo.tasks import DemoArguments, StageSettings
from trainers.studies.experiment import (
    FIGURES,
    Experiment,
    Record,
    Report,
    StudyArguments,
    compute_margin,
    format_mean,
    get_values,
    make_table,
    run_study,
    subtract,
)

ARMS = {
    "start": "cold start, no RL",
    "random": "RL without a cold start",
    "full": "cold start and RL",
    **{f"without-{part}": f"without the {part} reward" for part in SQL_R1["rewards"]},
}
"""The name of each arm, in the order in which they run."""

CLAIMS = {
    "Table 4: RL improves the cold start": ("full", "start"),
    "Table 4: RL after a cold start is better than RL without": ("full", "random"),
    **{
        f"Table 5: leaving out the {part} reward costs accuracy": ("full", f"without-{part}")
        for part in SQL_R1["rewards"]
    },
    "A vote among 8 candidates is better than greedy decoding": ("8", "full"),
    "Figure 9: 8 candidates are better than 1": ("8", "1"),
    "Figure 9: 16 candidates are better than 8": ("16", "8"),
}
"""The trends of the paper: an arm or a size of the vote, and another that it should be better than."""


@dataclass
class AblationArguments(StudyArguments):
    """The folder, the seeds and the threads."""

    out: str = make_option("runs/ablation", "Folder of the records, the models, the table and the figure.")
    seeds: str = make_option("31,32,33,34,35", "Seeds, separated by commas: 2 to 10 of them.")

    def __post_init__(self) -> None:
        if not 2 <= len(self.seeds.split(",")) <= 10:
            raise DataError("an interval needs 2 to 10 seeds: --seeds 31,32,33,34,35")


@dataclass
class Settings(StageSettings):
    """The settings of every arm. All of them are in the records."""

    levels: str = make_option("simple", "Levels of the demo benchmark, separated by commas.")
    contents: int = make_option(
        2, "Contents of the databases: the seeds 0, 1, ... of the benchmark, this many of them."
    )
    mislabelled: float = make_option(0.7, "Share of the cold start's labels that become wrong.")
    sft_steps: int = make_option(1000, "Steps of the cold start, 16 examples each.")
    grpo_steps: int = make_option(50, "Steps of GRPO, 16 questions with 8 answers each.")
    candidates: int = make_option(16, "Candidates of the largest vote; a power of 2.")


class Ablation(Experiment):
    """The cold start alone, RL after it, RL without it, and RL after it without a part of the reward."""

    arms = tuple(ARMS)
    name = "ablation"

    def load(self, seed: int, stack: ExitStack) -> Demo:
        """Load the demo with the settings of the study."""
        shared = {name: value for name, value in asdict(self.settings).items() if name != "candidates"}
        args = DemoArguments(seed=seed, data_dir=self.args.data_dir, **shared)
        return Demo(args, stack.enter_context(Scorer(SQL_R1)), self.display)

    def run_arm(self, loaded: Demo, seed: int, arm: str, earlier: Mapping[str, Record]) -> Record:
        """See `Experiment.run_arm`."""
        stages = loaded.stages
        stages.out = str(self.get_folder(seed, arm))
        with Scorer(get_rubric(arm)) as scorer:
            stages.prompter = replace(stages.prompter, scorer=scorer)
            if arm == "start":
                model, log = loaded.cold_start(loaded.tasks.mislabelled, f"seed {seed}: cold start")
            elif arm == "random":
                model, log = loaded.improve(stages.make_model())
            else:
                model, log = loaded.improve(stages.load_model(self.get_folder(seed, "start") / "model"))
            stages.save(model, "model")
            found: Record = {"held_out": loaded.measure(model, f"seed {seed}, {arm}"), "log": log}
            if arm == "full":
                found["votes"] = measure_votes(loaded, model, self.settings.candidates)
        return found

    def make_report(self, records: Mapping[int, Mapping[str, Record]]) -> Report:
        """Compare the arms and the sizes of the vote, with 95 % intervals by Student's t over the seeds."""
        greedy = {arm: get_values(records, arm, "held_out", "greedy") for arm in ARMS}
        sizes = next(iter(records.values()))["full"]["votes"]
        votes = {size: get_values(records, "full", "votes", size) for size in sizes}
        rows = [("arm", *FIGURES, "greedy, against cold start and RL")]
        for arm, name in ARMS.items():
            cells = [
                format_mean(get_values(records, arm, "held_out", figure), compute_margin)
                for figure in FIGURES
            ]
            change = format_mean(subtract(greedy[arm], greedy["full"]), compute_margin, "+")
            rows.append((name, *cells, "" if arm == "full" else change))
        named = {"one sample" if size == "1" else f"vote among {size}": votes[size] for size in votes}
        rows += [
            (name, format_mean(values, compute_margin), "", "", "", "") for name, values in named.items()
        ]
        values = greedy | votes
        claims = [
            judge_claim(claim, subtract(values[better], values[worse]))
            for claim, (better, worse) in CLAIMS.items()
            if {better, worse} <= set(values)
        ]
        bars = {
            "greedy": {name: greedy[arm] for arm, name in ARMS.items()},
            "cold start and RL": {"greedy": greedy["full"], **named},
        }
        seeds = ", ".join(map(str, records))
        table = make_table(f"mean ± 95 % interval over seeds {seeds}", rows, section=len(ARMS))
        return Report(rows, table, "\n".join(claims), bars, compute_margin)


def get_rubric(arm: str) -> dict[str, Any]:
    """Return the reward of an arm: the preset ``sql-r1``, or the preset without one part."""
    return {**SQL_R1, "rewards": [part for part in SQL_R1["rewards"] if arm != f"without-{part}"]}


def measure_votes(demo: Demo, model: Any, candidates: int) -> dict[str, float]:
    """Measure the accuracy of a vote among 1, 2, 4, ... candidates. The keys are these numbers as text."""
    groups = demo.stages.generate(
        model,
        demo.tasks.held_out,
        f"{candidates} candidates",
        samples=candidates,
        temperature=1.0,
        seed=demo.args.seed,
    )
    votes = {}
    for size in (2**power for power in range(candidates.bit_length())):
        split = [[group[i : i + size] for i in range(0, candidates, size)] for group in groups]
        votes[str(size)] = mean_at_1([[is_vote_correct(part) for part in parts] for parts in split]) or 0.0
    return votes


def judge_claim(claim: str, gains: list[float]) -> str:
    """Judge a claim: yes or the contrary if the interval does not contain 0, else it cannot be told."""
    margin, middle = compute_margin(gains), mean(gains)
    verdict = "yes" if middle > margin else "the contrary" if middle < -margin else "cannot be told"
    return f"{claim}: {verdict} ({format_mean(gains, compute_margin, '+')})."


if __name__ == "__main__":
    run_study(Ablation, AblationArguments, Settings)

"""The settings of the demo."""

from __future__ import annotations

from dataclasses import dataclass

from trainers.arguments import STRATEGIES, make_option


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

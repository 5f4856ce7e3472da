"""The settings of the demo."""

from __future__ import annotations

from dataclasses import dataclass

from trainers.arguments import STRATEGIES, option


@dataclass
class DemoArguments:
    """The settings of the demo; all of them go into its record."""

    out: str = option("", "Folder of the record, the curves and the models: runs/demo, or runs/demo-verl.")
    seed: int = option(0, "Seed of the weights, the wrong labels, and every draw.")
    backend: str = option("trl", "What does the RL.", choices=("trl", "verl"))
    algorithm: str = option(
        "", "RL algorithm of trainers.algorithms; where empty, GRPO as tuned for the demo."
    )
    start: str = option("", "Folder of a cold start with this seed, from another run; where empty, make one.")
    clean: bool = option(True, "Also make the cold start on clean labels, for comparison.")
    levels: str = option("simple,moderate", "Levels of the demo benchmark, with commas between them.")
    contents: int = option(4, "Contents of the databases: the benchmark's seeds 0, 1, ... up to this many.")
    split: str = option("test", "Split of the held-out questions: dev to choose settings, test to measure.")
    questions: int = option(300, "Held-out questions, drawn with the seed.")
    mislabelled: float = option(0.7, "Share of the cold start's labels that are spoilt.")
    strategy: str = option("sql", "The cold start teaches reasoning and SQL, or SQL.", choices=STRATEGIES)
    reward: str = option("sql-r1", "Preset that GRPO is paid by.")
    sft_steps: int = option(2000, "Steps of the cold start, 16 examples each.")
    sft_rate: float = option(3e-3, "Learning rate of the cold start.")
    grpo_steps: int = option(60, "Steps of GRPO, 16 questions with 8 answers each.")
    grpo_rate: float = option(7e-4, "Learning rate of GRPO.")
    threads: int = option(0, "Threads of torch; 0 for as many as the machine has idle cores.")
    data_dir: str | None = option(None, "Where the benchmark is kept, instead of the user's cache.")

    def __post_init__(self) -> None:
        self.out = self.out or ("runs/demo-verl" if self.backend == "verl" else "runs/demo")

"""What each part of the recipe is worth, in miniature: ``python -m trainers.studies.ablation``.

SQL-R1's ablations (arXiv 2504.08600) with the demo benchmark and a tiny model: RL with and without a
cold start (table 4), with each part of the reward left out (table 5), and how many candidates a vote
needs (figure 9). All arms of a seed share the data, the held-out questions and, but for the one that
has none, the cold start. A trial whose record is there is not run again.
"""

from __future__ import annotations

import sys
from dataclasses import asdict, dataclass, replace
from functools import cache
from pathlib import Path
from typing import Any

from benchmarks.metrics.accuracy import is_vote_correct, mean_at_1
from rewards.presets import SQL_R1
from sql_env import Scorer
from sql_env.errors import DataError, SQLEnvError
from trainers.arguments import option
from trainers.demo.arguments import DemoArguments
from trainers.demo.run import Demo
from trainers.demo.stages import quiet
from trainers.generation.measure import rollouts
from trainers.hardware import idle_cores, use_threads
from trainers.studies.trials import Record, Trials

FULL = "full"
PARTS: tuple[str, ...] = tuple(SQL_R1["rewards"])
ARMS = ("start", FULL, "random", *(f"without-{part}" for part in PARTS))
"""The cold start alone; RL after it; RL without it; RL after it without a part of the reward."""


@dataclass
class AblationArguments:
    """What is run, and where it goes."""

    out: str = option("runs/ablation", "Folder of the records, the models, the table and the figure.")
    seeds: str = option("31,32,33,34,35", "Seeds, with commas between: 2 to 10 of them.")
    threads: int = option(0, "Threads of torch; 0 for as many as the machine has idle cores.")
    data_dir: str | None = option(None, "Where the benchmark is kept, instead of the user's cache.")


@dataclass
class Settings:
    """What every trial is told; all of it goes into the records."""

    levels: str = option("simple", "Levels of the demo benchmark, with commas between them.")
    contents: int = option(2, "Contents of the databases: the benchmark's seeds 0, 1, ... up to this many.")
    split: str = option("test", "Split of the held-out questions.")
    questions: int = option(300, "Held-out questions, drawn with the seed.")
    mislabelled: float = option(0.7, "Share of the cold start's labels that are spoilt.")
    sft_steps: int = option(1000, "Steps of the cold start, 16 examples each.")
    sft_rate: float = option(3e-3, "Learning rate of the cold start.")
    grpo_steps: int = option(50, "Steps of GRPO, 16 questions with 8 answers each.")
    grpo_rate: float = option(7e-4, "Learning rate of GRPO.")
    candidates: int = option(16, "Candidates of the largest vote; a power of 2.")


def rubric(arm: str) -> dict[str, Any]:
    """The reward of an arm: the preset ``sql-r1``, or that without one part."""
    left = [part for part in PARTS if arm != f"without-{part}"]
    return {**SQL_R1, "rewards": left}


def trial(lesson: Demo, trials: Trials, seed: int, arm: str) -> Record:
    """Train and measure one arm of a seed, and keep its model."""
    stages = lesson.stages
    with Scorer(rubric(arm)) as scorer:
        stages.prompter = replace(stages.prompter, scorer=scorer)
        stages.out = str(trials.folder(seed, arm))
        if arm == "start":
            model, log = lesson.cold_start(lesson.data.spoilt, f"seed {seed}: cold start")
        else:
            model = stages.model() if arm == "random" else lesson.started()
            model, log = lesson.improve(model)
        stages.save(model, "model")
        found: Record = {"held_out": lesson.measure(model, f"seed {seed}, {arm}")}
        if arm == FULL:
            found["votes"] = votes(lesson, model, trials.settings["candidates"])
    kept = ("step", "loss", "reward", "sql/correct")
    return found | {"log": [{key: row[key] for key in kept if key in row} for row in log]}


def votes(lesson: Demo, model: Any, candidates: int) -> dict[str, float]:
    """Accuracy of a vote among 1, 2, 4, ... candidates, by the number as text."""
    stages, tasks = lesson.stages, lesson.data.held_out
    with stages.display.stage(f"{candidates} candidates", len(tasks)) as stage:
        how = {"max_new_tokens": stages.longest, "seed": stages.seed, "progress": stage.advance}
        sample = {"samples": candidates, "temperature": 1.0}
        groups = rollouts(model, stages.tokenizer, tasks, stages.prompter, **sample, **how)
    found = {}
    for size in (2**power for power in range(candidates.bit_length())):
        parts = [[group[i : i + size] for i in range(0, candidates, size)] for group in groups]
        found[str(size)] = mean_at_1([[is_vote_correct(part) for part in split] for split in parts]) or 0.0
    return found


def run(args: AblationArguments, settings: Settings) -> dict[int, dict[str, Record]]:
    """All trials: the record of each arm, by seed."""
    from rich.console import Console

    from trainers.logs.progress import Display
    from trainers.logs.record import machine

    threads = args.threads or idle_cores()
    use_threads(threads)
    trials = Trials(Path(args.out), asdict(settings), machine(threads, "trl"))
    with Display(Console()) as display:
        return {seed: of_seed(trials, args, seed, display) for seed in map(int, args.seeds.split(","))}


def of_seed(trials: Trials, args: AblationArguments, seed: int, display: Any) -> dict[str, Record]:
    """All arms of a seed. Its data are loaded once, and only where some arm must be run."""
    told = {name: value for name, value in trials.settings.items() if name != "candidates"}
    start = str(trials.folder(seed, "start") / "model")
    settings = DemoArguments(seed=seed, start=start, data_dir=args.data_dir, **told)
    with Scorer(SQL_R1) as scorer:
        lesson = cache(lambda: Demo(settings, scorer, display))
        return {
            arm: trials.record(seed, arm, lambda arm=arm: trial(lesson(), trials, seed, arm)) for arm in ARMS
        }


def main(argv: list[str] | None = None) -> None:
    """Run the trials that the command line describes, and say what they show."""
    quiet()
    from rich.console import Console
    from transformers import HfArgumentParser

    from trainers.studies.ablation_report import Findings

    args, settings = HfArgumentParser((AblationArguments, Settings)).parse_args_into_dataclasses(argv)
    try:
        if not 2 <= len(args.seeds.split(",")) <= 10:
            raise DataError("an interval needs 2 to 10 seeds: --seeds 31,32,33,34,35")
        findings = Findings(run(args, settings))
    except SQLEnvError as error:
        sys.exit(f"error: {error}")
    out = Path(args.out)
    (out / "table.md").write_text(findings.markdown())
    findings.draw(out / "ablation.png")
    Console().print(findings.table())
    Console().print(findings.text(), highlight=False)
    print(f"{out / 'table.md'}, {out / 'ablation.png'}")


if __name__ == "__main__":
    main()

"""What RL adds to a clean cold start: ``python -m trainers.studies.cold_start``.

SQL-R1's claim in miniature. A tiny model learns simple questions well and complex ones thinly, from right
labels only; then GRPO asks it further complex questions, of which it is told nothing but whether its results
are right. Two controls go on from the same start, for at least as much processor time: more supervised
steps on the same labels, and rejection sampling on the same questions.

An arm whose ``record.json`` is there is not run again, so the command goes on where it was stopped.
"""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from sql_env import Scorer
from sql_env.errors import DataError, SQLEnvError
from trainers.arguments import option
from trainers.demo.stages import Log, quiet
from trainers.hardware import idle_cores, use_threads
from trainers.studies.arms import Arms
from trainers.studies.coverage import Settings, data
from trainers.studies.verdict import ARMS, Verdict

OWN = {
    "start": set[str](),
    "grpo": {"replay", "grpo_steps", "grpo_rate", "temperature"},
    "supervised": {"margin", "supervised_rate"},
    "rejection": {"margin", "rounds", "asked", "kept", "rejection_rate"},
}
"""The settings that are an arm's own; a control depends on GRPO's too, all arms on all others."""

LOGGED = ("step", "loss", "reward", "sql/correct", "entropy", "round", "kept")
"""What a record keeps of a trainer's log."""


@dataclass
class RunArguments:
    """What is run, and where it goes."""

    out: str = option("runs/cold_start", "Folder of the records, the models, the table and the figure.")
    seeds: str = option("21,22,23", "Seeds of the weights and of every draw, with commas between.")
    arms: str = option(",".join(ARMS), "Arms to run; the start is always needed, GRPO before a control.")
    starts: str = option("", "Folder of another run whose starts are taken; where empty, make them.")
    threads: int = option(0, "Threads of torch; 0 for as many as the machine has idle cores.")
    data_dir: str | None = option(None, "Where the benchmark is kept, instead of the user's cache.")


class Run:
    """The arms of all seeds, one after another."""

    def __init__(self, args: RunArguments, settings: Settings, display: Any) -> None:
        self.args, self.settings, self.display = args, settings, display
        self.threads = args.threads or idle_cores()

    def records(self) -> dict[int, dict[str, dict[str, Any]]]:
        """The records of every arm: those that were there, and those of the arms that it runs now."""
        found: dict[int, dict[str, dict[str, Any]]] = {}
        for seed in map(int, self.args.seeds.split(",")):
            found[seed] = {}
            made: list[Arms] = []  # loading the data takes a while: only for an arm that must be run
            with Scorer(self.settings.reward) as scorer:
                for arm in (name for name in ARMS if name in self.args.arms.split(",")):
                    path = self.folder(seed, arm) / "record.json"
                    if not path.exists():
                        made = made or [self.arms(scorer, seed)]
                        self.write(path, self.run(made[0], seed, arm, found[seed]))
                    found[seed][arm] = self.read(path)
        return found

    def folder(self, seed: int, arm: str) -> Path:
        """Where an arm's record and model are."""
        return Path((arm == "start" and self.args.starts) or self.args.out, str(seed), arm)

    def arms(self, scorer: Scorer, seed: int) -> Arms:
        """The arms of a seed, with their data."""
        self.display.console.print(f"seed {seed}: loading the demo benchmark ...")
        dealt = data(self.settings, seed, self.args.data_dir)
        held_out = ", ".join(f"{len(tasks)} {kind}" for kind, tasks in dealt.held_out.items())
        self.display.console.print(
            f"{len(dealt.cold)} examples in the cold start, {len(dealt.asked)} questions for RL, "
            f"{held_out} ones held out"
        )
        return Arms(self.settings, dealt, scorer, self.display, str(Path(self.args.out, str(seed))), seed)

    def run(self, arms: Arms, seed: int, arm: str, before: Mapping[str, Mapping[str, Any]]) -> dict[str, Any]:
        """Train and measure an arm, and keep its model."""
        wall, cpu = time.perf_counter(), time.process_time()
        if arm == "start":
            model, log = arms.start()
        else:
            model = arms.load(self.folder(seed, "start"))
            log = self.way(arms, arm, before)(model)
        seconds = {"training": time.perf_counter() - wall}
        cpu_seconds = {"training": time.process_time() - cpu}
        arms.stages.save(model, arm)
        figures = arms.measure(model, ARMS[arm])
        seconds["all"] = time.perf_counter() - wall
        cpu_seconds["all"] = time.process_time() - cpu
        return {
            "arm": arm,
            "seed": seed,
            **figures,
            "held_out_questions": {kind: len(tasks) for kind, tasks in arms.data.held_out.items()},
            "cold_start_examples": len(arms.data.cold),
            "rl_questions": len(arms.data.asked),
            "parameters": model.num_parameters(),
            "settings": asdict(self.settings),
            "seconds": {name: round(value, 1) for name, value in seconds.items()},
            "cpu_seconds": {name: round(value, 1) for name, value in cpu_seconds.items()},
            "log": [{key: row[key] for key in LOGGED if key in row} for row in log],
        }

    def way(self, arms: Arms, arm: str, before: Mapping[str, Mapping[str, Any]]) -> Callable[[Any], Log]:
        """What an arm does with the start.

        Raises:
            DataError: It is a control, and there is no GRPO whose time it could match.
        """
        if arm == "grpo":
            return arms.grpo
        if "grpo" not in before:
            raise DataError("a control is given the time of GRPO: name grpo among the arms too")
        budget = self.settings.margin * before["grpo"]["cpu_seconds"]["training"]
        step = before["start"]["cpu_seconds"]["training"] / before["start"]["settings"]["sft_steps"]
        control = arms.supervised if arm == "supervised" else arms.rejection
        return lambda model: control(model, budget, step)

    def read(self, path: Path) -> dict[str, Any]:
        """An arm's record.

        Raises:
            DataError: It was made with other settings than those that the arm depends on now.
        """
        record: dict[str, Any] = json.loads(path.read_text())
        arm, wanted = record["arm"], asdict(self.settings)
        matters = OWN[arm] | (OWN["grpo"] if arm != "start" else set())
        free = set().union(*OWN.values()) - matters
        other = [name for name in wanted if name not in free and record["settings"].get(name) != wanted[name]]
        if other:
            raise DataError(f"{path} was made with other settings ({', '.join(other)}): give another --out")
        return record

    def write(self, path: Path, record: dict[str, Any]) -> None:
        """Keep a record; half of one is never seen."""
        from trainers.logs.record import machine

        path.parent.mkdir(parents=True, exist_ok=True)
        scratch = path.with_suffix(".part")
        scratch.write_text(json.dumps(record | {"machine": machine(self.threads, "trl")}, indent=2) + "\n")
        scratch.rename(path)


def main(argv: list[str] | None = None) -> None:
    """Run the arms that the command line describes."""
    quiet()
    from rich.console import Console
    from transformers import HfArgumentParser

    from trainers.logs.progress import Display

    args, settings = HfArgumentParser((RunArguments, Settings)).parse_args_into_dataclasses(argv)
    out, console = Path(args.out), Console()
    try:
        with Display(console) as display:
            run = Run(args, settings, display)
            use_threads(run.threads)
            verdict = Verdict(run.records())
    except SQLEnvError as error:
        sys.exit(f"error: {error}")
    (out / "table.md").write_text(verdict.markdown())
    verdict.draw(out / "cold_start.png")
    console.print(verdict.table())
    console.print(verdict.text(), highlight=False)
    console.print(f"{out / 'table.md'}, {out / 'cold_start.png'}")


if __name__ == "__main__":
    main()

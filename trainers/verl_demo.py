"""`trainers.demo` with verl: the same data, cold start and measurements, and GRPO by verl on the processor.

``python -m trainers.verl_demo``, or ``make demo-verl``.
"""

from __future__ import annotations

import json
import logging
import os
import subprocess
import sys
import time
import warnings
from collections.abc import Callable, Iterator
from contextlib import redirect_stderr, redirect_stdout
from dataclasses import asdict, dataclass
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from sql_env import Scorer
from sql_env.errors import SQLEnvError
from trainers.arguments import option
from trainers.demo import LOGS, Demo, DemoArguments
from trainers.hardware import idle_cores, use_threads
from trainers.record import Record, machine
from trainers.verl_data import write
from trainers.verl_merge import merge

RENAMED = {
    "reward/score/mean": "reward",
    "reward/acc/mean": "sql/correct",
    "reward/masked/mean": "sql/masked",
    "actor/entropy": "entropy",
}
"""What verl calls the figures that TRL logs; components become ``rewards/<name>/mean``."""


@dataclass
class VerlDemoArguments(DemoArguments):
    """The settings of `trainers.demo`, which mean the same here."""

    out: str = option("runs/demo-verl", "Folder of the record, the curves, the models and verl's log.")


def command(args: DemoArguments, longest: int) -> list[str]:
    """How verl is called: the settings of the demo, in the keys of verl."""
    out, steps = Path(args.out).resolve(), args.grpo_steps
    keys = {
        "setup": "cpu",
        "sql.benchmark": "null",
        "sql.reward": args.reward,
        "data.train_files": out / "data" / "train.parquet",
        "data.val_files": out / "data" / "held_out.parquet",
        "data.train_batch_size": 16,
        "data.max_response_length": longest,
        "data.seed": args.seed,
        "actor_rollout_ref.model.path": out / "cold_start",
        "actor_rollout_ref.rollout.n": 8,
        "actor_rollout_ref.rollout.seed": args.seed,
        "actor_rollout_ref.actor.optim.lr": args.grpo_rate,
        "actor_rollout_ref.actor.optim.lr_scheduler_type": "cosine",
        "actor_rollout_ref.actor.optim.lr_warmup_steps": min(10, steps // 2),
        "trainer.default_local_dir": out / "verl",
        "trainer.total_training_steps": steps,
        "trainer.total_epochs": 1_000,
        "trainer.save_freq": steps,
        "trainer.resume_mode": "disable",
        "trainer.logger": "[console,file]",
    }
    return [sys.executable, "-m", "trainers.verl_grpo", *(f"{key}={value}" for key, value in keys.items())]


def improve(lesson: Demo, stage: Any, threads: int) -> list[dict[str, Any]]:
    """GRPO by verl, from the cold start on disk; its log, in TRL's words.

    Raises:
        ChildProcessError: verl failed; what it said is in ``verl.log``.
    """
    args, out = lesson.args, Path(lesson.args.out)
    for name, tasks in (("train", lesson.data.train), ("held_out", lesson.data.held_out[:16])):
        write(out / "data" / f"{name}.parquet", tasks, lesson.prompter.scorer, "demo", "compact")
    figures, log = out / "verl.jsonl", out / "verl.log"
    figures.unlink(missing_ok=True)
    told = {"VERL_FILE_LOGGER_PATH": str(figures.resolve()), "OMP_NUM_THREADS": str(threads)}
    with log.open("w") as sink:
        call = command(args, lesson.longest)
        verl = subprocess.Popen(call, stdout=sink, stderr=subprocess.STDOUT, env={**os.environ, **told})
        try:
            rows = list(follow(figures, lambda: verl.poll() is not None, stage))
        finally:
            verl.terminate()
    if verl.wait() != 0:
        raise ChildProcessError(f"verl ended with status {verl.returncode}; {log} says why")
    return rows


def follow(figures: Path, ended: Callable[[], bool], stage: Any) -> Iterator[dict[str, Any]]:
    """The rows that verl writes for each step, until it ends; some of them are shown."""
    seen = 0
    while True:
        over = ended()
        lines = figures.read_text().split("\n")[:-1] if figures.exists() else []
        for line in lines[seen:]:
            row = renamed(json.loads(line))
            stage.advance(1)
            if row["step"] % max(1, stage.total // LOGS) == 0:
                stage.on_log(None, SimpleNamespace(global_step=row["step"]), None, row)
            yield row
        seen = len(lines)
        if over:
            return
        time.sleep(0.5)


def renamed(line: dict[str, Any]) -> dict[str, Any]:
    """A row of verl's, with TRL's names for what both have."""
    row = {"step": line["step"]}
    for name, value in line["data"].items():
        component = name.startswith("reward/") and name not in RENAMED
        row[f"rewards/{name.split('/')[1]}/mean" if component else RENAMED.get(name, name)] = value
    return row


def run(args: VerlDemoArguments) -> Record:
    """The whole demo; its record, which is written with the curves and the models to ``args.out``."""
    from rich.console import Console
    from transformers import AutoModelForCausalLM

    from trainers import curves
    from trainers.progress import Display

    threads = args.threads or idle_cores()
    use_threads(threads)
    out, console = Path(args.out), Console()
    out.mkdir(parents=True, exist_ok=True)
    record = Record(settings=asdict(args), machine=machine(threads) | versions())
    with Scorer(args.reward) as scorer, Display(console) as display, record.timed("total"):
        with record.timed("data"):
            lesson = Demo(args, scorer, display)
        record.held_out_questions = len(lesson.data.held_out)
        record.training_questions = len(lesson.data.train)
        record.mislabelled_share = lesson.data.wrong
        with record.timed("cold start"):
            model, cold = lesson.cold_start(lesson.data.spoilt, "cold start, mislabelled data")
        record.parameters = model.num_parameters()
        lesson.save(model, "cold_start")
        with record.timed("measure before"):
            record.before = lesson.measure(model, "before")
        with record.timed("grpo"), display.stage("GRPO by verl", args.grpo_steps) as stage:
            grpo = improve(lesson, stage, threads)
        log = (out / "verl.log").open("a")
        with record.timed("merge"), log, redirect_stdout(log), redirect_stderr(log):
            merge(out / "verl", out / "grpo")
        with record.timed("measure after"):
            model = AutoModelForCausalLM.from_pretrained(out / "grpo", dtype="float32")
            record.after = lesson.measure(model, "after")
        with record.timed("cold start, clean labels"):
            model, clean = lesson.cold_start(lesson.data.train, "for comparison: clean labels")
        with record.timed("measure clean labels"):
            record.clean_labels = lesson.measure(model, "clean labels")
    record.write(out / "record.json")
    bars = {"before": record.before, "after GRPO": record.after, "clean labels": record.clean_labels}
    curves.draw(out / "curves.png", cold, clean, grpo, bars)
    console.print(record.table())
    console.print(record.caution())
    console.print(f"{out / 'record.json'}, {out / 'curves.png'}; {record.seconds['total']:.0f} seconds")
    return record


def versions() -> dict[str, str]:
    """What else a time and a result depend on."""
    from importlib.metadata import version

    return {name: version(name) for name in ("verl", "ray")}


def main(argv: list[str] | None = None) -> None:
    """Run the demo that the command line describes."""
    os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")
    warnings.filterwarnings("ignore")
    logging.basicConfig(level=logging.ERROR)
    print("loading torch, transformers and trl ...", flush=True)
    import datasets
    import transformers

    datasets.disable_progress_bars()
    transformers.logging.set_verbosity_error()
    transformers.logging.disable_progress_bar()
    (args,) = transformers.HfArgumentParser(VerlDemoArguments).parse_args_into_dataclasses(argv)
    try:
        run(args)
    except (SQLEnvError, ChildProcessError) as error:
        sys.exit(f"error: {error}")


if __name__ == "__main__":
    main()

"""The RL stage of a tiny model by verl: another process, followed while it works.

verl takes the model from disk; it comes back merged from verl's checkpoint.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import redirect_stderr, redirect_stdout
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from sql_env import Task
from trainers.demo.arguments import DemoArguments
from trainers.demo.stages import REPORTS, Log, Stages, load
from trainers.verl_adapter.merge import merge
from trainers.verl_adapter.parquet import write

RENAMED = {
    "reward/score/mean": "reward",
    "reward/acc/mean": "sql/correct",
    "reward/masked/mean": "sql/masked",
    "actor/entropy": "entropy",
}
"""What verl calls the figures that TRL logs; components become ``rewards/<name>/mean``."""


def command(args: DemoArguments, start: Path, longest: int) -> list[str]:
    """How verl is called: the settings of the demo, in the keys of verl."""
    out, steps = Path(args.out).resolve(), args.grpo_steps
    keys = {
        "setup": "cpu",
        "sql.benchmark": "null",
        "sql.reward": args.reward,
        "sql.algorithm": args.algorithm or "grpo",
        "data.train_files": out / "data" / "train.parquet",
        "data.val_files": out / "data" / "held_out.parquet",
        "data.train_batch_size": 16,
        "data.max_response_length": longest,
        "data.seed": args.seed,
        "actor_rollout_ref.model.path": start.resolve(),
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


def environment(figures: Path) -> dict[str, str]:
    """The environment of verl's processes: where figures go, and as many threads as torch has here."""
    import torch

    threads = str(torch.get_num_threads())
    return {**os.environ, "VERL_FILE_LOGGER_PATH": str(figures.resolve()), "OMP_NUM_THREADS": threads}


def reinforce(stages: Stages, start: Path, tasks: Sequence[Task], args: DemoArguments) -> tuple[Any, Log]:
    """The model after RL by verl from the one in the folder ``start``, and verl's log in TRL's words.

    Raises:
        ChildProcessError: verl failed; what it said is in ``verl.log``.
    """
    out = Path(args.out)
    for name, part in (("train", tasks), ("held_out", tasks[:16])):
        write(out / "data" / f"{name}.parquet", list(part), stages.prompter.scorer, "demo", "compact")
    figures, log = out / "verl.jsonl", out / "verl.log"
    figures.unlink(missing_ok=True)
    call = command(args, start, stages.longest)
    name = f"{args.algorithm or 'GRPO'} by verl"
    with log.open("w") as sink, stages.display.stage(name, args.grpo_steps) as stage:
        verl = subprocess.Popen(call, stdout=sink, stderr=subprocess.STDOUT, env=environment(figures))
        try:
            rows = list(follow(figures, lambda: verl.poll() is not None, stage))
        finally:
            verl.terminate()
        if verl.wait() != 0:
            raise ChildProcessError(f"verl ended with status {verl.returncode}; {log} says why")
        with redirect_stdout(sink), redirect_stderr(sink):
            merge(out / "verl", out / "verl" / "model")
    return load(out / "verl" / "model"), rows


def follow(figures: Path, ended: Callable[[], bool], stage: Any) -> Iterator[dict[str, Any]]:
    """The rows that verl writes for each step, until it ends; some of them are shown."""
    seen = 0
    while True:
        over = ended()
        lines = figures.read_text().split("\n")[:-1] if figures.exists() else []
        for line in lines[seen:]:
            row = renamed(json.loads(line))
            stage.advance(1)
            if row["step"] % max(1, stage.total // REPORTS) == 0:
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

"""The RL stage of a tiny model by verl, which runs in another process.

verl reads the model from disk. The trained model is merged from verl's checkpoint.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import redirect_stderr, redirect_stdout
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from sql_env import Task
from trainers.demo.stages import GROUP_SIZE, GROUPS, REPORTS, Log, Stages, get_warmup
from trainers.demo.tasks import DemoArguments
from trainers.verl_adapter.merge import merge_checkpoint
from trainers.verl_adapter.parquet import write_parquet

TRL_NAMES = {
    "reward/score/mean": "reward",
    "reward/acc/mean": "sql/correct",
    "reward/masked/mean": "sql/masked",
    "actor/entropy": "entropy",
}
"""TRL's names for metrics of verl. A component's metric becomes ``rewards/<name>/mean``."""


def make_command(args: DemoArguments, start: Path, max_tokens: int) -> list[str]:
    """Return the command that starts verl with the settings of the demo."""
    out, steps = Path(args.out).resolve(), args.grpo_steps
    keys = {
        "setup": "cpu",
        "sql.benchmark": "null",
        "sql.reward": args.reward,
        "sql.algorithm": args.algorithm or "grpo",
        "data.train_files": out / "data" / "train.parquet",
        "data.val_files": out / "data" / "held_out.parquet",
        "data.train_batch_size": GROUPS,
        "data.max_response_length": max_tokens,
        "data.seed": args.seed,
        "actor_rollout_ref.model.path": start.resolve(),
        "actor_rollout_ref.rollout.n": GROUP_SIZE,
        "actor_rollout_ref.rollout.seed": args.seed,
        "actor_rollout_ref.actor.optim.lr": args.grpo_rate,
        "actor_rollout_ref.actor.optim.lr_scheduler_type": "cosine",
        "actor_rollout_ref.actor.optim.lr_warmup_steps": get_warmup(steps),
        "trainer.default_local_dir": out / "verl",
        "trainer.total_training_steps": steps,
        "trainer.total_epochs": 1_000,
        "trainer.save_freq": steps,
        "trainer.resume_mode": "disable",
        "trainer.logger": "[console,file]",
    }
    return [sys.executable, "-m", "trainers.verl_grpo", *(f"{key}={value}" for key, value in keys.items())]


def make_environment(metrics: Path) -> dict[str, str]:
    """Return the environment of verl's processes: the file of the metrics, and as many threads as here."""
    import torch

    threads = str(torch.get_num_threads())
    return {**os.environ, "VERL_FILE_LOGGER_PATH": str(metrics.resolve()), "OMP_NUM_THREADS": threads}


def reinforce_with_verl(
    stages: Stages, start: Path, tasks: Sequence[Task], args: DemoArguments
) -> tuple[Any, Log]:
    """Train the model in the folder ``start`` by RL in verl.

    Returns:
        The trained model, and verl's log with TRL's names.

    Raises:
        ChildProcessError: verl failed; its output is in ``verl.log``.
    """
    out = Path(args.out)
    for name, part in (("train", tasks), ("held_out", tasks[:16])):
        write_parquet(out / "data" / f"{name}.parquet", list(part), stages.prompter.scorer, "demo", "compact")
    metrics, log, merged = out / "verl.jsonl", out / "verl.log", out / "verl" / "model"
    metrics.unlink(missing_ok=True)
    shutil.rmtree(out / "verl", ignore_errors=True)  # verl's files of an earlier demo
    command, environment = make_command(args, start, stages.max_tokens), make_environment(metrics)
    name = f"{args.algorithm or 'GRPO'} by verl"
    with log.open("w") as sink, stages.display.start_stage(name, args.grpo_steps) as stage:
        verl = subprocess.Popen(command, stdout=sink, stderr=subprocess.STDOUT, env=environment)
        try:
            rows = list(follow_log(metrics, lambda: verl.poll() is not None, stage))
        finally:
            verl.terminate()  # also after Ctrl-C: verl must not outlive the demo
        if verl.wait() != 0:
            raise ChildProcessError(f"verl ended with status {verl.returncode}: read {log}")
        with redirect_stdout(sink), redirect_stderr(sink):
            merge_checkpoint(out / "verl", merged)
    return stages.load_model(merged), rows


def follow_log(path: Path, has_ended: Callable[[], bool], stage: Any) -> Iterator[dict[str, Any]]:
    """Yield the rows that verl writes for each step until it ends; the stage shows some of them."""
    seen = 0
    while True:
        over = has_ended()  # before the file is read: verl may write its last row in between
        lines = (
            path.read_text().split("\n")[:-1] if path.exists() else []
        )  # the last line may be half written
        for line in lines[seen:]:
            row = rename_metrics(json.loads(line))
            stage.advance(1)
            if row["step"] % max(1, stage.total // REPORTS) == 0:
                stage.on_log(None, SimpleNamespace(global_step=row["step"]), None, row)
            yield row
        seen = len(lines)
        if over:
            return
        time.sleep(0.5)


def rename_metrics(line: dict[str, Any]) -> dict[str, Any]:
    """Return one row of verl's log with TRL's names for the metrics that both have."""
    row = {"step": line["step"]}
    for name, value in line["data"].items():
        component = name.startswith("reward/") and name not in TRL_NAMES
        row[f"rewards/{name.split('/')[1]}/mean" if component else TRL_NAMES.get(name, name)] = value
    return row

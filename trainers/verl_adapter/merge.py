"""Convert a checkpoint of verl to a model that transformers loads.

``python -m trainers.verl_adapter.merge --run runs/verl_grpo --output_dir runs/verl_grpo/model``
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from pickle import UnpicklingError

from sql_env.errors import DataError
from sql_env.prompts.template import RECORD
from trainers.arguments import make_option, run_command

NEWEST = "latest_checkpointed_iteration.txt"
"""The file in which verl writes the step of its newest checkpoint."""

WEIGHTS_ONLY = "TORCH_FORCE_WEIGHTS_ONLY_LOAD"
"""The environment variable that forbids torch to load anything but tensors.

A shard is a pickle, which can run code, and verl loads it without this protection.
"""


@dataclass
class MergeArguments:
    """The checkpoint, and the folder of the model."""

    run: str = make_option(
        "runs/verl_grpo", "Folder of a run (trainer.default_local_dir), or one global_step_N."
    )
    output_dir: str = make_option("runs/verl_grpo/model", "Folder of the model.")


def merge_checkpoint(run: str | Path, output_dir: str | Path) -> Path:
    """Merge the shards of a checkpoint's weights, in bfloat16, as verl's own merger does.

    The record of the prompt template is copied from the run's folder, if it has one.

    Args:
        run: Folder of a run, whose newest checkpoint is used, or of one checkpoint.
        output_dir: Folder of the model and its tokenizer.

    Returns:
        The folder that was merged.

    Raises:
        DataError: There is no checkpoint, or a shard has more than tensors.
    """
    from verl.model_merger.base_model_merger import ModelMergerConfig
    from verl.model_merger.fsdp_model_merger import FSDPModelMerger

    actor = find_checkpoint(Path(run)) / "actor"
    Path(output_dir).mkdir(parents=True, exist_ok=True)
    folders = {"local_dir": str(actor), "target_dir": str(output_dir)}
    config = ModelMergerConfig("merge", "fsdp", hf_model_config_path=str(actor / "huggingface"), **folders)
    with _load_only_weights():
        try:
            FSDPModelMerger(config).merge_and_save()
        except UnpicklingError as error:
            raise DataError(f"a shard in {actor} has more than tensors, and is not loaded: {error}") from None
    recorded = actor.parents[1] / RECORD
    if recorded.is_file():
        shutil.copyfile(recorded, Path(output_dir, RECORD))
    return actor


@contextmanager
def _load_only_weights() -> Iterator[None]:
    before = os.environ.get(WEIGHTS_ONLY)
    os.environ[WEIGHTS_ONLY] = "1"
    try:
        yield
    finally:
        if before is None:
            del os.environ[WEIGHTS_ONLY]
        else:
            os.environ[WEIGHTS_ONLY] = before


def find_checkpoint(run: Path) -> Path:
    """Return the newest checkpoint of a run, or the folder itself if it is a checkpoint.

    Raises:
        DataError: There is none.
    """
    newest = run / NEWEST
    found = run / f"global_step_{newest.read_text().strip()}" if newest.exists() else run
    if not (found / "actor" / "fsdp_config.json").exists():
        raise DataError(f"{run} has no checkpoint of verl's FSDP: set trainer.save_freq to save some")
    return found


def run_merge(args: MergeArguments) -> None:
    """Merge the checkpoint and print both folders."""
    print(f"{merge_checkpoint(args.run, args.output_dir)} -> {args.output_dir}")


if __name__ == "__main__":
    run_command(run_merge, MergeArguments)

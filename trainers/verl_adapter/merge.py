"""A checkpoint of verl as a model that transformers loads.

``python -m trainers.verl_adapter.merge --run runs/verl_grpo --output_dir runs/verl_grpo/model``
"""

from __future__ import annotations

import sys
from dataclasses import dataclass
from pathlib import Path

from sql_env.errors import DataError, SQLEnvError
from trainers.arguments import make_option

NEWEST = "latest_checkpointed_iteration.txt"
"""Where verl notes the step of its newest checkpoint."""


@dataclass
class MergeArguments:
    """Which checkpoint, and where the model goes."""

    run: str = make_option(
        "runs/verl_grpo", "Folder of a run (trainer.default_local_dir), or one global_step_N."
    )
    output_dir: str = make_option("runs/verl_grpo/model", "Folder of the model.")


def merge_checkpoint(run: str | Path, output_dir: str | Path) -> Path:
    """Merge the shards of a checkpoint's weights, in bfloat16, as verl's own merger does.

    Args:
        run: Folder of a run, whose newest checkpoint is taken, or of one checkpoint.
        output_dir: Where the model and its tokenizer go.

    Returns:
        The folder that was merged.

    Raises:
        DataError: There is no checkpoint.
    """
    from verl.model_merger.base_model_merger import ModelMergerConfig
    from verl.model_merger.fsdp_model_merger import FSDPModelMerger

    actor = find_checkpoint(Path(run)) / "actor"
    Path(output_dir).mkdir(parents=True, exist_ok=True)
    places = {"local_dir": str(actor), "target_dir": str(output_dir)}
    config = ModelMergerConfig("merge", "fsdp", hf_model_config_path=str(actor / "huggingface"), **places)
    FSDPModelMerger(config).merge_and_save()
    return actor


def find_checkpoint(run: Path) -> Path:
    """The newest checkpoint of a run, or the one that the folder is.

    Raises:
        DataError: There is none.
    """
    noted = run / NEWEST
    found = run / f"global_step_{noted.read_text().strip()}" if noted.exists() else run
    if not (found / "actor" / "fsdp_config.json").exists():
        raise DataError(
            f"{run} has no checkpoint of verl's FSDP: trainer.save_freq says how often one is saved"
        )
    return found


def main(argv: list[str] | None = None) -> None:
    """Merge what the command line names."""
    from transformers import HfArgumentParser

    (args,) = HfArgumentParser(MergeArguments).parse_args_into_dataclasses(argv)
    try:
        print(f"{merge_checkpoint(args.run, args.output_dir)} -> {args.output_dir}")
    except SQLEnvError as error:
        sys.exit(f"error: {error}")


if __name__ == "__main__":
    main()

"""One line for each report of a TRL trainer on the console; all metrics in a file."""

from __future__ import annotations

import json
import logging
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from transformers import PrinterCallback, ProgressCallback, TrainerCallback

from trainers.logs.run_folder import METRICS

log = logging.getLogger(__name__)

COLUMNS = {
    "loss": "loss {:.4g}",
    "reward": "reward {:.3f}",
    "sql/correct": "correct {:.1%}",
    "sql/masked": "masked {:.1%}",
    "completions/mean_length": "length {:.0f} tokens",
    "mean_token_accuracy": "token accuracy {:.1%}",
    "learning_rate": "rate {:.2g}",
    "step_time": "{:.1f} s",
}
"""The metrics of a line, in order. A training by reinforcement has no use for the loss and the rate."""


def format_line(step: int, steps: int, metrics: Mapping[str, Any]) -> str:
    """Format the most important metrics of a report.

    Example:
        >>> format_line(3, 50, {"loss": 0.0, "reward": 0.5, "sql/correct": 0.25, "step_time": 2.04})
        'step 3 of 50: reward 0.500, correct 25.0%, 2.0 s'
        >>> format_line(3, 50, {"loss": 1.25, "mean_token_accuracy": 0.5})
        'step 3 of 50: loss 1.25, token accuracy 50.0%'
    """
    hidden = ("loss", "learning_rate") if "reward" in metrics else ()
    shown = [
        text.format(float(metrics[name]))
        for name, text in COLUMNS.items()
        if name in metrics and name not in hidden
    ]
    return f"step {step} of {steps}: {', '.join(shown)}" if shown else ""


class StepLine(TrainerCallback):
    """Prints a line for each report, and appends all its metrics to a file of the output folder."""

    def on_log(self, args: Any, state: Any, control: Any, logs: Any = None, **others: Any) -> None:
        """Print the line and write the metrics, in the first process only."""
        from tqdm import tqdm

        if not state.is_world_process_zero or not logs:
            return
        if line := format_line(state.global_step, state.max_steps, logs):
            tqdm.write(line)  # above a progress bar, if there is one
        try:
            with Path(args.output_dir, METRICS).open("a", encoding="utf-8") as file:
                file.write(json.dumps({"step": state.global_step, **logs}, default=float) + "\n")
        except OSError as error:
            log.warning("the metrics of step %d are not kept: %s", state.global_step, error)


class QuietProgress(ProgressCallback):
    """The progress bar of transformers without its print of all metrics."""

    def on_log(self, args: Any, state: Any, control: Any, logs: Any = None, **others: Any) -> None:
        """Print nothing: `StepLine` does."""


def print_step_lines(trainer: Any) -> None:
    """Let a trainer print one line for each report, instead of all metrics."""
    trainer.remove_callback(PrinterCallback)
    if trainer.pop_callback(ProgressCallback) is not None:
        trainer.add_callback(QuietProgress())
    trainer.add_callback(StepLine())

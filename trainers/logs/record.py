"""The record of a run of the demo."""

from __future__ import annotations

import json
import os
import platform
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from importlib.metadata import version
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from trainers.hardware import count_idle_cores, use_threads


@dataclass
class StageTimes:
    """The time that each stage took.

    Attributes:
        seconds: Wall time, by stage.
        cpu_seconds: Processor time of this process, by stage. It does not grow on a busy machine.
    """

    seconds: dict[str, float] = field(default_factory=dict, kw_only=True)
    cpu_seconds: dict[str, float] = field(default_factory=dict, kw_only=True)

    @contextmanager
    def time_stage(self, stage: str) -> Iterator[None]:
        """Measure the time of a stage."""
        start, cpu = time.perf_counter(), time.process_time()
        yield
        self.seconds[stage] = round(time.perf_counter() - start, 1)
        self.cpu_seconds[stage] = round(time.process_time() - cpu, 1)

    def time_call(self, stage: str, function: Callable[..., Any], *args: Any) -> Any:
        """Call a function and measure its time."""
        with self.time_stage(stage):
            return function(*args)


@dataclass
class RunRecord(StageTimes):
    """The fields of ``record.json``.

    Attributes:
        before: ``greedy``, ``mean@1``, ``pass@8``, ``vote@8`` and the share of ``masked`` samples on
            held-out questions after the cold start.
        after: The same after GRPO, or another algorithm.
        clean_labels: The same after an equally long cold start on clean labels, without GRPO; empty if
            there was none.
        held_out_questions: The number of held-out questions.
        training_questions: The number of questions to train on.
        mislabelled_share: The share of the cold start's labels that were wrong.
        parameters: Parameters of the model.
        settings: The settings of the run.
        machine: The machine that it ran on.
    """

    before: dict[str, float] = field(default_factory=dict)
    after: dict[str, float] = field(default_factory=dict)
    clean_labels: dict[str, float] = field(default_factory=dict)
    held_out_questions: int = 0
    training_questions: int = 0
    mislabelled_share: float = 0.0
    parameters: int = 0
    settings: dict[str, Any] = field(default_factory=dict)
    machine: dict[str, Any] = field(default_factory=dict)

    def figures(self) -> dict[str, dict[str, float]]:
        """Return the accuracies of each model that was measured, by the model's name."""
        after = f"after {self.settings.get('algorithm') or 'GRPO'}"
        figures = {"before": self.before, after: self.after, "clean labels": self.clean_labels}
        return {
            model: {name: value for name, value in values.items() if name != "masked"}
            for model, values in figures.items()
            if values
        }

    def write(self, path: Path) -> None:
        """Write the record as JSON, with the standard error of each figure."""
        errors = {
            name: {
                key: round(compute_standard_error(value, self.held_out_questions), 4)
                for key, value in getattr(self, name).items()
            }
            for name in ("before", "after", "clean_labels")
        }
        path.write_text(json.dumps(asdict(self) | {"standard_errors": errors}, indent=2) + "\n")

    def print_summary(self, console: Console) -> None:
        """Print the figures before and after RL, and the comparison with clean labels."""
        table = Table(title=f"{self.held_out_questions} held-out questions, execution accuracy")
        for column in ("", *list(self.figures())[:2], "change"):
            table.add_column(column, justify="right" if column else "left")
        for name, before in self.before.items():
            if name == "masked" and not before and not self.after[name]:
                continue
            errors = [
                (value, compute_standard_error(value, self.held_out_questions))
                for value in (before, self.after[name])
            ]
            change = f"{self.after[name] - before:+.3f}"
            table.add_row(name, *(f"{value:.3f} ± {error:.3f}" for value, error in errors), change)
        console.print(table)
        if self.clean_labels:
            console.print(
                f"For comparison: an equally long cold start on clean labels, without GRPO, reaches "
                f"{self.clean_labels['greedy']:.3f} greedy. GRPO repairs wrong labels "
                f"(here {self.mislabelled_share:.0%} of them); it does not replace right ones."
            )


def compute_standard_error(share: float, n: int) -> float:
    """Compute the standard error of a share of ``n`` tasks."""
    return (share * (1 - share) / n) ** 0.5 if n else 0.0


def set_up_machine(threads: int, backend: str) -> dict[str, Any]:
    """Set torch's threads, and return the properties of the machine that the times depend on.

    Args:
        threads: The number of threads; 0 for the number of idle cores.
        backend: ``trl`` or ``verl``.
    """
    threads = threads or count_idle_cores()
    use_threads(threads)
    installed = ("torch", "transformers", "trl") + (("verl", "ray") if backend == "verl" else ())
    versions = {name: version(name) for name in installed} | {"python": platform.python_version()}
    load = round(os.getloadavg()[0], 1) if hasattr(os, "getloadavg") else None
    return {"cores": os.cpu_count(), "threads": threads, "load": load} | versions

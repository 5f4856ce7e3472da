"""What a run of the demo has found, in figures."""

from __future__ import annotations

import json
import os
import platform
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from importlib.metadata import version
from pathlib import Path
from typing import Any

from rich.table import Table

from trainers.generation.measure import standard_error


@dataclass
class Record:
    """The fields of ``record.json``.

    Attributes:
        before: ``greedy``, ``mean@1``, ``pass@8`` and ``vote@8`` on held-out questions after the cold start.
        after: The same after GRPO, or another algorithm.
        clean_labels: The same after as long a cold start on clean labels, without GRPO; empty where there
            was none.
        held_out_questions: How many questions were held out.
        training_questions: How many were trained on.
        mislabelled_share: The share of the cold start's labels that were wrong.
        parameters: Of the model.
        settings: What the run was told.
        machine: Where it ran.
        seconds: What each stage took.
        cpu_seconds: What each stage took of processor time, which a busy machine does not stretch.
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
    seconds: dict[str, float] = field(default_factory=dict)
    cpu_seconds: dict[str, float] = field(default_factory=dict)

    @property
    def algorithm(self) -> str:
        """What came after the cold start."""
        return str(self.settings.get("algorithm") or "GRPO")

    @contextmanager
    def timed(self, stage: str) -> Iterator[None]:
        """Note how long a stage takes, and how much of it this process really ran."""
        start, cpu = time.perf_counter(), time.process_time()
        yield
        self.seconds[stage] = round(time.perf_counter() - start, 1)
        self.cpu_seconds[stage] = round(time.process_time() - cpu, 1)

    def caution(self) -> str:
        """What the lift must not be taken for, in a line."""
        return (
            f"For comparison: as long a cold start on clean labels, without GRPO, reaches "
            f"{self.clean_labels['greedy']:.3f} greedy. GRPO repairs wrong labels "
            f"(here {self.mislabelled_share:.0%} of them); it does not replace right ones."
        )

    def write(self, path: Path) -> None:
        """Write it as JSON, with each figure's standard error."""
        errors = {
            name: {key: round(self.error(value), 4) for key, value in getattr(self, name).items()}
            for name in ("before", "after", "clean_labels")
        }
        path.write_text(json.dumps(asdict(self) | {"standard_errors": errors}, indent=2) + "\n")

    def error(self, share: float) -> float:
        """The standard error of a share of the held-out questions."""
        return standard_error(share, self.held_out_questions)

    def table(self) -> Table:
        """Before and after, side by side."""
        table = Table(title=f"{self.held_out_questions} held-out questions, execution accuracy")
        for column in ("", "before", f"after {self.algorithm}", "change"):
            table.add_column(column, justify="left" if not column else "right")
        for name, before in self.before.items():
            shown = [f"{value:.3f} ± {self.error(value):.3f}" for value in (before, self.after[name])]
            table.add_row(name, *shown, f"{self.after[name] - before:+.3f}")
        return table


def machine(threads: int, backend: str) -> dict[str, Any]:
    """What a time depends on."""
    installed = ("torch", "transformers", "trl") + (("verl", "ray") if backend == "verl" else ())
    versions = {name: version(name) for name in installed} | {"python": platform.python_version()}
    load = round(os.getloadavg()[0], 1) if hasattr(os, "getloadavg") else None
    return {"cores": os.cpu_count(), "threads": threads, "load": load} | versions

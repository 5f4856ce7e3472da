"""The progress bars of the demo and of the studies."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn
from transformers import TrainerCallback


class Display:
    """A bar for each stage of the work; lines of text if the output is not a terminal."""

    def __init__(self, console: Console) -> None:
        self.console = console
        self.progress = Progress(
            TextColumn("{task.description:<30}"),
            BarColumn(24),
            TextColumn("{task.completed:.0f}/{task.total:.0f}"),
            TimeElapsedColumn(),
            TextColumn("{task.fields[news]}"),
            console=console,
        )

    def __enter__(self) -> Display:
        if self.console.is_terminal:
            self.progress.start()
        return self

    def __exit__(self, *error: object) -> None:
        self.progress.stop()

    @contextmanager
    def start_stage(self, name: str, total: int) -> Iterator[Stage]:
        """Show a stage of the work with ``total`` steps."""
        stage = Stage(self, self.progress.add_task(name, total=total, news=""), name, total)
        stage.print_line(f"{name} ...")
        yield stage
        self.progress.update(stage.bar, completed=total)


class Stage(TrainerCallback):
    """One bar. As a callback of a trainer it shows the trainer's steps and its log."""

    def __init__(self, display: Display, bar: Any, name: str, total: int) -> None:
        self.display, self.bar, self.name, self.total = display, bar, name, total

    def advance(self, steps: int) -> None:
        """Move the bar by ``steps``."""
        self.display.progress.advance(self.bar, steps)

    def print_line(self, line: str) -> None:
        """Print a line if the output is not a terminal."""
        if not self.display.console.is_terminal:
            self.display.console.print(line, highlight=False)

    def on_step_end(self, args: Any, state: Any, control: Any, **others: Any) -> None:
        self.display.progress.update(self.bar, completed=state.global_step)

    def on_log(self, args: Any, state: Any, control: Any, logs: Any = None, **others: Any) -> None:
        """Show the loss of the cold start, or the reward and the share of correct answers."""
        logs = logs or {}
        names = [name for name in ("reward", "sql/correct") if name in logs] or ["loss"]
        if news := ", ".join(f"{name} {float(logs[name]):.2f}" for name in names if name in logs):
            self.display.progress.update(self.bar, news=news)
            self.print_line(f"  {self.name}, step {state.global_step} of {self.total}: {news}")

"""What the demo shows while it works."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn
from transformers import TrainerCallback


class Display:
    """A bar for each stage of the work; plain lines where the output is no terminal."""

    def __init__(self, console: Console) -> None:
        self.console = console
        texts = ("{task.description:<30}", "{task.completed:.0f}/{task.total:.0f}", "{task.fields[news]}")
        name, count, news = (TextColumn(text) for text in texts)
        self._progress = Progress(name, BarColumn(24), count, TimeElapsedColumn(), news, console=console)
        self._live = console.is_terminal

    def __enter__(self) -> Display:
        if self._live:
            self._progress.start()
        return self

    def __exit__(self, *error: object) -> None:
        self._progress.stop()

    @contextmanager
    def stage(self, name: str, total: int) -> Iterator[Stage]:
        """A stage of the work, of so many steps."""
        stage = Stage(self, self._progress.add_task(name, total=total, news=""), name, total)
        stage.say(f"{name} ...")
        yield stage
        self._progress.update(stage.bar, completed=total)


class Stage(TrainerCallback):
    """One bar. As a callback of a trainer it moves with its steps and shows what it logs."""

    def __init__(self, display: Display, bar: Any, name: str, total: int) -> None:
        self.display, self.bar, self.name, self.total = display, bar, name, total

    def advance(self, steps: int) -> None:
        """So many steps more are done."""
        self.display._progress.advance(self.bar, steps)

    def say(self, line: str) -> None:
        """Show the latest news: a line of its own where bars cannot be drawn."""
        if not self.display._live:
            self.display.console.print(line, highlight=False)

    def on_step_end(self, args: Any, state: Any, control: Any, **others: Any) -> None:
        self.display._progress.update(self.bar, completed=state.global_step)

    def on_log(self, args: Any, state: Any, control: Any, logs: Any = None, **others: Any) -> None:
        """Show the loss of the cold start, or the reward and the share of correct answers."""
        shown = {name: float(logs[name]) for name in ("reward", "sql/correct") if name in (logs or {})}
        if not shown and "loss" in (logs or {}):
            shown = {"loss": float(logs["loss"])}
        if shown:
            news = ", ".join(f"{name} {value:.2f}" for name, value in shown.items())
            self.display._progress.update(self.bar, news=news)
            self.say(f"  {self.name}, step {state.global_step} of {self.total}: {news}")

"""Figures of a training run."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

COMPONENT_MEAN = re.compile("rewards/.*/mean")
"""TRL's name for the mean of a component."""

Log = Sequence[Mapping[str, Any]]
"""A trainer's log: a mapping for each report."""


def draw_curves(
    path: Path, cold_starts: Mapping[str, Log], rl_log: Log, bars: Mapping[str, Mapping[str, float]]
) -> None:
    """Draw the losses of the cold starts, the rewards of RL, and the accuracy on held-out tasks.

    Args:
        path: The PNG file.
        cold_starts: Logs of the cold starts, by the name of their data.
        rl_log: Log of RL.
        bars: Figures by name, for each model by name.
    """
    from matplotlib.figure import Figure

    figure = Figure(figsize=(13, 7), layout="constrained")
    (losses, reward), (components, shares) = figure.subplots(2, 2)
    draw_lines(losses, {name: (log, "loss") for name, log in cold_starts.items() if log}, "cold start: loss")
    sampled = {"correct answers": (rl_log, "sql/correct"), "entropy of a token": (rl_log, "entropy")}
    draw_lines(reward, sampled, "GRPO: sampled answers")
    names = [name for name in (rl_log[0] if rl_log else {}) if COMPONENT_MEAN.fullmatch(name)]
    means = {name.split("/")[1]: (rl_log, name) for name in names}
    draw_lines(components, {"total": (rl_log, "reward")} | means, "GRPO: mean reward")
    _draw_bars(shares, bars)
    figure.savefig(path, dpi=110)


def draw_lines(axes: Any, series: Mapping[str, tuple[Log, str]], title: str) -> None:
    """Draw a line for each series: a metric of a log over the steps."""
    for label, (log, name) in series.items():
        points = [(row["step"], float(row[name])) for row in log if name in row]
        axes.plot([step for step, _ in points], [value for _, value in points], label=label, marker=".")
    axes.set(title=title, xlabel="step")
    axes.grid(alpha=0.3)
    if series:
        axes.legend(loc="upper left", bbox_to_anchor=(1, 1))  # beside the lines, not on them


def _draw_bars(axes: Any, bars: Mapping[str, Mapping[str, float]]) -> None:
    width = 0.8 / max(1, len(bars))
    for i, (label, figures) in enumerate(bars.items()):
        positions = [position + i * width for position in range(len(figures))]
        drawn = axes.bar(positions, list(figures.values()), width, label=label)
        axes.bar_label(drawn, fmt="%.2f", fontsize=8)
        axes.set_xticks([position + width * (len(bars) - 1) / 2 for position in range(len(figures))], figures)
    axes.set(title="held-out questions: execution accuracy", ylim=(0, 1.2))
    axes.legend(loc="upper center", ncols=len(bars))

"""Figures of a training run."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from statistics import mean
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
        bars: Figures by name, for each model by name; one model is ``before``.
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
    flat = {f"{figure}, {name}": [shown[figure]] for figure in bars["before"] for name, shown in bars.items()}
    draw_bars(shares, flat, "held-out questions: execution accuracy")
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


def draw_bars(
    axes: Any,
    bars: Mapping[str, Sequence[float]],
    title: str,
    spread: Callable[[Sequence[float]], float] | None = None,
) -> None:
    """Draw a bar for the mean of each name's values.

    Args:
        axes: The panel.
        bars: The values by name, for example one for each seed.
        title: The title.
        spread: Computes the length of the error bar. With it, each value is a dot.
    """
    for i, values in enumerate(bars.values()):
        axes.barh(i, mean(values), 0.7, color="C0", alpha=0.6, xerr=spread and spread(values), capsize=3)
        if spread:
            axes.plot(values, [i] * len(values), "k.", markersize=4)
    axes.set_yticks(range(len(bars)), [f"{name}: {mean(values):.3f}" for name, values in bars.items()])
    axes.invert_yaxis()
    axes.set(title=title, xlim=(0, 1))

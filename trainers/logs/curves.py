"""Pictures of a training run."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

MEAN = re.compile("rewards/.*/mean")
"""How TRL calls the mean of a component."""

Log = Sequence[Mapping[str, Any]]
"""What a trainer logged, a mapping for each time."""


def draw(path: Path, cold: Mapping[str, Log], grpo: Log, bars: Mapping[str, Mapping[str, float]]) -> None:
    """Draw the losses of the cold starts, the rewards of GRPO, and the figures on held-out tasks.

    Args:
        path: The PNG file.
        cold: Logs of the cold starts, by what they learnt from.
        grpo: Log of GRPO.
        bars: Figures by name, for each model by name.
    """
    from matplotlib.figure import Figure

    figure = Figure(figsize=(13, 7), layout="constrained")
    (losses, reward), (components, shares) = figure.subplots(2, 2)
    lines(losses, {name: (log, "loss") for name, log in cold.items() if log}, "cold start: loss")
    shown = {"correct answers": (grpo, "sql/correct"), "entropy of a token": (grpo, "entropy")}
    lines(reward, shown, "GRPO: sampled answers")
    means = {name.split("/")[1]: (grpo, name) for name in (grpo[0] if grpo else {}) if MEAN.fullmatch(name)}
    lines(components, {"total": (grpo, "reward")} | means, "GRPO: mean reward")
    _bars(shares, bars)
    figure.savefig(path, dpi=110)


def lines(axes: Any, series: Mapping[str, tuple[Log, str]], title: str) -> None:
    """One line a series: a logged name over the steps."""
    for label, (log, name) in series.items():
        points = [(row["step"], float(row[name])) for row in log if name in row]
        axes.plot([step for step, _ in points], [value for _, value in points], label=label, marker=".")
    axes.set(title=title, xlabel="step")
    axes.grid(alpha=0.3)
    if series:
        axes.legend(loc="upper left", bbox_to_anchor=(1, 1))  # beside the lines, not on them


def _bars(axes: Any, bars: Mapping[str, Mapping[str, float]]) -> None:
    width = 0.8 / max(1, len(bars))
    for i, (label, figures) in enumerate(bars.items()):
        places = [place + i * width for place in range(len(figures))]
        axes.bar_label(axes.bar(places, list(figures.values()), width, label=label), fmt="%.2f", fontsize=8)
        axes.set_xticks([place + width * (len(bars) - 1) / 2 for place in range(len(figures))], list(figures))
    axes.set(title="held-out questions: execution accuracy", ylim=(0, 1.2))
    axes.legend(loc="upper center", ncols=len(bars))

"""The result of `trainers.studies.cold_start` over its seeds: a table, a figure, and the bar."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from statistics import mean
from typing import Any

from rich.table import Table

from trainers.studies.table import spread

ARMS = {
    "start": "start",
    "grpo": "GRPO",
    "supervised": "more supervised steps",
    "rejection": "rejection sampling",
}
"""Folder and name of each arm, in the order in which they run."""

LEAD, LOSS = 0.10, 0.02
"""The bar: what GRPO must gain on the supervised control, and may lose on simple questions (greedy)."""

FIGURES = ("greedy", "mean@1", "pass@8", "vote@8")


@dataclass(frozen=True, slots=True)
class Verdict:
    """The records of a run, read together.

    Attributes:
        records: A record by seed and arm.
    """

    records: Mapping[int, Mapping[str, Mapping[str, Any]]]

    @property
    def arms(self) -> list[str]:
        """The arms that every seed has."""
        return [arm for arm in ARMS if all(arm in found for found in self.records.values())]

    def values(self, arm: str, kind: str, figure: str) -> list[float]:
        """A figure of an arm on the questions of a kind, for each seed."""
        return [float(found[arm][kind][figure]) for found in self.records.values()]

    def rows(self) -> Iterator[tuple[str, ...]]:
        """The table, its head first: a row for each arm, mean and spread over the seeds, then each seed."""
        seeds = [f"seed {seed}" for seed in self.records]
        yield ("questions", "arm", *FIGURES, *(f"greedy, {seed}" for seed in seeds), "CPU s")
        for kind in ("complex", "simple"):
            for arm in self.arms:
                shown = [spread(self.values(arm, kind, figure)) for figure in FIGURES]
                each = [f"{value:.3f}" for value in self.values(arm, kind, "greedy")]
                cpu = mean(found[arm]["cpu_seconds"]["training"] for found in self.records.values())
                yield (kind, ARMS[arm], *shown, *each, f"{cpu:.0f}")

    def table(self) -> Table:
        """The rows for a terminal."""
        head, *rows = self.rows()
        table = Table(title="held-out execution accuracy, mean ± standard deviation over the seeds")
        for i, column in enumerate(head):
            table.add_column(column, justify="left" if i < 2 else "right")
        for i, row in enumerate(rows):
            table.add_row(*row, end_section=i + 1 == len(self.arms))
        return table

    def markdown(self) -> str:
        """The rows for a page, and the verdict."""
        head, *rows = self.rows()
        lines = [head, ("---",) * len(head), *rows]
        return "\n".join(f"| {' | '.join(line)} |" for line in lines) + f"\n\n{self.text()}\n"

    def leads(self, arm: str, other: str, kind: str = "complex") -> list[float]:
        """What an arm's greedy accuracy is above another's, for each seed."""
        pairs = zip(self.values(arm, kind, "greedy"), self.values(other, kind, "greedy"), strict=True)
        return [round(a - b, 4) for a, b in pairs]

    @property
    def reached(self) -> bool:
        """Whether GRPO is at the bar on every seed, and no control had less processor time."""
        lead, change = self.leads("grpo", "supervised"), self.leads("grpo", "start", "simple")
        return min(lead) >= LEAD and min(change) >= -LOSS and not self.short()

    def short(self) -> list[str]:
        """The controls that had less processor time than GRPO, with their seeds."""
        return [
            f"{ARMS[arm]} (seed {seed})"
            for seed, found in self.records.items()
            for arm in self.arms
            if arm in ("supervised", "rejection")
            and found[arm]["cpu_seconds"]["training"] < found["grpo"]["cpu_seconds"]["training"]
        ]

    def text(self) -> str:
        """The verdict in plain words."""
        if not {"start", "grpo", "supervised"} <= set(self.arms):
            return "No verdict: that needs the start, GRPO and more supervised steps on every seed."
        said = [
            f"The bar was {'reached' if self.reached else 'not reached'}. It is: on every seed, GRPO "
            f"at least {LEAD:.2f} above as much supervised training on complex questions, and at most "
            f"{LOSS:.2f} below the start on simple ones.",
            f"GRPO against the supervised control, complex: {each(self.leads('grpo', 'supervised'))}.",
            f"GRPO against the start, complex: {each(self.leads('grpo', 'start'))}.",
            f"GRPO against the start, simple: {each(self.leads('grpo', 'start', 'simple'))}.",
        ]
        if "rejection" in self.arms:
            leads = each(self.leads("grpo", "rejection"))
            said.append(f"GRPO against rejection sampling on the same questions, complex: {leads}.")
        if self.short():
            said.append(f"Less processor time than GRPO: {', '.join(self.short())}.")
        return "\n".join(said)

    def draw(self, path: Path) -> None:
        """Accuracy by arm, each seed a dot, and what GRPO's sampled answers were worth as it went."""
        from matplotlib.figure import Figure

        from trainers.logs.curves import lines

        figure = Figure(figsize=(14, 4.5), layout="constrained")
        axes = figure.subplots(1, 3)
        for place, kind in zip(axes, ("complex", "simple"), strict=False):
            for i, arm in enumerate(self.arms):
                values = self.values(arm, kind, "greedy")
                place.bar_label(place.bar(i, mean(values), 0.7, alpha=0.6), fmt="%.3f", label_type="center")
                place.plot([i] * len(values), values, "k.")
            names = [ARMS[arm].replace(" ", "\n") for arm in self.arms]
            place.set_xticks(range(len(names)), names)
            place.set(title=f"{kind} questions, greedy; a dot is a seed", ylim=(0, 1.1))
        logs = {
            f"seed {seed}": found["grpo"]["log"] for seed, found in self.records.items() if "grpo" in found
        }
        lines(
            axes[2], {name: (log, "sql/correct") for name, log in logs.items()}, "GRPO: right sampled answers"
        )
        figure.savefig(path, dpi=110)


def each(differences: list[float]) -> str:
    """Differences, and their mean."""
    return f"{', '.join(f'{d:+.3f}' for d in differences)} (mean {mean(differences):+.3f})"

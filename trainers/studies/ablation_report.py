"""What `trainers.studies.ablation` has found: a table, a figure, and which trends of the paper it shows."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from statistics import mean
from typing import Any

from rich.table import Table

from trainers.studies.trials import margin

NAMES = {
    "start": "cold start, no RL",
    "random": "RL without a cold start",
    "full": "cold start and RL",
    "without-format": "without the format reward",
    "without-execution": "without the execution reward",
    "without-result": "without the result reward",
    "without-length": "without the length reward",
}
"""The arms, in the order of the table."""

FIGURES = ("greedy", "mean@1", "pass@8", "vote@8")


@dataclass(frozen=True, slots=True)
class Findings:
    """The records of all trials, read together. Intervals are of 95 %, by Student's t over the seeds.

    Attributes:
        records: A record by seed and arm.
    """

    records: Mapping[int, Mapping[str, Mapping[str, Any]]]

    def values(self, arm: str, figure: str = "greedy") -> list[float]:
        """A figure of an arm for each seed."""
        return [float(found[arm]["held_out"][figure]) for found in self.records.values()]

    def changes(self, arm: str, other: str = "full") -> list[float]:
        """What the greedy accuracy of an arm is above another's, for each seed."""
        return [a - b for a, b in zip(self.values(arm), self.values(other), strict=True)]

    def votes(self) -> dict[int, list[float]]:
        """Accuracy of a vote by the number of candidates, for each seed."""
        sizes = next(iter(self.records.values()))["full"]["votes"]
        return {int(k): [found["full"]["votes"][k] for found in self.records.values()] for k in sizes}

    def rows(self) -> Iterator[tuple[str, ...]]:
        """The table, its head first."""
        yield ("arm", *FIGURES, "greedy, against cold start and RL")
        for arm, name in NAMES.items():
            against = "" if arm == "full" else signed(self.changes(arm))
            yield (name, *(interval(self.values(arm, figure)) for figure in FIGURES), against)
        for size, values in self.votes().items():
            yield (f"vote among {size}" if size > 1 else "one sample", interval(values), "", "", "", "")

    def table(self) -> Table:
        """The rows for a terminal."""
        head, *rows = self.rows()
        seeds = ", ".join(map(str, self.records))
        table = Table(title=f"held-out execution accuracy, mean ± 95 % interval over seeds {seeds}")
        for i, column in enumerate(head):
            table.add_column(column, justify="right" if i else "left")
        for i, row in enumerate(rows, 1):
            table.add_row(*row, end_section=i == len(NAMES))
        return table

    def markdown(self) -> str:
        """The rows for a page, and what they show."""
        head, *rows = self.rows()
        lines = [head, ("---",) * len(head), *rows]
        return "\n".join(f"| {' | '.join(line)} |" for line in lines) + f"\n\n{self.text()}\n"

    def text(self) -> str:
        """Which of the paper's trends appear at this size, and which do not, by the intervals alone."""
        lines = [
            trend("Table 4: RL improves the cold start", self.changes("full", "start")),
            trend("Table 4: RL after a cold start is better than RL without", self.changes("full", "random")),
        ]
        for arm, name in NAMES.items():
            if arm.startswith("without-"):
                losses = [-change for change in self.changes(arm)]
                lines.append(
                    trend(f"Table 5: {name.replace('without', 'leaving out')} costs accuracy", losses)
                )
        votes = self.votes()
        if 8 in votes:
            gains = [vote - greedy for vote, greedy in zip(votes[8], self.values("full"), strict=True)]
            lines.append(trend("A vote among 8 candidates is better than greedy decoding", gains))
        for few, many in ((1, 8), (8, 16)):
            if {few, many} <= set(votes):
                gains = [b - a for a, b in zip(votes[few], votes[many], strict=True)]
                lines.append(trend(f"Figure 9: {many} candidates are better than {few}", gains))
        return "\n".join(lines)

    def draw(self, path: Path) -> None:
        """Accuracy by arm, each seed a dot, and by the number of candidates."""
        from matplotlib.figure import Figure

        figure = Figure(figsize=(12, 4.5), layout="constrained")
        arms, candidates = figure.subplots(1, 2, width_ratios=(3, 2))
        for i, arm in enumerate(NAMES):
            values = self.values(arm)
            arms.barh(i, mean(values), 0.7, xerr=margin(values), alpha=0.6, capsize=3)
            arms.plot(values, [i] * len(values), "k.", markersize=4)
        arms.set_yticks(range(len(NAMES)), list(NAMES.values()))
        arms.invert_yaxis()
        arms.set(title="greedy; a dot is a seed", xlim=(0, 1))
        votes = self.votes()
        means = [mean(values) for values in votes.values()]
        errors = [margin(values) for values in votes.values()]
        candidates.errorbar(list(votes), means, errors, marker="o", capsize=3, label="vote")
        candidates.axhline(mean(self.values("full")), linestyle="--", color="gray", label="greedy")
        candidates.set_xscale("log", base=2)
        candidates.set_xticks(list(votes), [str(size) for size in votes])
        candidates.set(title="cold start and RL: vote among candidates", xlabel="candidates")
        candidates.legend()
        figure.savefig(path, dpi=110)


def interval(values: list[float]) -> str:
    """Mean and half the width of its interval."""
    return f"{mean(values):.3f} ± {margin(values):.3f}"


def signed(values: list[float]) -> str:
    """The same of differences."""
    return f"{mean(values):+.3f} ± {margin(values):.3f}"


def trend(claim: str, gains: list[float]) -> str:
    """Whether a claim shows: yes or the contrary where the interval leaves 0 out, else it cannot be told."""
    half, middle = margin(gains), mean(gains)
    told = "yes" if middle - half > 0 else "the contrary" if middle + half < 0 else "cannot be told"
    return f"{claim}: {told} ({signed(gains)})."

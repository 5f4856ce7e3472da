"""The answers of a run that are masked, and the reasons."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from benchmarks.records.item import Item

MAX_MASKED_SHARE = 0.01
"""A larger share of masked answers calls an accuracy into question."""

MAX_REASONS = 5
_MAX_CHARACTERS = 120


@dataclass(frozen=True, slots=True)
class Masking:
    """The masked answers of a run. An accuracy leaves them out.

    Attributes:
        healthy: Number of answers to tasks whose gold query succeeds. Where a task has candidates, each of
            them is an answer.
        masked: Number of masked answers among them. Each is a fault of the machine or of this library.
        gold_fails: Number of tasks whose gold query fails. They are masked for every model.
        reasons: The most frequent reasons, shortened, of all masked answers, with their numbers.
    """

    healthy: int
    masked: int
    gold_fails: int
    reasons: Mapping[str, int]

    @property
    def share(self) -> float | None:
        """The masked share of the answers whose gold query succeeds, 0 to 1; None if there are none."""
        return self.masked / self.healthy if self.healthy else None

    @property
    def suspicious(self) -> bool:
        """True if the share is larger than `MAX_MASKED_SHARE`."""
        return self.share is not None and self.share > MAX_MASKED_SHARE


def measure_masking(items: Sequence[Item]) -> Masking:
    """Count the masked answers of some items."""
    reasons = Counter[str]()
    healthy = masked = gold_fails = 0
    for item in items:
        if item.masked and item.gold_result is None:
            gold_fails += 1
            reasons[_shorten(item.masked)] += 1
            continue
        verdicts = [each.correct for each in item.candidates] or [item.correct]
        healthy += len(verdicts)
        masked += verdicts.count(None)
        if None in verdicts:
            reasons[_shorten(item.masked or "a candidate could not be run")] += verdicts.count(None)
    return Masking(healthy, masked, gold_fails, dict(reasons.most_common(MAX_REASONS)))


def _shorten(reason: str) -> str:
    """Return the beginning of a reason's first line."""
    line = reason.partition("\n")[0]
    return line if len(line) <= _MAX_CHARACTERS else f"{line[: _MAX_CHARACTERS - 1]}…"

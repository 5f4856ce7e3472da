"""The curves of a training run over its steps, from its recorded rollouts."""

from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import TypeAlias

from benchmarks.records.item import Item

Curve: TypeAlias = list[tuple[int, float]]
"""(step, value), by step."""


def make_curves(items: Iterable[Item]) -> dict[str, dict[str, Curve]]:
    """Average the rollouts of each step, by chart and by name.

    ``reward`` has the total and each component, over the rollouts to which it applies. ``answers`` has the
    shares of correct answers, of groups without variance and of masked rollouts. A group is all rollouts of
    a task in a step; groups of one are not counted. ``how queries end`` has the share of each status.
    ``length`` has the mean length of a completion in characters, with masked rollouts. All other curves are
    without masked rollouts.
    """
    steps: defaultdict[int, list[Item]] = defaultdict(list)
    for item in items:
        if item.step is not None:
            steps[item.step].append(item)
    complete = {step: steps[step] for step in sorted(steps)}
    counted = {step: [item for item in group if not item.masked] for step, group in complete.items()}
    statuses = sorted({item.status for group in counted.values() for item in group})
    components = dict.fromkeys(name for group in counted.values() for i in group for name in i.components)
    return {
        "reward": {
            "total": _average(counted, lambda item, _: item.total),
            **{
                name: _average(counted, lambda item, name: item.components.get(name), name)
                for name in components
            },
        },
        "answers": {
            "correct": _average(counted, lambda item, _: item.correct),
            "groups without variance": _make_curve(counted, compute_zero_variance_share),
            "masked": _average(complete, lambda item, _: bool(item.masked)),
        },
        "how queries end": {
            status: _average(counted, lambda item, status: item.status == status, status)
            for status in statuses
        },
        "length": {"characters": _average(complete, lambda item, _: len(item.completion))},
    }


def compute_zero_variance_share(items: Sequence[Item]) -> float | None:
    """Return the share of groups, 0 to 1, whose rollouts all have the same total; None without groups.

    Such a group gives no advantage to any rollout.

    Args:
        items: The rollouts of one step.
    """
    groups: defaultdict[str, list[float]] = defaultdict(list)
    for item in items:
        if item.total is not None:
            groups[item.task_id].append(item.total)
    flat = [max(totals) - min(totals) < 1e-9 for totals in groups.values() if len(totals) > 1]
    return sum(flat) / len(flat) if flat else None


def _average(
    steps: Mapping[int, list[Item]], value: Callable[[Item, str], float | None], name: str = ""
) -> Curve:
    def mean(items: Sequence[Item]) -> float | None:
        found = [float(v) for item in items if (v := value(item, name)) is not None]
        return sum(found) / len(found) if found else None

    return _make_curve(steps, mean)


def _make_curve(steps: Mapping[int, list[Item]], value: Callable[[Sequence[Item]], float | None]) -> Curve:
    return [(step, found) for step, items in steps.items() if (found := value(items)) is not None]

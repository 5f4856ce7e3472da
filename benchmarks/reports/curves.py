"""A training run as curves over its steps, from the rollouts that it kept."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from functools import partial
from typing import TypeAlias

from benchmarks.records.item import Item

Curve: TypeAlias = list[tuple[int, float]]
"""(step, value), by step."""


def make_curves(items: Iterable[Item]) -> dict[str, dict[str, Curve]]:
    """Means over the rollouts of each step, by chart and by name.

    ``reward`` has the total and each component, over the rollouts to which it applies. ``answers`` has
    the shares of correct answers and of groups without variance: all rollouts of a task in a step that
    were paid the same, from which no advantage comes; groups of one are not counted. ``how queries end``
    has the share of each status, ``length`` the mean length of a completion in characters. What is
    masked counts nowhere but in its own share among the ``answers``.
    """
    steps: defaultdict[int, list[Item]] = defaultdict(list)
    for item in items:
        if item.step is not None:
            steps[item.step].append(item)
    counted = {step: [item for item in steps[step] if not item.masked] for step in sorted(steps)}
    everyone = {step: steps[step] for step in sorted(steps)}
    statuses = sorted({item.status for some in counted.values() for item in some})
    components = dict.fromkeys(name for some in counted.values() for i in some for name in i.components)
    return {
        "reward": {
            "total": _means(counted, lambda item: item.total),
            **{name: _means(counted, partial(_component, name=name)) for name in components},
        },
        "answers": {
            "correct": _means(counted, lambda item: item.correct),
            "groups without variance": _points(counted, compute_zero_variance_share),
            "masked": _means(everyone, lambda item: bool(item.masked)),
        },
        "how queries end": {status: _means(counted, partial(_ended, status=status)) for status in statuses},
        "length": {"characters": _means(everyone, lambda item: len(item.completion))},
    }


def compute_zero_variance_share(items: Sequence[Item]) -> float | None:
    """The share of groups, 0 to 1, whose rollouts were all paid the same; None where there is no group.

    Args:
        items: The rollouts of one step.
    """
    groups: defaultdict[str, list[float]] = defaultdict(list)
    for item in items:
        if item.total is not None:
            groups[item.task_id].append(item.total)
    alike = [max(paid) - min(paid) < 1e-9 for paid in groups.values() if len(paid) > 1]
    return sum(alike) / len(alike) if alike else None


def _component(item: Item, name: str) -> float | None:
    return item.components.get(name)


def _ended(item: Item, status: str) -> float:
    return item.status == status


def _means(steps: dict[int, list[Item]], value: Callable[[Item], float | None]) -> Curve:
    def mean(items: Sequence[Item]) -> float | None:
        found = [float(v) for v in map(value, items) if v is not None]
        return sum(found) / len(found) if found else None

    return _points(steps, mean)


def _points(steps: dict[int, list[Item]], value: Callable[[Sequence[Item]], float | None]) -> Curve:
    found = ((step, value(items)) for step, items in steps.items())
    return [(step, figure) for step, figure in found if figure is not None]

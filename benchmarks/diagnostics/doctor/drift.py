"""Rules over the course of a training run."""

from __future__ import annotations

import math

from benchmarks.diagnostics.doctor.run import FEW, Run, deviation, mean, number, numbers
from benchmarks.records.finding import Finding

LENGTH = 2.0
"""How many times as long, or as short, answers must become for a finding."""

RISE = 0.1
"""The rise of what is paid beyond being right, in deviations of the total, that is a finding."""

SURE = 4.0
"""How many standard errors that rise must be."""

STILL = 0.01
"""A rise of the share of right answers that is none."""


def length_drift(run: Run) -> Finding | None:
    """Answers become much longer, or much shorter."""
    if min(len(run.early), len(run.late)) < FEW or not run.early:
        return None
    before, after = (mean([float(len(item.completion)) for item in part]) for part in (run.early, run.late))
    if max(before, after, 1.0) < LENGTH * max(1.0, min(before, after)):
        return None
    return Finding(
        "length-drift",
        f"from {before:.0f} characters in the first quarter of steps to {after:.0f} in the last",
        "Longer: see whether a component pays for length, and whether answers are cut off at the limit. "
        "Shorter: whether the reasoning is still there, and right answers with it.",
    )


def reward_without_correct(run: Run) -> Finding | None:
    """The reward rises while correctness does not: what is paid is not what is wanted.

    What is paid beyond being right is a total less the mean total of all answers that are as right.
    """
    parts = [[item for item in part if number(item.total) is not None] for part in (run.early, run.late)]
    if min(map(len, parts)) < FEW:
        return None
    usual = {
        right: mean(numbers(i.total for part in parts for i in part if bool(i.correct) is right))
        for right in (False, True)
    }
    totals, beyond = [], []
    for part in parts:
        totals.append(numbers(item.total for item in part))
        beyond.append([(number(item.total) or 0.0) - usual[bool(item.correct)] for item in part])
    before, after = (mean([float(bool(item.correct)) for item in part]) for part in parts)
    rise = mean(beyond[1]) - mean(beyond[0])
    error = math.sqrt(sum(deviation(values) ** 2 / len(values) for values in beyond))
    paid = [mean(values) for values in totals]
    if after > before + STILL or paid[1] <= paid[0]:
        return None
    if rise <= max(SURE * error, RISE * deviation([*totals[0], *totals[1]])):
        return None
    return Finding(
        "reward-without-correct",
        f"the mean total rises from {paid[0]:.2f} to {paid[1]:.2f}, and the share of right answers goes "
        f"from {before:.0%} to {after:.0%}; what rises: {_risen(run)}",
        "Read some late answers beside early ones. Pay less for what rises without them being right, or only "
        "beside a right result.",
    )


def _risen(run: Run) -> str:
    names = dict.fromkeys(name for item in run.late for name in item.components)
    rises = {
        name: mean(numbers(item.components.get(name) for item in run.late))
        - mean(numbers(item.components.get(name) for item in run.early))
        for name in names
    }
    risen = sorted((name for name in rises if rises[name] > 0), key=lambda name: -rises[name])
    return ", ".join(f"{name} by {rises[name]:.2f}" for name in risen) or "no component by itself"

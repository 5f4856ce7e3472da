"""Rules about changes during a training run."""

import math
from collections.abc import Iterator

from benchmarks.diagnostics.doctor.run_items import (
    MIN_ANSWERS,
    RunItems,
    compute_deviation,
    compute_mean,
    keep_finite,
    to_finite,
)
from benchmarks.records.finding import Finding

MIN_LENGTH_RATIO = 2.0
"""Answers that become this many times as long, or as short, are a finding."""

MIN_RISE = 0.1
"""The rise of the reward beyond correctness that is a finding, in standard deviations of the total."""

MIN_STANDARD_ERRORS = 4.0
"""The same rise in standard errors, at least."""

MAX_STILL = 0.01
"""A rise of the share of right answers up to this is no rise."""


def find_length_drift(run: RunItems) -> Iterator[Finding]:
    """Find answers that become much longer or much shorter."""
    if min(len(run.early), len(run.late)) < MIN_ANSWERS:
        return
    before, after = (compute_mean([len(item.completion) for item in part]) for part in (run.early, run.late))
    if max(before, after, 1.0) >= MIN_LENGTH_RATIO * max(1.0, min(before, after)):
        yield Finding(
            "length-drift",
            f"from {before:.0f} characters in the first quarter of steps to {after:.0f} in the last",
            "If longer: check whether a component rewards length, and whether answers are cut off at the "
            "limit. If shorter: check whether the reasoning and the right answers are still there.",
        )


def find_reward_without_correct(run: RunItems) -> Iterator[Finding]:
    """Find a reward that rises while the share of right answers does not.

    The reward beyond correctness is a total minus the mean total of all answers that are as right.
    """
    parts = [[item for item in part if to_finite(item.total) is not None] for part in (run.early, run.late)]
    if min(map(len, parts)) < MIN_ANSWERS:
        return
    usual = {
        right: compute_mean(keep_finite(i.total for part in parts for i in part if bool(i.correct) is right))
        for right in (False, True)
    }
    totals = [keep_finite(item.total for item in part) for part in parts]
    beyond = [
        [total - usual[bool(item.correct)] for total, item in zip(values, part, strict=True)]
        for values, part in zip(totals, parts, strict=True)
    ]
    first, last = map(compute_mean, totals)
    before, after = (compute_mean([bool(item.correct) for item in part]) for part in parts)
    rise = compute_mean(beyond[1]) - compute_mean(beyond[0])
    error = math.sqrt(sum(compute_deviation(values) ** 2 / len(values) for values in beyond))
    least = max(MIN_STANDARD_ERRORS * error, MIN_RISE * compute_deviation([*totals[0], *totals[1]]))
    if after <= before + MAX_STILL and last > first and rise > least:
        yield Finding(
            "reward-without-correct",
            f"the mean total rises from {first:.2f} to {last:.2f}, and the share of right answers goes "
            f"from {before:.0%} to {after:.0%}; what rises: {_describe_rises(run)}",
            "Compare some late answers with early ones. Lower the reward for what rises without right "
            "answers, or give it only together with a right result.",
        )


def _describe_rises(run: RunItems) -> str:
    names = dict.fromkeys(name for item in run.late for name in item.components)
    rises = {}
    for name in names:
        before, after = (
            compute_mean(keep_finite(item.components.get(name) for item in part))
            for part in (run.early, run.late)
        )
        rises[name] = after - before
    risen = sorted((name for name in rises if rises[name] > 0), key=lambda name: -rises[name])
    return ", ".join(f"{name} by {rises[name]:.2f}" for name in risen) or "no component by itself"

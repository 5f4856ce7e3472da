"""Rules about rewards and groups: can a model learn anything from them?"""

from collections.abc import Iterator, Sequence

from benchmarks.diagnostics.doctor.run_items import MIN_ANSWERS, RunItems, compute_mean, keep_finite
from benchmarks.records.finding import Finding
from benchmarks.records.item import Item

MAX_FLAT_SHARE = 0.75
"""A larger share of groups without variance is a finding."""

MIN_NEW_SHARE = 0.20
"""A smaller mean share of new answers among the further answers of a group is a finding."""

FLAT_SPREAD = 0.01
"""The spread of a group's totals, as a share of the run's, up to which the group is flat.

It is not zero, because a component that counts characters gives any two answers another reward.
"""

MIN_GROUPS = 10
"""Rules judge no share of fewer groups."""

_TOLERANCE = 1e-9


def find_constant_total(run: RunItems) -> Iterator[Finding]:
    """Find a run in which all answers have the same reward."""
    totals = keep_finite(item.total for item in run.trained)
    if len(totals) >= MIN_ANSWERS and _compute_spread(totals) <= _TOLERANCE:
        yield Finding(
            "constant-total",
            f"all {len(totals)} answers have the reward {totals[0]:g}",
            "Nothing can be learnt. Look at an answer and its components: usually no answer follows the "
            "format, or every gold query fails.",
        )


def find_dead_components(run: RunItems) -> Iterator[Finding]:
    """Find components of the reward that are constant, or that never apply.

    A component is no finding if it rewards what all answers do (format: all are well-formed; execution:
    all run; result: all are right).
    """
    names = dict.fromkeys(name for item in run.trained for name in item.components)
    reached = {
        "format": all(item.status != "malformed" for item in run.trained),
        "execution": all(item.status == "ok" for item in run.trained),
        "result": all(item.correct for item in run.trained),
    }
    for name in names if len(run.trained) >= MIN_ANSWERS else ():
        values = keep_finite(item.components.get(name) for item in run.trained)
        if not values:
            yield Finding(
                "dead-component",
                f"{name!r} applies to none of {len(run.trained)} answers",
                "A reward returns None if it does not apply: check whether its condition can be true.",
            )
        elif len(values) >= MIN_ANSWERS and _compute_spread(values) <= _TOLERANCE and not reached.get(name):
            yield Finding(
                "dead-component",
                f"{name!r} is {values[0]:g} in all {len(values)} answers",
                "It adds the same to every answer of a group, so it changes no advantage: repair it, make it "
                "easier to reach, or leave it out.",
            )


def find_flat_groups(run: RunItems) -> Iterator[Finding]:
    """Find a large share of groups in which all answers have the same reward, or nearly.

    Then GRPO's advantages are zero (DAPO, arXiv 2503.14476, section 3.2). If they are divided by the
    group's standard deviation, they are as large as if one answer were right and the others wrong.
    """
    flat_spread = max(_compute_total_spread(run.trained) * FLAT_SPREAD, _TOLERANCE)
    flat = [group for group in run.groups if _compute_total_spread(group) <= flat_spread]
    if len(run.groups) >= MIN_GROUPS and len(flat) > MAX_FLAT_SHARE * len(run.groups):
        right = sum(all(item.correct for item in group) for group in flat)
        wrong = sum(not any(item.correct for item in group) for group in flat)
        yield Finding(
            "flat-groups",
            f"{len(flat)} of {len(run.groups)} groups ({len(flat) / len(run.groups):.0%}) have no variance; "
            f"in {right} all are right, in {wrong} none",
            "The questions are now too easy: use harder ones, or leave out those that are always right."
            if right > wrong
            else "The questions are too hard: use more answers a group, a longer cold start, or easier "
            "questions.",
        )


def find_same_completions(run: RunItems) -> Iterator[Finding]:
    """Find groups whose answers are copies of each other: the policy's entropy has collapsed."""
    new = [(len({item.completion for item in group}) - 1) / (len(group) - 1) for group in run.groups]
    if len(new) >= MIN_GROUPS and compute_mean(new) < MIN_NEW_SHARE:
        yield Finding(
            "same-completions",
            f"of the further answers in a group {compute_mean(new):.0%} are new, over {len(new)} groups",
            "Raise the temperature, lower the learning rate, or raise the upper clipping bound (DAPO). Stop "
            "when held-out accuracy no longer rises.",
        )


def _compute_total_spread(items: Sequence[Item]) -> float:
    return _compute_spread(keep_finite(item.total for item in items))


def _compute_spread(values: Sequence[float]) -> float:
    return max(values) - min(values) if values else 0.0

"""Rules over rewards and groups: is there anything to learn from."""

from __future__ import annotations

from collections.abc import Iterator

from benchmarks.diagnostics.doctor.run import FEW, Run, mean, numbers
from benchmarks.records.finding import Finding
from benchmarks.records.item import Item

FLAT = 0.75
"""The share of groups without variance beyond which they are a finding."""

ALIKE = 0.20
"""The mean share of further answers in a group that are new, below which they are a finding."""

NARROW = 0.01
"""The spread of a group's totals, as a share of the run's, up to which it has no variance to learn from.

It is not zero, because a component that counts characters tells any two answers apart.
"""

GROUPS = 10
"""Groups below which nothing is said of them."""

_SAME = 1e-9


def constant_total(run: Run) -> Finding | None:
    """All answers are paid the same."""
    totals = numbers(item.total for item in run.trained)
    if len(totals) < FEW or max(totals) - min(totals) > _SAME:
        return None
    return Finding(
        "constant-total",
        f"all {len(totals)} answers are paid {totals[0]:g}",
        "Nothing can be learnt. Look at an answer and its components: most often the format is not followed "
        "by any, or every gold query fails.",
    )


def dead_components(run: Run) -> Iterator[Finding]:
    """A component of the reward that never moves, or never applies.

    One that pays for what all answers do (format: all are well-formed; execution: all run; result: all
    are right) is no finding.
    """
    names = dict.fromkeys(name for item in run.trained for name in item.components)
    settled = {
        "format": all(item.status != "malformed" for item in run.trained),
        "execution": all(item.status == "ok" for item in run.trained),
        "result": all(item.correct for item in run.trained),
    }
    for name in names if len(run.trained) >= FEW else ():
        values = numbers(item.components.get(name) for item in run.trained)
        if not values:
            yield Finding(
                "dead-component",
                f"{name!r} applies to none of {len(run.trained)} answers",
                "A reward returns None where it does not apply: see whether its condition is ever met.",
            )
        elif len(values) >= FEW and max(values) - min(values) <= _SAME and not settled.get(name):
            yield Finding(
                "dead-component",
                f"{name!r} is {values[0]:g} in all {len(values)} answers",
                "It adds the same to every answer of a group, so no advantage sees it: mend it, ease what it "
                "asks for, or leave it out.",
            )


def flat_groups(run: Run) -> Finding | None:
    """In most groups all answers are paid the same, or nearly.

    Then GRPO's advantages are zero (DAPO, arXiv 2503.14476, section 3.2), or, where they are divided by
    the group's deviation, as large as if one were right and the others wrong.
    """
    widest = _spread(run.trained) * NARROW
    flat = [group for group in run.groups if _spread(group) <= max(widest, _SAME)]
    if len(run.groups) < GROUPS or len(flat) <= FLAT * len(run.groups):
        return None
    right = sum(all(item.correct for item in group) for group in flat)
    wrong = sum(not any(item.correct for item in group) for group in flat)
    advice = (
        "The questions are too easy by now: draw harder ones, or leave out those that are always right."
        if right > wrong
        else "The questions are too hard: more answers a group, a longer cold start, or easier ones first."
    )
    return Finding(
        "flat-groups",
        f"{len(flat)} of {len(run.groups)} groups ({len(flat) / len(run.groups):.0%}) have no variance; "
        f"in {right} all are right, in {wrong} none",
        advice,
    )


def same_completions(run: Run) -> Finding | None:
    """The answers of a group are copies of each other: the policy's entropy has collapsed."""
    new = [(len({item.completion for item in group}) - 1) / (len(group) - 1) for group in run.groups]
    if len(new) < GROUPS or mean(new) >= ALIKE:
        return None
    return Finding(
        "same-completions",
        f"of the further answers in a group {mean(new):.0%} are new, over {len(new)} groups",
        "Raise the temperature, lower the learning rate, or clip higher (DAPO); stop where held-out accuracy "
        "no longer rises.",
    )


def _spread(group: tuple[Item, ...]) -> float:
    totals = numbers(item.total for item in group)
    return max(totals) - min(totals) if totals else 0.0

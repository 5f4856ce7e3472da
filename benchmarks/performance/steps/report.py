"""The curve of step budgets, as JSON and for the terminal."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from math import inf
from typing import Any

from rich.table import Table

from benchmarks.performance.steps.mix import Load
from benchmarks.performance.steps.rule import (
    BUDGETS,
    FACTORS,
    FLOORS,
    Point,
    Rule,
    cheapest,
    least_factor,
    point,
)
from benchmarks.performance.steps.spent import Spent


@dataclass(frozen=True, slots=True)
class Study:
    """What was measured, and what comes of each rule.

    Attributes:
        golds: Gold queries by benchmark and split.
        answers: Predictions by benchmark and split.
        mix: The hostile mix.
        margin: How many times its steps every correct answer should have.
        absolute: Budgets that are the same for all.
        relative: Budgets relative to the gold's steps.
    """

    golds: Mapping[str, Sequence[Spent]]
    answers: Mapping[str, Sequence[Spent]]
    mix: Sequence[Load]
    margin: float
    absolute: tuple[Point, ...]
    relative: tuple[Point, ...]


def study(
    golds: Mapping[str, Sequence[Spent]],
    answers: Mapping[str, Sequence[Spent]],
    mix: Sequence[Load],
    cap: float,
    margin: float,
) -> Study:
    """Apply each rule to the measured answers; relative rules under this cap."""
    all_golds = [gold for some in golds.values() for gold in some]
    all_answers = [answer for some in answers.values() for answer in some]

    def apply(rule: Rule) -> Point:
        return point(rule, all_golds, all_answers, mix)

    relative = (Rule(cap, factor, floor) for floor in FLOORS for factor in FACTORS)
    absolute = (Rule(budget) for budget in BUDGETS)
    return Study(golds, answers, mix, margin, tuple(map(apply, absolute)), tuple(map(apply, relative)))


def as_dict(found: Study) -> dict[str, Any]:
    """All of it in JSON: what never ends within the ceiling has the steps None."""
    answers = [answer for some in found.answers.values() for answer in some]
    return {
        "files": [
            {"benchmark": name, "file": file, **_summary([a for a in some if a.file == file])}
            for name, some in (*found.golds.items(), *found.answers.items())
            for file in dict.fromkeys(a.file for a in some)
        ],
        "mix": {"distinct": len(found.mix), "runaways": sum(load.steps == inf for load in found.mix)},
        "absolute": [_point(p) for p in found.absolute],
        "relative": [_point(p) for p in found.relative],
        "least_factor": {str(floor): _finite(least_factor(answers, floor)) for floor in FLOORS},
        "margin": found.margin,
        "cheapest": {kind: p and _point(p) for kind, p in _chosen(found).items()},
    }


def _summary(answers: Sequence[Spent]) -> dict[str, Any]:
    right, wrong = (
        [a.steps for a in answers if a.correct is kind and a.steps is not None] for kind in (True, False)
    )
    return {
        "answers": len(answers),
        "correct": sum(bool(a.correct) for a in answers),
        "dearest_correct": _finite(max(right, default=0)),
        "dearest_wrong": _finite(max(wrong, default=0)),
    }


def _point(found: Point) -> dict[str, Any]:
    return {
        **asdict(found.rule),
        "margin": _finite(found.margin),
        "lost": [{"file": a.file, "task_id": a.task_id, "steps": _finite(a.steps or 0)} for a in found.lost],
        "wrong_stopped": found.stopped,
        "golds_lost": [gold.task_id for gold in found.golds_lost],
        "mix_steps": found.mix_steps,
        "mix_cpu_seconds": found.mix_seconds,
    }


def _finite(number: float) -> float | None:
    return number if number < inf else None


def _chosen(found: Study) -> dict[str, Point | None]:
    return {
        "absolute": cheapest(found.absolute, found.margin),
        "relative": cheapest(found.relative, found.margin),
    }


def tables(found: Study) -> list[Table | str]:
    """What the command prints."""
    return [
        _files(found),
        _absolute(found),
        _relative(found),
        *(
            f"cheapest {kind} rule that loses nothing and leaves {found.margin:g} times the steps: "
            + (f"{_rule(p.rule)}, {p.mix_seconds:.1f} s of CPU" if p else "none")
            for kind, p in _chosen(found).items()
        ),
    ]


def _files(found: Study) -> Table:
    table = Table("", "answers", "correct", "dearest correct", "dearest wrong", title="steps")
    for row in as_dict(found)["files"]:
        dearest = [row[name] for name in ("dearest_correct", "dearest_wrong")]
        name = f"{row['benchmark']} {row['file'] or 'gold queries'}"
        steps = ("beyond the ceiling" if number is None else f"{number:,.0f}" for number in dearest)
        table.add_row(name, str(row["answers"]), str(row["correct"]), *steps)
    return table


def _absolute(found: Study) -> Table:
    names = ("budget", "correct lost", "golds lost", "wrong stopped", "margin", "mix: steps", "mix: CPU s")
    table = Table(*names, title="one budget for all")
    for p in found.absolute:
        counts = (len(p.lost), len(p.golds_lost), p.stopped)
        figures = (f"{p.margin:.2f}", f"{p.mix_steps:.2e}", f"{p.mix_seconds:.1f}")
        table.add_row(f"{p.rule.cap:,}", *map(str, counts), *figures)
    return table


def _relative(found: Study) -> Table:
    table = Table(
        "floor", *(f"{factor} x gold" for factor in FACTORS), title="correct lost | margin | mix: CPU s"
    )
    rows = {floor: [p for p in found.relative if p.rule.floor == floor] for floor in FLOORS}
    for floor, points in rows.items():
        cells = (f"{len(p.lost)} | {p.margin:.2f} | {p.mix_seconds:.1f}" for p in points)
        table.add_row(f"{floor:,}", *cells)
    return table


def _rule(rule: Rule) -> str:
    if not rule.factor:
        return f"{rule.cap:,}"
    return f"max({rule.floor:,}, {rule.factor} x gold), at most {rule.cap:,}"

"""What is measured, and what is read from it."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from benchmarks.performance.throughput.measurement import Contender, Measurement


@dataclass(frozen=True, slots=True)
class Finding:
    """A number that is read from a measurement, with the bar that it is held against, if any.

    Attributes:
        name: What it is called, with its unit where it has one.
        value: How it is read.
        least: It must not be below this.
        most: It must not be above this.
    """

    name: str
    value: Callable[[Measurement], float]
    least: float | None = None
    most: float | None = None


@dataclass(frozen=True, slots=True)
class Bar:
    """A finding that was held against its bar.

    Attributes:
        name: The finding's.
        value: What was measured.
        bar: What it is held against.
        sense: ``>=`` or ``<=``.
        ok: Whether it holds.
    """

    name: str
    value: float
    bar: float
    sense: str
    ok: bool


@dataclass(frozen=True, slots=True)
class Workload:
    """Contenders that do the same, each in its way.

    Attributes:
        name: What it is called on the command line.
        about: One line that says what it consists of.
        contenders: What runs in turns, by name.
        findings: What is read from the measurement.
        facts: What else a reader of the figures must know: counts, sizes.
        repeats: How often each contender runs, where it is not what the settings say.
    """

    name: str
    about: str
    contenders: Mapping[str, Contender]
    findings: Sequence[Finding] = ()
    facts: Mapping[str, Any] = field(default_factory=dict)
    repeats: int | None = None


def held(finding: Finding, measurement: Measurement) -> Bar | None:
    """Hold a finding against its bar; None where it has none.

    Example:
        >>> seen = Measurement([{"a": {"s": 2.0}}])
        >>> held(Finding("time, s", lambda m: m.median("a", "s"), most=1.5), seen).ok
        False
    """
    value = finding.value(measurement)
    if finding.least is not None:
        return Bar(finding.name, value, finding.least, ">=", value >= finding.least)
    if finding.most is not None:
        return Bar(finding.name, value, finding.most, "<=", value <= finding.most)
    return None

"""Draw a chart of curves, in the units of its picture."""

import math
from collections.abc import Mapping
from dataclasses import dataclass

from benchmarks.reports.curves import Curve

WIDTH, HEIGHT = 360, 200
LEFT, RIGHT, TOP, BOTTOM = 44, 8, 8, 24
TICKS = 4
MAX_POINTS = 400
"""A curve with more points is thinned to means of neighbours."""


@dataclass(frozen=True, slots=True)
class Line:
    """A curve as an SVG polyline; ``last`` is its last value as text."""

    label: str
    points: str
    last: str


@dataclass(frozen=True, slots=True)
class Chart:
    """Curves over the same steps, `WIDTH` by `HEIGHT`.

    Attributes:
        title: Its title.
        lines: The curves.
        across: The marks of the steps: place and text.
        up: The marks of the values: place and text.
    """

    title: str
    lines: list[Line]
    across: list[tuple[float, str]]
    up: list[tuple[float, str]]


def draw_chart(title: str, curves: Mapping[str, Curve]) -> Chart | None:
    """Draw curves by name; return None if no curve has a point."""
    curves = {name: thin_curve(curve) for name, curve in curves.items() if curve}
    if not curves:
        return None
    steps = [step for curve in curves.values() for step, _ in curve]
    values = [value for curve in curves.values() for _, value in curve]
    rows, columns = place_ticks(min(values), max(values)), place_ticks(min(steps), max(steps))
    low, high = min(*rows, *values), max(*rows, *values)

    def x(step: float) -> float:
        span = max(steps) - min(steps) or 1
        return round(LEFT + (step - min(steps)) / span * (WIDTH - LEFT - RIGHT), 1)

    def y(value: float) -> float:
        return round(TOP + (high - value) / (high - low or 1) * (HEIGHT - TOP - BOTTOM), 1)

    return Chart(
        title,
        [
            Line(name, " ".join(f"{x(s)},{y(v)}" for s, v in curve), f"{curve[-1][1]:.3g}")
            for name, curve in curves.items()
        ],
        [(x(t), f"{t:g}") for t in columns if min(steps) <= t <= max(steps)],
        [(y(t), f"{t:g}") for t in rows],
    )


def thin_curve(curve: Curve) -> Curve:
    """Thin a curve to `MAX_POINTS` points: the means of neighbours, each at the step of the last one."""
    size = math.ceil(len(curve) / MAX_POINTS)
    parts = [curve[i : i + size] for i in range(0, len(curve), size)]
    return [(part[-1][0], sum(value for _, value in part) / len(part)) for part in parts]


def place_ticks(low: float, high: float) -> list[float]:
    """Return round values that cover a range, 1, 2 or 5 times a power of ten apart.

    Example:
        >>> place_ticks(0.03, 0.92)
        [0.0, 0.2, 0.4, 0.6, 0.8, 1.0]
    """
    span = high - low
    if span < 1e-9 * max(1.0, abs(low), abs(high)):
        span = max(1.0, abs(high))
    rough = span / TICKS
    power = 10 ** math.floor(math.log10(rough))
    step = next(power * m for m in (1, 2, 5, 10) if power * m >= rough * 0.7)
    first, last = math.floor(low / step + 1e-9), math.ceil(high / step - 1e-9)
    return [round(i * step, 12) for i in range(first, max(last, first + 1) + 1)]

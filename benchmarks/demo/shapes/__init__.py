"""The query shapes, by level: each draws a query, its questions and its reasoning from a database."""

from __future__ import annotations

from collections.abc import Mapping

from benchmarks.demo.shapes.complex import COMPLEX
from benchmarks.demo.shapes.highly_complex import HIGHLY_COMPLEX
from benchmarks.demo.shapes.moderate import MODERATE
from benchmarks.demo.shapes.simple import SIMPLE
from benchmarks.demo.sketch import Shape

LEVELS: Mapping[str, Mapping[str, Shape]] = {
    "simple": SIMPLE,
    "moderate": MODERATE,
    "complex": COMPLEX,
    "highly complex": HIGHLY_COMPLEX,
}

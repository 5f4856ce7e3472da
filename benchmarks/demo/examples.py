"""All examples of a seed: every shape drawn from every database, and proven on its data."""

from __future__ import annotations

import random
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from benchmarks.demo.queries.proof import ProofConnections, is_sound, open_for_proof
from benchmarks.demo.queries.sampler import Sampler, Unfit
from benchmarks.demo.queries.sketch import Shape, Sketch
from benchmarks.demo.shapes import LEVELS
from benchmarks.demo.tables.database import Rows
from benchmarks.demo.tables.table import Domain

MAX_QUERIES_PER_SHAPE = 13
"""Distinct queries per shape and database."""
DRAWS_PER_QUERY = 5
"""Draws per wanted query, before a shape gives up on a database."""


@dataclass(frozen=True, slots=True)
class Example:
    """A proven sketch, with where it comes from."""

    domain: str
    level: str
    shape: str
    sketch: Sketch


def draw_examples(domain: Domain, data: Rows, database: Path, seed: int) -> list[Example]:
    """Draw the examples of one database; no two share their SQL or a question."""
    found: list[Example] = []
    taken: set[str] = set()
    with open_for_proof(database) as on:
        for level, shapes in LEVELS.items():
            for name, shape in shapes.items():
                sampler = Sampler(domain, data, random.Random(f"{seed}/{domain.name}/{name}"))
                fresh = draw_sketches(shape, sampler, on, taken)
                found += (Example(domain.name, level, name, sketch) for sketch in fresh)
    return found


def draw_sketches(shape: Shape, sampler: Sampler, on: ProofConnections, taken: set[str]) -> Iterator[Sketch]:
    """Sound sketches that are not yet taken, up to the cap."""
    count = 0
    for _ in range(MAX_QUERIES_PER_SHAPE * DRAWS_PER_QUERY):
        try:
            sketch = shape(sampler)
        except Unfit:
            continue
        marks = {normalise(text) for text in (sketch.sql, *sketch.questions)}
        if marks & taken or not is_sound(on, sketch):
            continue
        taken |= marks
        yield sketch
        count += 1
        if count == MAX_QUERIES_PER_SHAPE:
            return


def normalise(text: str) -> str:
    """The text without what SQL does not see: case and runs of blanks."""
    return " ".join(text.lower().split())

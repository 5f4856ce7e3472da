"""Draw all examples of a seed, every shape from every database, and split them.

The held-out splits have all shapes equally often, and no query is in two splits.
"""

import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from benchmarks.demo.queries.proof import ProofConnections, is_sound, open_for_proof
from benchmarks.demo.queries.query import Sketch
from benchmarks.demo.queries.sampler import Sampler, Unfit
from benchmarks.demo.shapes import LEVELS, Shape
from benchmarks.demo.tables.database import Rows
from benchmarks.demo.tables.table import Domain

MAX_QUERIES_PER_SHAPE = 13
"""Distinct queries for each shape and database, at most."""
DRAWS_PER_QUERY = 5
"""Draws for each query, at most."""

HELD_OUT = {"test": 400, "dev": 200}
"""Tasks in the held-out splits. The others are for training."""
SPLIT_NAMES = ("train", "dev", "test")


@dataclass(frozen=True, slots=True)
class Example:
    """A proven sketch with its database, level and shape."""

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
    """Yield sound sketches that are not yet taken, up to `MAX_QUERIES_PER_SHAPE`."""
    count = 0
    for _ in range(MAX_QUERIES_PER_SHAPE * DRAWS_PER_QUERY):
        try:
            sketch = shape(sampler)
        except Unfit:
            continue
        texts = {normalise(text) for text in (sketch.sql, *sketch.questions)}
        if texts & taken or not is_sound(on, sketch):
            continue
        taken |= texts
        yield sketch
        count += 1
        if count == MAX_QUERIES_PER_SHAPE:
            return


def normalise(text: str) -> str:
    """Remove what SQL ignores from a text: case and repeated blanks."""
    return " ".join(text.lower().split())


def split_examples(examples: Sequence[Example], seed: int) -> dict[str, list[Example]]:
    """Divide the examples among the splits.

    Within one database no two examples share their SQL, so no query of one split is in another.
    """
    rng = random.Random(f"{seed}/split")
    by_shape: dict[str, list[Example]] = {}
    for example in rng.sample(examples, len(examples)):
        by_shape.setdefault(example.shape, []).append(example)
    shapes = sorted(by_shape)
    splits = {
        name: [by_shape[shapes[i % len(shapes)]].pop() for i in range(size)]
        for name, size in HELD_OUT.items()
    }
    splits["train"] = [example for group in by_shape.values() for example in group]
    return {name: rng.sample(splits[name], len(splits[name])) for name in SPLIT_NAMES}

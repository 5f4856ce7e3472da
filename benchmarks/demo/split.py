"""Split the examples: the held-out splits have all shapes equally often, and no query is in two splits."""

from __future__ import annotations

import random
from collections.abc import Sequence
from typing import TypeAlias

from benchmarks.demo.examples import Example

HELD_OUT = {"test": 400, "dev": 200}
"""Tasks in the held-out splits. The others are for training."""
SPLIT_NAMES = ("train", "dev", "test")

Split: TypeAlias = dict[str, list[Example]]


def split_examples(examples: Sequence[Example], seed: int) -> Split:
    """Divide the examples among the splits.

    Within one database no two examples share their SQL, so no query of one split is in another.
    """
    rng = random.Random(f"{seed}/split")
    by_shape: dict[str, list[Example]] = {}
    for example in rng.sample(examples, len(examples)):
        by_shape.setdefault(example.shape, []).append(example)
    splits: Split = {
        name: [_take_example(by_shape, i) for i in range(size)] for name, size in HELD_OUT.items()
    }
    splits["train"] = [example for group in by_shape.values() for example in group]
    return {name: rng.sample(splits[name], len(splits[name])) for name in SPLIT_NAMES}


def _take_example(by_shape: dict[str, list[Example]], turn: int) -> Example:
    """Take one example of the next shape."""
    shapes = sorted(by_shape)
    return by_shape[shapes[turn % len(shapes)]].pop()

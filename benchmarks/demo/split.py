"""Which example goes where: as many of every shape are held out, and each query is in one split."""

from __future__ import annotations

import random
from collections.abc import Sequence
from typing import TypeAlias

from benchmarks.demo.examples import Example

HELD_OUT = {"test": 400, "dev": 200}
"""Tasks in the splits that are not for training, which gets the rest."""
SPLIT_NAMES = ("train", "dev", "test")

Split: TypeAlias = dict[str, list[Example]]


def split_examples(examples: Sequence[Example], seed: int) -> Split:
    """Deal the examples out to the splits.

    Within one database no two examples share their SQL, so no query of one split is in another.
    """
    rng = random.Random(f"{seed}/split")
    decks: dict[str, list[Example]] = {}
    for example in rng.sample(examples, len(examples)):
        decks.setdefault(example.shape, []).append(example)
    dealt: Split = {name: [_deal(decks, i) for i in range(size)] for name, size in HELD_OUT.items()}
    dealt["train"] = [example for deck in decks.values() for example in deck]
    return {name: rng.sample(dealt[name], len(dealt[name])) for name in SPLIT_NAMES}


def _deal(decks: dict[str, list[Example]], turn: int) -> Example:
    """One example of the shape whose turn it is."""
    shapes = sorted(decks)
    return decks[shapes[turn % len(shapes)]].pop()

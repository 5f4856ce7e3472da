"""Judged answers of a training run, kept as items for ``sql-env report`` and ``sql-env doctor``."""

from __future__ import annotations

import json
import logging
import os
import threading
from collections.abc import Iterable, Sequence
from dataclasses import replace
from itertools import groupby
from pathlib import Path

from benchmarks.records.item import ITEMS, Item, make_item, read_items, write_items
from sql_env import Score, Scorer

log = logging.getLogger(__name__)

FOLDER = "rollouts"
"""Where in a trainer's output folder they are."""

MOST_BYTES = 200 * 2**20
"""The file grows no more once it is as large."""


class Rollouts:
    """Some of each step's judged answers, as lines of ``items.jsonl``; safe to use from several threads.

    Only the first process of a distributed training keeps any. A training that is gone on with, or begun
    again, replaces what the folder holds of the steps that it does again. What cannot be written is
    logged, and stops no training.

    Args:
        folder: Where the file is.
        per_step: How many answers are kept of a step, at most: whole groups, as far as one fits.
        scorer: What has scored them, and brings the rows of those that are kept; None where they have them.
    """

    def __init__(self, folder: Path, per_step: int, scorer: Scorer | None = None) -> None:
        self._scorer = scorer
        self._folder = folder
        self._per_step = per_step if os.environ.get("RANK", "0") == "0" else 0
        self._lock = threading.Lock()
        self._step: int | None = None
        self._of_step = 0
        self._index = 0

    def add(self, scores: Sequence[Score], step: int) -> None:
        """Keep some of a batch of scores, in which the answers to one task follow each other.

        Args:
            scores: The batch, or a part of it; what is kept of a step counts over all its parts.
            step: The step that learns from it, from 1.
        """
        with self._lock:
            if not self._per_step:
                return
            try:
                if self._step is None:
                    self._index = self._begin(step)
                if step != self._step:
                    self._step, self._of_step = step, 0
                kept = some(scores, self._per_step - self._of_step)
                kept = self._scorer.with_rows(kept) if self._scorer else kept
                self._of_step += len(kept)
                self._append(make_item(self._index + i, score, step=step) for i, score in enumerate(kept))
                self._index += len(kept)
            except OSError as error:
                log.warning("no more rollouts are kept in %s: %s", self._folder, error)
                self._per_step = 0

    def _begin(self, step: int) -> int:
        """Make the folder, drop what is there of this step and later ones, and count what is left."""
        self._folder.mkdir(parents=True, exist_ok=True)
        path = self._folder / ITEMS
        earlier = [each for each in read_items(path) if (each.step or 0) < step] if path.exists() else []
        write_items(self._folder, (replace(each, index=i) for i, each in enumerate(earlier)))
        return len(earlier)

    def _append(self, items: Iterable[Item]) -> None:
        with (self._folder / ITEMS).open("a", encoding="utf-8") as out:
            out.writelines(json.dumps(each.to_dict()) + "\n" for each in items)
            if out.tell() > MOST_BYTES:
                log.warning("no more rollouts are kept in %s: they have %d bytes", self._folder, out.tell())
                self._per_step = 0


def some(scores: Sequence[Score], most: int) -> list[Score]:
    """The first groups that fit into so many scores, or as much of the first as does."""
    kept: list[Score] = []
    for _, group in groupby(scores, key=lambda score: score.rollout.task.id):
        whole = list(group)
        if len(kept) + len(whole) > most:
            return kept or whole[: max(0, most)]
        kept += whole
    return kept

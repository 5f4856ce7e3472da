"""Judged rollouts of a training run, kept as items for ``sql-env report`` and ``sql-env doctor``."""

from __future__ import annotations

import json
import logging
import os
import threading
from collections.abc import Sequence
from dataclasses import replace
from itertools import groupby
from pathlib import Path

from benchmarks.records.item import ITEMS, ROLLOUTS, Item, make_item, read_items, write_items
from benchmarks.records.json_lines import replace_file
from sql_env import Score, Scorer
from sql_env.errors import DataError

log = logging.getLogger(__name__)

FOLDER = ROLLOUTS
"""The name of the folder in a trainer's output folder."""

LATER = "later.jsonl"
"""Items of steps that a resumed training has still to repeat. It is deleted when all are repeated."""

MAX_BYTES = 200 * 2**20
"""The file does not grow further once it is this large."""


class RolloutWriter:
    """Writes some of each step's rollouts as lines of ``items.jsonl``. Thread-safe.

    Only the first process of a distributed training writes. A training that resumes replaces the steps that
    it repeats: their items are kept in ``later.jsonl`` until all are repeated, so a kill loses none. If
    writing fails, or an earlier training has left a damaged file, that is logged, and training continues
    without.

    Args:
        folder: The folder of the file.
        per_step: Rollouts of a step at most. Groups are kept whole if at least one fits.
        scorer: The scorer of the rollouts; it fetches the rows of those that are kept. None if the
            rollouts have their rows.
    """

    def __init__(self, folder: Path, per_step: int, scorer: Scorer | None = None) -> None:
        self._folder, self._scorer = folder, scorer
        self._per_step = per_step if os.environ.get("RANK", "0") == "0" else 0
        self._lock = threading.Lock()
        self._step: int | None = None
        self._of_step = self._index = self._last_later = 0

    def add(self, scores: Sequence[Score], step: int) -> None:
        """Write some of a batch of scores, in which the rollouts of one task follow each other.

        Args:
            scores: The batch, or a part of it; the limit of a step counts over all its parts.
            step: The step that learns from it, from 1.
        """
        # The lock covers the counters and the file: lines of several threads must not mix.
        with self._lock:
            if not self._per_step:
                return
            try:
                if self._step is None:
                    self._index = self._begin(step)
                if step != self._step:
                    self._step, self._of_step = step, 0
                    if self._last_later and step > self._last_later:
                        (self._folder / LATER).unlink(missing_ok=True)
                        self._last_later = 0
                kept = take_groups(scores, self._per_step - self._of_step)
                kept = self._scorer.with_rows(kept) if self._scorer else kept
                self._of_step += len(kept)
                with (self._folder / ITEMS).open("a", encoding="utf-8") as out:
                    for index, score in enumerate(kept, self._index):
                        out.write(json.dumps(make_item(index, score, step=step).to_dict()) + "\n")
                    if out.tell() > MAX_BYTES:
                        self._stop(f"the file has {out.tell()} bytes")
                self._index += len(kept)
            except (OSError, DataError) as error:
                self._stop(str(error))

    def _begin(self, step: int) -> int:
        """Make the folder, set aside its items of this step and later ones, and count the others."""
        self._folder.mkdir(parents=True, exist_ok=True)
        path, aside = self._folder / ITEMS, self._folder / LATER
        kept: list[Item] = list(read_items(path)) if path.exists() else []
        done = max((each.step or 0 for each in kept), default=0)
        if aside.exists():
            kept += [each for each in read_items(aside) if (each.step or 0) > done]
        later = [each for each in kept if (each.step or 0) >= step]
        earlier = [each for each in kept if (each.step or 0) < step]
        if later:  # written first: between the two files, an item may be twice on disk, but never lost
            replace_file(aside, (json.dumps(each.to_dict()) + "\n" for each in later))
            self._last_later = max(each.step or 0 for each in later)
        write_items(self._folder, (replace(each, index=i) for i, each in enumerate(earlier)))
        if not later:
            aside.unlink(missing_ok=True)
        return len(earlier)

    def _stop(self, reason: str) -> None:
        log.warning("no more rollouts are kept in %s: %s", self._folder, reason)
        self._per_step = 0


def take_groups(scores: Sequence[Score], most: int) -> list[Score]:
    """Return the first groups that fit into ``most`` scores, or a part of the first group if none fits."""
    kept: list[Score] = []
    for _, group in groupby(scores, key=lambda score: score.rollout.task.id):
        whole = list(group)
        if len(kept) + len(whole) > most:
            return kept or whole[: max(0, most)]
        kept += whole
    return kept

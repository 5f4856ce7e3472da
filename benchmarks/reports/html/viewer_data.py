"""What the viewer of single items is given: an index of all, and their details part by part.

The index holds what lists, searches and filters need and is read at once; a part of the details is read
when one of its items is looked at. Both are JSON in gzip in base64, so that a page of 10,000 items
stays small and opens at once.
"""

from __future__ import annotations

import gzip
import json
from base64 import b64encode
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from benchmarks.records.item import Item
from benchmarks.reports.error_classes import CLASSES, classify_errors
from benchmarks.reports.html.query_diff import diff_queries, format_sql
from benchmarks.reports.html.result_diff import diff_results
from benchmarks.reports.query_features import FEATURE_GROUPS, extract_features
from benchmarks.reports.recorded_run import RecordedRun

ENTRIES_PER_PART = 50
"""Entries whose details are packed together."""

MAX_TEXT_CHARACTERS = 20_000
"""Characters of one text of a model that are shown at most."""

MAX_SHOWN_CANDIDATES = 64
"""Candidates of one item that are shown at most."""


@dataclass(frozen=True, slots=True)
class Entry:
    """A line of the viewer's list: a task with the answer of each evaluation, or one rollout.

    Attributes:
        task: Any of its items, for what they share.
        items: Run number and item, by run.
    """

    task: Item
    items: dict[int, Item]


def collect_entries(runs: Sequence[RecordedRun]) -> list[Entry]:
    """Evaluations task by task, in the order in which they first occur, and after them each rollout."""
    shared: dict[tuple[Any, ...], Entry] = {}
    rollouts: list[Entry] = []
    for number, run in enumerate(runs):
        if run.training:
            rollouts += [Entry(item, {number: item}) for item in run.items]
            continue
        times: Counter[tuple[str, str, str]] = Counter()
        for item in run.items:
            key = (item.task_id, item.question, item.gold_sql)
            times[key] += 1
            shared.setdefault((*key, times[key]), Entry(item, {})).items[number] = item
    return [*shared.values(), *rollouts]


def make_index(runs: Sequence[RecordedRun], found: Sequence[Entry]) -> dict[str, Any]:
    """What lists, searches and filters need of all entries."""
    return {
        "runs": [{"name": run.name, "training": run.training} for run in runs],
        "groups": FEATURE_GROUPS,
        "classes": CLASSES,
        "part": ENTRIES_PER_PART,
        "schemas": {db: text for run in runs for db, text in run.schemas.items()},
        "entries": [_entry(entry) for entry in found],
    }


def _entry(entry: Entry) -> dict[str, Any]:
    task = entry.task
    return {
        "id": task.task_id,
        "db": task.db_id,
        "difficulty": task.difficulty,
        "question": _cut(task.question),
        "evidence": _cut(task.evidence),
        "gold": _cut(task.gold_sql),
        "features": dict(extract_features(task.gold_sql, task.dialect)),
        "items": {number: _verdict(item) for number, item in entry.items.items()},
    }


def _verdict(item: Item) -> dict[str, Any]:
    found = classify_errors(item)
    return {
        "verdict": "masked" if item.correct is None else "right" if item.correct else "wrong",
        "status": item.status,
        "classes": [found.primary, *(name for name in found.all if name != found.primary)],
        "total": item.total,
        "step": item.step,
        "sql": _cut(item.sql or ""),
        "error": _cut(item.error or item.masked),
    }


def make_details(found: Sequence[Entry]) -> Iterator[list[dict[str, Any]]]:
    """What is shown of single entries, `ENTRIES_PER_PART` of them at a time."""
    for start in range(0, len(found), ENTRIES_PER_PART):
        yield [
            {
                "gold": asdict(entry.task.gold_result) if entry.task.gold_result else None,
                "items": {number: _detail(item) for number, item in entry.items.items()},
            }
            for entry in found[start : start + ENTRIES_PER_PART]
        ]


def _detail(item: Item) -> dict[str, Any]:
    ours, gold = diff_queries(format_sql(_cut(item.sql or "")), format_sql(_cut(item.gold_sql)))
    our_marks, gold_marks = diff_results(item.result, item.gold_result)
    return {
        "completion": _cut(item.completion) if item.completion != item.sql else "",
        "reasoning": _cut(item.reasoning),
        "sql": None if item.sql is None else ours,
        "gold": gold if item.sql is not None else ["".join(gold)],
        "result": asdict(item.result) if item.result else None,
        "marks": our_marks,
        "goldMarks": gold_marks,
        "components": item.components,
        "metrics": item.metrics,
        "candidates": [
            {**asdict(each), "sql": _cut(each.sql or "")} for each in item.candidates[:MAX_SHOWN_CANDIDATES]
        ],
    }


def _cut(text: str) -> str:
    return (
        text
        if len(text) <= MAX_TEXT_CHARACTERS
        else f"{text[:MAX_TEXT_CHARACTERS]} … ({len(text) - MAX_TEXT_CHARACTERS} more characters)"
    )


def pack(content: Any) -> str:
    """Anything in JSON as text that HTML cannot misread: base64 of gzip, without the time of day."""
    text = json.dumps(content, separators=(",", ":"), allow_nan=False)
    return b64encode(gzip.compress(text.encode("ascii"), compresslevel=9, mtime=0)).decode("ascii")

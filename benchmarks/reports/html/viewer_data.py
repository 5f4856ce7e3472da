"""Make the data of the item viewer: an index of all items, and their details in parts.

The index has what lists, searches and filters need; the page reads it at the start. It reads a part of the
details when one of its items is shown. Both are JSON in gzip in base64, so a page of 10,000 items stays
small and opens at once.
"""

import gzip
import json
from base64 import b64encode
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import asdict
from typing import Any, NamedTuple

from benchmarks.records.item import Item
from benchmarks.reports.error_classes import CLASSES, classify_errors
from benchmarks.reports.html.query_diff import diff_queries, format_sql
from benchmarks.reports.html.result_diff import diff_results
from benchmarks.reports.query_features import FEATURE_GROUPS, extract_features
from benchmarks.reports.recorded_run import RecordedRun

ENTRIES_PER_PART = 50
"""Entries whose details are in one part."""

MAX_TEXT_CHARACTERS = 20_000
"""A longer text of a model is cut."""

MAX_SHOWN_CANDIDATES = 64
"""Further candidates of an item are not shown."""


class Entry(NamedTuple):
    """One line of the viewer's list: a task with the answers of all evaluations, or one rollout.

    Attributes:
        task: One of its items, for the fields that they share.
        items: The items by the number of their run.
    """

    task: Item
    items: dict[int, Item]


def collect_entries(runs: Sequence[RecordedRun]) -> list[Entry]:
    """Collect the tasks of evaluations in the order of their first occurrence, then the rollouts."""
    shared: dict[tuple[Any, ...], Entry] = {}
    rollouts: list[Entry] = []
    for number, run in enumerate(runs):
        if run.training:
            rollouts += [Entry(item, {number: item}) for item in run.items]
            continue
        occurrences: Counter[tuple[str, str, str]] = Counter()
        for item in run.items:
            key = (item.task_id, item.question, item.gold_sql)
            occurrences[key] += 1
            shared.setdefault((*key, occurrences[key]), Entry(item, {})).items[number] = item
    return [*shared.values(), *rollouts]


def make_index(runs: Sequence[RecordedRun], found: Sequence[Entry]) -> dict[str, Any]:
    """Return what lists, searches and filters need of all entries."""
    return {
        "runs": [{"name": run.name, "training": run.training} for run in runs],
        "groups": FEATURE_GROUPS,
        "classes": CLASSES,
        "part": ENTRIES_PER_PART,
        "schemas": {db: text for run in runs for db, text in run.schemas.items()},
        "entries": [
            {
                "id": task.task_id,
                "db": task.db_id,
                "difficulty": task.difficulty,
                "question": _cut(task.question),
                "evidence": _cut(task.evidence),
                "gold": _cut(task.gold_sql),
                "features": dict(extract_features(task.gold_sql, task.dialect)),
                "items": {number: _summarise_item(item) for number, item in items.items()},
            }
            for task, items in found
        ],
    }


def _summarise_item(item: Item) -> dict[str, Any]:
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
    """Yield the details of the entries, `ENTRIES_PER_PART` at a time."""
    for start in range(0, len(found), ENTRIES_PER_PART):
        yield [
            {
                "gold": asdict(entry.task.gold_result) if entry.task.gold_result else None,
                "items": {number: _describe_item(item) for number, item in entry.items.items()},
            }
            for entry in found[start : start + ENTRIES_PER_PART]
        ]


def _describe_item(item: Item) -> dict[str, Any]:
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
    """Pack content as JSON in gzip in base64, which is safe in HTML. The gzip header has no time."""
    text = json.dumps(content, separators=(",", ":"), allow_nan=False)
    return b64encode(gzip.compress(text.encode("ascii"), compresslevel=9, mtime=0)).decode("ascii")

"""Compute the overview of a report: figures of whole runs with intervals, and comparisons of runs."""

from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from itertools import combinations
from typing import TypeAlias
from urllib.parse import urlencode

from benchmarks.metrics.accuracy import pass_at_k_by_task
from benchmarks.metrics.efficiency import SCORES
from benchmarks.metrics.hardness import sort_easiest_first
from benchmarks.metrics.intervals import Interval, bootstrap_interval, compute_interval
from benchmarks.metrics.paired import McNemar, bootstrap_difference, mcnemar
from benchmarks.records.item import Item
from benchmarks.reports.error_classes import CLASSES, classify_errors
from benchmarks.reports.query_features import FEATURE_GROUPS, extract_features
from benchmarks.reports.recorded_run import RecordedRun

Measure: TypeAlias = Callable[[Item, str], float | None]
"""Returns the figure of an item for the row with a label; None if the item does not count."""


@dataclass(frozen=True, slots=True)
class Bar:
    """One figure of one run.

    Attributes:
        run: The number of the run.
        value: The figure with its interval.
        link: The link to the items of the figure; can be empty.
    """

    run: int
    value: Interval
    link: str = ""


@dataclass(frozen=True, slots=True)
class Row:
    """One figure for each run that has it; ``note`` explains the label."""

    label: str
    bars: list[Bar]
    note: str = ""


@dataclass(frozen=True, slots=True)
class Block:
    """Rows under a heading.

    Attributes:
        title: The heading.
        rows: The rows.
        low: The value at the left end of a bar.
        high: The value at the right end of a bar.
        share: Whether the figures are shares, which are shown in per cent.
    """

    title: str
    rows: list[Row]
    low: float = 0.0
    high: float = 1.0
    share: bool = True


@dataclass(frozen=True, slots=True)
class RunPair:
    """Two runs on the same tasks.

    Attributes:
        first: The number of the first run.
        second: The number of the second run.
        test: The flips, with their p-value.
        change: Accuracy of the second run minus accuracy of the first.
        gained: The link to the tasks that only the second run has right.
        lost: The link to the tasks that only the first run has right.
    """

    first: int
    second: int
    test: McNemar
    change: Interval
    gained: str
    lost: str


def make_link(**filters: str | int) -> str:
    """Return the link within the page to the items that pass some filters."""
    return "#/items?" + urlencode(filters, errors="replace")


def make_headline(runs: Sequence[RecordedRun]) -> Block:
    """Compute the figures of whole runs that are shares: accuracy, validity and similar metrics."""
    rows = [
        _make_row(runs, "execution accuracy", lambda item, _: item.correct),
        _make_row(runs, "validity", lambda item, _: item.status == "ok"),
    ]
    fewest = min((len(item.candidates) for run in runs for item in run.items if item.candidates), default=0)
    ks = sorted({*(1 << i for i in range(fewest.bit_length())), fewest}) if fewest > 1 else []
    passes = [_make_row(runs, f"pass@{k}", partial(_compute_pass_at_k, k=k)) for k in ks]
    known = {"valid", *(row.label for row in passes)}  # "valid" is the same as validity
    metrics = [row for row in _make_metric_rows(runs) if row.label not in known and _are_shares(row)]
    return Block("All items", [row for row in (*rows, *metrics, *passes) if row.bars])


def make_unbounded(runs: Sequence[RecordedRun]) -> Block:
    """Compute the metrics of whole runs that are not shares, such as R-VES, on their own scale."""
    return _make_scaled_block("Other metrics", [r for r in _make_metric_rows(runs) if not _are_shares(r)])


def group_by_difficulty(runs: Sequence[RecordedRun]) -> Block:
    """Compute execution accuracy by the benchmark's levels of difficulty, easiest first if known."""
    levels = sort_easiest_first(dict.fromkeys(item.difficulty for run in runs for item in run.items))
    rows = [
        _make_row(
            runs,
            level,
            lambda item, level: item.correct if item.difficulty == level else None,
            {"difficulty": level} if level else None,
        )
        for level in levels
    ]
    return Block("By difficulty", [row if row.label else replace(row, label="(none)") for row in rows])


def group_by_feature(runs: Sequence[RecordedRun]) -> list[Block]:
    """Compute execution accuracy by features of the gold query, a block for each of `FEATURE_GROUPS`."""
    blocks = []
    for group, levels in FEATURE_GROUPS.items():
        measure = partial(_judge_feature, group=group)
        rows = [_make_row(runs, level, measure, {group: level}) for level in levels]
        blocks.append(Block(f"By {group} in the gold query", [row for row in rows if row.bars]))
    return blocks


def make_rewards(runs: Sequence[RecordedRun]) -> Block:
    """Compute the mean of each reward before its weight, where it applies, and of the total."""
    names = dict.fromkeys(name for run in runs for item in run.items for name in item.components)
    make_row = partial(_make_row, runs, interval=bootstrap_interval)
    rows = [make_row(name, lambda item, name: item.components.get(name)) for name in names]
    rows.append(make_row("total", lambda item, _: item.total, note="weighted sum"))
    return _make_scaled_block("Rewards", [row for row in rows if row.bars])


def make_statuses(runs: Sequence[RecordedRun]) -> Block:
    """Compute the share of each status, without masked items."""
    statuses = sorted({item.status for run in runs for item in run.items if not item.masked})
    rows = [
        _make_row(
            runs,
            status,
            lambda item, status: item.status == status,
            {"status": status},
        )
        for status in statuses
    ]
    return Block("How queries ended", rows)


def count_error_classes(
    runs: Sequence[RecordedRun],
) -> list[tuple[str, str, list[tuple[int, int, str]]]]:
    """Count each class of errors that occurs: its name, its meaning, and two counts and a link for each run.

    The first count is of items whose primary class it is, the second of items to which it applies.
    """
    found = [[classify_errors(item) for item in run.items] for run in runs]
    primary = [Counter(each.primary for each in classes) for classes in found]
    applies = [Counter(name for each in classes for name in each.all) for classes in found]
    return [
        (
            name,
            meaning,
            [
                (p[name], a[name], make_link(run=number, **{"class": name}))
                for number, (p, a) in enumerate(zip(primary, applies, strict=True))
            ],
        )
        for name, meaning in CLASSES.items()
        if any(a[name] for a in applies)
    ]


def compare_runs(runs: Sequence[RecordedRun]) -> Iterator[RunPair]:
    """Compare each two evaluations that share tasks. Rollouts of training runs are not compared.

    Two tasks are the same if their id, question and gold query are equal.
    """
    verdicts = {
        number: {(item.task_id, item.question, item.gold_sql): item.correct for item in run.items}
        for number, run in enumerate(runs)
        if not run.training
    }
    for first, second in combinations(verdicts, 2):
        shared = [task for task in verdicts[first] if task in verdicts[second]]
        left, right = ([verdicts[run][task] for task in shared] for run in (first, second))
        if (change := bootstrap_difference(left, right)) is not None:
            ways = {way: make_link(flip=f"{way}-{first}-{second}") for way in ("gained", "lost")}
            yield RunPair(first, second, mcnemar(left, right), change, **ways)


def _make_row(
    runs: Sequence[RecordedRun],
    label: str,
    measure: Measure,
    filters: Mapping[str, str] | None = None,
    note: str = "",
    interval: Callable[[Sequence[float | None]], Interval | None] = compute_interval,
) -> Row:
    bars = [
        Bar(number, value, make_link(run=number, **filters) if filters else "")
        for number, run in enumerate(runs)
        if (value := interval([None if item.masked else measure(item, label) for item in run.items]))
        is not None
    ]
    return Row(label, bars, note)


def _make_metric_rows(runs: Sequence[RecordedRun]) -> list[Row]:
    names = dict.fromkeys(name for run in runs for item in run.items for name in item.metrics)
    return [
        _make_row(
            runs,
            name,
            lambda item, name: item.metrics.get(name),
            interval=bootstrap_interval if name in SCORES else compute_interval,
        )
        for name in names
    ]


def _compute_pass_at_k(item: Item, label: str, k: int) -> float | None:
    return pass_at_k_by_task([[each.correct for each in item.candidates]], k)[0]


def _judge_feature(item: Item, level: str, group: str) -> float | None:
    return item.correct if extract_features(item.gold_sql, item.dialect).get(group) == level else None


def _are_shares(row: Row) -> bool:
    return row.label not in SCORES and all(0 <= bar.value.mean <= 1 for bar in row.bars)


def _make_scaled_block(title: str, rows: list[Row]) -> Block:
    """Make a block whose bars reach from the lowest to the highest figure, and include 0."""
    ends = [end for row in rows for bar in row.bars for end in (bar.value.low, bar.value.high)]
    return Block(title, rows, min([0.0, *ends]), max([0.0, *ends]) or 1.0, share=False)

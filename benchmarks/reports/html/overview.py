"""What a report says of whole runs: figures with intervals, part by part."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from urllib.parse import urlencode

from benchmarks.metrics.accuracy import pass_at_k_by_task
from benchmarks.metrics.hardness import sort_easiest_first
from benchmarks.metrics.intervals import Interval, bootstrap_interval
from benchmarks.records.item import Item
from benchmarks.reports.error_classes import CLASSES, classify_errors
from benchmarks.reports.query_features import FEATURE_GROUPS, extract_features
from benchmarks.reports.recorded_run import RecordedRun


@dataclass(frozen=True, slots=True)
class Bar:
    """One figure of one run.

    Attributes:
        run: The run's number.
        value: The figure, with its interval.
        link: The part of the page's address that shows the items behind it; may be empty.
    """

    run: int
    value: Interval
    link: str = ""


@dataclass(frozen=True, slots=True)
class Row:
    """A figure of each run that has it; ``note`` says what it is, where the label does not."""

    label: str
    bars: list[Bar]
    note: str = ""


@dataclass(frozen=True, slots=True)
class Block:
    """Rows under a heading.

    Attributes:
        title: The heading.
        rows: The rows.
        low: What the left end of a bar stands for.
        high: What its right end stands for.
        share: Whether the figures are shares, which are shown in per cent.
    """

    title: str
    rows: list[Row]
    low: float = 0.0
    high: float = 1.0
    share: bool = True


def make_link(**filters: str | int) -> str:
    """The address within the page that shows the items which a filter lets through."""
    return "#/items?" + urlencode(filters, errors="replace")


def make_headline(runs: Sequence[RecordedRun]) -> Block:
    """The figures of whole runs that are shares: accuracy, validity, other metrics of the kind."""
    named: dict[str, Callable[[Item], float | None]] = {
        "execution accuracy": lambda item: item.correct,
        "validity": lambda item: None if item.status == "unavailable" else item.status == "ok",
    }
    sizes = sorted({len(item.candidates) for run in runs for item in run.items if item.candidates})
    for k in _powers(min(sizes, default=0)):
        named[f"pass@{k}"] = partial(_passes, k=k)
    metrics = dict.fromkeys(name for run in runs for item in run.items for name in item.metrics)
    metrics.pop("valid", None)  # validity says it of any run
    named = {name: partial(_metric, name=name) for name in metrics} | named
    first = ("execution accuracy", "validity")
    ordered = [*first, *(name for name in named if name not in first)]
    rows = [Row(name, list(_bars(runs, named[name]))) for name in ordered]
    rows = [row for row in rows if row.bars and all(0 <= bar.value.mean <= 1 for bar in row.bars)]
    return Block("All items", rows)


def make_unbounded(runs: Sequence[RecordedRun]) -> Block:
    """The metrics of whole runs that are no shares, such as R-VES, on a scale of their own."""
    names = dict.fromkeys(name for run in runs for item in run.items for name in item.metrics)
    rows = [Row(name, list(_bars(runs, partial(_metric, name=name)))) for name in names]
    rows = [row for row in rows if any(not 0 <= bar.value.mean <= 1 for bar in row.bars)]
    return _scaled("Other metrics", rows)


def group_by_difficulty(runs: Sequence[RecordedRun]) -> Block:
    """Execution accuracy by the benchmark's own levels, easiest first as far as they are known."""
    ordered = sort_easiest_first(dict.fromkeys(item.difficulty for run in runs for item in run.items))
    rows = [
        Row(
            level or "(none)",
            list(_bars(runs, partial(_at, level=level), {"difficulty": level} if level else None)),
        )
        for level in ordered
    ]
    return Block("By difficulty", rows)


def group_by_feature(runs: Sequence[RecordedRun]) -> list[Block]:
    """Execution accuracy by what the gold query is built of, a block for each of `FEATURE_GROUPS`."""
    return [
        Block(
            f"By {group} in the gold query",
            [
                row
                for level in levels
                if (row := Row(level, list(_bars(runs, _having(group, level), {group: level})))).bars
            ],
        )
        for group, levels in FEATURE_GROUPS.items()
    ]


def make_rewards(runs: Sequence[RecordedRun]) -> Block:
    """The mean of each reward before its weight, over the items to which it applies, and of the total."""
    names = dict.fromkeys(name for run in runs for item in run.items for name in item.components)
    rows = [Row(name, list(_bars(runs, partial(_component, name=name)))) for name in names]
    rows.append(Row("total", list(_bars(runs, lambda item: item.total)), "weighted sum"))
    return _scaled("Rewards", [row for row in rows if row.bars])


def count_error_classes(runs: Sequence[RecordedRun]) -> list[tuple[str, str, list[tuple[int, int, str]]]]:
    """Each class of errors that occurs: its name, its meaning, and for each run two counts and a link.

    The counts are of the items of which it is the primary class, and of those to which it applies.
    """
    primary: list[Counter[str]] = []
    applies: list[Counter[str]] = []
    for run in runs:
        found = [classify_errors(item) for item in run.items]
        primary.append(Counter(each.primary for each in found if each.primary))
        applies.append(Counter(name for each in found for name in each.all))
    return [
        (
            name,
            meaning,
            [
                (p[name], a[name], make_link(run=i, **{"class": name}))
                for i, (p, a) in enumerate(zip(primary, applies, strict=True))
            ],
        )
        for name, meaning in CLASSES.items()
        if any(a[name] for a in applies)
    ]


def make_statuses(runs: Sequence[RecordedRun]) -> Block:
    """The share of items whose query ended in each way; masked ones count nowhere."""
    names = sorted({item.status for run in runs for item in run.items if not item.masked})
    rows = [Row(name, list(_bars(runs, partial(_ended, status=name), {"status": name}))) for name in names]
    return Block("How queries ended", rows)


def _scaled(title: str, rows: list[Row]) -> Block:
    """A block whose bars reach from the least figure to the greatest, and hold 0."""
    ends = [end for row in rows for bar in row.bars for end in (bar.value.low, bar.value.high)]
    return Block(title, rows, min([0.0, *ends]), max([0.0, *ends]) or 1.0, share=False)


def _powers(most: int) -> list[int]:
    """1, 2, 4, ... and ``most`` itself, where there are several candidates."""
    return sorted({*(1 << i for i in range(most.bit_length())), most}) if most > 1 else []


def _bars(
    runs: Sequence[RecordedRun],
    value: Callable[[Item], float | None],
    filters: Mapping[str, str] | None = None,
) -> Iterable[Bar]:
    for number, run in enumerate(runs):
        if (found := bootstrap_interval([value(item) for item in run.items])) is not None:
            yield Bar(number, found, make_link(run=number, **filters) if filters else "")


def _metric(item: Item, name: str) -> float | None:
    return item.metrics.get(name)


def _component(item: Item, name: str) -> float | None:
    return item.components.get(name)


def _passes(item: Item, k: int) -> float | None:
    return pass_at_k_by_task([[each.correct for each in item.candidates]], k)[0]


def _at(item: Item, level: str) -> float | None:
    return item.correct if item.difficulty == level else None


def _having(group: str, level: str) -> Callable[[Item], float | None]:
    def value(item: Item) -> float | None:
        return item.correct if extract_features(item.gold_sql, item.dialect).get(group) == level else None

    return value


def _ended(item: Item, status: str) -> float | None:
    return None if item.masked else item.status == status

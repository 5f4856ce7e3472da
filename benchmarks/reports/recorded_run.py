"""Read the items and the configuration of a recorded run."""

from collections.abc import Sequence
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

from benchmarks.records.item import Item, find_items, read_items
from benchmarks.records.json_lines import read_object
from benchmarks.records.run import CONFIG, SCHEMAS, SUMMARY
from sql_env.errors import DataError

_NESTED = ("components", "metrics", "result", "gold_result", "candidates")
_COLUMNS = tuple(field.name for field in fields(Item) if field.name not in _NESTED)


@dataclass(frozen=True, slots=True)
class RecordedRun:
    """One evaluation, or the rollouts of one training run.

    Attributes:
        name: A name that is unique in the report.
        items: Its judged answers, in order.
        about: Its configuration and summary, by name.
        schemas: The DDL of each database, by its short name; empty if the folder has none.
    """

    name: str
    items: list[Item]
    about: dict[str, Any]
    schemas: dict[str, str]

    @property
    def training(self) -> bool:
        """True if its items belong to steps of a training run."""
        return any(item.step is not None for item in self.items)

    def to_pandas(self) -> Any:
        """Return a data frame of pandas with one row for each item.

        It has the fields of `benchmarks.records.item.Item`, except the results and the candidates. Each
        reward is a column ``reward.<name>``, and each metric a column ``metric.<name>``. What does not
        apply is missing (``NA``).

        Raises:
            DataError: pandas is not installed.
        """
        try:
            import pandas as pd
        except ImportError:
            raise DataError("a data frame needs pandas: pip install pandas") from None
        rows = []
        for item in self.items:
            row = {name: getattr(item, name) for name in _COLUMNS}
            row |= {f"reward.{name}": value for name, value in item.components.items()}
            row |= {f"metric.{name}": value for name, value in item.metrics.items()}
            rows.append(row)
        names = dict.fromkeys([*_COLUMNS, *(name for row in rows for name in row)])
        kinds = {"correct": "boolean", "step": "Int64", "index": "Int64", "total": "Float64"}
        kinds |= {name: "Float64" for name in names if name.startswith(("reward.", "metric."))}
        return pd.DataFrame(rows, columns=list(names)).astype(kinds)


def read_run(place: str | Path) -> RecordedRun:
    """Read one run; see `read_runs`."""
    return read_runs([place])[0]


def read_runs(places: Sequence[str | Path]) -> list[RecordedRun]:
    """Read runs from their folders. In a trainer's output folder, read ``rollouts``.

    Raises:
        DataError: There are no items, or a file is malformed.
    """
    return [_read_run(Path(place), name) for place, name in zip(places, shorten_paths(places), strict=True)]


def shorten_paths(places: Sequence[str | Path]) -> list[str]:
    """Shorten paths to ends that are still different; number a path that is given twice.

    Example:
        >>> shorten_paths(["runs/a/dev", "runs/b/dev", "old/c", "old/c"])
        ['a/dev', 'b/dev', 'c', 'c (2)']
    """
    paths = [Path(place).resolve() for place in places]
    found: list[str] = []
    for number, path in enumerate(paths):
        others = set(paths) - {path}
        ends = ("/".join(path.parts[-n:]) for n in range(1, len(path.parts) + 1))
        clear = (e for e in ends if not any(str(o).endswith("/" + e) for o in others))
        count = paths[: number + 1].count(path)
        found.append(next(clear, str(path)) + (f" ({count})" if count > 1 else ""))
    return found


def _read_run(place: Path, name: str) -> RecordedRun:
    folder = find_items(place)
    items = list(read_items(folder))
    if not items:
        raise DataError(f"{str(folder)!r} has no items: the run has not begun, or its items were not kept")
    home = folder if folder.is_dir() else folder.parent
    config, summary, schemas = (read_object(home / name) or {} for name in (CONFIG, SUMMARY, SCHEMAS))
    texts = {database: text for database, text in schemas.items() if isinstance(text, str)}
    return RecordedRun(name, items, config | summary, texts)

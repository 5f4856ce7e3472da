"""Options, error handling and output files that all measurement commands share."""

from __future__ import annotations

import json
import logging
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from random import Random
from typing import Annotated, Any

import typer
from rich.console import Console

from sql_env.errors import DataError, SQLEnvError

DATA = "SQL_ENV_TEST_DATA"
"""The environment variable with the folder of real data. The tests use the same one."""

Repeats = Annotated[int, typer.Option(min=1, help="Number of repeats of each measurement.")]
Seed = Annotated[int, typer.Option(help="Random seed of tasks, databases and completions.")]
DataDir = Annotated[Path | None, typer.Option(help="Folder of real data. The default is $SQL_ENV_TEST_DATA.")]
JsonFile = Annotated[Path | None, typer.Option("--json", help="File for all figures.")]


@dataclass(frozen=True, slots=True)
class Settings:
    """The settings of a run.

    Attributes:
        repeats: Number of times that each contender runs.
        seed: Random seed of completions, generated databases and the order of contenders.
        data_dir: Folder of real data, with ``spider/`` and ``predictions/``. None stands for the folder in
            ``SQL_ENV_TEST_DATA``, or ``shared/data`` beside the checkout.
        scale: Share of a workload's full size.
    """

    repeats: int = 5
    seed: int = 0
    data_dir: Path | None = None
    scale: float = 1.0

    def scaled(self, count: int, least: int = 1) -> int:
        """Return the scaled size of a workload with ``count`` parts."""
        return min(count, max(least, round(count * self.scale)))

    def random(self, purpose: str) -> Random:
        """Return a random generator that depends on the seed and the purpose only."""
        return Random(f"{self.seed}/{purpose}")

    def data(self, *parts: str) -> Path:
        """Return the path of a file or folder of the real data.

        Raises:
            DataError: It does not exist.
        """
        default = os.environ.get(DATA) or Path(__file__).parents[3] / "shared" / "data"
        folder = self.data_dir or Path(default)
        if not folder.joinpath(*parts).exists():
            raise DataError(f"no {'/'.join(parts)} in {str(folder)!r}: set --data-dir or {DATA}")
        return folder.joinpath(*parts)


@contextmanager
def exit_on_error(*packages: str) -> Iterator[None]:
    """Print an `sql_env.errors.SQLEnvError` as one line and exit with code 2.

    A missing package is such an error. The list of tasks that Spider leaves out is not logged.
    """
    logging.getLogger("sql_env.benchmark").setLevel(logging.ERROR)
    try:
        for package in packages:
            if find_spec(package) is None:
                raise DataError(f"{package} is missing: pip install 'sql-env[bench]'")
        yield
    except SQLEnvError as error:
        Console(stderr=True).print(f"error: {error}", markup=False, highlight=False, soft_wrap=True)
        raise typer.Exit(2) from None


def write_json(path: Path | None, figures: dict[str, Any]) -> None:
    """Write figures to a file, and make its folder. Do nothing if the path is None.

    Infinite numbers become null.

    Raises:
        DataError: The file cannot be written.
    """
    if path is not None:
        finite = json.loads(json.dumps(figures), parse_constant=lambda infinity: None)
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(json.dumps(finite, indent=1) + "\n", encoding="utf-8")
        except OSError as error:
            raise DataError(f"cannot write {str(path)!r}: {error}") from None

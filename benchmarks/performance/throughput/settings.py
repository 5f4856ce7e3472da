"""What is chosen on the command line."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from random import Random

from sql_env.errors import DataError

DATA = "SQL_ENV_TEST_DATA"
"""The environment variable that names the folder of real data, as it does for the tests."""


def data_folder() -> Path:
    """Where real data is looked for unless ``--data-dir`` says it."""
    return Path(os.environ.get(DATA) or Path(__file__).parents[4] / "shared" / "data")


@dataclass(frozen=True, slots=True)
class Settings:
    """How a run is made.

    Attributes:
        repeats: How often each contender runs.
        seed: What completions, generated databases and the order of contenders are drawn with.
        data_dir: The folder of real data: ``spider/`` and ``predictions/`` below it.
        scale: The share of a workload's full size.
    """

    repeats: int = 5
    seed: int = 0
    data_dir: Path = Path()
    scale: float = 1.0

    def scaled(self, count: int, least: int = 1) -> int:
        """So many of a workload's ``count`` parts."""
        return min(count, max(least, round(count * self.scale)))

    def draw(self, what: str) -> Random:
        """A generator of its own for each thing that is drawn."""
        return Random(f"{self.seed}/{what}")

    def data(self, *parts: str) -> Path:
        """A file or folder of the real data.

        Raises:
            DataError: It is not there.
        """
        path = self.data_dir.joinpath(*parts)
        if not path.exists():
            raise DataError(f"no {'/'.join(parts)} at {str(self.data_dir)!r}: set --data-dir or {DATA}")
        return path

"""The folder of a training run: a second run never mixes its files with those of another."""

from __future__ import annotations

import fcntl
import json
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmarks.records.item import ITEMS
from benchmarks.records.json_lines import read_object, write_json
from benchmarks.records.run import list_differences
from sql_env.errors import DataError
from trainers.logs.rollouts import FOLDER

RECORD = "training.json"
"""The file with the settings of the run."""

METRICS = "metrics.jsonl"
"""The file with all metrics of a TRL trainer, a JSON line for each report."""

RESULTS = (METRICS, "config.json", "adapter_config.json", "model.safetensors", "held_out.json")
"""Files of a finished training, or of a model, which a training would overwrite."""


@dataclass(frozen=True, slots=True)
class TrainerFolder:
    """The output folder of a trainer, before the training.

    Attributes:
        path: The folder.
        option: The option that names it, for messages.
        resume: The option that resumes the run, for messages.
        checkpoints: The beginning of the name of a checkpoint; its step follows.
        marker: A file or folder in each checkpoint that is complete.
    """

    path: Path
    option: str
    resume: str
    checkpoints: str
    marker: str

    @contextmanager
    def claim(
        self, settings: Mapping[str, Any], checkpoint: Path | None, *, automatic: bool = False
    ) -> Iterator[None]:
        """Check that the training may write into the folder, record its settings, and lock the folder.

        Only the first process of a distributed training does so.

        Args:
            settings: Everything that determines the training, in JSON. Settings that are in one of both
                records only are not compared, because another release of a trainer may have added them.
            checkpoint: The checkpoint that the training resumes from; None for a new training.
            automatic: The trainer itself resumes from the newest checkpoint of the folder.

        Raises:
            DataError: The folder has an earlier run which this training does not resume, another process
                uses it, or it cannot be written.
        """
        if os.environ.get("RANK", "0") != "0":
            yield
            return
        try:
            self.path.mkdir(parents=True, exist_ok=True)
            lock = os.open(self.path, os.O_RDONLY)
        except OSError as error:
            raise DataError(f"cannot write a training into {str(self.path)!r}: {error}") from None
        try:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                raise DataError(f"{str(self.path)!r} is in use by another process") from None
            given = json.loads(json.dumps(settings, default=str))
            resumed = self._check(given, checkpoint, automatic)
            if not resumed or not (self.path / RECORD).exists():
                write_json(self.path / RECORD, given)
            yield
        finally:
            os.close(lock)

    def find_newest(self) -> Path | None:
        """Return the checkpoint with the largest step; None without any."""
        return max(self._list_checkpoints(), key=self.get_step, default=None)

    def get_step(self, checkpoint: Path) -> int:
        """Return the step of a checkpoint, from its name; 0 if the name has none."""
        step = checkpoint.name.removeprefix(self.checkpoints)
        return int(step) if step.isdecimal() else 0

    def _check(self, given: Mapping[str, Any], checkpoint: Path | None, automatic: bool) -> bool:
        """Return True if the training resumes the run of this folder. Refuse to mix two runs."""
        found, recorded = self._list_results(), read_object(self.path / RECORD)
        place = f"{str(self.path)!r} has an earlier run ({', '.join(found)})"
        if not found:
            return False
        differences = _describe_differences(recorded, given)
        own = checkpoint is not None and checkpoint.resolve().parent == self.path.resolve()
        if own and checkpoint is not None:
            if differences:
                raise DataError(
                    f"{place} with other settings: {differences}. To resume it, give its settings; to train "
                    f"with these from its checkpoint, give another {self.option}"
                )
            later = [p.name for p in self._list_checkpoints() if self.get_step(p) > self.get_step(checkpoint)]
            if later:
                raise DataError(
                    f"{place}, and {later[0]} is later than {checkpoint.name}: give another {self.option}, "
                    "or remove the later checkpoints"
                )
            return True
        same = recorded is not None and not differences
        if same and (automatic or set(found) <= {METRICS, FOLDER}):  # nothing but steps to repeat
            return True
        resumable = self.find_newest() is not None
        if same:
            resume = f", or resume: {self.resume}" if resumable else "; there is no checkpoint to resume"
            raise DataError(f"{place} with the same settings: give another {self.option}{resume}")
        reason = differences or f"it has no {RECORD} to compare with"
        resume = f", or resume that run with its settings: {self.resume}" if resumable else ""
        raise DataError(f"{place}, and this is another run: {reason}. Give another {self.option}{resume}")

    def _list_checkpoints(self) -> list[Path]:
        found = [path for path in self.path.glob(f"{self.checkpoints}*") if (path / self.marker).exists()]
        return [path for path in found if path.name.removeprefix(self.checkpoints).isdecimal()]

    def _list_results(self) -> list[str]:
        """Return the names of the results in the folder: checkpoints, a model, rollouts."""
        newest, rollouts = self.find_newest(), self.path / FOLDER / ITEMS
        found = [newest.name] if newest is not None else []
        found += [name for name in RESULTS if (self.path / name).exists()]
        return found + [FOLDER] * (rollouts.exists() and rollouts.stat().st_size > 0)


def _describe_differences(recorded: Mapping[str, Any] | None, given: Mapping[str, Any]) -> str:
    """Return the settings that both records have and that differ; empty if there are none."""
    return "; ".join(list_differences(*_keep_shared(recorded or {}, given)))


def _keep_shared(left: Mapping[str, Any], right: Mapping[str, Any]) -> tuple[dict[str, Any], dict[str, Any]]:
    """Return two JSON objects without the keys that only one of them has, at any depth below objects."""
    pairs = {
        name: _keep_shared(left[name], right[name])
        if isinstance(left[name], Mapping) and isinstance(right[name], Mapping)
        else (left[name], right[name])
        for name in left
        if name in right
    }
    return {name: pair[0] for name, pair in pairs.items()}, {name: pair[1] for name, pair in pairs.items()}


def resolve_path(name: str | None) -> str | None:
    """Return the absolute path of a folder or file that exists, else the name itself."""
    return str(Path(name).resolve()) if name and Path(name).exists() else name

"""Findings: possible faults of a benchmark or of a run."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from pathlib import Path

from sql_env.errors import DataError


@dataclass(frozen=True, slots=True)
class Finding:
    """A fault, or a possible one, that a check has found.

    Attributes:
        code: The kind of fault, such as ``tie-at-limit``.
        evidence: The figures or results that show it.
        advice: What to do about it.
        task_id: The task with the fault; empty where the fault is in the whole benchmark or run.
    """

    code: str
    evidence: str
    advice: str
    task_id: str = ""


def write_findings(path: Path, findings: Iterable[Finding]) -> None:
    """Write a JSON line for each finding.

    Raises:
        DataError: The file cannot be written.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with path.open("w", encoding="utf-8") as out:
            out.writelines(json.dumps(asdict(finding)) + "\n" for finding in findings)
    except OSError as error:
        raise DataError(f"cannot write the findings into {str(path)!r}: {error}") from None

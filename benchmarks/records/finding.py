"""Something that is wrong, or may be, with what shows it and what to do about it."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from pathlib import Path

from sql_env.errors import DataError


@dataclass(frozen=True, slots=True)
class Finding:
    """What a check of a benchmark, or of a run, has found.

    Attributes:
        code: What kind of thing it is, such as ``tie-at-limit``.
        evidence: The figures or results that show it.
        advice: What to do about it.
        task_id: The task that it is about; empty where it is about the whole.
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

"""Rules over answers: do they follow the format, do they run, do they count."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable

from benchmarks.diagnostics.doctor.run import FEW, Run
from benchmarks.records.finding import Finding

MALFORMED = 0.10
"""The share of malformed answers beyond which they are a finding."""

FAILING = 0.20
"""The same of well-formed answers whose SQL fails."""

LIMITED = 0.05
"""The same of answers that a limit stopped, or that tried to do something else than read."""

MASKED = 0.05
"""The same of answers that are masked."""

_SHOWN = 100


def format_rate(run: Run) -> Finding | None:
    """Many answers do not follow the response format."""
    malformed = [item for item in run.late if item.status == "malformed"]
    if len(run.late) < FEW or len(malformed) <= MALFORMED * len(run.late):
        return None
    empty = sum(not item.completion.strip() for item in malformed)
    return Finding(
        "format",
        f"{_share(len(malformed), len(run.late))} are malformed, {empty} of them blank; for example "
        f"{_short(malformed[-1].completion)}",
        "Check that the prompt names the format that the rubric wants, and that completions are not cut off "
        "(max_completion_length); a supervised cold start teaches a format sooner than a reward.",
    )


def execution_rate(run: Run) -> Finding | None:
    """Much of the SQL does not run."""
    ran = [item for item in run.late if item.status != "malformed"]
    failing = [item for item in ran if item.status == "error"]
    if len(ran) < FEW or len(failing) <= FAILING * len(ran):
        return None
    return Finding(
        "execution",
        f"{_share(len(failing), len(ran))} with SQL fail; most often: {_most(i.error for i in failing)}",
        "Where names are unknown, check that the prompt shows the schema in whole; where it is the syntax, "
        "that it names the dialect. Warm the model up on SQL that runs.",
    )


def limits(run: Run) -> Finding | None:
    """Limits stop many answers, or they try to write."""
    stopped = [item.status for item in run.late if item.status in ("timeout", "too_large", "denied")]
    if len(run.late) < FEW or len(stopped) <= LIMITED * len(run.late):
        return None
    kinds = ", ".join(f"{kind} {count}" for kind, count in Counter(stopped).most_common())
    return Finding(
        "limits",
        f"{_share(len(stopped), len(run.late))} are stopped: {kinds}",
        "See whether the gold queries come near the limits ('sql-env check', code 'slow') and raise them; "
        "else the model has learnt joins without a condition, or to write.",
    )


def masked(run: Run) -> Finding | None:
    """Many answers count nowhere."""
    reasons = [item.masked for item in run.items if item.masked]
    if len(run.items) < FEW or len(reasons) <= MASKED * len(run.items):
        return None
    return Finding(
        "masked",
        f"{_share(len(reasons), len(run.items))} are masked; most often: {_most(reasons)}",
        "Leave out the tasks whose gold fails ('sql-env check', code 'fails'), and mend databases that are "
        "missing or written to.",
    )


def _share(part: int, whole: int) -> str:
    return f"{part} of {whole} answers ({part / whole:.0%})"


def _most(texts: Iterable[str]) -> str:
    [(text, count)] = Counter(_short(text) for text in texts).most_common(1)
    return f"{text} ({count})"


def _short(text: str) -> str:
    line = " ".join(text.split())
    return repr(line if len(line) <= _SHOWN else f"{line[:_SHOWN]}...")

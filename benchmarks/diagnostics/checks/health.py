"""The health of a benchmark: what all checks find in all of its tasks."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import groupby

from benchmarks.diagnostics.checks.gold_case import Check, Trial
from benchmarks.diagnostics.checks.rewrites.copies import LARGEST
from benchmarks.diagnostics.checks.runner import by_database, trials
from benchmarks.records.finding import Finding
from sql_env import plugins
from sql_env.errors import PluginError
from sql_env.execution.backends import map_distributed, resolve_backend
from sql_env.limits import Limits
from sql_env.types import Task

GROUP = "sql_env.checks"
"""The group of entry points under which checks are installed."""

JOB = 128
"""Tasks of a job for a cluster, at least."""

UNDECIDED = "undecided"
"""The code of what cannot be tried; its evidence says why."""


@dataclass(frozen=True, slots=True)
class Health:
    """What the checks of some tasks have found.

    Attributes:
        tasks: How many tasks there are.
        right: How many gold queries are right as their own predictions.
        findings: What was found, in the tasks' order.
    """

    tasks: int
    right: int
    findings: tuple[Finding, ...]

    @property
    def counts(self) -> dict[str, int]:
        """How many tasks each code concerns, the most frequent first."""
        return dict(Counter(finding.code for finding in self.findings).most_common())


def checks() -> dict[str, Check]:
    """The installed checks by name.

    Raises:
        PluginError: One cannot be loaded.
    """
    return {name: plugins.load(GROUP, name) for name in plugins.list_names(GROUP)}


def health(
    tasks: Sequence[Task],
    *,
    limits: Limits | None = None,
    workers: int = 1,
    backend: str = "local",
    comparison: str | None = None,
    largest: int = LARGEST,
    progress: Callable[[int], None] | None = None,
) -> Health:
    """Check the gold queries of some tasks; see `benchmarks.diagnostics.checks.runner.trials` for the
    other arguments.

    ``backend`` says where tasks are checked; see `sql_env.execution.backends`. On a cluster the node that
    checks a task does all of it: it copies the database, makes the variants and runs them.

    Raises:
        PluginError: A check cannot be loaded, or breaks; or there is no such backend.

    Example:
        >>> from benchmarks.demo import demo
        >>> health(demo(split="test").tasks[7:27])
        Health(tasks=20, right=20, findings=())
    """
    examine = partial(_examined, limits=limits, comparison=comparison, largest=largest)
    if resolve_backend(backend) == "local":
        right, found = examine(tasks, workers=workers, progress=progress)
    else:
        right, found = 0, {}
        jobs = _jobs(tasks)
        for job, (some_right, some_found) in zip(
            jobs, map_distributed(examine, jobs, backend, workers), strict=True
        ):
            right += some_right
            found |= some_found
            if progress is not None:
                progress(len(job))
    ordered = (finding for task in tasks for finding in found.get(task.id, ()))
    return Health(len(tasks), right, tuple(ordered))


def _examined(
    tasks: Sequence[Task],
    *,
    limits: Limits | None,
    comparison: str | None,
    largest: int,
    workers: int = 1,
    progress: Callable[[int], None] | None = None,
) -> tuple[int, dict[str, list[Finding]]]:
    """How many gold queries are right, and by its id what is found in each task that is not sound."""
    known = checks()
    found: dict[str, list[Finding]] = {}
    right = 0
    for trial in trials(
        tasks, limits=limits, workers=workers, comparison=comparison, largest=largest, progress=progress
    ):
        right += trial.rollout.correct is True
        if findings := _findings(trial, known):
            found[trial.task.id] = findings
    return right, found


def _jobs(tasks: Sequence[Task]) -> list[list[Task]]:
    """The tasks, cut where the database changes: a database is copied once, and a job is worth its start."""
    jobs: list[list[Task]] = [[]]
    for _, group in groupby(sorted(tasks, key=by_database), key=by_database):
        if len(jobs[-1]) >= JOB:
            jobs.append([])
        jobs[-1].extend(group)
    return jobs


def _findings(trial: Trial, known: Mapping[str, Check]) -> list[Finding]:
    found = []
    for name, check in known.items():
        try:
            finding = check(trial)
        except Exception as error:  # a plug-in may do anything
            raise PluginError(
                f"check {name!r} raised {type(error).__name__} on task {trial.task.id!r}: {error}"
            ) from error
        if finding is not None:
            found.append(finding)
    if trial.undecided:
        advice = (
            "What hangs on ties, NULLs or the order of rows is not known of this task: look at it yourself."
        )
        found.append(trial.finding(UNDECIDED, trial.undecided, advice))
    return found

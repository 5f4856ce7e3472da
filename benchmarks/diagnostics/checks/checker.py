"""Run all installed checks on the tasks of a benchmark."""

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import groupby

from benchmarks.diagnostics.checks.gold_case import Check, GoldCase
from benchmarks.diagnostics.checks.rewrites.copies import MAX_COPIED_BYTES
from benchmarks.diagnostics.checks.runner import get_database_key, run_gold_cases
from benchmarks.records.finding import Finding
from sql_env import plugins
from sql_env.errors import PluginError
from sql_env.execution.backends import map_distributed, resolve_backend
from sql_env.limits import Limits
from sql_env.types import Task

ENTRY_POINT_GROUP = "sql_env.checks"
"""The group of entry points under which checks are installed."""

MIN_TASKS_PER_JOB = 128
"""Tasks in one job of a cluster, at least."""

UNDECIDED = "undecided"
"""The code for tasks whose variants cannot all be made or run; the evidence gives the reason."""


@dataclass(frozen=True, slots=True)
class CheckSummary:
    """The findings of all checks on some tasks.

    Attributes:
        tasks: The number of tasks.
        right: The number of gold queries that are right as their own predictions.
        findings: The findings, in the order of the tasks.
    """

    tasks: int
    right: int
    findings: tuple[Finding, ...]

    @property
    def counts(self) -> dict[str, int]:
        """The number of tasks with each code, most frequent first."""
        return dict(Counter(finding.code for finding in self.findings).most_common())


def load_checks() -> dict[str, Check]:
    """Load the installed checks by name.

    Raises:
        PluginError: A check cannot be loaded.
    """
    return {name: plugins.load(ENTRY_POINT_GROUP, name) for name in plugins.list_names(ENTRY_POINT_GROUP)}


def check_tasks(
    tasks: Sequence[Task],
    *,
    limits: Limits | None = None,
    workers: int = 1,
    backend: str = "local",
    comparison: str | None = None,
    largest: int = MAX_COPIED_BYTES,
    progress: Callable[[int], None] | None = None,
) -> CheckSummary:
    """Check the gold queries of some tasks.

    See `benchmarks.diagnostics.checks.runner.run_gold_cases` for the other arguments. ``backend`` is where
    tasks are checked; see `sql_env.execution.backends`. On a cluster, one node does all the work for a task:
    it copies the database, makes the variants and runs them.

    Raises:
        PluginError: A check cannot be loaded or raises an exception, or the backend does not exist.

    Example:
        >>> from benchmarks.demo import demo
        >>> check_tasks(demo(split="test").tasks[7:27])
        CheckSummary(tasks=20, right=20, findings=())
    """
    examine = partial(_check_job, limits=limits, comparison=comparison, largest=largest)
    if resolve_backend(backend) == "local":
        found = examine(tasks, workers=workers, progress=progress)
    else:
        found = {}
        jobs = _split_into_jobs(tasks)
        for job, part in zip(jobs, map_distributed(examine, jobs, backend, workers), strict=True):
            found |= part
            if progress is not None:
                progress(len(job))
    results = [found[task.id] for task in tasks]
    findings = tuple(finding for _, found_here in results for finding in found_here)
    return CheckSummary(len(tasks), sum(right for right, _ in results), findings)


def _check_job(
    tasks: Sequence[Task],
    *,
    limits: Limits | None,
    comparison: str | None,
    largest: int,
    workers: int = 1,
    progress: Callable[[int], None] | None = None,
) -> dict[str, tuple[bool, list[Finding]]]:
    """Return, by task id, whether the gold query is right as its own prediction, and the findings."""
    checks = load_checks()
    cases = run_gold_cases(
        tasks, limits=limits, workers=workers, comparison=comparison, largest=largest, progress=progress
    )
    return {case.task.id: (case.rollout.correct is True, _check_case(case, checks)) for case in cases}


def _split_into_jobs(tasks: Sequence[Task]) -> list[list[Task]]:
    """Split the tasks where the database changes, so that one node copies each database."""
    jobs: list[list[Task]] = [[]]
    for _, group in groupby(sorted(tasks, key=get_database_key), key=get_database_key):
        if len(jobs[-1]) >= MIN_TASKS_PER_JOB:
            jobs.append([])
        jobs[-1].extend(group)
    return jobs


def _check_case(case: GoldCase, checks: Mapping[str, Check]) -> list[Finding]:
    found = []
    for name, check in checks.items():
        try:
            found.append(check(case))
        except Exception as error:  # a plug-in can raise anything
            raise PluginError(
                f"check {name!r} raised {type(error).__name__} on task {case.task.id!r}: {error}"
            ) from error
    if case.undecided:
        advice = "Look at this task yourself: some checks of ties, NULLs and the order of rows did not run."
        found.append(case.make_finding(UNDECIDED, case.undecided, advice))
    return [finding for finding in found if finding is not None]

"""One evaluation from its answers to its summary, in a run's folder or without one."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from functools import partial
from pathlib import Path
from typing import Any, TypeAlias

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from benchmarks.evaluation.answers import answers, complete
from benchmarks.evaluation.config import Asking, Evaluation
from benchmarks.evaluation.scoring import SQL, Answer, at_a_time, judge
from benchmarks.evaluation.summary import summary
from benchmarks.generation.generator import Generator
from benchmarks.loading.predictions import digest, indices, read_predictions
from benchmarks.records.environment import environment
from benchmarks.records.item import Item
from benchmarks.records.run import Run
from sql_env.display.profile import draw_profile
from sql_env.errors import DatabaseError, DataError
from sql_env.execution.backends import Backend
from sql_env.prompts.ddl import schema_to_ddl
from sql_env.prompts.prompt import Prompt, PromptBudget, build_prompt
from sql_env.scoring.rubric import Rubric, load_rubric
from sql_env.scoring.scorer import Scorer
from sql_env.types import Benchmark, Task

Advance: TypeAlias = Callable[[str, int], None]
"""Told of a stage by name, and how many more tasks are through it."""


def evaluate_file(evaluation: Evaluation, predictions: Path, out: Path | None = None) -> dict[str, Any]:
    """Measure a file of predictions.

    Args:
        evaluation: What is measured.
        predictions: The file; see `benchmarks.loading.predictions.read_predictions`.
        out: The run's folder; nothing is written where None.

    Returns:
        What `benchmarks.evaluation.summary.summary` says.

    Raises:
        DataError: The file cannot be read, or the folder holds another run or cannot be written.
        ComparisonError: No comparison has the name that was given.
    """
    benchmark = evaluation.benchmark
    sql = read_predictions(predictions, benchmark)
    config = {**evaluation.config(), "source": digest(predictions)}
    given = list(map(Answer, indices(benchmark), benchmark.tasks, sql))
    with _scorer(evaluation, load_rubric(SQL)) as scorer, _bars(len(given)) as advance:
        if out is None:
            items = list(_judged(evaluation, scorer, given, advance))
            return summary(benchmark, items, config)
        with Run(out, config, environment()) as run:
            for answer in given[len(run.predictions.rows) :]:
                row = {"task_id": answer.task.id, "decoding": "file", "completions": [answer.greedy]}
                run.predictions.append(row)
            return _finish(run, evaluation, scorer, given, config, advance)


def evaluate_model(
    evaluation: Evaluation, asking: Asking, generator: Generator, name: str, out: Path
) -> dict[str, Any]:
    """Measure a model. A run that was stopped is gone on with.

    Args:
        evaluation: What is measured.
        asking: How the model is asked.
        generator: What answers; it is closed afterwards.
        name: The generator's name, for the record.
        out: The run's folder.

    Returns:
        What `benchmarks.evaluation.summary.summary` says.

    Raises:
        GenerationError: Some tasks have no answer; those that have keep it for the next try.
        DataError: The folder holds another run, or cannot be written.
    """
    benchmark, spec = evaluation.benchmark, asking.rubric()
    passes = asking.decoding.passes()
    source = {"generator": name, **generator.settings}
    config = {**evaluation.config(), "source": source, **asking.config(generator)}
    with (
        closing(generator),
        _scorer(evaluation, spec) as scorer,
        Run(out, config, {**environment(), **generator.environment}) as run,
        _bars(len(benchmark.tasks)) as advance,
    ):
        prompts = partial(_prompts, asking, generator, scorer, benchmark.tasks, advance)
        complete(generator, benchmark.tasks, prompts, passes, run.predictions, advance)
        given = answers(_places(benchmark), benchmark.tasks, run.predictions)
        return _finish(run, evaluation, scorer, given, config, advance)


@contextmanager
def _scorer(evaluation: Evaluation, spec: Rubric) -> Iterator[Scorer]:
    """What judges the answers; in the end it tells what it took, if it is to."""
    with evaluation.scorer(spec) as scorer:
        yield scorer
        if evaluation.profile:
            Console(stderr=True).print(draw_profile(scorer.stats))


def _prompts(
    asking: Asking, generator: Generator, scorer: Scorer, tasks: Sequence[Task], advance: Advance
) -> list[Prompt]:
    budget = None if asking.budget is None else PromptBudget(asking.budget, generator.size)
    found = []
    for task in tasks:
        found.append(build_prompt(task, scorer.executor, scorer.rubric.form, asking.template, budget=budget))
        advance("prompts", 1)
    return found


def _places(benchmark: Benchmark) -> list[int]:
    """Each task's place in the benchmark's file, or among the tasks where that is not known."""
    try:
        return indices(benchmark)
    except DataError:
        return list(range(len(benchmark.tasks)))


def _finish(
    run: Run,
    evaluation: Evaluation,
    scorer: Scorer,
    given: Sequence[Answer],
    config: Mapping[str, Any],
    advance: Advance,
) -> dict[str, Any]:
    """Judge what is not judged yet, and write the summary."""
    items = [Item.from_dict(row) for row in run.items.rows]
    advance("scoring", len(items))
    for item in _judged(evaluation, scorer, given[len(items) :], advance):
        run.items.append(item.to_dict())
        items.append(item)
    dropped = {row["task_id"] for row in run.predictions.rows if row.get("dropped_gold_tables")}
    found = summary(evaluation.benchmark, items, config) | {"prompts_without_gold_tables": len(dropped)}
    run.finish(found, _schemas(scorer.executor, evaluation.benchmark.tasks))
    return found


def _judged(
    evaluation: Evaluation, scorer: Scorer, given: Sequence[Answer], advance: Advance
) -> Iterator[Item]:
    wanted = evaluation.measures() if given else []
    size = at_a_time(evaluation.workers)
    for start in range(0, len(given), size):
        part = given[start : start + size]
        yield from judge(scorer, part, wanted, evaluation.suites)
        advance("scoring", len(part))


def _schemas(executor: Backend, tasks: Sequence[Task]) -> dict[str, str]:
    """The DDL of each database that can be read."""
    found: dict[str, str] = {}
    for task in {task.db_id: task for task in tasks}.values():
        try:
            found[task.db_id] = schema_to_ddl(executor.schema(task.database, task.dialect))
        except DatabaseError:
            continue  # its tasks are masked, and say why
    return found


@contextmanager
def _bars(total: int) -> Iterator[Advance]:
    """A progress bar on stderr for each stage, which appears when it begins."""
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=Console(stderr=True)) as bars:
        rows: dict[str, Any] = {}

        def advance(stage: str, count: int) -> None:
            if stage not in rows:
                rows[stage] = bars.add_task(stage, total=total)
            bars.advance(rows[stage], count)

        yield advance

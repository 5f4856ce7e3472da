"""Evaluate a file of predictions or a model: completions, judged answers, a summary and a run folder."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager, suppress
from pathlib import Path
from typing import Any, TypeAlias

from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from benchmarks.evaluation.judging import SQL, Metric, TaskCompletions, get_batch_size, judge, select_metrics
from benchmarks.evaluation.options import FILE, GREEDY, SAMPLED, EvaluationConfig, PromptSettings
from benchmarks.evaluation.summary import make_summary
from benchmarks.generation.generator import Generator, SamplingParams
from benchmarks.generation.usage import add_usage, sum_usage
from benchmarks.loading.limits import parse_limits
from benchmarks.loading.predictions import find_indices, hash_predictions, read_predictions
from benchmarks.records.item import Item
from benchmarks.records.json_lines import JsonLinesFile
from benchmarks.records.run import RunFolder, describe_environment
from sql_env import Benchmark, Scorer, Task
from sql_env.display.terminal import make_console
from sql_env.errors import DatabaseError, DataError
from sql_env.execution.backends import Backend
from sql_env.prompts.ddl import schema_to_ddl
from sql_env.prompts.prompt import Prompt

Advance: TypeAlias = Callable[[str, int], None]
"""Called with the name of a stage and the number of further tasks that it has completed."""


def evaluate_file(
    config: EvaluationConfig, benchmark: Benchmark, predictions: Path, out: Path | None = None
) -> dict[str, Any]:
    """Evaluate a file of predictions.

    Args:
        config: How the predictions are judged.
        benchmark: The benchmark.
        predictions: The file; see `benchmarks.loading.predictions.read_predictions`.
        out: The run folder; nothing is written where None.

    Returns:
        The summary; see `benchmarks.evaluation.summary.make_summary`.

    Raises:
        DataError: The file cannot be read, or the folder belongs to another run or cannot be written.
        ComparisonError: No comparison has the name that is given.
    """
    sql = read_predictions(predictions, benchmark)
    settings = {**config.to_dict(benchmark), "source": hash_predictions(predictions)}
    completions = list(map(TaskCompletions, find_indices(benchmark), benchmark.tasks, sql))
    with config.open_scorer(SQL) as scorer, show_progress(len(completions)) as advance:
        if out is None:
            return judge_and_summarize(config, benchmark, scorer, completions, settings, advance)
        with closing(RunFolder(out, settings, describe_environment())) as run:
            for each in completions[len(run.predictions.rows) :]:
                row = {"task_id": each.task.id, "decoding": FILE, "completions": [each.greedy]}
                run.predictions.append(row)
            return judge_and_summarize(config, benchmark, scorer, completions, settings, advance, run)


def evaluate_model(
    config: EvaluationConfig,
    benchmark: Benchmark,
    prompting: PromptSettings,
    generator: Generator,
    name: str,
    out: Path,
) -> dict[str, Any]:
    """Evaluate a model. A run that was stopped is resumed.

    Args:
        config: How the completions are judged.
        benchmark: The benchmark.
        prompting: How the model is prompted and its completions are decoded.
        generator: The generator; it is closed afterwards.
        name: The name of the generator, for the record.
        out: The run folder.

    Returns:
        The summary; see `benchmarks.evaluation.summary.make_summary`.

    Raises:
        GenerationError: Some tasks have no completion. The completions of the others stay in the folder.
        DataError: The folder belongs to another run, or cannot be written.
    """
    tasks, decodings = benchmark.tasks, prompting.get_decodings()
    settings = {
        **config.to_dict(benchmark),
        "source": {"generator": name, **generator.settings},
        **prompting.to_dict(generator),
    }
    indices = find_places(benchmark)
    with (
        closing(generator),
        config.open_scorer(prompting.make_rubric()) as scorer,
        closing(RunFolder(out, settings, {**describe_environment(), **generator.environment})) as run,
        show_progress(len(tasks)) as advance,
    ):

        def build_prompts() -> list[Prompt]:
            prompts = []
            for task in tasks:
                prompts.append(prompting.build_prompt(task, scorer.executor, scorer.rubric.form, generator))
                advance("prompts", 1)
            return prompts

        complete_tasks(generator, tasks, build_prompts, decodings, run.predictions, advance)
        completions = collect_completions(indices, tasks, run.predictions)
        return judge_and_summarize(config, benchmark, scorer, completions, settings, advance, run)


def find_places(benchmark: Benchmark) -> Sequence[int]:
    """Return the position of each task in the benchmark's file; if the ids give none, in the list."""
    with suppress(DataError):
        return find_indices(benchmark)
    return range(len(benchmark.tasks))


def complete_tasks(
    generator: Generator,
    tasks: Sequence[Task],
    build_prompts: Callable[[], Sequence[Prompt]],
    decodings: Mapping[str, SamplingParams],
    predictions: JsonLinesFile,
    progress: Callable[[str, int], None],
) -> None:
    """Generate all completions that the file lacks, and append each of them at once.

    Args:
        generator: The generator.
        tasks: The tasks.
        build_prompts: Builds the prompts of the tasks; called only where a completion is missing.
        decodings: The sampling parameters of each decoding; see `PromptSettings.get_decodings`.
        predictions: The run's predictions.
        progress: Called with the name of a decoding and the number of further tasks that it has completed.

    Raises:
        GenerationError: Some completions are missing. The others are in the file.
    """
    known = _group_by_decoding(predictions)
    done = {
        decoding: {place for place, task in enumerate(tasks) if task.id in known.get(decoding, {})}
        for decoding in decodings
    }
    prompts = build_prompts() if any(len(places) < len(tasks) for places in done.values()) else []
    messages = [prompt.messages for prompt in prompts]
    for decoding, sampling in decodings.items():
        progress(decoding, len(done[decoding]))
        if len(done[decoding]) == len(tasks):
            continue
        for place, texts in generator.complete(messages, sampling, done[decoding]):
            row: dict[str, Any] = {"task_id": tasks[place].id, "decoding": decoding}
            row["completions"] = [str(text) for text in texts]  # plain strings, as a worker reads no others
            if dropped := prompts[place].dropped_gold_tables:
                row["dropped_gold_tables"] = list(dropped)
            if usage := add_usage(texts):
                row["usage"] = usage
            predictions.append(row)
            progress(decoding, 1)


def collect_completions(
    indices: Sequence[int], tasks: Sequence[Task], predictions: JsonLinesFile
) -> list[TaskCompletions]:
    """Return the completions of each task, in the order of the tasks."""
    known = _group_by_decoding(predictions)
    greedy, sampled = known.get(GREEDY, known.get(FILE, {})), known.get(SAMPLED, {})
    return [
        TaskCompletions(
            index, task, next(iter(greedy.get(task.id, ())), None), tuple(sampled.get(task.id, ()))
        )
        for index, task in zip(indices, tasks, strict=True)
    ]


def _group_by_decoding(predictions: JsonLinesFile) -> dict[str, dict[str, list[str]]]:
    """Return the completions on disk: decoding -> task id -> completions."""
    found: dict[str, dict[str, list[str]]] = {}
    for row in predictions.rows:
        found.setdefault(row["decoding"], {})[row["task_id"]] = row["completions"]
    return found


def judge_and_summarize(
    config: EvaluationConfig,
    benchmark: Benchmark,
    scorer: Scorer,
    completions: Sequence[TaskCompletions],
    settings: Mapping[str, Any],
    advance: Advance,
    run: RunFolder | None = None,
) -> dict[str, Any]:
    """Judge the completions that have no item in the run folder yet, and write the summary there."""
    items = [Item.from_dict(row) for row in run.items.rows] if run is not None else []
    advance("scoring", len(items))
    size, metrics = get_batch_size(config.workers), list[Metric]()
    if len(items) < len(completions):
        metrics = select_metrics(
            benchmark, config.comparison, efficiency=config.efficiency, limits=parse_limits(config.limits)
        )
    for start in range(len(items), len(completions), size):
        judged = judge(scorer, completions[start : start + size], metrics, config.suites)
        items += judged
        if run is not None:
            for item in judged:
                run.items.append(item.to_dict())
        advance("scoring", len(judged))
    summary = make_summary(benchmark, items, settings)
    if run is not None:
        dropped = {row["task_id"] for row in run.predictions.rows if row.get("dropped_gold_tables")}
        summary["prompts_without_gold_tables"] = len(dropped)
        summary["usage"] = sum_usage(run.predictions.rows, config.price_in, config.price_out)
        run.finish(summary, _read_schemas(scorer.executor, benchmark.tasks))
    return summary


def _read_schemas(executor: Backend, tasks: Sequence[Task]) -> dict[str, str]:
    """Return the DDL of each database that can be read."""
    schemas: dict[str, str] = {}
    for task in {task.db_id: task for task in tasks}.values():
        with suppress(DatabaseError):  # the tasks of this database are masked, with the reason
            schemas[task.db_id] = schema_to_ddl(executor.schema(task.database, task.dialect))
    return schemas


@contextmanager
def show_progress(total: int) -> Iterator[Advance]:
    """Show a progress bar on stderr for each stage; it appears when the stage begins."""
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=make_console(stderr=True)) as bars:
        rows: dict[str, Any] = {}

        def advance(stage: str, count: int) -> None:
            if stage not in rows:
                rows[stage] = bars.add_task(stage, total=total)
            bars.advance(rows[stage], count)

        yield advance

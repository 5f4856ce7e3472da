"""``sql-env rescore``: judge the completions of a finished run again, under other rules."""

from __future__ import annotations

import json
import logging
from collections.abc import Mapping
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import Annotated, Any

import typer

from benchmarks.evaluation.judging import SQL
from benchmarks.evaluation.options import EvaluationConfig, PromptSettings, exit_on_error
from benchmarks.evaluation.pipeline import (
    collect_completions,
    find_places,
    judge_and_summarize,
    show_progress,
)
from benchmarks.evaluation.summary import print_summary
from benchmarks.loading.limits import read_limit_values
from benchmarks.metrics.paired import mcnemar
from benchmarks.records.fields import check_fields, check_flag, check_text, check_whole, mapping_of, optional
from benchmarks.records.item import read_items
from benchmarks.records.json_lines import parse_lines, read_object
from benchmarks.records.run import (
    CONFIG,
    PREDICTIONS,
    SUMMARY,
    RunFolder,
    check_prediction,
    describe_environment,
)
from sql_env import Benchmark
from sql_env.display.terminal import make_console, print_log
from sql_env.errors import DataError

_TASKS = {"count": check_whole, "sha256": check_text}
_REQUIRED = {
    "benchmark": check_text,
    "split": check_text,
    "params": mapping_of(lambda value, name: value),
    "tasks": lambda value, name: check_fields(value, name, _TASKS),
    "comparison": check_text,
    "suites": optional(check_text),
    "efficiency": check_flag,
    "limits": mapping_of(lambda value, name: value),
    "source": mapping_of(lambda value, name: value),
}
_OF_A_MODEL = {
    "prompt": mapping_of(lambda value, name: value),
    "reward": check_text,
    "response_format": check_text,
    "decoding": mapping_of(lambda value, name: value),
}


def rescore(
    run: Annotated[Path, typer.Argument(help="Folder of a finished run.")],
    out: Annotated[Path, typer.Option(help="New run folder.")],
    comparison: Annotated[
        str | None, typer.Option(help="Comparison. Default: the comparison of the run.")
    ] = None,
    limits: Annotated[
        list[str] | None,
        typer.Option(help="Limit that replaces a limit of the run, NAME=VALUE or a JSON object."),
    ] = None,
    suites: Annotated[
        str | None, typer.Option(help="Folder of database suites. Default: the suites of the run.")
    ] = None,
    efficiency: Annotated[bool, typer.Option(help="Also measure R-VES and VES, by counted steps.")] = False,
    data_dir: Annotated[str | None, typer.Option(help="Folder with the benchmark's files.")] = None,
    workers: Annotated[int, typer.Option(min=1, help="Number of processes that run queries.")] = 2,
) -> None:
    """Judge the completions of a finished run again, under another comparison, limits or suites."""
    print_log()
    logging.getLogger("sql_env.benchmark").setLevel(logging.ERROR)  # the summary has what is left out
    with exit_on_error():
        recorded = read_config(run)
        config = EvaluationConfig(
            recorded["benchmark"],
            recorded["split"],
            data_dir,
            [f"{name}={json.dumps(value)}" for name, value in recorded["params"].items()],
            suites=suites or recorded["suites"],
            limits=[json.dumps(merge_limits(recorded["limits"], limits))],
            efficiency=efficiency or recorded["efficiency"],
            workers=workers,
        )
        benchmark, summary = rescore_run(run, out, recorded, config, comparison)
        print_summary(benchmark, summary)
        before, after = ({item.index: item.correct for item in read_items(each)} for each in (run, out))
        flips = mcnemar([before.get(index) for index in after], list(after.values()))
        make_console(highlight=False).print(
            f"against {run}: {flips.gained} gained, {flips.lost} lost", markup=False, soft_wrap=True
        )


def read_config(run: Path) -> dict[str, Any]:
    """Read and check the configuration of a finished run.

    Raises:
        DataError: The folder is no run, or the run is not finished.
    """
    found = read_object(run / CONFIG)
    if found is None:
        raise DataError(
            f"{str(run)!r} has no {CONFIG}: give a folder that benchmarks.evaluate --out has written"
        )
    if not (run / SUMMARY).exists():
        raise DataError(f"{str(run)!r} is not finished: start its evaluation again, which resumes it")
    try:
        return check_fields(found, "", _REQUIRED, _OF_A_MODEL)
    except DataError as error:
        raise DataError(f"{str(run / CONFIG)!r}: {error}") from None


def merge_limits(recorded: Mapping[str, Any], given: list[str] | None) -> dict[str, Any]:
    """Replace some of the limits of a run. Where every query had ``max_steps``, it has the new ``max_steps``.

    Example:
        >>> merge_limits({"max_steps": 9, "min_steps": 9, "max_rows": 5}, ["max_steps=7"])
        {'max_steps': 7, 'max_rows': 5}
    """
    own = dict(recorded)
    if own.get("min_steps") == own.get("max_steps"):
        own.pop("min_steps", None)
    return own | read_limit_values(given)


def rescore_run(
    run: Path, out: Path, recorded: Mapping[str, Any], config: EvaluationConfig, comparison: str | None = None
) -> tuple[Benchmark, dict[str, Any]]:
    """Judge the completions of a run again.

    Args:
        run: The folder of the run.
        out: The new run folder. It is resumed where it has the same configuration.
        recorded: The configuration of the run; see `read_config`.
        config: How the completions are judged now.
        comparison: The comparison. If None, it is that of the run.

    Returns:
        The tasks of the run, and the new summary.

    Raises:
        DataError: The tasks are not those of the run, or completions are missing.
    """
    rows = list(parse_lines((run / PREDICTIONS).read_bytes(), run / PREDICTIONS, check_prediction))
    benchmark = _select_tasks(config.load(), {row["task_id"] for row in rows})
    own = ", ".join(sorted({task.comparison for task in benchmark.tasks}))
    replaced = None if recorded["comparison"] == own else recorded["comparison"]
    config = replace(config, comparison=comparison or replaced)
    settings = config.to_dict(benchmark)
    if settings["tasks"] != recorded["tasks"]:
        raise DataError(
            f"the tasks of {recorded['benchmark']} {recorded['split']} are not those of {str(run)!r}: their "
            "number or their texts differ. Give the same files, with --data-dir"
        )
    settings |= {name: recorded[name] for name in ("source", *_OF_A_MODEL) if name in recorded}
    rubric: Any = SQL
    if "reward" in recorded:
        chosen = PromptSettings(reward=recorded["reward"], response_format=recorded["response_format"])
        rubric = chosen.make_rubric()
    with (
        config.open_scorer(rubric) as scorer,
        closing(RunFolder(out, settings, describe_environment())) as folder,
        show_progress(len(benchmark.tasks)) as advance,
    ):
        for row in rows[len(folder.predictions.rows) :]:
            folder.predictions.append(row)
        completions = collect_completions(find_places(benchmark), benchmark.tasks, folder.predictions)
        for each in completions:
            if not each.texts:
                raise DataError(f"{str(run / PREDICTIONS)!r} has no completion for {each.task.id}")
        return benchmark, judge_and_summarize(
            config, benchmark, scorer, completions, settings, advance, folder
        )


def _select_tasks(benchmark: Benchmark, ids: set[str]) -> Benchmark:
    """Keep the tasks that a run has; it may have drawn some of them."""
    return replace(benchmark, tasks=tuple(task for task in benchmark.tasks if task.id in ids))

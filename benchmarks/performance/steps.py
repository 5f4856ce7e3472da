"""Measure the steps that correct answers need: ``python -m benchmarks.performance.steps --help``.

The study compares step limits: the correct answers and gold queries that they stop, and the CPU time of a
batch with hostile queries.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from itertools import chain, cycle, islice
from math import ceil, inf
from operator import attrgetter
from pathlib import Path
from random import Random
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.table import Column, Table

from benchmarks.diagnostics.terminal import progress_bar
from benchmarks.evaluation.judging import evaluate
from benchmarks.loading.parameters import parse_parameters
from benchmarks.loading.predictions import read_predictions
from benchmarks.performance.batches import add_hostile_queries, gold_query, prediction_query
from benchmarks.performance.harness import JsonFile, Seed, exit_on_error, write_json
from sql_env import Benchmark, Executor, Limits, Query, Status, Task, load_benchmark
from sql_env.errors import DataError
from sql_env.execution.engines import load_engine

app = typer.Typer(add_completion=False, pretty_exceptions_enable=False)

CEILING = Limits(max_steps=2**31 - 1, cpu_seconds=120.0, wall_seconds=600.0)
"""Limits that almost no query reaches. The step limit is SQLite's own maximum."""

PROBE = 10_000_000
"""Steps after which a query of the mix counts as a runaway. Its time per step is extrapolated."""

LIMITS = (*(digit * 10**power for power in range(5, 9) for digit in (1, 2, 5)), 10**9)
"""Absolute step limits to compare."""

FLOORS = (100_000, 300_000, 1_000_000, 3_000_000, 10_000_000, 30_000_000)
FACTORS = (10, 50, 100, 200, 400, 1_000)
"""Step limits relative to the gold query's steps to compare: each factor with each floor."""


@dataclass(frozen=True, slots=True)
class MeasuredQuery:
    """The steps of one query without a limit.

    Attributes:
        task_id: The id of its task.
        gold_steps: Steps of the gold query; infinite beyond `CEILING`, None if it fails.
        steps: Its own steps, likewise.
        correct: True for a correct answer and for a gold query that runs; None if the gold query fails.
        file: The name of the file of predictions; empty for a gold query.
    """

    task_id: str
    gold_steps: float | None
    steps: float | None
    correct: bool | None
    file: str = ""


@dataclass(frozen=True, slots=True)
class MixQuery:
    """One distinct query of the hostile mix.

    Attributes:
        gold_steps: Steps of its task's gold query, if known.
        steps: Its own steps without a limit; infinite for a runaway.
        seconds_per_step: CPU time of a step.
    """

    gold_steps: float | None
    steps: float
    seconds_per_step: float


def measure_answers(
    benchmark: Benchmark,
    predictions: Mapping[Path, Sequence[str]],
    *,
    progress: Callable[[int], None],
    limits: Limits = CEILING,
) -> list[MeasuredQuery]:
    """Run a benchmark's gold queries and the predictions of some files, and score the predictions.

    Each distinct query is measured once, after its comparison has rewritten it.

    Args:
        benchmark: The tasks.
        predictions: A prediction for each task, by file.
        progress: Called with the number of further answers that are done, gold queries included.
        limits: The limits of each query.

    Returns:
        The gold queries, and then all predictions.
    """
    tasks = benchmark.tasks
    golds = list(map(gold_query, tasks))
    answers = {
        file: [prediction_query(task, text) for task, text in zip(tasks, texts, strict=True)]
        for file, texts in predictions.items()
    }
    distinct = sorted({*golds, *chain.from_iterable(answers.values())}, key=attrgetter("database", "sql"))
    with Executor(limits) as executor:
        costs = zip(distinct, executor.measure(distinct), strict=True)
    steps = {query: inf if cost.status is Status.TIMEOUT else cost.steps for query, cost in costs}
    progress(len(tasks))
    columns: list[tuple[str, list[Query], list[bool | None]]] = [
        ("", golds, [steps[gold] is not None or None for gold in golds])
    ]
    for file, queries in answers.items():
        scores = evaluate(benchmark, predictions[file], limits=limits, workers=1, progress=progress)
        columns.append((file.name, queries, [score.rollout.correct for score in scores]))
    return [
        MeasuredQuery(task.id, steps[gold], steps[query], right, name)
        for name, queries, verdicts in columns
        for task, gold, query, right in zip(tasks, golds, queries, verdicts, strict=True)
    ]


def measure_mix(
    groups: Sequence[tuple[Task, Sequence[str]]],
    gold_steps: Mapping[str, float | None],
    *,
    size: int,
    seed: int = 0,
    progress: Callable[[int], None],
    probe: int = PROBE,
) -> list[MixQuery]:
    """Draw groups of answers, add hostile queries, and run each distinct query once in this process.

    Args:
        groups: Tasks, each with its answers.
        gold_steps: Steps of each task's gold query, by the task's id.
        size: The approximate number of answers.
        seed: Random seed of the groups and the hostile queries.
        progress: Called with the number of further queries that are done.
        probe: Steps after which a query counts as a runaway.
    """
    random, count = Random(seed), sum(len(answers) for _, answers in groups)
    shuffled = random.sample(groups, len(groups))
    chosen = list(islice(cycle(shuffled), ceil(size * len(groups) / max(1, count))))
    queries = {
        prediction_query(task, sql): task
        for task, answers in add_hostile_queries(chosen, random)
        for sql in answers
    }
    engine, found = load_engine("sqlite", replace(Limits(), max_steps=probe)), []
    for query, task in queries.items():
        began = time.thread_time()
        result, steps = engine.measure(query.database, query.sql)
        seconds = (time.thread_time() - began) / max(1, steps or 0)
        unlimited = inf if result.status is Status.TIMEOUT else steps or 0
        found.append(MixQuery(gold_steps[task.id], unlimited, seconds))
        progress(1)
    engine.close()
    return found


@dataclass(frozen=True, slots=True)
class Rule:
    """A step limit, either the same for all queries or relative to the steps of the gold query.

    A gold query may always take ``cap`` steps.

    Attributes:
        cap: Upper bound of every limit.
        factor: Factor on the gold query's steps; 0 for the same limit for all.
        floor: Lower bound of a relative limit.

    Example:
        >>> Rule(9_000).limit(500), [Rule(9_000, 10, 1_000).limit(gold) for gold in (5, 500, 5_000)]
        (9000, [1000, 5000, 9000])
        >>> str(Rule(9_000, 10, 1_000))
        'max(1,000, 10 x gold)'
    """

    cap: float
    factor: float = 0
    floor: float = 0

    def limit(self, gold_steps: float | None) -> float:
        """Return the step limit of a prediction."""
        if not self.factor:
            return self.cap
        return min(self.cap, max(self.floor, self.factor * (gold_steps or 0)))

    def __str__(self) -> str:
        return f"max({self.floor:,}, {self.factor:,} x gold)" if self.factor else f"{self.cap:,}"


def apply_rule(rule: Rule, queries: Sequence[MeasuredQuery], mix: Sequence[MixQuery]) -> dict[str, Any]:
    """Return the outcome of a rule as JSON.

    ``margin`` is the smallest ratio of limit and steps among correct answers and gold queries; below 1 some
    are stopped. ``lost`` are the correct answers that are stopped, ``wrong_stopped`` is the number of wrong
    ones, and ``golds_lost`` are gold queries beyond the cap, whose tasks are masked. ``mix_steps`` and
    ``mix_cpu_seconds`` are the cost of the hostile mix.
    """
    stopped = [query for query in queries if query.file and (query.steps or 0) > rule.limit(query.gold_steps)]
    steps = [min(query.steps, rule.limit(query.gold_steps)) for query in mix]
    return {
        "rule": str(rule),
        **asdict(rule),
        "margin": min(
            (
                rule.limit(query.gold_steps) / query.steps
                for query in queries
                if query.correct and query.steps
            ),
            default=inf,
        ),
        "lost": [{"file": q.file, "task_id": q.task_id, "steps": q.steps} for q in stopped if q.correct],
        "wrong_stopped": sum(query.correct is False for query in stopped),
        "golds_lost": [q.task_id for q in queries if not q.file and (q.steps or 0) > rule.cap],
        "mix_steps": sum(steps),
        "mix_cpu_seconds": sum(n * query.seconds_per_step for n, query in zip(steps, mix, strict=True)),
    }


def least_factor(queries: Sequence[MeasuredQuery], floor: float, margin: float = 1.0) -> float:
    """Return the smallest factor that leaves every correct answer ``margin`` times its steps.

    It is 0 if the floor is enough, and infinite if the gold query of an answer takes no steps.
    """
    factors = (
        margin * query.steps / query.gold_steps if query.gold_steps else inf
        for query in queries
        if query.correct and query.steps and margin * query.steps > floor
    )
    return max(factors, default=0)


def cheapest(outcomes: Sequence[dict[str, Any]], margin: float) -> dict[str, Any] | None:
    """Return the first outcome with the fewest steps of the mix that loses nothing and leaves the margin."""
    kept = [o for o in outcomes if not o["lost"] and not o["golds_lost"] and o["margin"] >= margin]
    return min(kept, key=lambda outcome: outcome["mix_steps"], default=None)


def compare_rules(
    measured: Mapping[str, Sequence[MeasuredQuery]], mix: Sequence[MixQuery], cap: float, margin: float
) -> dict[str, Any]:
    """Apply every rule to the measured queries, by benchmark and split, and return the study as JSON.

    Steps that end only beyond the ceiling are infinite.
    """
    queries = [query for some in measured.values() for query in some]
    absolute = [apply_rule(Rule(limit), queries, mix) for limit in LIMITS]
    relative = [apply_rule(Rule(cap, factor, floor), queries, mix) for floor in FLOORS for factor in FACTORS]
    return {
        "files": [
            {"benchmark": name, "file": file, **_summary([query for query in some if query.file == file])}
            for name, some in measured.items()
            for file in dict.fromkeys(query.file for query in some)
        ],
        "mix": {"distinct": len(mix), "runaways": sum(query.steps == inf for query in mix)},
        "absolute": absolute,
        "relative": relative,
        "least_factor": {
            str(floor): least_factor([query for query in queries if query.file], floor) for floor in FLOORS
        },
        "margin": margin,
        "cheapest": {"absolute": cheapest(absolute, margin), "relative": cheapest(relative, margin)},
    }


def _summary(queries: Sequence[MeasuredQuery]) -> dict[str, Any]:
    return {
        "answers": len(queries),
        "correct": sum(bool(query.correct) for query in queries),
        "dearest_correct": max((query.steps or 0 for query in queries if query.correct), default=0),
        "dearest_wrong": max((query.steps or 0 for query in queries if query.correct is False), default=0),
    }


def make_tables(study: dict[str, Any]) -> list[Table | str]:
    """Return the tables and lines that the command prints."""
    files = Table("", "answers", "correct", "most steps, correct", "most steps, wrong", title="steps")
    for row in study["files"]:
        steps = (
            "beyond the ceiling" if number == inf else f"{number:,.0f}"
            for number in (row["dearest_correct"], row["dearest_wrong"])
        )
        name = f"{row['benchmark']} {row['file'] or 'gold queries'}"
        files.add_row(name, str(row["answers"]), str(row["correct"]), *steps)
    tables: list[Table | str] = [files]
    for kind, best in study["cheapest"].items():
        cap = f", at most {study['relative'][0]['cap']:,}" if kind == "relative" else ""
        table = Table(
            Column("limit", no_wrap=True),
            "correct lost",
            "golds lost",
            "wrong stopped",
            "margin",
            "mix: CPU s",
            title=f"{kind} limits{cap}",
        )
        for o in study[kind]:
            table.add_row(
                o["rule"],
                str(len(o["lost"])),
                str(len(o["golds_lost"])),
                str(o["wrong_stopped"]),
                f"{o['margin']:,.2f}",
                f"{o['mix_cpu_seconds']:.1f}",
            )
        found = f"{best['rule']}{cap}, {best['mix_cpu_seconds']:.1f} s of CPU" if best else "none"
        tables += [
            table,
            f"cheapest {kind} limit that loses nothing and leaves {study['margin']:g} times the steps: "
            f"{found}",
        ]
    return tables


def save_figure(study: dict[str, Any], path: Path) -> None:
    """Draw the margin over the CPU time of the hostile mix. The same study gives the same file.

    Raises:
        DataError: The file cannot be written, or has an unknown ending.
    """
    import matplotlib as mpl
    from matplotlib.figure import Figure

    curves = {"one limit for all": study["absolute"]} | {
        f"max({floor:,}, factor x gold)": [o for o in study["relative"] if o["floor"] == floor]
        for floor in FLOORS
    }
    with mpl.rc_context({"svg.hashsalt": "sql-env", "svg.fonttype": "none"}):
        figure = Figure(figsize=(6.4, 4.0), layout="constrained")
        axes = figure.subplots()
        for label, outcomes in curves.items():
            seconds, margins = [o["mix_cpu_seconds"] for o in outcomes], [o["margin"] for o in outcomes]
            axes.plot(seconds, margins, marker=".", linewidth=1, label=label)
        axes.axhline(1, color="grey", linewidth=0.8)
        axes.axhline(study["margin"], color="grey", linewidth=0.8, linestyle=":")
        axes.set(
            xscale="log",
            yscale="log",
            xlabel="hostile mix, CPU seconds",
            ylabel="limit over steps, least of all correct answers",
        )
        axes.grid(alpha=0.3)
        axes.legend(fontsize=7, frameon=False)
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            figure.savefig(path, dpi=200, metadata={"Date": None} if path.suffix == ".svg" else {})
        except (OSError, ValueError) as error:
            raise DataError(f"cannot write the figure to {str(path)!r}: {error}") from None


@app.command()
def main(
    what: Annotated[
        list[str],
        typer.Argument(
            metavar="BENCHMARK:SPLIT [FILE...] ...",
            help="Benchmarks, each with its files of predictions. Gold queries are always measured.",
        ),
    ],
    param: Annotated[
        list[str] | None, typer.Option(help="A further argument of all loaders, NAME=VALUE.")
    ] = None,
    cap: Annotated[
        int, typer.Option(min=1, help="Upper bound of a step limit that is relative to the gold query.")
    ] = 200_000_000,
    margin: Annotated[
        float, typer.Option(min=1, help="Factor by which the limit must exceed each correct answer's steps.")
    ] = 10.0,
    size: Annotated[int, typer.Option(min=1, help="Number of completions in the hostile mix.")] = 4_096,
    seed: Seed = 0,
    out: JsonFile = None,
    figure: Annotated[Path | None, typer.Option(help="File for a figure: .svg, .png or .pdf.")] = None,
) -> None:
    """Compare step limits: the correct answers and gold queries they stop, and the time of a hostile mix."""
    with exit_on_error(*(["matplotlib"] if figure else [])):
        measured: dict[str, list[MeasuredQuery]] = {}
        groups: list[tuple[Task, Sequence[str]]] = []
        for name, files in group_arguments(what):
            benchmark_name, _, split = name.rpartition(":")
            benchmark = load_benchmark(benchmark_name, split or None, **parse_parameters(param))
            predictions = {file: read_predictions(file, benchmark) for file in files}
            with progress_bar(name, len(benchmark.tasks) * (1 + len(files))) as advance:
                measured[name] = measure_answers(benchmark, predictions, progress=advance)
            groups += zip(benchmark.tasks, zip(*predictions.values(), strict=True), strict=False)
        gold_steps = {query.task_id: query.gold_steps for queries in measured.values() for query in queries}
        with progress_bar("hostile mix", size) as advance:
            mix = measure_mix(groups, gold_steps, size=size, seed=seed, progress=advance)
        study = compare_rules(measured, mix, cap, margin)
        write_json(out, study)
        if figure is not None:
            save_figure(study, figure)
    for part in make_tables(study):
        Console(highlight=False).print(part, soft_wrap=isinstance(part, str))


def group_arguments(words: Sequence[str]) -> list[tuple[str, list[Path]]]:
    """Return each ``name:split`` with the files that follow it.

    Raises:
        DataError: The first word is a file, or a benchmark occurs twice.

    Example:
        >>> found = group_arguments(["spider:dev", "a.txt", "b.txt", "bird:dev"])
        >>> [(name, len(files)) for name, files in found]
        [('spider:dev', 2), ('bird:dev', 0)]
    """
    found: dict[str, list[Path]] = {}
    for word in words:
        if ":" in word and not Path(word).exists():
            if word in found:
                raise DataError(f"{word} occurs twice: name it once, with all its files")
            found[word] = []
        elif not found:
            raise DataError(f"{word!r} comes before any benchmark: name one first, such as spider:dev")
        else:
            found[next(reversed(found))].append(Path(word))
    return list(found.items())


if __name__ == "__main__":
    app()

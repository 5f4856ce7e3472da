"""Measure a file of predictions or a model: ``python -m benchmarks.evaluate --help``."""

from __future__ import annotations

import logging
import re
from dataclasses import replace
from pathlib import Path
from random import Random
from typing import Annotated

import typer
from rich.console import Console

from benchmarks.evaluation import options
from benchmarks.evaluation.config import Asking, Evaluation
from benchmarks.evaluation.pipeline import evaluate_file, evaluate_model
from benchmarks.evaluation.scoring import evaluate
from benchmarks.evaluation.summary import show
from benchmarks.loading.parameters import parameters
from sql_env.benchmark import load_benchmark
from sql_env.errors import SQLEnvError
from sql_env.prompts.template import read_recorded_template
from sql_env.types import Benchmark

__all__ = ["evaluate"]

app = typer.Typer(add_completion=False, pretty_exceptions_enable=False)


@app.command()
def main(
    benchmark: Annotated[str, typer.Option(help="The benchmark's name: spider, bird, jsonl, ...")],
    predictions: Annotated[Path | None, typer.Option(help="One SQL a line, or JSON as BIRD's.")] = None,
    split: Annotated[str | None, typer.Option(help="The split; the benchmark's own default.")] = None,
    data_dir: Annotated[str | None, typer.Option(help="The folder with the benchmark's files.")] = None,
    comparison: Annotated[str | None, typer.Option(help="Semantics in place of the tasks' own.")] = None,
    param: Annotated[
        list[str] | None,
        typer.Option(help="A further argument of the loader, NAME=VALUE: path=FILE, database_dir=DIR."),
    ] = None,
    suites: Annotated[
        str | None, typer.Option(help="A folder of database suites: all of <db_id>/*.sqlite must agree.")
    ] = None,
    efficiency: Annotated[bool, typer.Option(help="Measure R-VES and VES, too, by counted steps.")] = False,
    tasks: Annotated[int, typer.Option(min=0, help="Ask only so many, drawn with the seed; 0: all.")] = 0,
    workers: Annotated[int, typer.Option(min=1, help="Processes that run queries.")] = 2,
    backend: Annotated[
        str, typer.Option(help="What runs queries: local, ray, or auto: ray in the driver of a Ray job.")
    ] = "auto",
    profile: Annotated[
        bool, typer.Option("--profile", help="Say where the time of scoring went, on standard error.")
    ] = False,
    out: Annotated[
        Path | None,
        typer.Option(help="The run's folder; of a model, runs/evaluate/BENCHMARK-MODEL if not told."),
    ] = None,
    model: options.Model = None,
    base_url: options.BaseUrl = None,
    generator: options.GeneratorName = None,
    generator_param: options.GeneratorParam = None,
    candidates: options.Candidates = 1,
    temperature: options.Temperature = None,
    top_p: options.TopP = 1.0,
    max_tokens: options.MaxTokens = 2048,
    seed: options.Seed = 0,
    template: options.Template = None,
    prompt_budget: options.PromptBudget = None,
    reward: options.Reward = "sql-r1",
    response_format: options.ResponseFormat = None,
    revision: options.Revision = None,
    dtype: options.Dtype = None,
    batch: options.Batch = None,
    threads: options.Threads = None,
    concurrency: options.Concurrency = None,
    timeout: options.Timeout = None,
    retries: options.Retries = None,
    api_key_variable: options.ApiKeyVariable = None,
    extra_body: options.ExtraBody = None,
) -> None:
    """Measure a file of predictions, or a model, by execution accuracy and the benchmark's other metrics."""
    if (predictions is None) == (model is None):
        raise typer.BadParameter(
            "give either --predictions FILE or --model NAME, the latter with --base-url or not"
        )
    logging.basicConfig(format="%(message)s")
    logging.getLogger("sql_env.benchmark").setLevel(logging.ERROR)  # what is left out is printed below
    try:
        params = parameters(param)
        loaded = drawn(load_benchmark(benchmark, split, data_dir, **params), tasks, seed)
        evaluation = Evaluation(
            loaded, params, comparison, suites, efficiency, workers, backend=backend, profile=profile
        )
        if model is None:
            assert predictions is not None
            found = evaluate_file(evaluation, predictions, out)
        else:
            asking = Asking(
                template or read_recorded_template(model) or "full",
                prompt_budget,
                reward,
                response_format,
                options.decoding(candidates, temperature, top_p, max_tokens, seed),
            )
            name, made = options.generator(
                generator,
                model,
                generator_param,
                base_url=base_url,
                revision=revision,
                dtype=dtype,
                batch=batch,
                threads=threads,
                concurrency=concurrency,
                timeout=timeout,
                retries=retries,
                api_key_variable=api_key_variable,
                extra_body=extra_body,
            )
            folder = out or Path("runs/evaluate", f"{loaded.name}-{_slug(model)}")
            found = evaluate_model(evaluation, asking, made, name, folder)
            Console(stderr=True).print(f"the run is in {folder}", markup=False, highlight=False)
    except SQLEnvError as error:
        Console(stderr=True).print(f"error: {error}", markup=False, highlight=False, soft_wrap=True)
        raise typer.Exit(2) from None
    show(loaded, found)


def drawn(benchmark: Benchmark, count: int, seed: int) -> Benchmark:
    """A benchmark with so many of its tasks, drawn with the seed, in their order; with all for 0."""
    if not 0 < count < len(benchmark.tasks):
        return benchmark
    places = sorted(Random(seed).sample(range(len(benchmark.tasks)), count))
    return replace(benchmark, tasks=tuple(benchmark.tasks[place] for place in places))


def _slug(model: str) -> str:
    """A model's name as part of a folder's."""
    return re.sub(r"[^\w.-]+", "-", model).strip("-.")


if __name__ == "__main__":
    app()

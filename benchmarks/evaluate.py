"""Measure a file of predictions or a model: ``python -m benchmarks.evaluate --help``."""

from __future__ import annotations

import logging
import re
from pathlib import Path
from typing import Annotated

import typer

from benchmarks.evaluation.judging import evaluate
from benchmarks.evaluation.options import (
    EvaluationConfig,
    GeneratorOptions,
    PromptSettings,
    exit_on_error,
    expand_options,
)
from benchmarks.evaluation.pipeline import evaluate_file, evaluate_model
from benchmarks.evaluation.summary import print_summary
from sql_env.comparison import get_comparison
from sql_env.display.terminal import make_console, print_log

__all__ = ["evaluate"]

app = typer.Typer(add_completion=False, pretty_exceptions_enable=False)


@app.command()
@expand_options
def main(
    *,
    config: EvaluationConfig,
    predictions: Annotated[
        Path | None, typer.Option(help="File of predictions: one SQL query a line, or JSON as BIRD's.")
    ] = None,
    out: Annotated[
        Path | None,
        typer.Option(help="Run folder. Default for a model: runs/evaluate/BENCHMARK-MODEL."),
    ] = None,
    model: Annotated[
        str | None, typer.Option(help="Name of a model, or folder of a checkpoint.", rich_help_panel="Model")
    ] = None,
    generation: GeneratorOptions,
    prompting: PromptSettings,
) -> None:
    """Measure a file of predictions, or a model, by execution accuracy and the benchmark's other metrics."""
    print_log()
    logging.getLogger("sql_env.benchmark").setLevel(
        logging.ERROR
    )  # the summary has the tasks that are left out
    if (predictions is None) == (model is None):
        raise typer.BadParameter(
            "give either --predictions FILE or --model NAME (with --base-url for an endpoint)"
        )
    with exit_on_error():
        if config.comparison is not None:
            get_comparison(config.comparison)
        if model is not None:
            prompting.make_rubric()  # a mistake in it is found before the model is loaded
        benchmark = config.draw_tasks(config.load(), prompting.seed)
        if model is None:
            assert predictions is not None
            summary = evaluate_file(config, benchmark, predictions, out)
        else:
            slug = re.sub(r"[^\w.-]+", "-", model).strip("-.")
            folder = out or Path("runs/evaluate", f"{benchmark.name}-{slug}")
            prompting = prompting.with_template_of(model)
            name, generator = generation.load(model)
            summary = evaluate_model(config, benchmark, prompting, generator, name, folder)
            make_console(stderr=True).print(f"the run is in {folder}", markup=False, highlight=False)
        print_summary(benchmark, summary)


if __name__ == "__main__":
    app()

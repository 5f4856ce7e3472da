"""The options of `benchmarks.evaluate` and ``sql-env ask``. Each option is one field of a dataclass."""

from __future__ import annotations

import hashlib
import inspect
import json
import logging
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass, fields, is_dataclass, replace
from functools import partial
from pathlib import Path
from random import Random
from typing import Annotated, Any, get_type_hints

import typer

from benchmarks.generation.generator import Generator, SamplingParams, load_generator
from benchmarks.loading.limits import parse_limits
from sql_env import Benchmark, Scorer, Task, load_benchmark
from sql_env.benchmark import parse_parameters
from sql_env.display.profile import draw_profile
from sql_env.display.terminal import make_console
from sql_env.errors import SQLEnvError
from sql_env.execution.backends import Backend
from sql_env.parser import ResponseFormat, get_format
from sql_env.prompts.prompt import Prompt, PromptBudget, build_prompt
from sql_env.prompts.template import RECORD, load_template, read_recorded_template
from sql_env.scoring.rubric import Rubric, RubricSpec, load_rubric

log = logging.getLogger(__name__)

GREEDY, SAMPLED, FILE = "greedy", "sampled", "file"
"""The decodings in ``predictions.jsonl``; ``file`` is a file of predictions."""

CANDIDATE_TEMPERATURE = 0.8
"""SQL-R1's temperature for its candidates (arXiv 2504.08600)."""

_option = partial(typer.Option, rich_help_panel="Model")


@dataclass(frozen=True, slots=True)
class BenchmarkOptions:
    """The benchmark that a command loads."""

    benchmark: Annotated[str, typer.Option(help="Name of the benchmark: spider, bird, jsonl, ...")]
    split: Annotated[
        str | None, typer.Option(help="Split of the benchmark. Default: the benchmark's own default.")
    ] = None
    data_dir: Annotated[str | None, typer.Option(help="Folder with the benchmark's files.")] = None
    param: Annotated[
        list[str] | None,
        typer.Option(help="Further argument of the loader, NAME=VALUE: path=FILE, database_dir=DIR."),
    ] = None

    def load(self) -> Benchmark:
        """Load the benchmark.

        Raises:
            PluginError: The benchmark is unknown, or does not take an argument.
            DataError: The data is missing or malformed.
        """
        return load_benchmark(self.benchmark, self.split, self.data_dir, **parse_parameters(self.param))


@dataclass(frozen=True, slots=True)
class EvaluationConfig(BenchmarkOptions):
    """The tasks that are measured, and the settings of scoring."""

    comparison: Annotated[
        str | None, typer.Option(help="Comparison that replaces the comparisons of the tasks.")
    ] = None
    suites: Annotated[
        str | None,
        typer.Option(help="Folder of database suites: a query must be right on all of <db_id>/*.sqlite."),
    ] = None
    limits: Annotated[
        list[str] | None,
        typer.Option(
            help="Limit of each query, NAME=VALUE or a JSON object: max_steps=100000000, cpu_seconds=30."
        ),
    ] = None
    efficiency: Annotated[bool, typer.Option(help="Also measure R-VES and VES, by counted steps.")] = False
    tasks: Annotated[
        int, typer.Option(min=0, help="Number of tasks, drawn at random with the seed; 0 for all.")
    ] = 0
    workers: Annotated[int, typer.Option(min=1, help="Number of processes that run queries.")] = 2
    backend: Annotated[
        str,
        typer.Option(help="Backend that runs queries: local, ray, or auto (ray in the driver of a Ray job)."),
    ] = "auto"
    price_in: Annotated[
        float | None, typer.Option(min=0, help="Price of a million tokens of prompts, for the cost.")
    ] = None
    price_out: Annotated[
        float | None, typer.Option(min=0, help="Price of a million tokens of completions, for the cost.")
    ] = None
    profile: Annotated[
        bool, typer.Option("--profile", help="Print to stderr how long each part of scoring took.")
    ] = False

    def draw_tasks(self, benchmark: Benchmark, seed: int) -> Benchmark:
        """Keep ``tasks`` random tasks, in their order; keep all tasks where ``tasks`` is 0."""
        if not 0 < self.tasks < len(benchmark.tasks):
            return benchmark
        places = sorted(Random(seed).sample(range(len(benchmark.tasks)), self.tasks))
        return replace(benchmark, tasks=tuple(benchmark.tasks[place] for place in places))

    def to_dict(self, benchmark: Benchmark) -> dict[str, Any]:
        """Return all settings that determine a result, in JSON. Workers and backend are not among them."""
        semantics = {self.comparison} if self.comparison else {task.comparison for task in benchmark.tasks}
        rows = [{**task.to_dict(), "database": ""} for task in benchmark.tasks]
        return {
            "benchmark": benchmark.name,
            "split": benchmark.split,
            "params": parse_parameters(self.param),
            "tasks": {"count": len(rows), "sha256": hashlib.sha256(json.dumps(rows).encode()).hexdigest()},
            "comparison": ", ".join(sorted(semantics)),
            "suites": self.suites,
            "efficiency": self.efficiency,
            "limits": asdict(parse_limits(self.limits)),
        }

    @contextmanager
    def open_scorer(self, rubric: RubricSpec | Rubric) -> Iterator[Scorer]:
        """Open a scorer. With ``--profile``, print at the end how long each part took."""
        with Scorer(
            rubric,
            limits=parse_limits(self.limits),
            workers=self.workers,
            comparison=self.comparison,
            rows=True,
            backend=self.backend,
        ) as scorer:
            yield scorer
            if self.profile:
                make_console(stderr=True).print(draw_profile(scorer.stats))


@dataclass(frozen=True, slots=True)
class PromptSettings:
    """The settings of prompts, of decoding, and of the response format."""

    candidates: Annotated[
        int, _option(min=1, help="Number of completions for each question. A vote chooses one of them.")
    ] = 1
    temperature: Annotated[
        float | None,
        _option(help="Temperature of the completions. Default: 0.8 for several, 0 (greedy) for one."),
    ] = None
    top_p: Annotated[float, _option(help="Share of probability that tokens are drawn from.")] = 1.0
    max_tokens: Annotated[int, _option(min=1, help="Maximum number of tokens in a completion.")] = 2048
    seed: Annotated[int, _option(help="Random seed of the completions.")] = 0
    template: Annotated[
        str | None,
        _option(
            help="Prompt template, NAME or NAME@VERSION. Default: the template that the model was "
            "trained with, or full."
        ),
    ] = None
    prompt_budget: Annotated[
        int | None,
        _option(
            min=1,
            help="Maximum number of tokens in a prompt (of characters, for an endpoint). The parts of "
            "the schema that are least relevant to the question are left out.",
        ),
    ] = None
    reward: Annotated[
        str, _option(help="Preset. Its response format is used, and its rewards are recorded.")
    ] = "sql-r1"
    response_format: Annotated[
        str | None, _option(help="Response format that replaces the format of the preset.")
    ] = None

    def with_template_of(self, model: str) -> PromptSettings:
        """Choose the template that the model was trained with, where no template is given.

        If a local model does not name one, a warning does: with another template than in its training, a
        model can answer nonsense.
        """
        recorded = None if self.template else read_recorded_template(model)
        if recorded is None and not self.template and Path(model).is_dir():
            log.warning(
                "%s has no %s, so the prompt template %r is used: if the model was trained with another, "
                "name it with --template",
                model,
                RECORD,
                load_template("full").id,
            )
        return self if recorded is None else replace(self, template=recorded.id)

    def make_rubric(self) -> Rubric:
        """Load the preset, without its comparison: the tasks and `EvaluationConfig` give the comparison."""
        rubric = load_rubric(self.reward)
        form = get_format(self.response_format) if self.response_format else rubric.form
        return replace(rubric, form=form, comparison=None)

    def build_prompt(
        self, task: Task, executor: Backend, form: ResponseFormat, generator: Generator
    ) -> Prompt:
        """Build the prompt of one task. The generator measures its size."""
        budget = PromptBudget(self.prompt_budget, generator.size) if self.prompt_budget else None
        return build_prompt(task, executor, form, load_template(self.template or "full"), budget=budget)

    def get_decodings(self) -> dict[str, SamplingParams]:
        """Return the sampling parameters of each decoding. Several candidates come with a greedy completion.

        Raises:
            GenerationError: A number is out of range.
        """
        greedy = SamplingParams(max_tokens=self.max_tokens)
        temperature = self._sampling_temperature
        if self.candidates == 1 and not temperature:
            return {GREEDY: greedy}
        sampled = SamplingParams(self.candidates, temperature, self.top_p, self.max_tokens, self.seed)
        return {SAMPLED: sampled} if self.candidates == 1 else {GREEDY: greedy, SAMPLED: sampled}

    def to_dict(self, generator: Generator) -> dict[str, Any]:
        """Return all settings that determine a result, in JSON."""
        budget = self.prompt_budget and {"most": self.prompt_budget, "unit": generator.unit}
        return {
            "prompt": {"template": load_template(self.template or "full").id, "budget": budget},
            "reward": self.reward,
            "response_format": self.make_rubric().form.name,
            "decoding": {
                "candidates": self.candidates,
                "temperature": self._sampling_temperature,
                "top_p": self.top_p,
                "max_tokens": self.max_tokens,
                "seed": self.seed,
            },
        }

    @property
    def _sampling_temperature(self) -> float:
        default = CANDIDATE_TEMPERATURE if self.candidates > 1 else 0.0
        return default if self.temperature is None else self.temperature


@dataclass(frozen=True, slots=True)
class GeneratorOptions:
    """The generator and its options. An option without a value has the default of the generator."""

    base_url: Annotated[str | None, _option(help="OpenAI-compatible endpoint: http://HOST:PORT/v1.")] = None
    generator: Annotated[
        str | None,
        _option(
            help="transformers, vllm, openai or a plug-in. "
            "Default: openai with --base-url, else transformers."
        ),
    ] = None
    generator_param: Annotated[
        list[str] | None, _option(help="Further argument of the generator, NAME=VALUE.")
    ] = None
    revision: Annotated[str | None, _option(help="Revision of the model on the Hugging Face hub.")] = None
    dtype: Annotated[str | None, _option(help="Data type of the weights.")] = None
    batch: Annotated[int | None, _option(min=1, help="Number of completions in a batch.")] = None
    threads: Annotated[int | None, _option(min=1, help="Number of torch threads on a CPU.")] = None
    concurrency: Annotated[int | None, _option(min=1, help="Number of requests at the same time.")] = None
    timeout: Annotated[float | None, _option(help="Seconds until a request counts as failed.")] = None
    retries: Annotated[int | None, _option(min=0, help="Number of retries of a failed request.")] = None
    api_key_variable: Annotated[
        str | None, _option(help="Environment variable with the API key. Default: OPENAI_API_KEY.")
    ] = None
    extra_body: Annotated[str | None, _option(help="Further fields of a request, as a JSON object.")] = None

    def load(self, model: str) -> tuple[str, Generator]:
        """Load the generator.

        Returns:
            The name of the generator, and the generator.

        Raises:
            PluginError: The generator is unknown, or does not take an option that is given.
            GenerationError: The generator cannot use the model.
        """
        arguments = {name: value for name, value in asdict(self).items() if value is not None}
        name = arguments.pop("generator", "openai" if self.base_url else "transformers")
        if self.extra_body is not None:
            arguments["extra_body"] = _parse_object(self.extra_body)
        arguments |= parse_parameters(arguments.pop("generator_param", None), reserved=())
        return name, load_generator(name, model, **arguments)


def _parse_object(text: str) -> dict[str, Any]:
    found = None
    with suppress(ValueError, RecursionError):
        found = json.loads(text)
    if not isinstance(found, dict):
        raise typer.BadParameter(f"--extra-body must be a JSON object, not {text!r}")
    return found


def expand_options(command: Callable[..., None]) -> Callable[..., None]:
    """Give a command one option for each field of its parameters that are dataclasses.

    typer builds options from the signature of a function. The function that is returned has the
    fields in its signature, and calls ``command`` with the dataclasses that it builds from them.
    """
    hints = get_type_hints(command)
    groups: dict[str, Any] = {name: hint for name, hint in hints.items() if is_dataclass(hint)}

    def run(**values: Any) -> None:
        for name, group in groups.items():
            values[name] = group(**{field.name: values.pop(field.name) for field in fields(group)})
        command(**values)

    run.__signature__ = inspect.Signature(list(_expand(command)))  # type: ignore[attr-defined]
    run.__name__, run.__doc__ = command.__name__, command.__doc__
    return run


def _expand(function: Callable[..., Any]) -> Iterator[inspect.Parameter]:
    hints = get_type_hints(function, include_extras=True)
    for name, parameter in inspect.signature(function).parameters.items():
        if is_dataclass(hints[name]):
            yield from _expand(hints[name])
        else:
            yield parameter.replace(kind=inspect.Parameter.KEYWORD_ONLY, annotation=hints[name])


@contextmanager
def exit_on_error() -> Iterator[None]:
    """Print an error of this library as one line on stderr, and exit with code 2."""
    try:
        yield
    except SQLEnvError as error:
        make_console(stderr=True).print(f"error: {error}", markup=False, highlight=False, soft_wrap=True)
        raise typer.Exit(2) from None

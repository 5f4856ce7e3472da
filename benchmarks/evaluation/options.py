"""What the commands that ask a model have in common on the command line."""

from __future__ import annotations

import json
from typing import Annotated, Any

import typer

from benchmarks.evaluation.answers import Decoding
from benchmarks.generation.generator import Generator, load_generator
from benchmarks.loading.parameters import parameters

Model = Annotated[
    str | None, typer.Option(help="A model's name, or a folder with a checkpoint.", rich_help_panel="Model")
]
BaseUrl = Annotated[
    str | None,
    typer.Option(help="An OpenAI-compatible endpoint: http://HOST:PORT/v1.", rich_help_panel="Model"),
]
GeneratorName = Annotated[
    str | None,
    typer.Option(
        help="transformers, vllm, openai or a plug-in; openai where --base-url is given.",
        rich_help_panel="Model",
    ),
]
Revision = Annotated[
    str | None, typer.Option(help="The model's revision on the Hugging Face hub.", rich_help_panel="Model")
]
Dtype = Annotated[str | None, typer.Option(help="The type of the weights.", rich_help_panel="Model")]
Batch = Annotated[
    int | None, typer.Option(min=1, help="Completions at the same time.", rich_help_panel="Model")
]
Threads = Annotated[
    int | None, typer.Option(min=1, help="Threads of torch on a processor.", rich_help_panel="Model")
]
Concurrency = Annotated[
    int | None, typer.Option(min=1, help="Requests at the same time.", rich_help_panel="Model")
]
Timeout = Annotated[
    float | None, typer.Option(help="Seconds until a request counts as failed.", rich_help_panel="Model")
]
Retries = Annotated[
    int | None, typer.Option(min=0, help="Further tries of a failed request.", rich_help_panel="Model")
]
ApiKeyVariable = Annotated[
    str | None,
    typer.Option(
        help="The environment variable with the API key; OPENAI_API_KEY if not told.", rich_help_panel="Model"
    ),
]
ExtraBody = Annotated[
    str | None, typer.Option(help="Further fields of a request, a JSON object.", rich_help_panel="Model")
]
GeneratorParam = Annotated[
    list[str] | None,
    typer.Option(help="A further argument of the generator, NAME=VALUE.", rich_help_panel="Model"),
]
Candidates = Annotated[
    int, typer.Option(min=1, help="Samples a question, of which a vote picks one.", rich_help_panel="Model")
]
Temperature = Annotated[
    float | None,
    typer.Option(help="Of the samples; 0.8 for several, 0 (greedy) for one.", rich_help_panel="Model"),
]
TopP = Annotated[float, typer.Option(help="Probability that is drawn from.", rich_help_panel="Model")]
MaxTokens = Annotated[int, typer.Option(min=1, help="Tokens of an answer, at most.", rich_help_panel="Model")]
Seed = Annotated[int, typer.Option(help="Seed of the samples.", rich_help_panel="Model")]
Template = Annotated[
    str | None,
    typer.Option(
        help="The prompt template, NAME or NAME@VERSION; if not told, that of its training, or full.",
        rich_help_panel="Model",
    ),
]
PromptBudget = Annotated[
    int | None,
    typer.Option(
        min=1,
        help="Tokens of a prompt, at most; of an endpoint's, characters. What has least to do with the "
        "question is left out of the schema.",
        rich_help_panel="Model",
    ),
]
Reward = Annotated[
    str, typer.Option(help="The preset whose response format and parts are used.", rich_help_panel="Model")
]
ResponseFormat = Annotated[
    str | None,
    typer.Option(help="A response format in place of the preset's.", rich_help_panel="Model"),
]

SAMPLED = 0.8
"""SQL-R1's temperature for its candidates (arXiv 2504.08600)."""


def decoding(
    candidates: int, temperature: float | None, top_p: float, max_tokens: int, seed: int
) -> Decoding:
    """How answers are drawn, the temperature chosen where it is not told."""
    heat = (SAMPLED if candidates > 1 else 0.0) if temperature is None else temperature
    return Decoding(candidates, heat, top_p, max_tokens, seed)


def generator(
    name: str | None, model: str, params: list[str] | None, **options: Any
) -> tuple[str, Generator]:
    """The generator that the command line asks for, and its name.

    Raises:
        PluginError: There is none of that name, or it does not take an option that was given.
        GenerationError: It cannot use the model.
    """
    given = {key: value for key, value in options.items() if value is not None}
    if "extra_body" in given:
        given["extra_body"] = json_object(given["extra_body"])
    chosen = name or ("openai" if "base_url" in given else "transformers")
    return chosen, load_generator(chosen, model, **given, **parameters(params, ()))


def json_object(text: str) -> dict[str, Any]:
    """A JSON object that an option holds."""
    try:
        found = json.loads(text)
    except (ValueError, RecursionError):
        found = None
    if not isinstance(found, dict):
        raise typer.BadParameter(f"{text!r} is no JSON object")
    return found

"""What completes prompts: a model in this process, or an endpoint. Generators are plug-ins."""

from __future__ import annotations

import inspect
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Protocol, TypeAlias

from sql_env import plugins
from sql_env.errors import GenerationError, PluginError
from sql_env.prompts.template import Message

Chat: TypeAlias = list[Message]
"""The chat messages of one prompt."""


@dataclass(frozen=True, slots=True)
class SamplingParams:
    """How completions are drawn. Nothing else changes the distribution: no top-k, and no penalties.

    Attributes:
        samples: Completions a prompt; 1 where the temperature is 0.
        temperature: What logits are divided by; 0 for greedy decoding.
        top_p: The share of probability that is drawn from, the most likely tokens first.
        max_tokens: Tokens of a completion, at most.
        seed: Seed of the draws.

    Raises:
        GenerationError: A number is out of range.
    """

    samples: int = 1
    temperature: float = 0.0
    top_p: float = 1.0
    max_tokens: int = 2048
    seed: int = 0

    def __post_init__(self) -> None:
        if self.samples < 1 or self.max_tokens < 1:
            raise GenerationError("candidates and tokens are counted from 1")
        if self.temperature < 0 or not 0 < self.top_p <= 1:
            raise GenerationError("a temperature is at least 0, and top_p above 0 and at most 1")
        if self.samples > 1 and not self.temperature:
            raise GenerationError("candidates are all alike at temperature 0: give a higher one, such as 0.8")


class Generator(Protocol):
    """Completes prompts. It is made from a model's name and keyword arguments of its own.

    Attributes:
        unit: What `size` counts: ``tokens`` or ``characters``.
        settings: What determines its completions beside prompts and sampling, in JSON; two runs with
            other settings are never mixed.
        environment: What else is worth knowing later: versions, the device, the batch size; in JSON.
    """

    unit: str
    settings: dict[str, Any]
    environment: dict[str, Any]

    def size(self, chat: Chat) -> int:
        """How large a prompt is."""
        ...

    def complete(
        self, prompts: Sequence[Chat], sampling: SamplingParams, done: Collection[int] = ()
    ) -> Iterator[tuple[int, list[str]]]:
        """Complete prompts.

        Args:
            prompts: All prompts of a run.
            sampling: How completions are drawn.
            done: The places of prompts that need no completion. What the others are given does not
                depend on it, as far as the generator can see to that.

        Yields:
            A prompt's place and its ``sampling.samples`` completions, as soon as they are there.

        Raises:
            GenerationError: Some prompts could not be completed. Those that could came before.
        """
        ...

    def close(self) -> None:
        """Let go of what it holds."""
        ...


def load_generator(name: str, model: str, **options: Any) -> Generator:
    """A generator by name.

    Args:
        name: The name of an entry point of ``sql_env.generators``, or ``package.module:factory``.
        model: The model's name or folder, as the generator understands it.
        options: Further arguments of the generator, such as ``base_url`` of ``openai``.

    Raises:
        PluginError: There is no such generator, or it takes no such argument.
        GenerationError: It cannot use that model.
    """
    factory = plugins.load(plugins.GENERATORS, name)
    signature = inspect.signature(factory)
    try:
        signature.bind(model, **options)
    except TypeError as error:
        raise PluginError(f"generator {name!r}: {error}; it takes {signature}") from None
    made: Generator = factory(model, **options)
    return made

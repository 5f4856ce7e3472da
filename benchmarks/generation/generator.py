"""Generators complete prompts: with a model in this process, or over an endpoint. They are plug-ins."""

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
    """The sampling parameters of completions. Nothing else changes the distribution: no top-k, no penalties.

    Attributes:
        samples: Number of completions for each prompt; 1 where the temperature is 0.
        temperature: The divisor of the logits; 0 for greedy decoding.
        top_p: The share of probability that tokens are drawn from, the most likely tokens first.
        max_tokens: Maximum number of tokens in a completion.
        seed: Random seed.

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
            raise GenerationError(
                f"samples and max_tokens must be at least 1, not {self.samples} and {self.max_tokens}"
            )
        if self.temperature < 0 or not 0 < self.top_p <= 1:
            raise GenerationError("temperature must be at least 0, and top_p above 0 and at most 1")
        if self.samples > 1 and not self.temperature:
            raise GenerationError(
                "candidates are all alike at temperature 0: give a higher temperature, such as 0.8"
            )


class Generator(Protocol):
    """A generator completes prompts. It is made from a model's name and keyword arguments of its own.

    Attributes:
        unit: The unit of `size`: ``tokens`` or ``characters``.
        settings: Everything that determines the completions, except prompts and sampling parameters, in
            JSON. Runs with different settings never share a folder.
        environment: Other facts for the record, in JSON: versions, the device, the batch size.
    """

    unit: str
    settings: dict[str, Any]
    environment: dict[str, Any]

    def size(self, chat: Chat) -> int:
        """Return the size of a prompt."""
        ...

    def complete(
        self, prompts: Sequence[Chat], sampling: SamplingParams, done: Collection[int] = ()
    ) -> Iterator[tuple[int, list[str]]]:
        """Complete prompts.

        Args:
            prompts: All prompts of a run.
            sampling: The sampling parameters.
            done: The positions of prompts that need no completion. If possible, the completions of the
                others do not depend on it.

        Yields:
            The position of a prompt and its ``sampling.samples`` completions, as soon as they are complete.

        Raises:
            GenerationError: Some prompts have no completion. All others were yielded before.
        """
        ...

    def close(self) -> None:
        """Release the model or the connections."""
        ...


def load_generator(name: str, model: str, **options: Any) -> Generator:
    """Load a generator by name.

    Args:
        name: The name of an entry point of ``sql_env.generators``, or ``package.module:factory``.
        model: The model's name or folder, in the form that the generator needs.
        options: Further arguments of the generator, such as ``base_url`` of ``openai``.

    Raises:
        PluginError: The generator is unknown, or does not take an argument.
        GenerationError: The generator cannot use the model.
    """
    factory = plugins.load_typed(plugins.GENERATORS, name)
    signature = inspect.signature(factory)
    try:
        signature.bind(model, **options)
    except TypeError as error:
        raise PluginError(f"generator {name!r}: {error}; it takes {signature}") from None
    generator: Generator = factory(model, **options)
    return generator

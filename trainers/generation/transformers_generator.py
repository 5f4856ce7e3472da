"""Evaluation's generator for models of transformers."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from random import Random
from typing import Any

from benchmarks.generation.generator import Chat, Sampling
from sql_env.errors import GenerationError
from trainers.generation.checkpoint import Checkpoint
from trainers.generation.sampling import complete_batch, split_batches
from trainers.hardware import use_threads


class Transformers:
    """Completes prompts with a causal language model of transformers, on an accelerator if there is one.

    Prompts are put into batches by their length, the longest first, always in the same way, and each
    batch has its own seed: a run that is gone on with gives what it would have given in one go.

    Args:
        model: Its name on the Hugging Face hub, or its folder.
        revision: Its revision on the hub.
        dtype: The type of its weights; if not told, float32 on a processor, else as they are stored.
        batch: Completions that are made at the same time.
        threads: Threads of torch; 0 leaves it to torch.

    Raises:
        GenerationError: There is no such model, or no such type.
    """

    unit = "tokens"

    def __init__(
        self,
        model: str,
        *,
        revision: str | None = None,
        dtype: str | None = None,
        batch: int = 32,
        threads: int = 0,
    ) -> None:
        import torch

        use_threads(threads)
        accelerated = torch.accelerator.is_available()
        self._checkpoint, self._batch = Checkpoint(model, revision), batch
        self._dtype = dtype or ("auto" if accelerated else "float32")
        if self._dtype != "auto" and not isinstance(getattr(torch, self._dtype, None), torch.dtype):
            known = "auto, float32, bfloat16 and float16"
            raise GenerationError(f"torch has no type of weights {dtype!r}; some that it has are {known}")
        self._model: Any = None
        self.settings: dict[str, Any] = {**self._checkpoint.identity(), "dtype": self._dtype}
        device = str(torch.accelerator.current_accelerator()) if accelerated else "cpu"
        self.environment: dict[str, Any] = {"device": device, "batch": batch}

    def size(self, chat: Chat) -> int:
        """The tokens of a prompt."""
        return len(self._checkpoint.encode(chat))

    def complete(
        self, prompts: Sequence[Chat], sampling: Sampling, done: Collection[int] = ()
    ) -> Iterator[tuple[int, list[str]]]:
        """See `benchmarks.generation.generator.Generator.complete`."""
        import torch

        encoded = [self._checkpoint.encode(chat) for chat in prompts]
        order = sorted(range(len(prompts)), key=lambda place: -len(encoded[place]))
        for part in split_batches(order, max(1, self._batch // sampling.samples)):
            if done and all(place in done for place in part):
                continue
            with torch.random.fork_rng():
                torch.manual_seed(Random(f"{sampling.seed}/{part[0]}").getrandbits(63))
                answers = self._answers([encoded[place] for place in part], sampling)
            for place, texts in zip(part, answers, strict=True):
                if place not in done:
                    yield place, texts

    def close(self) -> None:
        """Forget the model."""
        self._model = None

    def _answers(self, prompts: list[list[int]], sampling: Sampling) -> list[list[str]]:
        import torch

        try:
            return complete_batch(
                self._loaded(),
                self._checkpoint.tokenizer,
                prompts,
                samples=sampling.samples,
                temperature=sampling.temperature,
                top_p=sampling.top_p,
                max_new_tokens=sampling.max_tokens,
            )
        except torch.OutOfMemoryError as error:
            raise GenerationError(
                f"the device has too little memory for {len(prompts) * sampling.samples} completions at a "
                f"time: go on with a smaller --batch than {self._batch}. {error}"
            ) from None

    def _loaded(self) -> Any:
        """The model, loaded when it is first needed."""
        if self._model is None:
            import torch
            from transformers import AutoModelForCausalLM

            where = {"device_map": "auto"} if torch.accelerator.is_available() else {}
            try:
                self._model = AutoModelForCausalLM.from_pretrained(
                    self._checkpoint.name, revision=self._checkpoint.revision, dtype=self._dtype, **where
                ).eval()
            except (OSError, ValueError) as error:
                raise GenerationError(f"cannot load {self._checkpoint.name!r}: {error}") from None
        return self._model

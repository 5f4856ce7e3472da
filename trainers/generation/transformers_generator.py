"""The generator of `benchmarks.evaluate` for models of transformers."""

from __future__ import annotations

import time
from collections.abc import Collection, Iterator, Sequence
from random import Random
from typing import Any

from benchmarks.generation.generator import Chat, SamplingParams
from benchmarks.generation.usage import MeasuredText, Usage
from sql_env.errors import GenerationError
from sql_env.plugins import require
from trainers.generation.checkpoint import CheckpointGenerator
from trainers.generation.sampling import count_tokens, generate_tokens, list_end_tokens, split_batches
from trainers.hardware import use_threads


class Transformers(CheckpointGenerator):
    """Completes prompts with a causal language model of transformers, on an accelerator if there is one.

    Batches are made by the length of the prompts, the longest first, always in the same way, and each
    batch has its own seed: a resumed run gives the same completions as a run without a stop.

    Args:
        model: Its name on the Hugging Face hub, or its folder.
        revision: Its revision on the hub.
        dtype: The type of its weights; if not given, float32 on a processor, else as they are stored.
        batch: Completions that are generated at the same time.
        threads: Threads of torch; 0 leaves it to torch.

    Raises:
        GenerationError: There is no such model, or no such type.
        PluginError: torch or transformers is missing.
    """

    def __init__(
        self,
        model: str,
        *,
        revision: str | None = None,
        dtype: str | None = None,
        batch: int = 32,
        threads: int = 0,
    ) -> None:
        require("trl", "torch", "transformers", purpose="the generator 'transformers'")
        import torch

        use_threads(threads)
        super().__init__(model, revision)
        self._batch, self._accelerated = batch, torch.accelerator.is_available()
        self._dtype = dtype or ("auto" if self._accelerated else "float32")
        if self._dtype != "auto" and not isinstance(getattr(torch, self._dtype, None), torch.dtype):
            known = "auto, float32, bfloat16 and float16"
            raise GenerationError(f"torch has no type of weights {dtype!r}; it has {known}, among others")
        self.settings["dtype"] = self._dtype
        device = str(torch.accelerator.current_accelerator()) if self._accelerated else "cpu"
        self.environment: dict[str, Any] = {"device": device, "batch": batch}

    def complete(
        self, prompts: Sequence[Chat], sampling: SamplingParams, done: Collection[int] = ()
    ) -> Iterator[tuple[int, list[str]]]:
        """See `benchmarks.generation.generator.Generator.complete`."""
        import torch

        encoded = [self.encode(chat) for chat in prompts]
        order = sorted(range(len(prompts)), key=lambda index: -len(encoded[index]))
        for part in split_batches(order, max(1, self._batch // sampling.samples)):
            if done and all(index in done for index in part):
                continue
            with torch.random.fork_rng():
                torch.manual_seed(Random(f"{sampling.seed}/{part[0]}").getrandbits(63))
                groups = self._complete_batch([encoded[index] for index in part], sampling)
            for index, texts in zip(part, groups, strict=True):
                if index not in done:
                    yield index, texts

    def _complete_batch(self, prompts: list[list[int]], sampling: SamplingParams) -> list[list[str]]:
        import torch

        model, began = self._load_model(), time.monotonic()
        try:
            tokens, _ = generate_tokens(
                model,
                self.tokenizer,
                prompts,
                samples=sampling.samples,
                temperature=sampling.temperature,
                top_p=sampling.top_p,
                max_new_tokens=sampling.max_tokens,
            )
        except torch.OutOfMemoryError as error:
            raise GenerationError(
                f"the device has too little memory for {len(prompts) * sampling.samples} completions at a "
                f"time: resume with a smaller --batch than {self._batch}. {error}"
            ) from None
        texts = self.tokenizer.batch_decode(tokens, skip_special_tokens=True)
        counts = count_tokens(tokens.tolist(), list_end_tokens(model, self.tokenizer))
        seconds, n = (time.monotonic() - began) / max(1, len(texts)), sampling.samples
        measured = [
            MeasuredText(text, Usage(len(prompts[place // n]), count, seconds))
            for place, (text, count) in enumerate(zip(texts, counts, strict=True))
        ]
        return [list(measured[i : i + n]) for i in range(0, len(measured), n)]

    def _load_model(self) -> Any:
        """Return the model. The first call loads it."""
        if self._model is None:
            from transformers import AutoModelForCausalLM

            device = {"device_map": "auto"} if self._accelerated else {}
            try:
                self._model = AutoModelForCausalLM.from_pretrained(
                    self.name, revision=self.revision, dtype=self._dtype, trust_remote_code=False, **device
                ).eval()
            except (OSError, ValueError) as error:
                raise GenerationError(f"cannot load {self.name!r}: {error}") from None
        return self._model

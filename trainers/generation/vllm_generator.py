"""Evaluation's generator for models that vLLM runs."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from random import Random
from typing import Any

from benchmarks.generation.generator import Chat, Sampling
from sql_env.errors import GenerationError
from trainers.generation.checkpoint import Checkpoint
from trainers.generation.sampling import split_batches


class VLLM:
    """Completes prompts with vLLM, which must be installed.

    Args:
        model: Its name on the Hugging Face hub, or its folder.
        revision: Its revision on the hub.
        dtype: The type of its weights; as they are stored if not told.
        batch: Prompts that are handed to vLLM, and written to disk, at a time.
        engine: Further arguments of `vllm.LLM`, such as ``tensor_parallel_size``.

    Raises:
        GenerationError: There is no such model, or no vLLM.
    """

    unit = "tokens"

    def __init__(
        self, model: str, *, revision: str | None = None, dtype: str = "auto", batch: int = 256, **engine: Any
    ) -> None:
        try:
            import vllm
        except ImportError as error:
            raise GenerationError(f"the generator 'vllm' needs vLLM: pip install vllm ({error})") from None
        self._checkpoint, self._batch, self._model = Checkpoint(model, revision), batch, None
        self._arguments = {"model": model, "revision": revision, "dtype": dtype, **engine}
        self.settings: dict[str, Any] = {**self._checkpoint.identity(), "dtype": dtype, **engine}
        self.environment: dict[str, Any] = {"vllm": vllm.__version__, "batch": batch}

    def size(self, chat: Chat) -> int:
        """The tokens of a prompt."""
        return len(self._checkpoint.encode(chat))

    def complete(
        self, prompts: Sequence[Chat], sampling: Sampling, done: Collection[int] = ()
    ) -> Iterator[tuple[int, list[str]]]:
        """See `benchmarks.generation.generator.Generator.complete`."""
        import vllm

        self._model = self._model or vllm.LLM(**self._arguments)
        for part in split_batches([place for place in range(len(prompts)) if place not in done], self._batch):
            how = [
                vllm.SamplingParams(
                    n=sampling.samples,
                    temperature=sampling.temperature,
                    top_p=sampling.top_p,
                    max_tokens=sampling.max_tokens,
                    seed=Random(f"{sampling.seed}/{place}").getrandbits(31),
                )
                for place in part
            ]
            asked = [{"prompt_token_ids": self._checkpoint.encode(prompts[place])} for place in part]
            for place, said in zip(part, self._model.generate(asked, how, use_tqdm=False), strict=True):
                yield place, [each.text for each in said.outputs]

    def close(self) -> None:
        """Forget the model."""
        self._model = None

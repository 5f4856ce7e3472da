"""The generator of `benchmarks.evaluate` for models in vLLM."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from random import Random
from typing import Any

from benchmarks.generation.generator import Chat, SamplingParams
from sql_env.errors import GenerationError
from trainers.generation.checkpoint import CheckpointGenerator
from trainers.generation.sampling import split_batches


class VLLM(CheckpointGenerator):
    """Completes prompts with vLLM, which must be installed.

    Args:
        model: Its name on the Hugging Face hub, or its folder.
        revision: Its revision on the hub.
        dtype: The type of its weights; as they are stored if not given.
        batch: Prompts that go to vLLM, and completions that go to disk, at a time.
        engine: Further arguments of `vllm.LLM`, such as ``tensor_parallel_size``.

    Raises:
        GenerationError: There is no such model, or no vLLM.
    """

    def __init__(
        self, model: str, *, revision: str | None = None, dtype: str = "auto", batch: int = 256, **engine: Any
    ) -> None:
        try:
            import vllm
        except ImportError as error:
            raise GenerationError(f"the generator 'vllm' needs vLLM: pip install vllm ({error})") from None
        super().__init__(model, revision)
        self._batch, self._engine = batch, {"dtype": dtype, **engine}
        self.settings |= self._engine
        self.environment: dict[str, Any] = {"vllm": vllm.__version__, "batch": batch}

    def complete(
        self, prompts: Sequence[Chat], sampling: SamplingParams, done: Collection[int] = ()
    ) -> Iterator[tuple[int, list[str]]]:
        """See `benchmarks.generation.generator.Generator.complete`."""
        import vllm

        self._model = self._model or vllm.LLM(model=self.name, revision=self.revision, **self._engine)
        for part in split_batches([i for i in range(len(prompts)) if i not in done], self._batch):
            params = [
                vllm.SamplingParams(
                    n=sampling.samples,
                    temperature=sampling.temperature,
                    top_p=sampling.top_p,
                    max_tokens=sampling.max_tokens,
                    seed=Random(f"{sampling.seed}/{index}").getrandbits(31),
                )
                for index in part
            ]
            encoded = [{"prompt_token_ids": self.encode(prompts[index])} for index in part]
            outputs = self._model.generate(encoded, params, use_tqdm=False)
            for index, output in zip(part, outputs, strict=True):
                yield index, [each.text for each in output.outputs]

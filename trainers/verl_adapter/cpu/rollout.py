"""Generation by transformers for verl: a server, its replica, and the sender of the weights."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Iterable
from typing import Any

import ray
import torch
from verl.workers.rollout.base import BaseRollout
from verl.workers.rollout.replica import RolloutReplica, TokenOutput

from trainers.dataset import load_tokenizer
from trainers.generation.sampling import generate_tokens, list_end_tokens

WAIT = 0.03
"""A batch starts after this many seconds without a new request."""

LARGEST = 256
"""Completions that are generated at the same time."""


async def _do_nothing(*args: Any, **others: Any) -> None:
    """Do nothing. verl calls such methods if the server and the trainer share an accelerator's memory."""


class RolloutServer:
    """A Ray actor that completes prompts: tokens in, tokens and their log-probabilities out.

    Requests with the same sampling parameters that come at about the same time are one batch.

    Args:
        model: Folder of the model; its weights are replaced before each step.
        max_tokens: Tokens of a completion, if a request does not name a number.
    """

    def __init__(self, model: str, max_tokens: int) -> None:
        from transformers import AutoModelForCausalLM

        torch.set_num_threads(int(os.environ.get("OMP_NUM_THREADS", "1")))
        self.model = AutoModelForCausalLM.from_pretrained(
            model, dtype=torch.float32, attn_implementation="eager", trust_remote_code=False
        ).eval()
        self.tokenizer = load_tokenizer(model)
        self.max_tokens, self.steps = max_tokens, 0
        self.waiting: list[tuple[list[int], dict[str, Any], asyncio.Future]] = []
        # Held while the model generates or takes new weights: a batch never mixes two steps.
        self.busy = asyncio.Lock()

    async def generate(
        self, request_id: str, prompt_ids: list[int], sampling_params: dict[str, Any], **others: Any
    ) -> TokenOutput:
        """Complete one prompt."""
        done: asyncio.Future = asyncio.get_running_loop().create_future()
        self.waiting.append((list(prompt_ids), dict(sampling_params), done))
        await self._run_batches()
        return await done

    async def _run_batches(self) -> None:
        seen = 0
        while len(self.waiting) != seen:
            seen = len(self.waiting)
            await asyncio.sleep(WAIT)
        async with self.busy:
            while self.waiting:
                await self._run_batch()

    async def _run_batch(self) -> None:
        alike = [item for item in self.waiting if item[1] == self.waiting[0][1]][:LARGEST]
        self.waiting = [item for item in self.waiting if all(item is not other for other in alike)]
        try:
            made = await asyncio.to_thread(self._complete, [prompt for prompt, _, _ in alike], alike[0][1])
        except Exception as error:  # noqa: BLE001
            for _, _, done in alike:
                done.set_exception(error)
            return
        for (_, _, done), output in zip(alike, made, strict=True):
            done.set_result(output)

    def _complete(self, prompts: list[list[int]], params: dict[str, Any]) -> list[TokenOutput]:
        temperature = float(params.get("temperature", 1.0))
        max_tokens = params.get("max_tokens") or params.get("max_new_tokens") or self.max_tokens
        tokens, logits = generate_tokens(
            self.model,
            self.tokenizer,
            prompts,
            temperature=temperature,
            top_p=float(params.get("top_p", 1.0)),
            top_k=max(0, int(params.get("top_k", -1))),
            max_new_tokens=int(max_tokens),
            logits=True,
        )
        scaled = torch.stack(logits, dim=1).float() / (temperature or 1.0)
        chosen = scaled.log_softmax(-1).gather(-1, tokens.unsqueeze(-1)).squeeze(-1)
        return [self._make_output(*pair) for pair in zip(tokens.tolist(), chosen.tolist(), strict=True)]

    def _make_output(self, tokens: list[int], log_probs: list[float]) -> TokenOutput:
        ends = list_end_tokens(self.model, self.tokenizer)
        end = next((place for place, token in enumerate(tokens, 1) if token in ends), len(tokens))
        return TokenOutput(
            token_ids=tokens[:end],
            log_probs=log_probs[:end],
            stop_reason="completed",
            num_preempted=0,
            extra_fields={"global_steps": self.steps},
        )

    async def load_weights(self, weights: dict[str, torch.Tensor], steps: int | None) -> None:
        """Copy all weights of the trainer.

        Raises:
            ValueError: Some are missing, or the model does not have them.
        """
        async with self.busy:
            own = self.model.state_dict()
            fresh = {own[name].data_ptr() for name in weights if name in own}  # tied weights are one tensor
            stale = [name for name, weight in own.items() if weight.data_ptr() not in fresh]
            if unknown := sorted(set(weights) - set(own)):
                raise ValueError(f"weights that the model does not have: {unknown[:3]}")
            if stale:
                raise ValueError(f"weights that the trainer did not send: {stale[:3]}")
            with torch.no_grad():
                for name, weight in weights.items():
                    own[name].copy_(weight)
            self.steps = steps if steps is not None else self.steps

    do_nothing = _do_nothing
    wake_up = sleep = abort_all_requests = resume_generation = do_nothing
    clear_kv_cache = release_kv_cache = resume_kv_cache = start_profile = stop_profile = do_nothing


class Replica(RolloutReplica):
    """Starts one `RolloutServer` for each training process."""

    async def launch_servers(self) -> None:
        name = _get_name(self.replica_rank)
        options = {"name": name, "num_cpus": 1, "max_concurrency": self.max_concurrency}
        model = self.model_config.get("local_path", None) or self.model_config.path
        server = ray.remote(RolloutServer).options(**options).remote(model, self.config.response_length)
        await server.do_nothing.remote()
        self.servers, self._server_handle, self._server_address = [server], server, f"ray://{name}"


class WeightSender(BaseRollout):
    """Runs in a training process and sends its weights to the server."""

    resume = release = _do_nothing

    def __init__(self, config: Any, model_config: Any, device_mesh: Any, **others: Any) -> None:
        super().__init__(config, model_config, device_mesh)
        self._rank = int(os.environ["RANK"])

    async def update_weights(
        self, weights: Iterable[tuple[str, torch.Tensor]], global_steps: int | None = None, **others: Any
    ) -> None:
        """Send all weights. Every process gathers them: the operation is collective."""
        whole = {name: weight.detach().float().cpu().clone() for name, weight in weights}
        await ray.get_actor(_get_name(self._rank)).load_weights.remote(whole, global_steps)


def _get_name(rank: int) -> str:
    return f"sql_env_server_{rank}"

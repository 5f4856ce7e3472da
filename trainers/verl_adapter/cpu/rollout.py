"""Generation by transformers for verl: a server, its replica, and the way of the weights to it."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Iterable
from typing import Any

import ray
import torch
from verl.workers.rollout.base import BaseRollout
from verl.workers.rollout.replica import RolloutReplica, TokenOutput

WAIT = 0.03
"""Seconds in which no request comes before a batch is started."""

LARGEST = 256
"""Completions that are made at the same time."""


class Server:
    """A Ray actor that completes prompts: tokens in, tokens and their log-probabilities out.

    Requests that come about the same time, with the same sampling parameters, are one batch.

    Args:
        model: Folder of the model; its weights are replaced before each step.
        longest: Tokens of a completion, where a request does not say.
    """

    def __init__(self, model: str, longest: int) -> None:
        from transformers import AutoModelForCausalLM, AutoTokenizer

        torch.set_num_threads(int(os.environ.get("OMP_NUM_THREADS", "1")))
        self.model = AutoModelForCausalLM.from_pretrained(
            model, dtype=torch.float32, attn_implementation="eager"
        ).eval()
        words = AutoTokenizer.from_pretrained(model)
        self.eos, self.pad = words.eos_token_id, words.pad_token_id
        if self.pad is None:
            self.pad = self.eos
        self.longest, self.steps = longest, 0
        self.waiting: list[tuple[list[int], dict[str, Any], asyncio.Future]] = []
        self.busy = asyncio.Lock()

    async def generate(
        self, request_id: str, prompt_ids: list[int], sampling_params: dict[str, Any], **others: Any
    ) -> TokenOutput:
        """Complete one prompt."""
        done: asyncio.Future = asyncio.get_running_loop().create_future()
        self.waiting.append((list(prompt_ids), dict(sampling_params), done))
        await self._gather()
        return await done

    async def _gather(self) -> None:
        seen = 0
        while len(self.waiting) != seen:
            seen = len(self.waiting)
            await asyncio.sleep(WAIT)
        async with self.busy:
            while self.waiting:
                await self._batch()

    async def _batch(self) -> None:
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

    @torch.no_grad()
    def _complete(self, prompts: list[list[int]], params: dict[str, Any]) -> list[TokenOutput]:
        width = max(len(prompt) for prompt in prompts)
        ids = torch.tensor([[self.pad] * (width - len(prompt)) + prompt for prompt in prompts])
        mask = torch.tensor([[0] * (width - len(prompt)) + [1] * len(prompt) for prompt in prompts])
        temperature = float(params.get("temperature", 1.0))
        sampling: dict[str, Any] = {"do_sample": temperature > 0}
        if temperature > 0:
            sampling["temperature"] = temperature
            sampling["top_p"] = float(params.get("top_p", 1.0))
            sampling["top_k"] = max(0, int(params.get("top_k", -1)))
        longest = params.get("max_tokens") or params.get("max_new_tokens") or self.longest
        output = self.model.generate(
            input_ids=ids,
            attention_mask=mask,
            eos_token_id=self.eos,
            pad_token_id=self.pad,
            max_new_tokens=int(longest),
            return_dict_in_generate=True,
            output_logits=True,
            **sampling,
        )
        made = output.sequences[:, width:]
        logits = torch.stack(output.logits, dim=1).float() / (temperature or 1.0)
        chosen = logits.log_softmax(-1).gather(-1, made.unsqueeze(-1)).squeeze(-1)
        return [self._output(*pair) for pair in zip(made.tolist(), chosen.tolist(), strict=True)]

    def _output(self, tokens: list[int], log_probs: list[float]) -> TokenOutput:
        end = tokens.index(self.eos) + 1 if self.eos in tokens else len(tokens)
        return TokenOutput(
            token_ids=tokens[:end],
            log_probs=log_probs[:end],
            stop_reason="completed",
            num_preempted=0,
            extra_fields={"global_steps": self.steps},
        )

    async def load(self, weights: dict[str, torch.Tensor], steps: int | None) -> None:
        """Take over the trainer's weights, all of them.

        Raises:
            ValueError: Some are missing, or are none of the model's.
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

    async def nothing(self, *args: Any, **others: Any) -> None:
        """What verl asks of a server that shares an accelerator's memory with the trainer."""

    wake_up = sleep = abort_all_requests = resume_generation = nothing
    clear_kv_cache = release_kv_cache = resume_kv_cache = start_profile = stop_profile = nothing


class Replica(RolloutReplica):
    """Starts one `Server` for each training process."""

    async def launch_servers(self) -> None:
        name = _name(self.replica_rank)
        options = {"name": name, "num_cpus": 1, "max_concurrency": self.max_concurrency}
        model = self.model_config.get("local_path", None) or self.model_config.path
        server = ray.remote(Server).options(**options).remote(model, self.config.response_length)
        await server.nothing.remote()
        self.servers, self._server_handle, self._server_address = [server], server, f"ray://{name}"


class WeightSender(BaseRollout):
    """Sits in a training process and hands its weights to the server."""

    def __init__(self, config: Any, model_config: Any, device_mesh: Any, **others: Any) -> None:
        super().__init__(config, model_config, device_mesh)
        self._rank = int(os.environ["RANK"])

    async def resume(self, tags: list[str]) -> None:
        pass

    async def release(self) -> None:
        pass

    async def update_weights(
        self, weights: Iterable[tuple[str, torch.Tensor]], global_steps: int | None = None, **others: Any
    ) -> None:
        """Send all weights. Each process gathers them, because that takes all of them."""
        whole = {name: weight.detach().float().cpu().clone() for name, weight in weights}
        await ray.get_actor(_name(self._rank)).load.remote(whole, global_steps)


def _name(rank: int) -> str:
    return f"sql_env_server_{rank}"

"""verl without an accelerator: a platform, training engines and a rollout, all registered with verl.

verl 0.9.1 supports NVIDIA, AMD and Ascend. This module adds the processor, by verl's registries of
platforms, engines and rollouts; every process of verl imports it first (``VERL_USE_EXTERNAL_MODULES``).
Three parts of verl have no registry. Its table of rollout classes is a private dict, which gets an entry.
Its function that starts torch's process group names the processor twice, and its function that loads a
critic requires FlashAttention: both are replaced.

For tests, demos and tiny models: a processor is about a hundred times slower than a GPU.
"""

from __future__ import annotations

import logging
import os
from collections.abc import Callable
from contextlib import nullcontext
from types import ModuleType
from typing import Any

import torch
from verl.plugin.platform import PlatformRegistry
from verl.plugin.platform.platform_base import PlatformBase
from verl.utils import distributed, model

ROLLOUT = "transformers"
"""The value of ``actor_rollout_ref.rollout.name`` for generation by transformers."""


def _constant(value: Any) -> Callable[..., Any]:
    """Make a function that ignores its arguments and returns the value."""
    return lambda *args, **others: value


def _make_device_module() -> ModuleType:
    """Make a module with the functions of ``torch.cuda`` that verl calls."""
    module = ModuleType("sql_env_verl_cpu")
    sizes = ("memory_allocated", "memory_reserved", "max_memory_allocated", "max_memory_reserved")
    actions = ("empty_cache", "synchronize", "set_device", "manual_seed", "manual_seed_all")
    limits = ("reset_peak_memory_stats", "set_per_process_memory_fraction")
    functions = {
        "is_available": _constant(False),
        "device_count": _constant(1),
        "current_device": _constant("cpu"),
        "get_device_name": _constant("CPU"),
        "get_rng_state": torch.get_rng_state,
        "set_rng_state": torch.set_rng_state,
        "mem_get_info": _constant((0, 0)),
        **dict.fromkeys(sizes, _constant(0)),
        **dict.fromkeys(actions + limits, _constant(None)),
    }
    vars(module).update(functions)
    return module


@PlatformRegistry.register(platform="cpu")
class CPU(PlatformBase):
    """The processor as verl's accelerator. Only ``VERL_PLATFORM=cpu`` chooses it."""

    device_name = "cpu"
    vendor_name = "cpu"
    device_module = _make_device_module()
    is_available = _constant(True)
    is_platform_available = _constant(False)  # not chosen by detection
    current_device = _constant("cpu")
    device_count = _constant(1)
    set_device = synchronize = set_allocator_settings = empty_cache = _constant(None)
    profiler_start = profiler_stop = cudart = _constant(None)
    nvtx_range = _constant(nullcontext())
    get_device_capability = _constant((None, None))
    communication_backend_name = _constant("gloo")
    visible_devices_envvar = _constant("SQL_ENV_VERL_CPU_VISIBLE_DEVICES")
    ray_resource_name = _constant("GPU")  # the slots of verl's resource pools; see ``ray_init.num_gpus``
    ray_noset_envvars = _constant(())
    is_ipc_supported = _constant(False)

    def manual_seed(self, seed: int) -> None:
        torch.manual_seed(seed)

    manual_seed_all = manual_seed


def start_process_group(timeout_second: float | None = None, backend: str | None = None) -> None:
    """Start torch's process group in a training process, without the backend of an accelerator."""
    import torch.distributed as dist

    if not dist.is_initialized():
        rank, size = int(os.environ.get("RANK", 0)), int(os.environ.get("WORLD_SIZE", 1))
        dist.init_process_group("gloo", rank=rank, world_size=size)


def load_critic(local_path: str, torch_dtype: Any, model_config: Any, trust_remote_code: bool) -> Any:
    """Load a critic without FlashAttention."""
    from transformers import AutoModelForCausalLM
    from trl.experimental.ppo import AutoModelForCausalLMWithValueHead

    given = {"dtype": torch_dtype, "config": model_config, "trust_remote_code": trust_remote_code}
    whole = AutoModelForCausalLM.from_pretrained(local_path, attn_implementation="eager", **given)
    critic = AutoModelForCausalLMWithValueHead.from_pretrained(whole)
    model.patch_valuehead_model(critic)
    return critic


def _register_engines() -> None:
    from verl.workers.engine.base import EngineRegistry
    from verl.workers.engine.fsdp.transformer_impl import FSDPEngineWithLMHead, FSDPEngineWithValueHead

    class WithoutOffload:
        """FSDP2 that does not pin the reference model's memory, which needs an accelerator."""

        def _build_fsdp_module(self, module: Any) -> Any:
            # verl offloads a forward-only model. The configuration is frozen, hence object.__setattr__.
            forward_only = self.engine_config.forward_only
            object.__setattr__(self.engine_config, "forward_only", False)
            try:
                return super()._build_fsdp_module(module)
            finally:
                object.__setattr__(self.engine_config, "forward_only", forward_only)

    for kind, engine in (("language_model", FSDPEngineWithLMHead), ("value_model", FSDPEngineWithValueHead)):
        made = type(f"CPU{engine.__name__}", (WithoutOffload, engine), {})
        EngineRegistry.register(model_type=kind, backend=["fsdp2"], device="cpu")(made)


def _register_rollout() -> None:
    from verl.workers.rollout import base
    from verl.workers.rollout.replica import RolloutReplicaRegistry

    def load() -> type:
        from trainers.verl_adapter.cpu.rollout import Replica

        return Replica

    RolloutReplicaRegistry.register(ROLLOUT, load)
    base._ROLLOUT_REGISTRY[(ROLLOUT, "async")] = "trainers.verl_adapter.cpu.rollout.WeightSender"


logging.getLogger("verl.utils.tokenizer.continuous_token_wiring").setLevel(logging.ERROR)  # per rollout
# verl has no registry for these two functions, so its modules get ours before anything calls them.
distributed.initialize_global_process_group_ray = start_process_group
model.load_valuehead_model = load_critic
_register_engines()
_register_rollout()

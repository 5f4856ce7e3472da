"""verl without an accelerator: a platform, training engines and a rollout, all registered with verl.

verl 0.9.1 knows NVIDIA, AMD and Ascend. This module gives it a processor, by its registries of
platforms, engines and rollouts; every process of verl imports it first (``VERL_USE_EXTERNAL_MODULES``).
Three things have no registry: verl's table of rollout classes is a private dict, its way to start
torch's process group names the processor twice, and its way to load a critic insists on FlashAttention.
The two functions are replaced.

For tests, demos and tiny models: a processor is some hundred times slower than a GPU.
"""

from __future__ import annotations

import logging
import os
from collections.abc import Iterator
from contextlib import contextmanager
from types import ModuleType
from typing import Any

import torch
from verl.plugin.platform import PlatformRegistry
from verl.plugin.platform.platform_base import PlatformBase
from verl.utils import distributed, model

ROLLOUT = "transformers"
"""What ``actor_rollout_ref.rollout.name`` calls generation by transformers."""


def _nothing(*args: Any, **others: Any) -> None:
    return None


def _zero(*args: Any, **others: Any) -> int:
    return 0


def _module() -> ModuleType:
    """What stands in the place of ``torch.cuda``."""
    made = ModuleType("sql_env_verl_cpu")
    made.is_available = lambda: False
    made.device_count = lambda: 1
    made.current_device = lambda: "cpu"
    made.get_device_name = lambda *args: "CPU"
    made.get_rng_state, made.set_rng_state = torch.get_rng_state, torch.set_rng_state
    made.mem_get_info = lambda *args: (0, 0)
    for name in ("memory_allocated", "memory_reserved", "max_memory_allocated", "max_memory_reserved"):
        setattr(made, name, _zero)
    for name in ("empty_cache", "synchronize", "set_device", "manual_seed", "manual_seed_all"):
        setattr(made, name, _nothing)
    made.reset_peak_memory_stats = made.set_per_process_memory_fraction = _nothing
    return made


@PlatformRegistry.register(platform="cpu")
class CPU(PlatformBase):
    """A processor as verl's accelerator; only ``VERL_PLATFORM=cpu`` chooses it."""

    device_name = "cpu"
    vendor_name = "cpu"
    device_module = _module()

    def is_available(self) -> bool:
        return True

    def is_platform_available(self, use_smi_check: bool = False) -> bool:
        return False

    def current_device(self) -> str:
        return "cpu"

    def device_count(self) -> int:
        return 1

    def manual_seed(self, seed: int) -> None:
        torch.manual_seed(seed)

    manual_seed_all = manual_seed
    set_device = synchronize = set_allocator_settings = empty_cache = _nothing
    profiler_start = profiler_stop = cudart = _nothing

    def get_device_capability(self, device_index: int = 0) -> tuple[None, None]:
        return None, None

    def communication_backend_name(self) -> str:
        return "gloo"

    def visible_devices_envvar(self) -> str:
        return "SQL_ENV_VERL_CPU_VISIBLE_DEVICES"

    @contextmanager
    def nvtx_range(self, msg: str) -> Iterator[None]:
        yield

    def ray_resource_name(self) -> str:
        """The slots that verl's resource pools count, whatever they are; see ``ray_init.num_gpus``."""
        return "GPU"

    def ray_noset_envvars(self) -> list[str]:
        return []

    def is_ipc_supported(self) -> bool:
        return False


def start_process_group(timeout_second: float | None = None, backend: str | None = None) -> None:
    """What verl calls in each training process, without the name of an accelerator's backend."""
    import torch.distributed as dist

    if not dist.is_initialized():
        place = {"rank": int(os.environ.get("RANK", 0)), "world_size": int(os.environ.get("WORLD_SIZE", 1))}
        dist.init_process_group("gloo", **place)


def load_critic(local_path: str, torch_dtype: Any, model_config: Any, trust_remote_code: bool) -> Any:
    """What verl calls for a critic, without FlashAttention."""
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
        """FSDP2 that does not pin the reference model's memory, which takes an accelerator."""

        def _build_fsdp_module(self, module: Any) -> Any:
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
distributed.initialize_global_process_group_ray = start_process_group
model.load_valuehead_model = load_critic
_register_engines()
_register_rollout()

"""Settings for the hardware of this machine."""

from __future__ import annotations

import os
from typing import Any


def has_accelerator() -> bool:
    """Return True if this machine has a GPU or another accelerator."""
    import torch

    return torch.accelerator.is_available()


def get_cpu_defaults() -> dict[str, Any]:
    """Return training arguments for a machine without an accelerator; none if there is one.

    TRL's own defaults are bfloat16 and gradient checkpointing, which make a CPU slower.
    """
    if has_accelerator():
        return {}
    return {"use_cpu": True, "bf16": False, "gradient_checkpointing": False}


def count_idle_cores(at_most: int = 4) -> int:
    """Count the idle cores. With more threads than idle cores torch is many times slower."""
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    busy = round(os.getloadavg()[0]) if hasattr(os, "getloadavg") else 0
    return max(1, min(at_most, cores - busy))


def use_threads(threads: int) -> None:
    """Set the number of torch's threads; 0 leaves it to torch."""
    import torch

    if threads:
        torch.set_num_threads(threads)

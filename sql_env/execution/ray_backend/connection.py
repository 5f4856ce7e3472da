"""The driver's connection to a Ray cluster."""

from __future__ import annotations

import logging
import os
import re
import socket
from typing import Any

import ray

from sql_env.errors import SQLEnvError

log = logging.getLogger(__name__)


def connect(workers: int) -> None:
    """Make this process a driver, unless it is one.

    Args:
        workers: How many CPUs will be asked for.

    Raises:
        SQLEnvError: There is no cluster at the address.
    """
    if not ray.is_initialized():
        address = os.environ.get("RAY_ADDRESS", "")
        try:
            _knock(address)
            ray.init(
                include_dashboard=False,
                log_to_driver=False,
                logging_level=logging.WARNING,
                ignore_reinit_error=True,  # another thread may be faster
            )
        except (OSError, ValueError) as error:
            raise SQLEnvError(f"cannot reach a Ray cluster (RAY_ADDRESS={address!r}): {error}") from None
    resources: dict[str, Any] = ray.cluster_resources()  # type: ignore[no-untyped-call]
    there = int(resources.get("CPU", 0))
    if workers > there:
        log.warning("%d workers, but Ray's cluster has %d CPUs: the rest wait for more", workers, there)


def _knock(address: str) -> None:
    """Raise where nobody is at ``host:port``; Ray would go on trying for minutes."""
    if found := re.fullmatch(r"([^:/]+):([0-9]+)", address):
        socket.create_connection((found[1], int(found[2])), timeout=10).close()

"""State that a fork of the process must not share."""

from __future__ import annotations

import os
import weakref
from typing import Protocol


class ForkAware(Protocol):
    """An object with a lock, which another thread may hold when the process forks."""

    def reset_after_fork(self) -> None:
        """Make the state new, in the child process."""
        ...


_registered: weakref.WeakSet[ForkAware] = weakref.WeakSet()


def register_for_fork(thing: ForkAware) -> None:
    """Call ``thing.reset_after_fork()`` in each fork of this process."""
    _registered.add(thing)


def _after_fork() -> None:
    for thing in list(_registered):
        thing.reset_after_fork()


os.register_at_fork(after_in_child=_after_fork)

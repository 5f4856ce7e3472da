"""What is not shared with a fork of the process."""

from __future__ import annotations

import os
import weakref
from typing import Protocol


class Forgetful(Protocol):
    """Something with a lock, which another thread may hold when the process forks."""

    def forget(self) -> None:
        """Begin anew, in the fork."""
        ...


_forgetful: weakref.WeakSet[Forgetful] = weakref.WeakSet()


def forget_in_forks(thing: Forgetful) -> None:
    """Let ``thing.forget()`` be called in each fork of this process."""
    _forgetful.add(thing)


def _after_fork() -> None:
    for thing in list(_forgetful):
        thing.forget()


os.register_at_fork(after_in_child=_after_fork)

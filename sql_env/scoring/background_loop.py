"""An event loop in its own thread, for rewards that are coroutines.

The caller may be a thread that runs an event loop itself, as in a notebook or in verl. A second loop
cannot run there. One loop serves the whole process, because the clients that rewards keep (HTTP connections)
belong to the loop that made them.
"""

from __future__ import annotations

import asyncio
import atexit
import inspect
import threading
from collections.abc import Awaitable, Sequence
from contextlib import suppress
from typing import Any

from sql_env.execution.fork import register_for_fork


class Gate:
    """A bound on the number of awaitables that run at the same time, for all threads of a process.

    Attributes:
        limit: The bound.
    """

    __slots__ = ("_loop", "_semaphore", "limit")

    def __init__(self, limit: int) -> None:
        self.limit = limit
        self._loop: asyncio.AbstractEventLoop | None = None
        self._semaphore = asyncio.Semaphore(limit)

    def __reduce__(self) -> tuple[type[Gate], tuple[int]]:
        return Gate, (self.limit,)  # a semaphore belongs to the loop of its process

    def open(self) -> asyncio.Semaphore:
        """Return the semaphore of the running loop, which is another one after a fork."""
        loop = asyncio.get_running_loop()
        if self._loop is not loop:
            self._loop, self._semaphore = loop, asyncio.Semaphore(self.limit)
        return self._semaphore


class BackgroundLoop:
    """An event loop that runs in a daemon thread. The first use starts it."""

    def __init__(self) -> None:
        self._loop: asyncio.AbstractEventLoop | None = None
        self._abandoned: list[asyncio.AbstractEventLoop | None] = []
        self.reset_after_fork()
        register_for_fork(self)
        atexit.register(self._stop)

    def reset_after_fork(self) -> None:
        """Make the state new: the thread of the parent does not exist in the child."""
        # If the parent's loop were deleted here, it would unregister its files, which the parent still uses.
        self._abandoned.append(self._loop)
        self._loop = None
        self._lock = threading.Lock()
        self._thread: threading.Thread | None = None

    def run(self, awaitables: Sequence[Awaitable[Any]], gate: Gate) -> list[Any]:
        """Await all at the same time, at most ``gate.limit`` of them. Return their results in order.

        Raises:
            Exception: What the first awaitable raised that failed. The others are cancelled.
        """
        loop = self._start()
        if threading.current_thread() is self._thread:
            close_all(awaitables)
            raise RuntimeError("an async reward cannot score with async rewards: await what it needs")
        waiting = asyncio.run_coroutine_threadsafe(_gather(awaitables, gate), loop)
        try:
            return waiting.result()
        finally:
            waiting.cancel()  # after an interrupt

    def _start(self) -> asyncio.AbstractEventLoop:
        if self._loop is not None:
            return self._loop
        with self._lock:
            if self._loop is None:
                loop = asyncio.new_event_loop()
                self._thread = threading.Thread(
                    target=loop.run_forever, daemon=True, name="sql-env-async-rewards"
                )
                self._thread.start()
                self._loop = loop
            return self._loop

    def _stop(self) -> None:
        if self._loop is None or self._thread is None:
            return
        with suppress(RuntimeError):  # it is closed
            self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(timeout=5)
        if not self._thread.is_alive():
            self._loop.close()


async def _gather(awaitables: Sequence[Awaitable[Any]], gate: Gate) -> list[Any]:
    semaphore = gate.open()

    async def wait(awaitable: Awaitable[Any]) -> Any:
        async with semaphore:
            return await awaitable

    tasks = [asyncio.ensure_future(wait(awaitable)) for awaitable in awaitables]
    try:
        return await asyncio.gather(*tasks)
    except BaseException:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        close_all(awaitables)
        raise


def close_all(values: Sequence[Any]) -> None:
    """Close the coroutines among these values, so that Python does not warn that nothing awaited them."""
    for value in values:
        if inspect.iscoroutine(value):
            value.close()


LOOP = BackgroundLoop()
"""The loop of this process."""

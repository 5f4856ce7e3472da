"""One call of an executor: its items cut into chunks, spread over actors, and gathered again."""

from __future__ import annotations

import logging
from collections import Counter, deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from zlib import crc32

import ray
from ray.exceptions import RayError, RayTaskError

from sql_env.errors import SQLEnvError
from sql_env.execution.stats import ExecutorStats

CHUNK = 128
"""Items that are sent to an actor at once, at most."""

DEPTH = 2
"""Chunks of one call that an actor has at once: one that runs and one that waits."""

LOSSES = 5
"""How often a chunk may be lost with its actor before the cluster is called broken."""

_PATIENCE = 60.0  # seconds without an actor after which to say so

log = logging.getLogger(__name__)


class Seat:
    """An actor, seen from the driver: whether it is up, and the sign that it will be."""

    def __init__(self, actor: Any) -> None:
        self.actor = actor
        self.lost()

    def lost(self) -> None:
        """It does not answer: wait until Ray has restarted it."""
        self.up = False
        self.sign = self.actor.ready.remote()

    def back(self, sign: Any) -> None:
        """It has answered this sign; an older one than another thread has asked for says nothing."""
        self.up = self.up or sign is self.sign


@dataclass(slots=True)
class Chunk:
    """Items for one actor, by their places in the call, and how often they were lost."""

    places: Sequence[int]
    losses: int = 0


class Call:
    """The items of one call and their results as they come. It belongs to one thread.

    A call that is lost is not left to Ray's own retries. Those wait until the same actor is back, and
    where the cluster has no room left for it, that is never.
    """

    def __init__(
        self,
        seats: Sequence[Seat],
        method: str,
        items: Sequence[Any],
        databases: Sequence[str],
        options: Mapping[str, Any],
        count: Callable[[ExecutorStats], None],
    ) -> None:
        self._seats = seats
        self._send = method, options
        self._count = count
        self._items = items
        self._results: list[Any] = [None] * len(items)
        self._queues = _queues(databases, len(seats))
        self._running: dict[Any, tuple[Seat, Chunk]] = {}
        self._load: Counter[Seat] = Counter()

    def run(self) -> list[Any]:
        """Have all items answered, and return the results in their order."""
        while any(self._queues) or self._running:
            self._dispatch()
            self._collect()
        return self._results

    def _dispatch(self) -> None:
        """Fill up each actor that is up, first with what is its own."""
        for seat, own in zip(self._seats, self._queues, strict=True):
            while own and self._has_room(seat):
                self._start(seat, own.popleft())
        for _ in range(DEPTH):
            for seat in self._seats:
                longest = max(self._queues, key=len)
                if longest and self._has_room(seat):
                    self._start(seat, longest.pop())

    def _has_room(self, seat: Seat) -> bool:
        return seat.up and self._load[seat] < DEPTH

    def _start(self, seat: Seat, chunk: Chunk) -> None:
        method, options = self._send
        items = [self._items[place] for place in chunk.places]
        self._running[seat.actor.call.remote(method, items, options)] = seat, chunk
        self._load[seat] += 1

    def _collect(self) -> None:
        starting = {seat.sign: seat for seat in self._seats if not seat.up}
        done, _ = ray.wait([*self._running, *starting], timeout=_PATIENCE)
        if not done and not self._running:
            log.warning("no Ray actor has started: the cluster has no CPU free, or a node cannot start one")
        for ref in done:
            if ref in starting:
                ray.get(ref)
                starting[ref].back(ref)
            else:
                self._receive(ref, *self._running.pop(ref))

    def _receive(self, ref: Any, seat: Seat, chunk: Chunk) -> None:
        self._load[seat] -= 1
        try:
            results, stats = ray.get(ref)
        except RayTaskError as error:
            raise error.cause from None
        except RayError as error:  # the actor, its node, or the place of the result is gone
            self._lost(seat, chunk, error)
            return
        self._count(stats)
        for place, result in zip(chunk.places, results, strict=True):
            self._results[place] = result

    def _lost(self, seat: Seat, chunk: Chunk, error: RayError) -> None:
        chunk.losses += 1
        if chunk.losses > LOSSES:
            raise SQLEnvError(
                f"a chunk of queries was lost with {chunk.losses} Ray actors: {error}"
            ) from None
        seat.lost()
        self._queues[self._seats.index(seat)].append(chunk)


def _queues(databases: Sequence[str], count: int) -> list[deque[Chunk]]:
    """For each actor, chunks of the places of what it should run, those on one database together.

    The number of actors is fixed, so a database has the same one in every call.
    """
    homes: list[list[int]] = [[] for _ in range(count)]
    for place, database in enumerate(databases):
        homes[crc32(database.encode(errors="surrogatepass")) % count].append(place)
    size = max(1, min(CHUNK, len(databases) // (4 * count)))
    queues = []
    for places in homes:
        places.sort(key=databases.__getitem__)
        queues.append(deque(Chunk(places[start : start + size]) for start in range(0, len(places), size)))
    return queues

"""Everything around a query that must stay as it is: files, processes, secrets, and memory."""

from __future__ import annotations

import hashlib
import os
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import chdir, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from random import Random
from tempfile import TemporaryDirectory
from types import TracebackType

with suppress(ImportError):  # `exit_on_error` names the missing package
    import psutil

SECRET = "SQL_ENV_HOSTILE_SECRET"
"""The environment variable whose value no result may contain."""

_INTERVAL = 0.02
"""Seconds between two readings of memory. A shorter peak is missed."""


@dataclass(frozen=True, slots=True)
class Surroundings:
    """A folder for one campaign.

    Attributes:
        folder: It holds ``databases``, and the working, temporary and home folders of the workers.
        secrets: Texts that no result and no error may contain, unless the query contains them.
    """

    folder: Path
    secrets: tuple[bytes, ...]

    @property
    def databases(self) -> Path:
        """The folder of the databases."""
        return self.folder / "databases"

    def snapshot(self) -> dict[str, str]:
        """Return a digest of each file, and the names of open sockets and shared memory of this user."""
        files = [path for path in self.folder.rglob("*") if path.is_file()]
        digests = {str(path): hashlib.sha256(path.read_bytes()).hexdigest() for path in files}
        shared = Path("/dev/shm")
        names = [] if not shared.is_dir() else [path.name for path in shared.iterdir() if "sql" in path.name]
        return digests | dict.fromkeys(names, "shared memory")

    def find_leak(self, sql: str, *texts: bytes) -> str:
        """Return a secret that the texts contain and the query does not; empty if there is none."""
        for secret in self.secrets:
            if any(secret in text for text in texts) and secret not in sql.encode(errors="replace"):
                return secret.decode()
        return ""


@contextmanager
def make_surroundings(seed: int) -> Iterator[Surroundings]:
    """Make the folder, move this process into it, and set HOME, TMPDIR and a secret in its environment."""
    before = dict(os.environ)
    with TemporaryDirectory(prefix="sql-env-hostile-") as name:
        folder = Path(name).resolve()
        for part in ("databases", "work", "tmp", "home"):
            (folder / part).mkdir()
        (folder / "work" / "notes.txt").write_text("A file that no query may read: " + _token(seed, "file"))
        planted = {SECRET: _token(seed, "environment")}
        os.environ.update(planted, HOME=str(folder / "home"), TMPDIR=str(folder / "tmp"))
        texts = {
            *planted.values(),
            _token(seed, "file"),
            str(folder),
            before.get("HOME", ""),
            os.getcwd(),
            sys.prefix,
            "root:x:0:",
        }
        try:
            with chdir(folder / "work"):
                # A short path, such as "/", says nothing.
                yield Surroundings(folder, tuple(sorted(text.encode() for text in texts if len(text) > 4)))
        finally:
            os.environ.clear()
            os.environ.update(before)


def _token(seed: int, purpose: str) -> str:
    return f"secret{Random(f'{seed}/{purpose}').getrandbits(64):016x}"


class MemoryWatch:
    """Watches the memory of this process and of its descendants, without shared pages.

    Attributes:
        tree: The largest sum of the descendants' bytes and of this process's growth.
        parent: The most bytes of this process.
        growth: The growth of this process since the watch began.
    """

    def __init__(self) -> None:
        self.tree = self.parent = self.growth = 0
        self._done = threading.Event()
        self._thread = threading.Thread(target=self._watch, daemon=True)

    def __enter__(self) -> MemoryWatch:
        self._own = psutil.Process()
        self._before = _memory(self._own)
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._done.set()
        self._thread.join()

    def _watch(self) -> None:
        listed, descendants = 0.0, []
        while not self._done.wait(_INTERVAL):
            if time.monotonic() - listed > 5 * _INTERVAL:
                descendants, listed = self._own.children(recursive=True), time.monotonic()
            own = _memory(self._own)
            self.parent = max(self.parent, own)
            self.growth = max(self.growth, own - self._before)
            self.tree = max(self.tree, own - self._before + sum(map(_memory, descendants)))


def _memory(process: psutil.Process) -> int:
    """Return the bytes of a process without shared pages; 0 if it has ended."""
    with suppress(psutil.Error, OSError):
        memory = process.memory_info()
        return int(memory.rss - getattr(memory, "shared", 0))
    return 0

"""Machine faults under right answers: killed workers, and files that vanish."""

from __future__ import annotations

import os
import signal
import threading
import time
from collections import Counter
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path
from random import Random
from types import TracebackType

from benchmarks.hostile.campaign import RUBRIC, Finding
from benchmarks.hostile.databases import ENGINES, make_databases, make_right_answer, make_tasks
from benchmarks.hostile.hunt import Report
from benchmarks.hostile.surroundings import make_surroundings
from sql_env import Limits, Scorer, Task
from sql_env.errors import SQLEnvError

with suppress(ImportError):  # `exit_on_error` names the missing package
    import psutil

LIMITS = Limits(wall_seconds=3.0)
"""The default limits, but a stopped worker is given up after 3 seconds."""

SIGNALS = (
    "SIGKILL",
    "SIGSEGV",
    "SIGBUS",
    "SIGTERM",
    "SIGABRT",
    "SIGPROF",
    "SIGSTOP",
    "SIGFPE",
    "SIGILL",
    "SIGHUP",
)

_BATCH = 64
_SLOW_EVERY = 6
_PAUSE = 0.6
"""Mean number of seconds between two faults."""

_SLOW = {
    "sqlite": "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n LIMIT {size}) "
    "SELECT count(*) FROM n",
    "duckdb": "SELECT count(*) FROM range({size}00) AS n WHERE range % 7 <> 3",
}
_SIZES = (100_000, 300_000, 800_000)
"""Rows of the slow queries: from about 0.03 to 0.4 seconds on an idle core."""


def inject(count: int = 3_000, seed: int = 0, workers: int = 2, engines: Sequence[str] = ENGINES) -> Report:
    """Score right answers while faults happen at random times.

    A right answer must be right, or masked, or the call must raise an `sql_env.errors.SQLEnvError`.

    Args:
        count: Number of right answers.
        seed: Random seed of the faults' kinds and of the answers. The times depend on the machine.
        workers: Number of worker processes.
        engines: ``sqlite``, ``duckdb`` or both.
    """
    report, random = Report(), Random(seed)
    with make_surroundings(seed) as around:
        paths = make_databases(around.databases, seed)
        tasks = [task for engine in engines for task in _make_tasks(engine, paths[engine])]
        outcomes, masks = Counter[str](), Counter[str]()
        findings: list[Finding] = []
        began = time.monotonic()
        with (
            Scorer(RUBRIC, limits=LIMITS, workers=workers) as scorer,
            _Vandal([paths[engine] for engine in engines], Random(f"{seed}/faults")) as vandal,
        ):
            for start in range(0, count, _BATCH):
                chosen = [_draw(tasks, random) for _ in range(min(_BATCH, count - start))]
                texts = [make_right_answer(task, start + place) for place, task in enumerate(chosen)]
                try:
                    scores = scorer.score(texts, chosen)
                except SQLEnvError as error:
                    outcomes["raised"] += len(texts)
                    masks[f"raised {type(error).__name__}: {str(error)[:80]}"] += 1
                    continue
                for sql, score in zip(texts, scores, strict=True):
                    rollout = score.rollout
                    outcome = "masked" if score.masked else "right" if rollout.correct else "wrong"
                    outcomes[outcome] += 1
                    if score.masked:
                        masks[_shorten(rollout.masked, around.folder)] += 1
                    elif not rollout.correct:
                        findings.append(
                            Finding("right answer lost", rollout.task.dialect, sql, str(rollout.result))
                        )
            killed = scorer.stats.executor.killed
        figures = {
            "right_answers": count,
            "outcomes": dict(sorted(outcomes.items())),
            "reasons": dict(masks.most_common(12)),
            "faults": dict(sorted(vandal.done.items())),
            "workers_killed": killed,
            "seconds": round(time.monotonic() - began, 1),
        }
        report.add("faults", findings, figures)
        report.check(outcomes["right"] > count // 10, "faults: too few right answers for a conclusion")
        report.check(not vandal.errors, f"faults: the injection failed: {vandal.errors[:1]}")
    return report


def _make_tasks(engine: str, database: Path) -> list[Task]:
    fast = make_tasks(engine, database)
    slow = [
        Task(f"{engine}-slow-{size}", "?", _SLOW[engine].format(size=size), str(database), "shelf", engine)
        for size in _SIZES
    ]
    return fast + slow


def _draw(tasks: Sequence[Task], random: Random) -> Task:
    slow = [task for task in tasks if "-slow-" in task.id]
    return random.choice(slow if random.randrange(_SLOW_EVERY) == 0 else tasks)


def _shorten(reason: str, folder: Path) -> str:
    return reason.replace(str(folder), "").partition("\n")[0][:120]


class _Vandal:
    """A thread that causes faults at random times.

    Attributes:
        done: The number of faults of each kind.
        errors: The errors of the thread itself.
    """

    def __init__(self, databases: Sequence[Path], random: Random) -> None:
        self.done: Counter[str] = Counter()
        self.errors: list[Exception] = []
        self._databases = databases
        self._random = random
        self._end = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._stopped: list[int] = []
        self._acts: tuple[Callable[[], str], ...] = (self._send_signal,) * 3 + (self._move, self._log)

    def __enter__(self) -> _Vandal:
        self._own = psutil.Process()
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._end.set()
        self._thread.join()

    def _run(self) -> None:
        while not self._end.wait(self._random.expovariate(1 / _PAUSE)):
            try:
                self.done[self._random.choice(self._acts)()] += 1
            except OSError as error:
                self.errors.append(error)

    def _send_signal(self) -> str:
        name = self._random.choice(SIGNALS)
        workers = [child for child in self._own.children() if child.status() != psutil.STATUS_ZOMBIE]
        if not workers:
            return "no worker"
        with suppress(psutil.NoSuchProcess):
            worker = self._random.choice(workers)
            worker.send_signal(getattr(signal, name))
            if name == "SIGSTOP" and self._random.random() < 0.7:
                self._end.wait(self._random.uniform(0, 0.3))
                worker.resume()
        return name

    def _move(self) -> str:
        """Rename a database, and put it back after up to 20 ms."""
        database = self._random.choice(self._databases)
        away = database.with_suffix(".away")
        os.rename(database, away)
        self._end.wait(self._random.uniform(0, 0.02))
        os.rename(away, database)
        return "database renamed"

    def _log(self) -> str:
        """Make a log file beside a database, empty or not, and remove it."""
        database = self._random.choice(self._databases)
        suffix = ".wal" if database.suffix == ".duckdb" else self._random.choice(("-wal", "-journal"))
        log = Path(f"{database}{suffix}")
        for _ in range(self._random.randint(1, 20)):
            log.write_bytes(self._random.choice((b"", b"", b"garbage")))
            self._end.wait(self._random.uniform(0, 0.003))
            log.unlink()
        return "log file made and removed"

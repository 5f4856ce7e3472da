"""Score hostile completions among right answers, and note everything that breaks the rules."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from marshal import dumps
from random import Random
from typing import Any

from benchmarks.hostile.databases import make_right_answer, make_tasks
from benchmarks.hostile.grammar import Grammar
from benchmarks.hostile.known import KNOWN
from benchmarks.hostile.surroundings import Surroundings
from sql_env import Limits, Score, Scorer, Status, Task

LIMITS = Limits(
    max_steps=20_000_000,
    min_steps=1_000_000,
    cpu_seconds=1.0,
    wall_seconds=6.0,
    max_bytes=2**20,
    max_rows=20_000,
)
"""A tenth of the default seconds and steps, so that a campaign takes a tenth of the time. Results must be
smaller, because the campaign fetches all rows."""

RUBRIC = {"rewards": ["result"], "response_format": "sql"}
RIGHT_EVERY = 32
"""One completion of this number is a right answer. It must not suffer from its neighbours."""

BOMB_EVERY = 500
"""One completion of this number needs much memory or time."""

_STATUSES = [*Status, None]


@dataclass(frozen=True, slots=True)
class Case:
    """One completion of the campaign, with its task; ``right`` if it is a right answer."""

    sql: str
    task: Task
    right: bool = False


@dataclass(frozen=True, slots=True)
class Finding:
    """A completion that breaks a rule.

    Attributes:
        rule: The rule: ``masked``, ``leak``, ``right answer lost``, or a kind of difference.
        engine: The engine.
        sql: The query.
        detail: The reason, the secret, or the two verdicts.
    """

    rule: str
    engine: str
    sql: str
    detail: str


class Cases:
    """The completions of one engine. Each depends only on the seed and its number."""

    def __init__(self, engine: str, surroundings: Surroundings, seed: int) -> None:
        self.engine = engine
        self._seed = seed
        self._grammar = Grammar(engine, KNOWN[engine])
        self.tasks = make_tasks(engine, surroundings.databases / f"shelf.{engine}")

    def __getitem__(self, number: int) -> Case:
        """Return one completion. The known queries come first. Right answers come in between."""
        random = Random(f"{self._seed}/{self.engine}/{number}")
        task = random.choice(self.tasks)
        if number % RIGHT_EVERY == RIGHT_EVERY - 1:
            return Case(make_right_answer(task, number), task, right=True)
        if self.is_dear(number):
            return self.make_bomb(number)
        known = KNOWN[self.engine]
        return Case(known[number] if number < len(known) else self._grammar.make(random), task)

    def is_dear(self, number: int) -> bool:
        """Return True if the completion may need all of a limit."""
        return number % BOMB_EVERY == BOMB_EVERY - 1 and number % RIGHT_EVERY != RIGHT_EVERY - 1

    def make_bomb(self, number: int) -> Case:
        """Return one of the dear queries."""
        random = Random(f"{self._seed}/bomb/{self.engine}/{number}")
        return Case(self._grammar.make_bomb(random), random.choice(self.tasks))


@dataclass(slots=True)
class Tally:
    """The outcome of a pass.

    Attributes:
        statuses: The number of completions in each status, ``malformed`` without SQL.
        right: The number of right answers among them.
        findings: The completions that break a rule.
        verdicts: For each completion its verdict (a byte), a digest of error and columns (4 bytes) and a
            digest of its rows (4 bytes).
    """

    statuses: Counter[str] = field(default_factory=Counter)
    right: int = 0
    findings: list[Finding] = field(default_factory=list)
    verdicts: dict[int, bytes] = field(default_factory=dict)

    def add(self, number: int, case: Case, score: Score, surroundings: Surroundings) -> None:
        """Count a score and check it."""
        rollout = score.rollout
        result, engine = rollout.result, case.task.dialect
        status = result.status if result is not None else None
        self.statuses[str(status or "malformed")] += 1
        if score.masked:
            self.findings.append(Finding("masked", engine, case.sql, rollout.masked))
        if case.right:
            self.right += 1
            if not rollout.correct:
                detail = f"{status}: {result.error if result else ''}"
                self.findings.append(Finding("right answer lost", engine, case.sql, detail))
        verdict = 2 * _STATUSES.index(status) + bool(rollout.correct)
        if result is None:
            self.verdicts[number] = bytes([verdict])
            return
        # Version 2 of the format depends on the values alone, not on which of them are one object.
        about, rows = dumps((result.error, result.columns), 2), dumps(result.rows, 2)
        if leak := surroundings.find_leak(case.sql, about, rows):
            self.findings.append(Finding("leak", engine, case.sql, leak))
        self.verdicts[number] = bytes([verdict]) + _digest(about) + _digest(rows)


def run_pass(
    cases: Cases,
    numbers: Sequence[int],
    surroundings: Surroundings,
    *,
    workers: int,
    batch: int,
    limits: Limits = LIMITS,
) -> tuple[Tally, dict[str, Any]]:
    """Score the completions with some numbers, in their order. Return the tally and the executor's counts."""
    tally = Tally()
    with Scorer(RUBRIC, limits=limits, workers=workers, rows=True) as scorer:
        for start in range(0, len(numbers), batch):
            part = numbers[start : start + batch]
            batch_cases = [cases[number] for number in part]
            scores = scorer.score([case.sql for case in batch_cases], [case.task for case in batch_cases])
            for number, case, score in zip(part, batch_cases, scores, strict=True):
                tally.add(number, case, score, surroundings)
        return tally, scorer.stats.executor.to_dict()


def compare_passes(cases: Cases, first: Tally, second: Tally) -> Iterator[Finding]:
    """Yield each completion that ended differently in two passes.

    The difference is in the verdict, in the verdict near the CPU limit (one of the two is a ``timeout``), in
    the error (``other text``), in the column names, or in the rows.
    """
    for number, one in first.verdicts.items():
        other = second.verdicts[number]
        if one == other:
            continue
        left, right = (_STATUSES[each[0] // 2] for each in (one, other))
        rule = "other columns" if left is Status.OK else "other text"
        if one[:5] == other[:5]:
            rule = "other rows"
        if one[0] != other[0]:
            rule = "other verdict near a limit" if Status.TIMEOUT in (left, right) else "other verdict"
        detail = f"{left} {bool(one[0] % 2)} and {right} {bool(other[0] % 2)}"
        yield Finding(rule, cases.engine, cases[number].sql, detail)


def check_tasks(cases: Cases, workers: int = 1) -> None:
    """Check that each gold query succeeds and equals its right answers.

    Raises:
        AssertionError: It does not: the campaign would say nothing.
    """
    with Scorer(RUBRIC, limits=LIMITS, workers=workers) as scorer:
        for number in (0, 1):
            texts = [make_right_answer(task, number) for task in cases.tasks]
            for score in scorer.score(texts, cases.tasks):
                assert score.rollout.correct, (score.rollout.task.gold_sql, score.rollout.result)


def shorten(finding: Finding, length: int = 300) -> Finding:
    """Return the finding with a query and a detail of bounded length."""
    cut = {name: _cut(getattr(finding, name), length) for name in ("sql", "detail")}
    return replace(finding, **cut)


def _cut(text: str, length: int) -> str:
    return text if len(text) <= length else f"{text[:length]}... ({len(text)} characters)"


def _digest(content: bytes) -> bytes:
    return hashlib.blake2b(content, digest_size=4).digest()

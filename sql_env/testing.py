"""What every reward must satisfy, for the authors of reward plug-ins.

Call `check_reward` in a test of yours, or ``sql-env check-reward NAME`` in a shell.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from itertools import product
from typing import Any

from sql_env.errors import RewardError
from sql_env.execution.rows import ROWS_NOT_FETCHED
from sql_env.parser import FORMATS, ResponseFormat, parse, respond
from sql_env.scoring.rubric import Rubric, RubricSpec, WeightedReward, load_rubric
from sql_env.types import Action, ExecutionResult, RewardFunc, Rollout, Row, Status, Task, Turn

_TASK = Task("check-1", "How many singers are there?", "SELECT COUNT(*) FROM singer", "concert.sqlite")
_GOLDS: tuple[tuple[Row, ...], ...] = ((), ((3,),), ((None, "O'Brien"), (1.5, b"\xff"), (2**63 - 1, "李")))
_SQL = ("SELECT COUNT(*) FROM singer", "SELECT 1 -- ```", "\0", "SELECT '" + "é" * 10_000 + "'")
_TURNS = (
    Turn(
        "<think></think><sql>SELECT x</sql>", "SELECT x", ExecutionResult(Status.ERROR, error="no x"), "no x"
    ),
    Turn("", "SELECT 1", ExecutionResult(Status.OK, ("1",), ((1,),)), "1", row_count=1),
    Turn("", "SELECT 2", None, "no queries are left"),
)
_REASONING = ("", "Count the rows.", "step " * 2_000)


def rollouts(form: ResponseFormat = FORMATS["think-answer"]) -> Iterator[Rollout]:
    """Rollouts of every kind that a reward can meet: right, wrong, malformed, failing, odd."""
    golds = [_result(rows) for rows in _GOLDS]
    for gold, completion in product(golds, ("", "no tags", "\ud800\0", "<think>" * 3, "x" * 50_000)):
        yield Rollout(_TASK, completion, Action(None), None, gold, correct=False)
    for gold, sql, reasoning in product(golds, _SQL, _REASONING):
        text = respond(sql, reasoning, form)
        action = parse(text, form)
        if not action.well_formed:
            continue
        yield Rollout(_TASK, text, action, gold, gold, correct=True)
        yield Rollout(_TASK, text, action, gold, gold, correct=True, turns=_TURNS)
        yield Rollout(_TASK, text, action, _result(((0, 0, 0),)), gold, correct=False)
        for status in (Status.ERROR, Status.TIMEOUT, Status.TOO_LARGE, Status.DENIED):
            failed = ExecutionResult(status, error="it failed")
            yield Rollout(_TASK, text, action, failed, gold, correct=False)


def check_reward(reward: str | RewardFunc, **params: Any) -> None:
    """Check that a reward keeps its contract.

    It returns a finite number or None for every kind of rollout, never raises, gives the same
    value for the same rollout, alone and in eight threads at once, and does not depend on the
    order of calls. One that is marked with `sql_env.without_rows` gives it also where the rows of
    `Rollout.result` are withheld.

    Args:
        reward: A name, ``package.module:function``, or the function itself.
        params: The keyword arguments that it is called with.

    Raises:
        RewardError: It does not keep the contract; the message shows the rollout.
    """
    if isinstance(reward, str):
        [judge] = load_rubric([{"reward": reward, "params": params}]).rewards
    else:
        judge = WeightedReward(getattr(reward, "__name__", "reward"), reward, 1.0, params)
    seen = list(rollouts())
    first = [_value(judge, rollout) for rollout in seen]
    again = [_value(judge, rollout) for rollout in reversed(seen)][::-1]
    with ThreadPoolExecutor(8) as threads:
        threaded = list(threads.map(lambda rollout: _value(judge, rollout), seen))
    for rollout, *values in zip(seen, first, again, threaded, strict=True):
        if len(set(values)) > 1:
            raise RewardError(f"reward {judge.name!r} gives {values} for the same {_show(rollout)}")
    if not Rubric("", (judge,)).reads_rows:
        _check_without_rows(judge, seen, first)


def check_rubric(spec: RubricSpec | Rubric) -> None:
    """Check that under a rubric no wrong answer is paid as much as a right one.

    Raises:
        RewardError: Some wrong answer's total reaches some right answer's; both are shown.
    """
    judge = spec if isinstance(spec, Rubric) else load_rubric(spec)
    scores = [judge(rollout) for rollout in rollouts(judge.form)]
    right = min((s for s in scores if s.rollout.correct), key=lambda s: s.total or 0.0)
    wrong = max((s for s in scores if not s.rollout.correct), key=lambda s: s.total or 0.0)
    if (wrong.total or 0.0) >= (right.total or 0.0):
        raise RewardError(
            f"rubric {judge.name!r} pays {wrong.total} for a wrong {_show(wrong.rollout)}, "
            f"and only {right.total} for a right {_show(right.rollout)}"
        )


def _check_without_rows(
    judge: WeightedReward, seen: Sequence[Rollout], known: Sequence[float | None]
) -> None:
    for rollout, value in zip(seen, known, strict=True):
        if rollout.result is None or not rollout.result.ok:
            continue
        blind = replace(rollout, result=replace(rollout.result, rows=ROWS_NOT_FETCHED))
        without = _value(judge, blind)
        if without != value:
            raise RewardError(
                f"reward {judge.name!r} is marked with sql_env.without_rows, and yet gives {value} with rows "
                f"and {without} without, for the same {_show(rollout)}: take the mark away"
            )


def _value(judge: WeightedReward, rollout: Rollout) -> float | None:
    try:
        return judge(replace(rollout))
    except RewardError as error:
        raise RewardError(f"{error}, on a {_show(rollout)}") from error


def _show(rollout: Rollout) -> str:
    status = "no SQL" if rollout.result is None else str(rollout.result.status)
    return f"rollout ({status}, correct={rollout.correct}, completion {rollout.completion[:80]!r})"


def _result(rows: tuple[Row, ...]) -> ExecutionResult:
    width = len(rows[0]) if rows else 1
    return ExecutionResult(Status.OK, tuple(f"c{i}" for i in range(width)), rows)

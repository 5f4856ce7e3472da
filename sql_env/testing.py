"""Checks for the authors of reward plug-ins.

Call `check_reward` in a test, or run ``sql-env check-reward NAME`` in a shell.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from itertools import product
from typing import Any

from sql_env import plugins
from sql_env.errors import PluginError, RewardError
from sql_env.execution.rows import ROWS_NOT_FETCHED
from sql_env.parser import FORMATS, ResponseFormat, parse, respond
from sql_env.scoring.reward import WeightedReward
from sql_env.scoring.rubric import Rubric, RubricSpec, load_rubric
from sql_env.types import Action, ExecutionResult, Rollout, Row, Status, Task, Turn

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


def sample_rollouts(form: ResponseFormat = FORMATS["think-answer"]) -> Iterator[Rollout]:
    """Yield rollouts of every kind that a reward can get: right, wrong, malformed, failed and unusual."""
    golds = [_make_result(rows) for rows in _GOLDS]
    for gold, completion in product(golds, ("", "no tags", "\ud800\0", "<think>" * 3, "x" * 50_000)):
        yield Rollout(_TASK, completion, Action(None), None, gold, correct=False)
    for gold, sql, reasoning in product(golds, _SQL, _REASONING):
        text = respond(sql, reasoning, form)
        action = parse(text, form)
        if not action.well_formed:
            continue
        yield Rollout(_TASK, text, action, gold, gold, correct=True)
        yield Rollout(_TASK, text, action, gold, gold, correct=True, turns=_TURNS)
        yield Rollout(_TASK, text, action, _make_result(((0, 0, 0),)), gold, correct=False)
        for status in (Status.ERROR, Status.TIMEOUT, Status.TOO_LARGE, Status.DENIED):
            failed = ExecutionResult(status, error="it failed")
            yield Rollout(_TASK, text, action, failed, gold, correct=False)


def check_reward(reward: str | Callable[..., Any], **params: Any) -> None:
    """Check that a reward keeps its contract.

    For each kind of rollout it returns a finite number or None and raises nothing. For the same rollout it
    returns the same value: alone, together with others, in many threads at once, and in any order. If it is
    marked with `sql_env.without_rows`, it also returns the same value without the rows of `Rollout.result`.

    Args:
        reward: A name, ``package.module:function``, or the function itself.
        params: The keyword arguments of the reward.

    Raises:
        PluginError: No reward has this name, or it does not take these parameters.
        RewardError: It does not keep the contract; the message shows the rollout.
    """
    if isinstance(reward, str) and reward in plugins.list_names(plugins.PRESETS):
        raise PluginError(f"{reward!r} is a preset: check it with sql_env.testing.check_rubric({reward!r})")
    [weighted] = load_rubric([{"reward": reward, "params": params}]).rewards
    check_component(weighted)


def check_component(weighted: WeightedReward) -> None:
    """Check one component of a rubric as `check_reward` does.

    Raises:
        RewardError: The reward does not keep the contract; the message shows the rollout.
    """
    rollouts = list(sample_rollouts())
    first = _compute_all(weighted, rollouts)
    second = _compute_all(weighted, rollouts[::-1])[::-1]
    with ThreadPoolExecutor(weighted.concurrency) as threads:
        threaded = list(threads.map(lambda rollout: _compute(weighted, rollout), rollouts))
    for rollout, *values in zip(rollouts, first, second, threaded, strict=True):
        if len(set(values)) > 1:
            raise RewardError(f"reward {weighted.name!r} gives {values} for the same {_describe(rollout)}")
    if not Rubric("", (weighted,)).reads_rows:
        _check_without_rows(weighted, rollouts, first)


def check_rubric(spec: RubricSpec | Rubric) -> None:
    """Check that a rubric gives every right answer a higher total than every wrong answer.

    Raises:
        RewardError: A wrong answer's total is not lower than a right answer's; the message shows both.
    """
    rubric = spec if isinstance(spec, Rubric) else load_rubric(spec)
    scores = rubric.score(list(sample_rollouts(rubric.form)))
    right = min((s for s in scores if s.rollout.correct), key=lambda s: s.total or 0.0)
    wrong = max((s for s in scores if not s.rollout.correct), key=lambda s: s.total or 0.0)
    if (wrong.total or 0.0) >= (right.total or 0.0):
        raise RewardError(
            f"rubric {rubric.name!r} gives {wrong.total} for a wrong {_describe(wrong.rollout)}, "
            f"but {right.total} for a right {_describe(right.rollout)}"
        )


def _check_without_rows(
    reward: WeightedReward, rollouts: Sequence[Rollout], values: Sequence[float | None]
) -> None:
    for rollout, value in zip(rollouts, values, strict=True):
        if rollout.result is None or not rollout.result.ok:
            continue
        result = replace(rollout.result, rows=ROWS_NOT_FETCHED)
        without = _compute(reward, replace(rollout, result=result))
        if without != value:
            raise RewardError(
                f"reward {reward.name!r} is marked with sql_env.without_rows, but gives {value} with rows "
                f"and {without} without, for the same {_describe(rollout)}: remove the mark"
            )


def _compute_all(reward: WeightedReward, rollouts: Sequence[Rollout]) -> list[float | None]:
    """Compute all at once. If the reward is broken, find the rollout that shows it."""
    try:
        return reward.compute([replace(rollout) for rollout in rollouts])
    except RewardError:
        for rollout in rollouts:
            _compute(reward, rollout)
        raise


def _compute(reward: WeightedReward, rollout: Rollout) -> float | None:
    try:
        return reward(replace(rollout))
    except RewardError as error:
        raise RewardError(f"{error}, on a {_describe(rollout)}") from error


def _describe(rollout: Rollout) -> str:
    status = "no SQL" if rollout.result is None else str(rollout.result.status)
    return f"rollout ({status}, correct={rollout.correct}, completion {rollout.completion[:80]!r})"


def _make_result(rows: tuple[Row, ...]) -> ExecutionResult:
    width = len(rows[0]) if rows else 1
    return ExecutionResult(Status.OK, tuple(f"c{i}" for i in range(width)), rows)

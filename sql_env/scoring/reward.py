"""One reward of a rubric: how it is called, and which values it may return."""

from __future__ import annotations

import inspect
import numbers
import sys
import traceback
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from functools import partial
from typing import Any, TypeVar

from sql_env.errors import PluginError, RewardError
from sql_env.plugins import suggest
from sql_env.scoring.background_loop import LOOP, Gate, close_all
from sql_env.types import Rollout

F = TypeVar("F", bound=Callable[..., Any])

CONCURRENCY = 64
"""The default of the most calls of an async reward that run at the same time."""

_READS_ROWS = "reads_rows"
_BATCHED = "takes_batches"
_LARGEST = sys.float_info.max
_NO_NUMBERS = "cmMOSUV"
"""The kinds of numpy's types that are not real numbers: complex, times, objects, texts, records."""


def without_rows(reward: F) -> F:
    """Mark a reward that does not read the rows of `Rollout.result`.

    If all rewards of a rubric are marked, rows stay in the worker process. Only the status, the columns and
    the outcome of the comparison come back, which saves time and memory.

    Example:
        >>> @without_rows
        ... def correct(rollout):
        ...     return float(bool(rollout.correct))
        >>> WeightedReward("correct", correct).reads_rows
        False
    """
    setattr(reward, _READS_ROWS, False)
    return reward


def batched(reward: F) -> F:
    """Mark a reward that takes a list of rollouts and returns a list of values, one for each.

    Each list has the rollouts of one call of `sql_env.Scorer.score` that are not masked. The value of a
    rollout must not depend on the other rollouts of the list. The function may be ``async``.

    Example:
        >>> @batched
        ... def lengths(rollouts):
        ...     return [len(rollout.completion) for rollout in rollouts]
        >>> WeightedReward("lengths", lengths).takes_batches
        True
    """
    setattr(reward, _BATCHED, True)
    return reward


@dataclass(frozen=True, slots=True)
class WeightedReward:
    """One component of a rubric.

    Attributes:
        name: The name under which its value is reported.
        function: The reward: a function of a rollout, a coroutine function, or one marked with
            `sql_env.batched`.
        weight: What its value is multiplied by in the total.
        params: Keyword arguments that it is called with.
        concurrency: If it is async, the most calls that run at the same time.

    Raises:
        PluginError: The function does not take these parameters, or ``concurrency`` is out of range.
    """

    name: str
    function: Callable[..., Any]
    weight: float = 1.0
    params: Mapping[str, Any] = field(default_factory=dict)
    concurrency: int = CONCURRENCY
    _gate: Gate = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        if type(self.concurrency) is not int or self.concurrency < 1:
            raise PluginError(
                f"the concurrency of reward {self.name!r} must be an integer of at least 1, "
                f"not {self.concurrency!r}"
            )
        _check_params(self.name, self.function, self.params)
        object.__setattr__(self, "_gate", Gate(self.concurrency))

    @property
    def reads_rows(self) -> bool:
        """True if it may read the rows of `Rollout.result`; see `sql_env.without_rows`."""
        return bool(getattr(self.function, _READS_ROWS, True))

    @property
    def takes_batches(self) -> bool:
        """True if it takes a list of rollouts; see `sql_env.batched`."""
        return bool(getattr(self.function, _BATCHED, False))

    def __call__(self, rollout: Rollout) -> float | None:
        """This reward's value for one rollout, before its weight; see `compute`."""
        return self.compute([rollout])[0]

    def compute(self, rollouts: Sequence[Rollout]) -> list[float | None]:
        """Return this reward's value for each rollout, before its weight.

        Raises:
            RewardError: The reward raised, or returned no finite number.
        """
        if not rollouts:
            return []
        if self.takes_batches:
            return list(map(self._check, self._compute_batch(rollouts)))
        values: list[Any] = []
        function, params = self.function, self.params
        pending = []
        try:
            for rollout in rollouts:
                value = function(rollout, **params)
                if not (type(value) is float and -_LARGEST <= value <= _LARGEST) and value is not None:
                    if inspect.isawaitable(value):
                        pending.append(len(values))
                    else:
                        value = self._check(value)
                values.append(value)
        except RewardError:
            close_all(values)
            raise
        except Exception as error:
            close_all(values)
            raise self._explain(error) from error
        if pending:
            try:
                results = LOOP.run([values[place] for place in pending], self._gate)
            except Exception as error:
                raise self._explain(error) from error
            for place, result in zip(pending, results, strict=True):
                values[place] = self._check(result)
        return values

    def _compute_batch(self, rollouts: Sequence[Rollout]) -> list[Any]:
        try:
            returned = self.function(list(rollouts), **self.params)
            if inspect.isawaitable(returned):
                [returned] = LOOP.run([returned], self._gate)
            values = None if isinstance(returned, str | bytes | Mapping) else list(returned)
        except Exception as error:
            raise self._explain(error) from error
        if values is None or len(values) != len(rollouts):
            found = _show(returned) if values is None else f"{len(values)} values"
            raise RewardError(
                f"reward {self.name!r} returned {found} for a list of {len(rollouts)} rollouts: it is marked "
                f"with sql_env.batched, so return a list with one number or None for each"
            )
        return values

    def _check(self, value: Any) -> float | None:
        if value is None:
            return None
        number = to_number(value)
        if number is None:
            kind = "" if isinstance(value, int | float) else f" (a {type(value).__name__})"
            raise RewardError(
                f"reward {self.name!r} returned {_show(value)}{kind}: return a finite number, or None"
            )
        return number

    def _explain(self, error: Exception) -> RewardError:
        place = _locate(error, self.function)
        return RewardError(f"reward {self.name!r} raised {type(error).__name__}: {error}{place}")


def to_number(value: object) -> float | None:
    """Return a real number as a float; None if the value is no real number, NaN, or infinite.

    The numbers of numpy and the tensors of torch without dimensions are numbers too.

    Example:
        >>> to_number(True), to_number(Decimal("0.5")), to_number("1"), to_number(float("nan"))
        (1.0, 0.5, None, None)
    """
    if not isinstance(value, numbers.Real | Decimal):
        kind = getattr(getattr(value, "dtype", None), "kind", "")
        if getattr(value, "ndim", None) != 0 or (kind and kind in _NO_NUMBERS):
            return None
    try:
        number = float(value)  # type: ignore[arg-type]
    except (TypeError, ValueError, ArithmeticError, RuntimeError):  # a complex tensor, a huge integer
        return None
    return number if -_LARGEST <= number <= _LARGEST else None


def _check_params(name: str, function: Callable[..., Any], params: Mapping[str, Any]) -> None:
    """Check that a function takes a rollout and these keyword arguments."""
    try:
        signature = inspect.signature(function)
    except (TypeError, ValueError):  # it is written in C
        return
    parameters = list(signature.parameters.values())
    named = (inspect.Parameter.KEYWORD_ONLY, inspect.Parameter.POSITIONAL_OR_KEYWORD)
    known = [
        each.name
        for place, each in enumerate(parameters)
        if each.kind in named and (place or each.kind != named[1])
    ]
    unknown = [key for key in params if key not in known]
    if unknown and all(each.kind is not each.VAR_KEYWORD for each in parameters):
        hint = suggest(str(unknown[0]), known)
        raise PluginError(f"reward {name!r} has no parameter {unknown[0]!r}.{hint}")
    try:
        signature.bind(None, **params)
    except TypeError as error:
        raise PluginError(
            f"reward {name!r} cannot be called with a rollout and the params {dict(params)}: {error}; "
            f"it is {name}{signature}"
        ) from None


def _locate(error: Exception, function: Callable[..., Any]) -> str:
    """Return the file and line where a reward raised, and the line of the reward itself that led there."""
    function = inspect.unwrap(function.func if isinstance(function, partial) else function)
    code = getattr(function, "__code__", None) or getattr(type(function).__call__, "__code__", None)
    if code is None:
        return ""
    frames = traceback.extract_tb(error.__traceback__)
    own = [f"{frame.filename}:{frame.lineno}" for frame in frames if frame.filename == code.co_filename]
    if not own:  # the call itself failed
        return f" ({code.co_filename}:{code.co_firstlineno})"
    last = f"{frames[-1].filename}:{frames[-1].lineno}"
    return f" ({last})" if last == own[-1] else f" ({last}, called at {own[-1]})"


def _show(value: object) -> str:
    try:
        return repr(value)[:200]
    except Exception:  # noqa: BLE001 - the value is of the user's class, or an integer of too many digits
        return f"a {type(value).__name__}"

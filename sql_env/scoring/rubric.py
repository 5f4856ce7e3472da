"""Named, weighted rewards whose sum is a score."""

from __future__ import annotations

import json
import logging
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeAlias, TypeVar

from sql_env import plugins
from sql_env.comparison import get_comparison
from sql_env.errors import PluginError, RewardError
from sql_env.parser import FORMATS, ResponseFormat, get_format
from sql_env.types import RewardFunc, Rollout, Score

F = TypeVar("F", bound=Callable[..., float | None])

log = logging.getLogger(__name__)

RewardSpec: TypeAlias = str | Mapping[str, Any]
"""A reward's name, its ``package.module:function``, or ``{"reward", "weight", "params", "name"}``."""

RubricSpec: TypeAlias = str | Sequence[RewardSpec] | Mapping[str, Any]
"""A preset's or reward's name, a list of rewards, or the object that a preset is. A list or an object may be
JSON text."""


@dataclass(frozen=True, slots=True)
class WeightedReward:
    """One component of a rubric.

    Attributes:
        name: The name under which its value is reported.
        function: The reward.
        weight: What its value is multiplied by in the total.
        params: Keyword arguments that it is called with.
    """

    name: str
    function: RewardFunc
    weight: float = 1.0
    params: Mapping[str, Any] = field(default_factory=dict)

    def __call__(self, rollout: Rollout) -> float | None:
        """This reward's value for one rollout, before its weight.

        Raises:
            RewardError: The reward raised, or returned no finite number.
        """
        try:
            value = self.function(rollout, **self.params)
        except Exception as error:
            raise RewardError(f"reward {self.name!r} raised {type(error).__name__}: {error}") from error
        if type(value) is float and -_LARGEST <= value <= _LARGEST:
            return value
        if value is None:
            return None
        if not _finite(value):
            raise RewardError(f"reward {self.name!r} returned {value!r}: return a finite number, or None")
        return float(value)


@dataclass(frozen=True, slots=True)
class Rubric:
    """The rewards of a rollout, and the rules by which its completion is parsed and its result is compared.

    Attributes:
        name: Its name in reports.
        rewards: Its components, in the order of summation.
        form: The response format of completions.
        comparison: A comparison that replaces each task's own, or None.
    """

    name: str
    rewards: tuple[WeightedReward, ...]
    form: ResponseFormat = FORMATS["think-answer"]
    comparison: str | None = None

    def __call__(self, rollout: Rollout) -> Score:
        """Score one rollout.

        A component that is None adds nothing to the total. A masked rollout has no total and no components.
        """
        if rollout.masked:
            return Score(None, {reward.name: None for reward in self.rewards}, rollout)
        components: dict[str, float | None] = {}
        total = 0.0
        for reward in self.rewards:
            components[reward.name] = value = reward(rollout)
            if value is not None:
                total += reward.weight * value
        return Score(total, components, rollout)

    @property
    def reads_rows(self) -> bool:
        """True if a reward may read the rows of `Rollout.result`; see `without_rows`."""
        return any(getattr(reward.function, _READS_ROWS, True) for reward in self.rewards)


def without_rows(reward: F) -> F:
    """Mark a reward that does not read the rows of `Rollout.result`.

    If all rewards of a rubric are marked, rows stay in the worker process. Only the status, the columns and
    the outcome of the comparison come back, which saves time and memory.

    Example:
        >>> @without_rows
        ... def correct(rollout):
        ...     return float(bool(rollout.correct))
        >>> load_rubric("result").reads_rows
        False
    """
    setattr(reward, _READS_ROWS, False)
    return reward


def parse_rubric_spec(text: str) -> RubricSpec:
    """Decode a rubric that is written as JSON; return a name unchanged.

    Example:
        >>> parse_rubric_spec("sql-r1"), parse_rubric_spec('["result"]')
        ('sql-r1', ['result'])

    Raises:
        PluginError: The text begins like JSON, but is not valid JSON.
    """
    if not text.lstrip().startswith(("[", "{")):
        return text
    try:
        spec: RubricSpec = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise PluginError(f"the rubric {text!r} is not valid JSON: {error}") from None
    return spec


def load_rubric(spec: RubricSpec) -> Rubric:
    """Build a rubric from names and numbers. Its public name is `sql_env.rubric`.

    The names must be the user's own: ``package.module:function`` is imported, so its code runs.

    Example:
        >>> [reward.name for reward in load_rubric("sql-r1").rewards]
        ['format', 'execution', 'result', 'length']
        >>> load_rubric([{"reward": "result", "weight": 2.0}]).rewards[0].weight
        2.0

    Raises:
        PluginError: A reward is unknown or broken, or the rubric's text or object is malformed.
        FormatError: The response format is unknown.
        ComparisonError: The comparison is unknown.
    """
    if isinstance(spec, str):
        spec = parse_rubric_spec(spec)
    if isinstance(spec, str):
        if spec in plugins.list_names(plugins.PRESETS):
            return _from_preset(spec, plugins.load(plugins.PRESETS, spec))
        if spec not in plugins.list_names(plugins.REWARDS) and ":" not in spec:
            known = plugins.list_names(plugins.PRESETS) + plugins.list_names(plugins.REWARDS)
            raise PluginError(f"no preset or reward is called {spec!r}.{plugins.suggest(spec, known)}")
        return _from_preset(spec, {"rewards": [spec]})
    if isinstance(spec, Mapping):
        return _from_preset("custom", spec)
    return _from_preset("custom", {"rewards": spec})


def _from_preset(name: str, preset: Mapping[str, Any]) -> Rubric:
    _only(preset, {"rewards", "response_format", "comparison", "warning"}, "preset")
    named = preset.get("rewards", ())
    if isinstance(named, str) or not isinstance(named, Sequence):
        raise PluginError(f"rewards are a list of names and objects, not {named!r}")
    rewards = tuple(map(_weighted, named))
    labels = [reward.name for reward in rewards]
    if not rewards or len(set(labels)) < len(labels):
        raise PluginError(f"a rubric needs at least one reward, and a different name for each; got {labels}")
    if warning := preset.get("warning"):
        log.warning("%s", warning)
    semantics = preset.get("comparison")
    return Rubric(
        name,
        rewards,
        get_format(preset.get("response_format", "think-answer")),
        get_comparison(semantics).name if semantics else None,
    )


def _weighted(spec: RewardSpec) -> WeightedReward:
    if isinstance(spec, str):
        spec = {"reward": spec}
    _only(spec, {"reward", "weight", "params", "name"}, "reward")
    source = spec.get("reward")
    weight = spec.get("weight", 1.0)
    if not isinstance(source, str):
        raise PluginError(f"a reward is named by a string, not {source!r}")
    if isinstance(weight, bool) or not _finite(weight):
        raise PluginError(f"the weight of reward {source!r} must be a finite number, not {weight!r}")
    function = plugins.load_typed(plugins.REWARDS, source)
    if not callable(function):
        raise PluginError(f"reward {source!r} is not callable: {function!r}")
    params = spec.get("params", {})
    if not isinstance(params, Mapping):
        raise PluginError(f"the params of reward {source!r} must be an object, not {params!r}")
    return WeightedReward(spec.get("name", source.rpartition(":")[2]), function, float(weight), dict(params))


_LARGEST = sys.float_info.max
_READS_ROWS = "reads_rows"


def _finite(value: object) -> bool:
    """Return True for a number that a float can hold: not NaN, not infinite, no larger integer."""
    return isinstance(value, int | float) and abs(value) <= sys.float_info.max


def _only(spec: Mapping[str, Any], known: set[str], kind: str) -> None:
    if not isinstance(spec, Mapping):
        raise PluginError(f"a {kind} is an object of names and numbers, not {spec!r}")
    for key in spec:
        if key not in known:
            raise PluginError(f"unknown {kind} key {key!r}.{plugins.suggest(str(key), sorted(known))}")

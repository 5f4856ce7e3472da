"""Named, weighted rewards whose sum is a score."""

from __future__ import annotations

import json
import logging
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import repeat
from typing import Any, TypeAlias

from sql_env import plugins
from sql_env.comparison import get_comparison
from sql_env.errors import PluginError
from sql_env.parser import FORMATS, ResponseFormat, get_format
from sql_env.scoring.reward import CONCURRENCY, WeightedReward, to_number
from sql_env.types import Rollout, Score

log = logging.getLogger(__name__)

RewardSpec: TypeAlias = str | Callable[..., Any] | Mapping[str, Any]
"""A reward's name, its ``package.module:function``, the function itself, or
``{"reward", "weight", "params", "name", "concurrency"}``, whose ``reward`` is one of these."""

RubricSpec: TypeAlias = str | Callable[..., Any] | Sequence[RewardSpec] | Mapping[str, Any]
"""A preset's or reward's name, a function, a list of rewards, or the object that a preset is. A list or an
object without functions may be JSON text."""


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
        """Score one rollout; see `score`."""
        return self.score([rollout])[0]

    def score(self, rollouts: Sequence[Rollout]) -> list[Score]:
        """Score rollouts.

        A component that is None adds nothing to the total. A masked rollout has no total and no components.

        Raises:
            RewardError: A reward is broken.
        """
        judged = [rollout for rollout in rollouts if not rollout.masked]
        names = [reward.name for reward in self.rewards]
        columns = [reward.compute(judged) for reward in self.rewards]
        values: Iterator[tuple[float | None, ...]] = zip(*columns, strict=True) if columns else repeat(())
        return [
            Score(None, dict.fromkeys(names), rollout)
            if rollout.masked
            else self._add(dict(zip(names, next(values), strict=True)), rollout)
            for rollout in rollouts
        ]

    def _add(self, components: dict[str, float | None], rollout: Rollout) -> Score:
        total = 0.0
        for reward, value in zip(self.rewards, components.values(), strict=True):
            if value is not None:
                total += reward.weight * value
        return Score(total, components, rollout)

    @property
    def reads_rows(self) -> bool:
        """True if a reward may read the rows of `Rollout.result`; see `sql_env.without_rows`."""
        return any(reward.reads_rows for reward in self.rewards)


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
    """Build a rubric from names, functions and numbers. Its public name is `sql_env.rubric`.

    A function is reported under its own name, and a lambda as ``lambda``. The names must be the user's own:
    ``package.module:function`` is imported, so its code runs.

    Example:
        >>> [reward.name for reward in load_rubric("sql-r1").rewards]
        ['format', 'execution', 'result', 'length']
        >>> load_rubric([{"reward": "result", "weight": 2.0}]).rewards[0].weight
        2.0
        >>> load_rubric([lambda rollout: 1.0, {"reward": "result", "name": "right"}]).rewards[0].name
        'lambda'

    Raises:
        PluginError: A reward is unknown, broken or has no such parameter, or the rubric is malformed.
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
    if callable(spec):
        return _from_preset(_name(spec), {"rewards": [spec]})
    return _from_preset("custom", {"rewards": spec})


def _from_preset(name: str, preset: Mapping[str, Any]) -> Rubric:
    _only(preset, {"rewards", "response_format", "comparison", "warning"}, "preset")
    named = preset.get("rewards", ())
    if isinstance(named, str) or not isinstance(named, Sequence):
        raise PluginError(f"rewards are a list of names, functions and objects, not {named!r}")
    rewards = tuple(map(_weighted, named))
    labels = [reward.name for reward in rewards]
    if not rewards or len(set(labels)) < len(labels):
        raise PluginError(
            f"a rubric needs at least one reward, and a different name for each; got {labels}. "
            'Set a name: {"reward": ..., "name": "..."}'
        )
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
    if isinstance(spec, WeightedReward):
        return spec
    if isinstance(spec, str) or callable(spec):
        spec = {"reward": spec}
    _only(spec, {"reward", "weight", "params", "name", "concurrency"}, "reward")
    source = spec.get("reward")
    weight = spec.get("weight", 1.0)
    if isinstance(source, str):
        function = plugins.load_typed(plugins.REWARDS, source)
        label = source.rpartition(":")[2]
    elif callable(source):
        function, label = source, _name(source)
    else:
        raise PluginError(f"a reward is a function or the name of one, not {source!r}")
    if isinstance(weight, bool) or to_number(weight) is None:
        raise PluginError(f"the weight of reward {label!r} must be a finite number, not {weight!r}")
    if not callable(function):
        raise PluginError(f"reward {source!r} is not callable: {function!r}")
    name = spec.get("name", label)
    if not isinstance(name, str) or not name:
        raise PluginError(f"the name of reward {label!r} must be a text, not {name!r}")
    params = spec.get("params", {})
    if not isinstance(params, Mapping):
        raise PluginError(f"the params of reward {label!r} must be an object, not {params!r}")
    concurrency = spec.get("concurrency", CONCURRENCY)
    return WeightedReward(name, function, float(weight), dict(params), concurrency)


def _name(function: Callable[..., Any]) -> str:
    """Return the name of a function under which its values are reported."""
    while isinstance(function, partial):
        function = function.func
    name = str(getattr(function, "__name__", type(function).__name__))
    return "lambda" if name == "<lambda>" else name


def _only(spec: object, known: set[str], kind: str) -> None:
    if not isinstance(spec, Mapping):
        expected = "a name, a function or an object" if kind == "reward" else "an object"
        raise PluginError(f"a {kind} is {expected}, not {spec!r}")
    for key in spec:
        if key not in known:
            raise PluginError(f"unknown {kind} key {key!r}.{plugins.suggest(str(key), sorted(known))}")

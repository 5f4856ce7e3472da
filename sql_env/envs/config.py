"""The arguments of `sql_env.SQLEnv` and `sql_env.SQLVectorEnv`, shared by both."""

from __future__ import annotations

import inspect
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, fields
from typing import Any, ClassVar, TypeVar, cast

from gymnasium.error import UnsupportedMode

from sql_env.benchmark import load_benchmark
from sql_env.comparison import get_comparison
from sql_env.envs.episode import check_turns
from sql_env.errors import ArgumentError, LimitError, TaskError
from sql_env.limits import Limits
from sql_env.plugins import find_named
from sql_env.prompts.observation import ResultView
from sql_env.prompts.prompt import PromptBudget
from sql_env.prompts.template import load_template
from sql_env.scoring.rubric import Rubric, RubricSpec
from sql_env.types import Task

T = TypeVar("T", bound=Limits | ResultView)
Class = TypeVar("Class", bound=type)


@dataclass(frozen=True, slots=True)
class EnvConfig:
    """The arguments of an environment.

    Pass them as keyword arguments to ``gymnasium.make``, ``gymnasium.make_vec``, `sql_env.SQLEnv` or
    `sql_env.SQLVectorEnv`. Arguments that are not in this list go to the benchmark's loader, for example
    ``path`` of the benchmark ``jsonl``.

    Attributes:
        benchmark: The name of an installed benchmark. None: ``tasks``, or ``demo`` if there are none.
        tasks: Tasks in place of a benchmark: a sequence of `sql_env.Task`, or of the objects that
            `sql_env.Task.to_dict` makes. Each has its own id.
        split: The split to draw tasks from. None: the benchmark's default.
        data_dir: The folder of the benchmark's files, if the benchmark needs one.
        reward: A preset or reward by name, a function, or a list of them; see
            `sql_env.scoring.rubric.load_rubric`.
        comparison: The name of a comparison. It replaces the comparison of the rubric and of the tasks.
        prompt: The prompt template; see `sql_env.prompts.template.load_template`.
        prompt_budget: The maximum number of characters of a prompt. If the prompt is longer, the least
            relevant parts of the schema are removed; see `sql_env.prompts.prompt.PromptBudget`. None: no
            limit.
        limits: Fields of `sql_env.limits.Limits` by name.
        max_turns: The maximum number of completions of an episode, including the answer.
        max_queries: The maximum number of queries that an episode runs before its answer. None: no other
            limit than ``max_turns``.
        view: Fields of `sql_env.prompts.observation.ResultView` by name. They set how much of a result the
            model sees.
        render_mode: ``ansi`` to return the drawing as a text, ``human`` to print it, None to draw nothing.
        loader_arguments: Further arguments of the benchmark's loader.

    Raises:
        ArgumentError: ``tasks`` is no sequence of tasks, or came with arguments of a benchmark.
        TaskError: A task of ``tasks`` is malformed, or two have the same id.
        ComparisonError: No comparison has this name.
        LimitError: A limit or view field is unknown, or a number is out of range.
        FormatError: No prompt template has this name.
        gymnasium.error.UnsupportedMode: No render mode has this name.
    """

    benchmark: str | None = None
    tasks: Sequence[Task | Mapping[str, Any]] | None = None
    split: str | None = None
    data_dir: str | None = None
    reward: RubricSpec | Rubric = "sql-r1"
    comparison: str | None = None
    prompt: str = "full"
    prompt_budget: int | None = None
    limits: Mapping[str, float] | None = None
    max_turns: int = 1
    max_queries: int | None = None
    view: Mapping[str, int] | None = None
    render_mode: str | None = None
    loader_arguments: Mapping[str, Any] = field(default_factory=dict)

    RENDER_MODES: ClassVar = ("ansi", "human")

    def __post_init__(self) -> None:
        if self.render_mode is not None:
            find_named(dict.fromkeys(self.RENDER_MODES), self.render_mode, "render mode", UnsupportedMode)
        check_turns(self.max_turns, self.max_queries)
        if self.comparison is not None:
            get_comparison(self.comparison)
        if self.tasks is not None:
            object.__setattr__(self, "tasks", self._check_tasks(self.tasks))
        self.make_limits()
        self.make_episode_settings()

    @classmethod
    def from_arguments(cls, **arguments: Any) -> EnvConfig:
        """Build a config from the keyword arguments of an environment."""
        own = {name: arguments.pop(name) for name in ENVIRONMENT_ARGUMENTS if name in arguments}
        return cls(**own, loader_arguments=arguments)

    def load_tasks(self) -> tuple[Task, ...]:
        """Return the tasks that were given, or load those of the benchmark."""
        if self.tasks is not None:
            return cast(tuple[Task, ...], self.tasks)
        benchmark = "demo" if self.benchmark is None else self.benchmark
        return load_benchmark(benchmark, self.split, self.data_dir, **self.loader_arguments).tasks

    def _check_tasks(self, given: Any) -> tuple[Task, ...]:
        named = {"benchmark": self.benchmark, "split": self.split, "data_dir": self.data_dir}
        if used := [name for name, value in {**named, **self.loader_arguments}.items() if value is not None]:
            raise ArgumentError(
                f"tasks= replaces a benchmark, so {used[0]}= has no meaning with it. "
                "gymnasium.make('SQLEnv-v0', tasks=[...]) takes no benchmark"
            )
        if isinstance(given, str | bytes | Mapping) or not isinstance(given, Sequence) or not given:
            raise ArgumentError(f"tasks must be a list of at least one sql_env.Task, not {given!r:.200}")
        tasks = []
        for number, task in enumerate(given):
            if not isinstance(task, Task | Mapping):
                raise ArgumentError(f"tasks[{number}] must be a sql_env.Task, not {task!r:.200}")
            tasks.append(task if isinstance(task, Task) else Task.from_dict(task))
            get_comparison(tasks[-1].comparison)
        counts = Counter(task.id for task in tasks)
        if repeated := [name for name, count in counts.items() if count > 1]:
            raise TaskError(
                f"the id of a task names it for reset: {repeated[0]!r} is the id of several tasks"
            )
        return tuple(tasks)

    def make_limits(self) -> Limits:
        """Return the limits of each query."""
        return _from_fields(Limits, "limit", self.limits)

    def make_episode_settings(self) -> dict[str, Any]:
        """Return the keyword arguments of each `sql_env.envs.episode.Episode`."""
        return {
            "max_turns": self.max_turns,
            "max_queries": self.max_queries,
            "view": _from_fields(ResultView, "view field", self.view),
            "template": load_template(self.prompt),
            "budget": None if self.prompt_budget is None else PromptBudget(self.prompt_budget),
        }


ENVIRONMENT_ARGUMENTS = tuple(f.name for f in fields(EnvConfig) if f.name != "loader_arguments")
"""The names of the arguments that every environment takes."""


def show_arguments(environment: Class) -> Class:
    """Show the arguments of `EnvConfig` in the signature of a class that takes them as ``**arguments``."""
    own, declared = (inspect.signature(kind).parameters for kind in (environment, EnvConfig))
    shared = [declared[name] for name in ENVIRONMENT_ARGUMENTS if name not in own]
    *named, rest = own.values()
    environment.__signature__ = inspect.Signature(  # type: ignore[attr-defined]
        [*named, *(parameter.replace(kind=parameter.KEYWORD_ONLY) for parameter in shared), rest]
    )
    return environment


def _from_fields(kind: type[T], noun: str, given: Mapping[str, Any] | None) -> T:
    """Build limits or a view from some of its fields by name."""
    for name in given or {}:
        find_named(kind.__dataclass_fields__, name, noun, LimitError)
    return kind(**(given or {}))

"""What is measured, and how a model is asked: all that determines the result of an evaluation."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from typing import Any

from benchmarks.evaluation.answers import Decoding
from benchmarks.evaluation.scoring import Measure, measures
from benchmarks.generation.generator import Generator
from sql_env.limits import Limits
from sql_env.parser import get_format
from sql_env.prompts.template import get_template
from sql_env.scoring.rubric import Rubric, load_rubric
from sql_env.scoring.scorer import Scorer
from sql_env.types import Benchmark, Task


@dataclass(frozen=True, slots=True)
class Evaluation:
    """What is measured, and how answers are judged.

    Attributes:
        benchmark: The tasks.
        params: What the benchmark's loader was told beside split and folder.
        comparison: Semantics that replace the tasks' own.
        suites: A folder of database suites; see `benchmarks.metrics.suite`.
        efficiency: Whether R-VES is measured.
        workers: Processes that run queries; nothing depends on it.
        limits: What each query may cost.
        backend: What runs queries; nothing depends on it. See `sql_env.execution.backends`.
        profile: Whether to print what scoring took, on standard error; nothing depends on it.
    """

    benchmark: Benchmark
    params: Mapping[str, Any] = field(default_factory=dict)
    comparison: str | None = None
    suites: str | None = None
    efficiency: bool = False
    workers: int = 2
    limits: Limits = field(default_factory=Limits)
    backend: str = "local"
    profile: bool = False

    def config(self) -> dict[str, Any]:
        """All of it that determines a result, in JSON."""
        semantics = [self.comparison] if self.comparison else {t.comparison for t in self.benchmark.tasks}
        return {
            "benchmark": self.benchmark.name,
            "split": self.benchmark.split,
            "params": dict(self.params),
            "tasks": {"count": len(self.benchmark.tasks), "sha256": fingerprint(self.benchmark.tasks)},
            "comparison": ", ".join(sorted(semantics)),
            "suites": self.suites,
            "efficiency": self.efficiency,
            "limits": asdict(self.limits),
        }

    def scorer(self, spec: Rubric) -> Scorer:
        """What judges the answers."""
        return Scorer(
            spec,
            limits=self.limits,
            workers=self.workers,
            comparison=self.comparison,
            rows=True,
            backend=self.backend,
        )

    def measures(self) -> list[Measure]:
        """What is measured beside correctness."""
        return measures(self.benchmark, self.comparison, efficiency=self.efficiency)


@dataclass(frozen=True, slots=True)
class Asking:
    """How a model is asked.

    Attributes:
        template: The prompt template; see `sql_env.prompts.template.get_template`.
        budget: How large a prompt may be, in the generator's unit; None for as large as it gets.
        reward: The preset whose parts are recorded, and whose response format is asked for.
        form: A response format that replaces the preset's.
        decoding: How answers are drawn.
    """

    template: str = "full"
    budget: int | None = None
    reward: str = "sql-r1"
    form: str | None = None
    decoding: Decoding = field(default_factory=Decoding)

    def rubric(self) -> Rubric:
        """The preset, without semantics of its own: results are compared as the benchmark has it."""
        found = load_rubric(self.reward)
        form = get_format(self.form) if self.form else found.form
        return replace(found, form=form, comparison=None)

    def config(self, generator: Generator) -> dict[str, Any]:
        """All of it that determines a result, in JSON."""
        budget = None if self.budget is None else {"most": self.budget, "unit": generator.unit}
        return {
            "prompt": {"template": get_template(self.template).id, "budget": budget},
            "reward": self.reward,
            "response_format": self.rubric().form.name,
            "decoding": asdict(self.decoding),
        }


def fingerprint(tasks: Sequence[Task]) -> str:
    """The SHA-256 of tasks, wherever their databases are."""
    rows = [{**task.to_dict(), "database": ""} for task in tasks]
    return hashlib.sha256(json.dumps(rows).encode()).hexdigest()

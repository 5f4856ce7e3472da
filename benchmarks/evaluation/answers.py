"""Ask a model all tasks of a benchmark, and go on where an earlier process was stopped."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from benchmarks.evaluation.scoring import Answer
from benchmarks.generation.generator import Generator, Sampling
from benchmarks.records.journal import Journal
from sql_env.errors import DataError
from sql_env.prompts.prompt import Prompt
from sql_env.types import Task

GREEDY, SAMPLED = "greedy", "sampled"


@dataclass(frozen=True, slots=True)
class Decoding:
    """How answers are drawn, and how many.

    Attributes:
        candidates: Samples a task. Where there are several, the greedy answer is asked for as well.
        temperature: Of the samples; 0 for greedy decoding.
        top_p: Of the samples.
        max_tokens: Tokens of an answer, at most.
        seed: Seed of the draws.
    """

    candidates: int = 1
    temperature: float = 0.0
    top_p: float = 1.0
    max_tokens: int = 2048
    seed: int = 0

    def passes(self) -> dict[str, Sampling]:
        """What a model is asked for, one after the other.

        Raises:
            GenerationError: A number is out of range.
        """
        greedy = Sampling(max_tokens=self.max_tokens)
        if self.candidates == 1 and not self.temperature:
            return {GREEDY: greedy}
        drawn = Sampling(self.candidates, self.temperature, self.top_p, self.max_tokens, self.seed)
        return {SAMPLED: drawn} if self.candidates == 1 else {GREEDY: greedy, SAMPLED: drawn}


def said(journal: Journal) -> dict[str, dict[str, list[str]]]:
    """The completions on disk: decoding -> task id -> completions.

    Raises:
        DataError: A row is none of completions.
    """
    found: dict[str, dict[str, list[str]]] = {}
    for row in journal.rows:
        try:
            found.setdefault(row["decoding"], {})[row["task_id"]] = list(row["completions"])
        except (KeyError, TypeError) as error:
            raise DataError(f"a line of the run's predictions is none: {error}") from None
    return found


def complete(
    generator: Generator,
    tasks: Sequence[Task],
    prompts: Callable[[], Sequence[Prompt]],
    passes: Mapping[str, Sampling],
    journal: Journal,
    progress: Callable[[str, int], None] = lambda decoding, done: None,
) -> None:
    """Ask for all answers that are not in the journal yet, and append each as it comes.

    Args:
        generator: What is asked.
        tasks: The tasks.
        prompts: How they are asked; called where some answer is missing.
        passes: What `Decoding.passes` returns.
        journal: The run's predictions.
        progress: Told of each pass how many answers more are there.

    Raises:
        GenerationError: Some are still missing. What has come is in the journal.
    """
    known = said(journal)
    asked: Sequence[Prompt] = ()
    for name, sampling in passes.items():
        done = {place for place, task in enumerate(tasks) if task.id in known.get(name, {})}
        if len(done) < len(tasks):
            asked = asked or prompts()
        progress(name, len(done))
        if len(done) == len(tasks):
            continue
        for place, completions in generator.complete([each.messages for each in asked], sampling, done):
            journal.append(_row(name, tasks[place], asked[place], completions))
            progress(name, 1)


def answers(indices: Sequence[int], tasks: Sequence[Task], journal: Journal) -> list[Answer]:
    """The journal's answers to the tasks, in the tasks' order."""
    known = said(journal)
    greedy, sampled = known.get(GREEDY, {}), known.get(SAMPLED, {})
    return [
        Answer(index, task, next(iter(greedy.get(task.id, ())), None), tuple(sampled.get(task.id, ())))
        for index, task in zip(indices, tasks, strict=True)
    ]


def _row(decoding: str, task: Task, prompt: Prompt, completions: Sequence[str]) -> dict[str, Any]:
    row: dict[str, Any] = {"task_id": task.id, "decoding": decoding, "completions": list(completions)}
    if prompt.dropped_gold_tables:
        row["dropped_gold_tables"] = list(prompt.dropped_gold_tables)
    return row

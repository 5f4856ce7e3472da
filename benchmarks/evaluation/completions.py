"""Complete the prompts of all tasks, and resume where an earlier process stopped."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from benchmarks.evaluation.options import GREEDY, SAMPLED
from benchmarks.evaluation.scoring import TaskCompletions
from benchmarks.generation.generator import Generator, SamplingParams
from benchmarks.records.json_lines import JsonLinesFile
from sql_env.errors import DataError
from sql_env.prompts.prompt import Prompt
from sql_env.types import Task


def complete_tasks(
    generator: Generator,
    tasks: Sequence[Task],
    build_prompts: Callable[[], Sequence[Prompt]],
    decodings: Mapping[str, SamplingParams],
    predictions: JsonLinesFile,
    progress: Callable[[str, int], None],
) -> None:
    """Generate all completions that the file lacks, and append each of them at once.

    Args:
        generator: The generator.
        tasks: The tasks.
        build_prompts: Builds the prompts of the tasks; called only where a completion is missing.
        decodings: The sampling parameters of each decoding; see `PromptSettings.decodings`.
        predictions: The run's predictions.
        progress: Called with the name of a decoding and the number of further tasks that it has completed.

    Raises:
        GenerationError: Some completions are missing. The others are in the file.
    """
    known = _by_decoding(predictions)
    prompts: Sequence[Prompt] = ()
    for decoding, sampling in decodings.items():
        done = {place for place, task in enumerate(tasks) if task.id in known.get(decoding, {})}
        if len(done) < len(tasks):
            prompts = prompts or build_prompts()
        progress(decoding, len(done))
        if len(done) == len(tasks):
            continue
        for place, texts in generator.complete([prompt.messages for prompt in prompts], sampling, done):
            row = {"task_id": tasks[place].id, "decoding": decoding, "completions": list(texts)}
            if dropped := prompts[place].dropped_gold_tables:
                row["dropped_gold_tables"] = list(dropped)
            predictions.append(row)
            progress(decoding, 1)


def collect_completions(
    indices: Sequence[int], tasks: Sequence[Task], predictions: JsonLinesFile
) -> list[TaskCompletions]:
    """Return the completions of each task, in the order of the tasks.

    Raises:
        DataError: A row of the file has no completions.
    """
    known = _by_decoding(predictions)
    greedy, sampled = known.get(GREEDY, {}), known.get(SAMPLED, {})
    return [
        TaskCompletions(
            index, task, next(iter(greedy.get(task.id, ())), None), tuple(sampled.get(task.id, ()))
        )
        for index, task in zip(indices, tasks, strict=True)
    ]


def _by_decoding(predictions: JsonLinesFile) -> dict[str, dict[str, list[str]]]:
    """Return the completions on disk: decoding -> task id -> completions."""
    found: dict[str, dict[str, list[str]]] = {}
    for row in predictions.rows:
        try:
            found.setdefault(row["decoding"], {})[row["task_id"]] = list(row["completions"])
        except (KeyError, TypeError) as error:
            raise DataError(f"a line of predictions.jsonl is not a row of completions: {error}") from None
    return found

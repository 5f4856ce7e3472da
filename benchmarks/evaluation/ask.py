"""``sql-env ask``: a model answers one question about one database."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import closing
from pathlib import Path
from typing import Annotated

import typer
from rich.text import Text

from benchmarks.evaluation.options import GeneratorOptions, PromptSettings, expand_options
from benchmarks.metrics.accuracy import count_votes
from sql_env import Action, ExecutionResult, Executor, Query, Task, parse
from sql_env.display.panel import draw_result, draw_sql
from sql_env.display.terminal import escape_control, make_console
from sql_env.execution.engines.files import detect_dialect


@expand_options
def ask(
    *,
    question: Annotated[str, typer.Argument(help="Question about the database.")],
    db: Annotated[Path, typer.Option(help="SQLite or DuckDB file.")],
    model: Annotated[str, typer.Option(help="Name of a model, or folder of a checkpoint.")],
    evidence: Annotated[str, typer.Option(help="Knowledge that the question needs.")] = "",
    generation: GeneratorOptions,
    prompting: PromptSettings,
) -> None:
    """Ask a model one question about a database, and run its SQL, read-only."""
    prompting = prompting.with_template_of(model)
    form = prompting.make_rubric().form
    *_, sampling = prompting.get_decodings().values()
    dialect = detect_dialect(str(db))
    task = Task("ask", question, "", str(db), db.stem, dialect, evidence)
    with closing(generation.load(model)[1]) as generator, Executor() as executor:
        prompt = prompting.build_prompt(task, executor, form, generator)
        [(_, texts)] = generator.complete([prompt.messages], sampling)
        completions = [str(text) for text in texts]  # plain strings, as a worker reads no others
        actions = [parse(text, form) for text in completions]
        queries = [Query(str(db), action.sql, dialect) for action in actions if action.sql is not None]
        executed = iter(executor.run_many(queries))
        results = [None if action.sql is None else next(executed) for action in actions]
    counts = count_votes(results)
    best = counts.index(max(counts))
    print_answer(completions[best], actions[best], results[best])
    if len(results) > 1:
        make_console(highlight=False).print(describe_agreement(results))
    raise typer.Exit(0 if counts[best] else 1)


def print_answer(completion: str, action: Action, result: ExecutionResult | None) -> None:
    """Print the reasoning of an answer, its SQL and the result."""
    console = make_console(highlight=False)
    if action.sql is None or result is None:
        console.print(Text("The completion does not follow its response format:", style="red"))
        console.print(Text(escape_control(completion, keep="\n")))
        return
    if action.reasoning:
        console.print(Text(escape_control(action.reasoning, keep="\n"), style="dim"), "")
    console.print(draw_sql(action.sql), "")
    console.print(draw_result("result", result))


def describe_agreement(results: Sequence[ExecutionResult | None]) -> str:
    """Count the candidates that have the chosen result.

    Args:
        results: The result of each candidate; None for a candidate that is malformed.

    Example:
        >>> from sql_env import Status
        >>> one, two = (ExecutionResult(Status.OK, ("a",), ((n,),)) for n in (1, 2))
        >>> describe_agreement([one, two, one, ExecutionResult(Status.ERROR, error="no such table"), None])
        '2 of 5 candidates agree; 1 with another result, 1 failed, 1 malformed'
    """
    agree = max(count_votes(results))
    malformed = results.count(None)
    failed = sum(result is not None and not result.ok for result in results)
    rest = {
        "with another result": len(results) - agree - malformed - failed,
        "failed": failed,
        "malformed": malformed,
    }
    others = ", ".join(f"{count} {kind}" for kind, count in rest.items() if count)
    return f"{agree} of {len(results)} candidates agree" + (f"; {others}" if others else "")

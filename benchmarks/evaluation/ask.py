"""``sql-env ask``: one question on one database, answered by a model."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import closing
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.text import Text

from benchmarks.evaluation import options
from benchmarks.evaluation.config import Asking
from benchmarks.generation.generator import Generator, Sampling
from benchmarks.metrics.accuracy import count_votes
from sql_env.display.panel import escape_control, result_table, sql_block
from sql_env.execution.executor import Executor
from sql_env.parser import parse
from sql_env.prompts.prompt import PromptBudget
from sql_env.prompts.prompt import build_prompt as asked
from sql_env.prompts.template import recorded_template
from sql_env.types import Action, ExecutionResult, Query, Task


def ask(
    question: Annotated[str, typer.Argument(help="What is asked.")],
    db: Annotated[Path, typer.Option(help="A SQLite file, or a DuckDB file called .duckdb.")],
    model: Annotated[str, typer.Option(help="A model's name, or a folder with a checkpoint.")],
    evidence: Annotated[str, typer.Option(help="Knowledge that the question needs.")] = "",
    base_url: options.BaseUrl = None,
    generator: options.GeneratorName = None,
    generator_param: options.GeneratorParam = None,
    candidates: options.Candidates = 1,
    temperature: options.Temperature = None,
    top_p: options.TopP = 1.0,
    max_tokens: options.MaxTokens = 2048,
    seed: options.Seed = 0,
    template: options.Template = None,
    prompt_budget: options.PromptBudget = None,
    reward: options.Reward = "sql-r1",
    response_format: options.ResponseFormat = None,
    revision: options.Revision = None,
    dtype: options.Dtype = None,
    threads: options.Threads = None,
    timeout: options.Timeout = None,
    retries: options.Retries = None,
    api_key_variable: options.ApiKeyVariable = None,
    extra_body: options.ExtraBody = None,
) -> None:
    """Ask a model one question about a database, and run its SQL, read-only."""
    decoding = options.decoding(candidates, temperature, top_p, max_tokens, seed)
    how = Asking(
        template or recorded_template(model) or "full", prompt_budget, reward, response_format, decoding
    )
    sampling = list(decoding.passes().values())[-1]
    dialect = "duckdb" if db.suffix == ".duckdb" else "sqlite"
    task = Task("ask", question, "", str(db), db.stem, dialect, evidence)
    _, made = options.generator(
        generator,
        model,
        generator_param,
        base_url=base_url,
        revision=revision,
        dtype=dtype,
        threads=threads,
        timeout=timeout,
        retries=retries,
        api_key_variable=api_key_variable,
        extra_body=extra_body,
    )
    with closing(made), Executor() as executor:
        answer = _answer(task, how, sampling, made, executor)
    raise typer.Exit(0 if answer else 1)


def _answer(task: Task, how: Asking, sampling: Sampling, generator: Generator, executor: Executor) -> bool:
    """Ask, run, choose and print; whether there is a result."""
    form = how.rubric().form
    budget = None if how.budget is None else PromptBudget(how.budget, generator.size)
    prompt = asked(task, executor, form, how.template, budget=budget)
    [(_, completions)] = generator.complete([prompt.messages], sampling)
    actions = [parse(text, form) for text in completions]
    queries = [Query(task.database, action.sql, task.dialect) for action in actions if action.sql is not None]
    ran = iter(executor.run_many(queries))
    results = [None if action.sql is None else next(ran) for action in actions]
    counts = count_votes(results)
    best = counts.index(max(counts))
    show(completions[best], actions[best], results[best])
    if len(actions) > 1:
        Console(highlight=False).print(agreement(results))
    return counts[best] > 0


def show(completion: str, action: Action, result: ExecutionResult | None) -> None:
    """Print an answer: its reasoning, its SQL, and what that returned."""
    console = Console(highlight=False)
    if action.sql is None or result is None:
        console.print(Text("The completion does not follow its response format:", style="red"))
        console.print(Text(escape_control(completion, keep="\n")))
        return
    if action.reasoning:
        console.print(Text(escape_control(action.reasoning, keep="\n"), style="dim"), "")
    console.print(sql_block(action.sql), "")
    console.print(result_table("result", result))


def agreement(results: Sequence[ExecutionResult | None]) -> str:
    """How many candidates have the result that was chosen.

    Args:
        results: What each returned; None for a candidate that is malformed.

    Example:
        >>> from sql_env import Status
        >>> one, two = (ExecutionResult(Status.OK, ("a",), ((n,),)) for n in (1, 2))
        >>> agreement([one, two, one, ExecutionResult(Status.ERROR, error="no such table"), None])
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
    others = ", ".join(f"{count} {what}" for what, count in rest.items() if count)
    return f"{agree} of {len(results)} candidates agree" + (f"; {others}" if others else "")

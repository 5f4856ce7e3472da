"""The library without its processes: its parsing, engine, comparison and rubric in a simple loop."""

from __future__ import annotations

from dataclasses import replace

from benchmarks.performance.throughput.clock import clocked
from benchmarks.performance.throughput.items import Items, by_database
from benchmarks.performance.throughput.measurement import Contender
from benchmarks.performance.throughput.scorers import trivial
from sql_env.comparison import Gold, get_comparison, make_gold
from sql_env.execution.engines import Engine, load_engine
from sql_env.types import Action, ExecutionResult, Query, Rollout, Score, Task


def engine(items: Items) -> Contender:
    """Rows ``engine cold`` and ``engine cached``: as those of the scorer."""

    def run() -> dict[str, dict[str, float]]:
        made, known = load_engine("sqlite", items.limits), dict[tuple[str, Query], Gold]()
        with trivial(items, 1) as (completions, tasks):
            scores(replace(items, completions=completions, tasks=tasks), made, {})
        _, cold = clocked(lambda: scores(items, made, known))
        _, cached = clocked(lambda: scores(items, made, known))
        made.close()
        return {"engine cold": cold.figures(), "engine cached": cached.figures()}

    return run


def scores(items: Items, engine: Engine, known: dict[tuple[str, Query], Gold]) -> list[Score]:
    """What `sql_env.Scorer.score` returns, without its processes.

    Args:
        items: What is scored.
        engine: What runs the queries.
        known: Golds by semantics and query; those that are missing are added.
    """
    actions, golds = items.actions(), items.golds()
    asked = items.predictions(actions)
    engine.start_request()
    budgets: dict[Query, int] = {}
    for task, query, wanted in zip(items.tasks, golds, asked, strict=True):
        if (task.comparison, query) not in known:
            known[task.comparison, query] = _gold(task, query, engine)
        if wanted is not None:
            steps = engine.limits.step_limit(known[task.comparison, query].steps)
            budgets[wanted] = max(budgets.get(wanted, 0), steps)
    results = {
        query: engine.run(query.database, query.sql, budgets[query]) for query in by_database(list(budgets))
    }
    found = [results[query] if query is not None else None for query in asked]
    return [
        items.reward(_rollout(task, text, action, result, known[task.comparison, expected]))
        for task, text, action, result, expected in zip(
            items.tasks, items.completions, actions, found, golds, strict=True
        )
    ]


def _gold(task: Task, query: Query, engine: Engine) -> Gold:
    order = get_comparison(task.comparison).find_order(query.sql, query.dialect)
    probe = order.probe if order is not None else None
    probed = engine.run(query.database, probe) if probe is not None else None
    result, steps = engine.measure(query.database, query.sql)
    return make_gold(result, order, probed, steps)


def _rollout(
    task: Task, completion: str, action: Action, result: ExecutionResult | None, known: Gold
) -> Rollout:
    blank = Rollout(task, completion, action, result, known.result, None)
    if blank.masked:
        return blank
    right = result is not None and result.ok and get_comparison(task.comparison).is_equal(result, known)
    return replace(blank, correct=right)

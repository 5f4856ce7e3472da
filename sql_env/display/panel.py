"""Draw a task and its score for a terminal."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from io import StringIO

import sqlparse
from rich.console import Group, RenderableType
from rich.panel import Panel
from rich.syntax import Syntax
from rich.table import Table
from rich.text import Text
from sqlparse.exceptions import SQLParseError

from sql_env.display.terminal import escape_control, make_console
from sql_env.types import ExecutionResult, Score, Task, Turn, Value

ROWS = 8
WIDTH = 100
_MAX_SQL = 5_000  # characters of a query
_MAX_VALUE = 100  # characters of a value before the table cuts it: some have millions


def draw_panel(
    task: Task, score: Score | None = None, *, turns: Sequence[Turn] = (), color: bool = False
) -> str:
    """Draw the question, the turns and, if there is a score, the SQL, both results and each reward.

    Args:
        task: The task.
        score: The score of the completion; None before the episode's end.
        turns: The turns before the completion.
        color: True for terminal colors.
    """
    parts: list[RenderableType] = [Text(escape_control(task.question), style="bold")]
    for number, turn in enumerate(turns, 1):
        parts += _draw_turn(f"turn {number}", turn)
    if score is not None:
        parts += _draw_score(score)
    out = StringIO()
    system = "standard" if color else None
    console = make_console(file=out, width=WIDTH, force_terminal=color, color_system=system)
    console.print(Panel(Group(*parts), title=escape_control(f"{task.id} · {task.db_id}"), title_align="left"))
    return out.getvalue().rstrip("\n")


def _draw_turn(title: str, turn: Turn) -> list[RenderableType]:
    result: RenderableType = Text(f"{title}: not run, because no queries were left")
    if turn.result is not None:
        result = draw_result(title, turn.result, turn.row_count)
    return [Text(""), draw_sql(turn.query), result]


def _draw_score(score: Score) -> list[RenderableType]:
    rollout = score.rollout
    sql = rollout.action.sql
    ours = draw_result("result", rollout.result) if rollout.result else Text("no SQL was run")
    return [
        Text(""),
        draw_sql(sql) if sql else Text("The completion does not follow its response format.", style="italic"),
        Text(""),
        draw_side_by_side(ours, draw_result("gold", rollout.gold)),
        Text(""),
        _draw_rewards(score),
    ]


def draw_sql(sql: str) -> RenderableType:
    """Draw a query, formatted and highlighted."""
    return Syntax(_format_sql(sql), "sql", background_color="default", word_wrap=True)


def draw_side_by_side(left: RenderableType, right: RenderableType) -> RenderableType:
    """Draw two things next to each other."""
    grid = Table.grid(padding=(0, 4))
    grid.add_row(left, right)
    return grid


def draw_result(title: str, result: ExecutionResult, count: int | None = None) -> RenderableType:
    """Draw the first rows of a result as a table, or its error.

    Args:
        title: The title.
        result: The result.
        count: The number of rows, if the result does not have all of them.
    """
    if not result.ok:
        return Group(
            Text(title, style="bold"), Text(escape_control(f"{result.status}: {result.error}"), style="red")
        )
    table = Table()
    for name in result.columns:
        table.add_column(Text(escape_control(name)), overflow="ellipsis", no_wrap=True, max_width=24)
    for row in result.rows[:ROWS]:
        table.add_row(*map(_draw_value, row))
    count = len(result.rows) if count is None else count
    drawn = min(ROWS, len(result.rows))
    note = f"{count} row{'' if count == 1 else 's'}" + (f", the first {drawn}" if count > drawn else "")
    return Group(Text(f"{title}: {note}", style="bold"), table)


def _draw_value(value: Value) -> Text:
    if value is None:
        return Text("NULL", style="dim")
    return Text(escape_control(str(value[:_MAX_VALUE] if isinstance(value, str | bytes) else value)))


def _draw_rewards(score: Score) -> RenderableType:
    if score.total is None:
        return Text(escape_control(f"masked: {score.rollout.masked}"), style="yellow")
    table = Table(box=None, padding=(0, 2))
    for name in score.components:
        table.add_column(name, justify="right")
    table.add_column("total", justify="right", style="bold")
    values = ["–" if value is None else f"{value:+.3f}" for value in score.components.values()]
    table.add_row(*values, f"{score.total:+.3f}")
    return table


def _format_sql(sql: str) -> str:
    """Format SQL. Text that is long or that the formatter cannot parse stays as it is."""
    if len(sql) <= _MAX_SQL:
        with suppress(SQLParseError, RecursionError):
            sql = sqlparse.format(sql, reindent=True, keyword_case="upper")
    return escape_control(sql[:_MAX_SQL], keep="\n")

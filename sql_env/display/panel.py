"""A task and its score, drawn for a terminal."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from io import StringIO

import sqlparse
from rich.console import Console, Group, RenderableType
from rich.panel import Panel
from rich.syntax import Syntax
from rich.table import Table
from rich.text import Text
from sqlparse.exceptions import SQLParseError

from sql_env.types import ExecutionResult, Score, Task, Turn, Value

ROWS = 8
WIDTH = 100
_FORMATTED = 5_000
_CELL = 100  # characters of a value, more than are shown: one may have millions


def draw_panel(
    task: Task, score: Score | None = None, *, turns: Sequence[Turn] = (), color: bool = False
) -> str:
    """The question, the turns and, once there is a score, the SQL, both results and each reward.

    Args:
        task: What was asked.
        score: What the completion was paid; None before it is there.
        turns: What the model looked at before.
        color: Whether to use terminal colours.
    """
    parts: list[RenderableType] = [Text(escape_control(task.question), style="bold")]
    for number, turn in enumerate(turns, 1):
        parts += _explored(f"turn {number}", turn)
    if score is not None:
        parts += _judged(score)
    out = Console(
        file=StringIO(), width=WIDTH, force_terminal=color, color_system="standard" if color else None
    )
    out.print(Panel(Group(*parts), title=escape_control(f"{task.id} · {task.db_id}"), title_align="left"))
    written = out.file
    assert isinstance(written, StringIO)
    return written.getvalue().rstrip("\n")


def _explored(title: str, turn: Turn) -> list[RenderableType]:
    if turn.result is None:
        return [Text(""), sql_block(turn.query), Text(f"{title}: not run, because no queries were left")]
    return [Text(""), sql_block(turn.query), result_table(title, turn.result, turn.row_count)]


def _judged(score: Score) -> list[RenderableType]:
    rollout = score.rollout
    sql = rollout.action.sql
    ours = result_table("result", rollout.result) if rollout.result else Text("no SQL was run")
    return [
        Text(""),
        sql_block(sql)
        if sql
        else Text("The completion does not follow its response format.", style="italic"),
        Text(""),
        side_by_side(ours, result_table("gold", rollout.gold)),
        Text(""),
        _rewards(score),
    ]


def sql_block(sql: str) -> RenderableType:
    """A query laid out for reading."""
    return Syntax(_pretty(sql), "sql", background_color="default", word_wrap=True)


def side_by_side(left: RenderableType, right: RenderableType) -> RenderableType:
    """Two things next to each other."""
    grid = Table.grid(padding=(0, 4))
    grid.add_row(left, right)
    return grid


def result_table(title: str, result: ExecutionResult, count: int | None = None) -> RenderableType:
    """A result's first rows as a table, or why there are none; ``count`` where it holds not all rows."""
    if not result.ok:
        return Group(
            Text(title, style="bold"), Text(escape_control(f"{result.status}: {result.error}"), style="red")
        )
    table = Table()
    for name in result.columns:
        table.add_column(Text(escape_control(name)), overflow="ellipsis", no_wrap=True, max_width=24)
    for row in result.rows[:ROWS]:
        table.add_row(*map(_cell, row))
    count = len(result.rows) if count is None else count
    rows = f"{count} row{'' if count == 1 else 's'}"
    drawn = min(ROWS, len(result.rows))
    shown = f", the first {drawn}" if count > drawn else ""
    return Group(Text(f"{title}: {rows}{shown}", style="bold"), table)


def _cell(value: Value) -> Text:
    if value is None:
        return Text("NULL", style="dim")
    return Text(escape_control(str(value[:_CELL] if isinstance(value, str | bytes) else value)))


def _rewards(score: Score) -> RenderableType:
    if score.total is None:
        return Text(escape_control(f"masked: {score.rollout.masked}"), style="yellow")
    table = Table(box=None, padding=(0, 2))
    for name in score.components:
        table.add_column(name, justify="right")
    table.add_column("total", justify="right", style="bold")
    values = ["–" if value is None else f"{value:+.3f}" for value in score.components.values()]
    table.add_row(*values, f"{score.total:+.3f}")
    return table


def _pretty(sql: str) -> str:
    """SQL laid out for reading. Long or odd text, on which the formatter may choke, stays as it is."""
    if len(sql) <= _FORMATTED:
        with suppress(SQLParseError, RecursionError):
            sql = sqlparse.format(sql, reindent=True, keyword_case="upper")
    return escape_control(sql[:_FORMATTED], keep="\n")


def escape_control(text: str, keep: str = "") -> str:
    """Text that cannot steer the terminal: control and bidirectional characters are replaced."""
    return "".join(c if c.isprintable() or c in keep else "\N{REPLACEMENT CHARACTER}" for c in text)

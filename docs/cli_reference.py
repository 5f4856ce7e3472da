"""Write the options of all commands as a page. Sphinx does this at each build, so the page is never old."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import typer

from sql_env import cli, plugins
from trainers import command, sft, trl_grpo, verl_grpo
from trainers.arguments import make_help

HELP = {
    "sft": make_help("sql-env train sft", sft.DESCRIPTION),
    "grpo": make_help("sql-env train grpo", trl_grpo.DESCRIPTION),
    "verl": verl_grpo.__doc__,
}
"""The help of the trainers, which read their arguments themselves."""


def make_page() -> str:
    """Return the page after its introduction, in Markdown."""
    cli.add_commands(plugins.list_names(plugins.COMMANDS))
    root: Any = typer.main.get_command(cli.app)
    parts = ["\n".join(describe(root.commands[name], f"sql-env {name}")) for name in sorted(root.commands)]
    return "\n".join(parts)


def describe(found: Any, path: str) -> Iterator[str]:
    """Yield the lines about a command, and about its own commands."""
    name = path.rpartition(" ")[2]
    yield from (f"## `{path}`", "", to_markdown(found.help or ""), "")
    if path in {f"sql-env train {trainer}" for trainer in command.TRAINERS}:
        yield from ("```text", str(HELP[name]).strip(), "```", "")
        return
    rows = [describe_parameter(parameter) for parameter in found.params if parameter.name != "help"]
    if rows:
        yield from ("| argument | meaning | default |", "|---|---|---|", *rows, "")
    for child in sorted(getattr(found, "commands", {})):
        yield from describe(found.commands[child], f"{path} {child}")


def describe_parameter(parameter: Any) -> str:
    """Return the row of a table about an option or an argument."""
    names = [*parameter.opts, *parameter.secondary_opts]
    if parameter.param_type_name != "option":
        names = [parameter.metavar or parameter.name.upper()]
    shown = ", ".join(f"`{name}`" for name in names)
    default = parameter.default
    if parameter.required:
        told = "required"
    elif default is None or callable(default) or default is False or default in ("", ()):
        told = ""
    else:
        told = f"`{default}`"
    return f"| {shown} | {to_markdown(parameter.help or '')} | {told} |"


def to_markdown(text: str) -> str:
    """Return a help text as Markdown of one line."""
    text = re.sub(r"``(.+?)``", r"`\1`", " ".join(text.split()))
    return re.sub(r"(?<!`)<(\w+)>", r"&lt;\1&gt;", text).replace("|", "\\|")

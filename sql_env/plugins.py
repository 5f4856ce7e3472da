"""Find a plug-in by name among installed entry points, or by ``pkg.module:attribute``.

The entry points that are installed are the registry: there is nothing to register by hand.
"""

from __future__ import annotations

import ast
import importlib
import inspect
import sys
from difflib import get_close_matches
from functools import cache
from importlib.metadata import EntryPoint, entry_points
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from sql_env.errors import PluginError

REWARDS = "sql_env.rewards"
PRESETS = "sql_env.presets"
BENCHMARKS = "sql_env.benchmarks"
ALGORITHMS = "sql_env.algorithms"
COMMANDS = "sql_env.commands"
GENERATORS = "sql_env.generators"

_SIBLINGS = ("rewards", "trainers", "benchmarks")
"""Packages of this distribution whose generic names a user's own file can shadow."""


@cache
def _installed(group: str) -> dict[str, tuple[EntryPoint, ...]]:
    found: dict[str, tuple[EntryPoint, ...]] = {}
    for point in entry_points(group=group):
        same = found.get(point.name, ())
        if all(point.value != other.value for other in same):
            found[point.name] = (*same, point)
    return found


def names(group: str) -> list[str]:
    """The names that are installed under an entry-point group, sorted."""
    return sorted(_installed(group))


def load(group: str, spec: str) -> Any:
    """The object that a plug-in's name, or its ``pkg.module:attribute``, stands for.

    Raises:
        PluginError: The name is unknown or claimed twice, or its code cannot be imported.
    """
    return load_object(_place(group, spec))


def docstring(group: str, spec: str) -> str:
    """What the function that a plug-in's name stands for says of itself.

    It is read from the source, since a list of all commands is no reason to import what they need.
    Where the source does not have it, the function is imported after all.

    Raises:
        PluginError: The name is unknown or claimed twice, or its code cannot be imported.
    """
    place = _place(group, spec)
    module, _, attribute = place.partition(":")
    try:
        found = find_spec(module)
        tree = ast.parse(Path(found.origin).read_bytes()) if found and found.origin else ast.parse("")
    except (ImportError, OSError, SyntaxError, ValueError):
        tree = ast.parse("")
    for node in tree.body:
        if isinstance(node, ast.FunctionDef) and node.name == attribute:
            return ast.get_docstring(node) or ""
    return inspect.getdoc(load_object(place)) or ""


def _place(group: str, spec: str) -> str:
    """Where a plug-in is, ``pkg.module:attribute``."""
    if ":" in spec:
        return spec
    points = _installed(group).get(spec, ())
    if not points:
        raise PluginError(_unknown(group, spec))
    if len(points) > 1:
        owners = " and ".join(f"{p.dist.name if p.dist else '?'} ({p.value})" for p in points)
        raise PluginError(
            f"{spec!r} is claimed twice in {group}: by {owners}; uninstall one, or name the object itself"
        )
    return points[0].value


def suggest(word: str, known: list[str]) -> str:
    """`` Did you mean 'x'?`` and all that is known, to end an error message with."""
    close = get_close_matches(word, known, n=1)
    hint = f" Did you mean {close[0]!r}?" if close else ""
    return f"{hint} Known: {', '.join(known) or 'none'}."


def _unknown(group: str, spec: str) -> str:
    kind = group.rpartition(".")[2].removesuffix("s")
    return (
        f"no {kind} is called {spec!r}.{suggest(spec, names(group))} "
        f"One of your own is 'package.module:name', or an entry point of the group {group!r}."
    )


def load_object(spec: str) -> Any:
    """Import ``package.module:attribute``.

    Raises:
        PluginError: It is not of that form, or cannot be imported.
    """
    module, _, attribute = spec.partition(":")
    if not module or not attribute:
        raise PluginError(f"{spec!r} is not of the form 'package.module:name'")
    try:
        found: Any = importlib.import_module(module)
        for part in attribute.split("."):
            found = getattr(found, part)
    except Exception as error:  # a module may do anything when it is imported
        raise PluginError(f"cannot load {spec!r}: {error}.{_shadowed(module)}") from error
    if shadow := _shadowed(module):
        raise PluginError(f"{spec!r} is not what this library installed.{shadow}")
    return found


def _shadowed(module: str) -> str:
    """Say so where one of our packages was found somewhere else than beside `sql_env`."""
    top = module.partition(".")[0]
    origin = getattr(sys.modules.get(top), "__file__", None)
    home = Path(__file__).resolve().parent.parent
    if top not in _SIBLINGS or origin is None or home in Path(origin).resolve().parents:
        return ""
    return f" {origin} shadows the package {top!r} of sql-env: rename it, or run from another folder."

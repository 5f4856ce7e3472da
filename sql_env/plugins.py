"""Find plug-ins by the name of an installed entry point, or by ``package.module:attribute``.

The installed entry points are the registry. Nothing needs to be registered in code.

An import runs code. So a name that came with data (a checkpoint, a file of tasks, a run folder) goes to
`load`, which knows installed names only. `load_typed` also imports ``package.module:attribute``, from the
current folder too. It is only for what the user wrote: on the command line, in a call, or in a configuration
that the user names.
"""

from __future__ import annotations

import ast
import importlib
import inspect
import os
import sys
import threading
from collections.abc import Mapping
from difflib import get_close_matches
from functools import cache
from importlib.metadata import EntryPoint, entry_points
from importlib.util import find_spec
from pathlib import Path
from typing import Any, TypeVar

from sql_env.errors import PluginError

T = TypeVar("T")

REWARDS = "sql_env.rewards"
PRESETS = "sql_env.presets"
BENCHMARKS = "sql_env.benchmarks"
ALGORITHMS = "sql_env.algorithms"
COMMANDS = "sql_env.commands"
GENERATORS = "sql_env.generators"

_folder_lock = threading.RLock()
"""Held while the current folder is on `sys.path`: two threads must not add and remove it at the same time."""

_typed: set[str] = set()
"""The modules that `import_typed` has imported."""

_SIBLINGS = ("rewards", "trainers", "benchmarks")
"""Packages of this distribution. Their names are common, so a file of the user can shadow them."""


@cache
def _installed(group: str) -> dict[str, dict[str, EntryPoint]]:
    """Return the entry points of a group by name and by path. Equal entry points count once."""
    found: dict[str, dict[str, EntryPoint]] = {}
    for point in entry_points(group=group):
        found.setdefault(point.name, {}).setdefault(point.value, point)
    return found


def list_names(group: str) -> list[str]:
    """Return the names of an entry-point group, sorted."""
    return sorted(_installed(group))


def load(group: str, name: str) -> Any:
    """Return the object of an installed plug-in. No other text can make it import a module.

    Raises:
        PluginError: The name is unknown or claimed twice, or its code cannot be imported.
    """
    return load_object(_locate(group, name))


def load_typed(group: str, spec: str) -> Any:
    """Return the object of a plug-in, by its name or by ``package.module:attribute``; see `import_typed`.

    Raises:
        PluginError: The name is unknown or claimed twice, or its code cannot be imported.
    """
    return import_typed(spec) if ":" in spec else load(group, spec)


def import_typed(spec: str) -> Any:
    """Import the object ``package.module:attribute``, whose module may be a file of the current folder.

    The text must be the user's own: the module is imported, so its code runs. For this import only, the
    current folder is the last on `sys.path`. So a file of the folder hides no installed module.

    Raises:
        PluginError: The text does not have this form, the object cannot be imported, or the folder has a
            module of this name and another one is installed.
    """
    module = spec.partition(":")[0]
    folder = Path.cwd().resolve()
    if module in _typed or any(Path(entry).resolve() == folder for entry in sys.path):
        return load_object(spec)
    with _folder_lock:
        sys.path.append(str(folder))
        try:
            importlib.invalidate_caches()  # the file may be new
            _check_clash(module, folder)
            found = load_object(spec)
        except PluginError as error:
            cause = error.__cause__
            if isinstance(cause, ModuleNotFoundError) and cause.name == module.partition(".")[0]:
                raise PluginError(f"{error} It is neither installed nor in {folder}.") from cause
            raise
        finally:
            sys.path.remove(str(folder))
    _typed.add(module)
    return found


def _check_clash(module: str, folder: Path) -> None:
    """Raise an error if the folder has this module, but an import finds another one."""
    top = module.partition(".")[0]
    try:
        found = find_spec(top) if top not in ("", "__main__") else None
    except (ImportError, ValueError):  # a module that was made without a file has none
        return
    if found is None:
        return
    origin = found.origin or next(iter(found.submodule_search_locations or ()), "")
    if os.path.isabs(origin) and folder in Path(origin).resolve().parents:
        return
    for file in (f"{top}.py", f"{top}/__init__.py", module.replace(".", "/") + ".py"):
        if (folder / file).is_file():
            raise PluginError(
                f"{folder / file} has the name of the installed module {top!r} ({origin}), "
                "which an import finds first: rename yours"
            )


def read_docstring(group: str, name: str) -> str:
    """Return the docstring of a plug-in that is a function.

    It is read from the source code, so that a list of all commands does not import all their dependencies.
    If the source has no such function, the plug-in is imported.

    Raises:
        PluginError: The name is unknown or claimed twice, or its code cannot be imported.
    """
    path = _locate(group, name)
    module, _, attribute = path.partition(":")
    try:
        found = find_spec(module)
        tree = ast.parse(Path(found.origin).read_bytes()) if found and found.origin else ast.parse("")
    except (ImportError, OSError, SyntaxError, ValueError):
        tree = ast.parse("")
    for node in tree.body:
        if isinstance(node, ast.FunctionDef) and node.name == attribute:
            return ast.get_docstring(node) or ""
    return inspect.getdoc(load_object(path)) or ""


def _locate(group: str, name: str) -> str:
    """Return the path of an installed plug-in: ``package.module:attribute``."""
    points = list(_installed(group).get(name, {}).values())
    if not points:
        kind = group.rpartition(".")[2].removesuffix("s")
        raise PluginError(
            f"no {kind} is called {name!r}.{suggest(name, list_names(group))} "
            f"Name your own as 'package.module:name', or by an entry point of the group {group!r}."
        )
    if len(points) > 1:
        owners = " and ".join(f"{p.dist.name if p.dist else '?'} ({p.value})" for p in points)
        raise PluginError(
            f"{name!r} is claimed twice in {group}, by {owners}: uninstall one, or use 'package.module:name'"
        )
    return points[0].value


def require(extra: str, *packages: str, purpose: str) -> None:
    """Check that the packages of an extra are installed, before one of them is imported.

    Args:
        extra: The extra of this distribution that installs them.
        packages: The names under which they are imported.
        purpose: The thing that needs them, for the message.

    Raises:
        PluginError: One of them is missing.
    """
    for package in packages:
        if find_spec(package) is None:
            raise PluginError(f"{purpose} needs {package}, which is missing: pip install '.[{extra}]'")


def suggest(word: str, known: list[str]) -> str:
    """Return `` Did you mean 'x'?`` and all known names, as the end of an error message."""
    close = get_close_matches(word, known, n=1)
    hint = f" Did you mean {close[0]!r}?" if close else ""
    return f"{hint} Known: {', '.join(known) or 'none'}."


def find_named(known: Mapping[str, T], name: object, noun: str, error: type[Exception]) -> T:
    """Return the object of a name.

    Args:
        known: The objects by name.
        name: The name that was given.
        noun: The kind of object, for the message.
        error: The error to raise if the name is unknown.
    """
    if isinstance(name, str) and name in known:
        return known[name]
    raise error(f"no {noun} is called {name!r}.{suggest(str(name), list(known))}")


def load_object(spec: str) -> Any:
    """Import the object ``package.module:attribute``, which must be installed. `import_typed` is for users.

    Raises:
        PluginError: The text does not have this form, or the object cannot be imported.
    """
    module, _, attribute = spec.partition(":")
    if not module or not attribute:
        raise PluginError(f"{spec!r} does not have the form 'package.module:name'")
    try:
        found: Any = importlib.import_module(module)
        for part in attribute.split("."):
            found = getattr(found, part)
    except Exception as error:  # an import runs any code and can raise any error
        raise PluginError(f"cannot load {spec!r}: {error}.{_explain_shadow(module)}") from error
    if shadow := _explain_shadow(module):
        raise PluginError(f"{spec!r} is not the object that this library installed.{shadow}")
    return found


def _explain_shadow(module: str) -> str:
    """Return an explanation if a package of ours was imported from another folder than `sql_env`'s."""
    top = module.partition(".")[0]
    origin = getattr(sys.modules.get(top), "__file__", None)
    home = Path(__file__).resolve().parent.parent
    if top not in _SIBLINGS or origin is None or home in Path(origin).resolve().parents:
        return ""
    return f" {origin} shadows the package {top!r} of sql-env: rename it or run from another folder."

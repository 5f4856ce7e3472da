"""The versions with which a result was made."""

from __future__ import annotations

import platform
from contextlib import suppress
from importlib.metadata import PackageNotFoundError, version
from typing import Any

import apsw

PACKAGES = ("sql-env", "duckdb", "sqlglot", "torch", "transformers", "vllm")


def describe_environment() -> dict[str, Any]:
    """Return the platform and the versions of the packages that can change a result.

    Nothing in it identifies a machine.
    """
    found = {
        "python": platform.python_version(),
        "platform": f"{platform.system()} {platform.machine()}",
        "sqlite": apsw.sqlite_lib_version(),
    }
    for name in PACKAGES:
        with suppress(PackageNotFoundError):
            found[name] = version(name)
    return found

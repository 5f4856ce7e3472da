"""What a result was made with."""

from __future__ import annotations

import platform
from importlib.metadata import PackageNotFoundError, version
from typing import Any

import apsw

PACKAGES = ("sql-env", "duckdb", "sqlglot", "torch", "transformers", "vllm")


def environment() -> dict[str, Any]:
    """The platform, and the versions of what has a part in a result; nothing that names a machine."""
    packages = {name: found for name in PACKAGES if (found := _version(name)) is not None}
    return {
        "python": platform.python_version(),
        "platform": f"{platform.system()} {platform.machine()}",
        "sqlite": apsw.sqlite_lib_version(),
        **packages,
    }


def _version(package: str) -> str | None:
    try:
        return version(package)
    except PackageNotFoundError:
        return None

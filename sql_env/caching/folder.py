"""Where this library keeps what it can make again."""

from __future__ import annotations

import os
from pathlib import Path


def cache_root() -> Path:
    """The folder ``$SQL_ENV_CACHE``, else ``sql-env`` in the user's cache. It need not exist yet."""
    if chosen := os.environ.get("SQL_ENV_CACHE"):
        return Path(chosen).expanduser().absolute()
    return Path(os.environ.get("XDG_CACHE_HOME") or "~/.cache").expanduser() / "sql-env"

"""The folder of files that the library can make again."""

from __future__ import annotations

import os
from pathlib import Path


def cache_root() -> Path:
    """Return ``$SQL_ENV_CACHE``, else ``sql-env`` in the user's cache. It may not exist yet."""
    if chosen := os.environ.get("SQL_ENV_CACHE"):
        return Path(chosen).expanduser().absolute()
    return Path(os.environ.get("XDG_CACHE_HOME") or "~/.cache").expanduser() / "sql-env"

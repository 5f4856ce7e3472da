"""Opening a DuckDB file so that nothing can change it or reach beyond it."""

from __future__ import annotations

import duckdb

from sql_env.errors import DatabaseError
from sql_env.execution.engines.files import Identity, identify

_CONFIG: dict[str, str | bool | int | float | list[str]] = {
    "autoinstall_known_extensions": "false",
    "autoload_known_extensions": "false",
    "enable_external_access": "false",
    "lock_configuration": "true",
    "python_enable_replacements": "false",  # or SQL could name this program's own variables
    "temp_directory": "",  # or a big sort would write files
    "threads": "1",
}


def state(database: str) -> Identity:
    """What tells one state of a DuckDB file from another; see `sql_env.execution.engines.files.identify`."""
    return identify(database, [".wal"], "duckdb FILE CHECKPOINT")


def open_readonly(database: str, memory_bytes: float) -> duckdb.DuckDBPyConnection:
    """A connection that can only read this one database, with a configuration that is locked.

    Raises:
        DatabaseError: The file cannot be opened, or is no database.
    """
    config = _CONFIG | {"memory_limit": f"{int(memory_bytes)}B"}
    try:
        return duckdb.connect(database, read_only=True, config=config)
    except (duckdb.Error, UnicodeError) as error:
        raise DatabaseError(f"cannot read {database!r} as a DuckDB database: {error}") from None

"""Open a DuckDB file read-only, without access to anything else."""

from __future__ import annotations

import duckdb

from sql_env.errors import DatabaseError
from sql_env.execution.engines.files import Identity, explain_dialect, identify_file

_CONFIG: dict[str, str | bool | int | float | list[str]] = {
    # Extensions are native code, and could read files or the network.
    "autoinstall_known_extensions": "false",
    "autoload_known_extensions": "false",
    # Without it SQL could read and write any file: read_csv('/etc/passwd'), COPY ... TO, ATTACH.
    "enable_external_access": "false",
    # Otherwise a table name in SQL can refer to a variable of this Python program.
    "python_enable_replacements": "false",
    # An empty path forbids temporary files: a large sort ends at the memory limit instead.
    "temp_directory": "",
    # The CPU time of the process is then the CPU time of the query.
    "threads": "1",
}
# The time zone of the machine would change results. The lock comes last: no SET can undo these settings. The
# lock is there already if this process has the file open: all its connections share their settings.
_LOCKED = "SELECT system.main.current_setting('lock_configuration')"
_SETTINGS = "SET GLOBAL TimeZone = 'UTC'; SET GLOBAL lock_configuration = true"
# DuckDB numbers its own views when they are first used, and the catalog tells the numbers. So number all now.
_NUMBER_VIEWS = "SELECT count(*) FROM system.main.duckdb_views()"


def identify(database: str) -> Identity:
    """Return the identity of a DuckDB file; see `sql_env.execution.engines.files.identify_file`."""
    return identify_file(database, [".wal"], "duckdb FILE CHECKPOINT")


def open_readonly(database: str, memory_bytes: float) -> duckdb.DuckDBPyConnection:
    """Open a connection that can only read this one database and whose configuration is locked.

    Raises:
        DatabaseError: The file cannot be opened, or is not a database.
        duckdb.OutOfMemoryException: This process has no memory left.
    """
    config = _CONFIG | {"memory_limit": f"{int(memory_bytes)}B"}
    try:
        connection = duckdb.connect(database, read_only=True, config=config)
        if connection.execute(_LOCKED).fetchone() != (True,):
            connection.execute(_SETTINGS)
        connection.execute(_NUMBER_VIEWS).fetchall()
        return connection
    except duckdb.OutOfMemoryException:
        raise
    except (duckdb.Error, UnicodeError) as error:
        hint = explain_dialect(database, "duckdb")
        raise DatabaseError(f"cannot read {database!r} as a DuckDB database: {error}{hint}") from None

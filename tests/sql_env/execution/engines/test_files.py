"""Checks of files that other processes change in the meantime."""

import os
import threading
from contextlib import contextmanager

import pytest

from sql_env import Executor, Query
from sql_env.execution.engines.duckdb import file as duckdb_file
from sql_env.execution.engines.files import detect_dialect, has_content
from sql_env.execution.engines.sqlite import file as sqlite_file


@contextmanager
def flicker(path):
    """Make and remove an empty file all the time, as readers of a database in WAL mode do."""
    done = threading.Event()

    def run():
        while not done.is_set():
            os.close(os.open(path, os.O_CREAT | os.O_WRONLY))
            os.unlink(path)

    thread = threading.Thread(target=run)
    thread.start()
    try:
        yield
    finally:
        done.set()
        thread.join()


@pytest.mark.parametrize(("engine", "suffix"), [(sqlite_file, "-wal"), (duckdb_file, ".wal")])
def test_an_empty_log_that_vanishes_is_no_fault(engine, suffix, concerts):
    """Without the fix, one check in twenty raised FileNotFoundError."""
    identity = engine.identify(str(concerts))
    with flicker(f"{concerts}{suffix}"):
        assert {engine.identify(str(concerts)) for _ in range(10_000)} == {identity}


def test_a_schema_is_read_while_an_empty_log_comes_and_goes(concerts):
    with Executor() as executor, flicker(f"{concerts}-wal"):
        for _ in range(100):
            os.utime(concerts)  # a new state: the schema is read again
            assert [table.name for table in executor.schema(str(concerts)).tables] == ["singer", "concert"]


def test_which_file_has_content(tmp_path):
    empty, full, folder = tmp_path / "empty", tmp_path / "full", tmp_path / "folder"
    empty.write_bytes(b"")
    full.write_bytes(b"x")
    folder.mkdir()
    dangling, loop = tmp_path / "dangling", tmp_path / "loop"
    dangling.symlink_to(tmp_path / "nowhere")
    loop.symlink_to(loop)
    others = [empty, folder, dangling, loop, tmp_path / "missing", "/dev/zero", "a\0b", "x" * 300]
    assert [path for path in [*others, full] if has_content(str(path))] == [full]


def test_the_first_bytes_of_a_file_tell_its_dialect(tmp_path, concerts, library):
    """A wrong suffix does not matter. Neither does a file that cannot be read."""
    assert detect_dialect(str(concerts.rename(tmp_path / "concerts.duckdb"))) == "sqlite"
    assert detect_dialect(str(library.rename(tmp_path / "library.sqlite"))) == "duckdb"
    (tmp_path / "text.db").write_text("no database: DUCK")
    os.mkfifo(tmp_path / "pipe.duckdb")  # to read it would never end
    found = [
        detect_dialect(str(tmp_path / name)) for name in ("text.db", "pipe.duckdb", ".", "a\0b", "a\ud800")
    ]
    assert found == ["sqlite", "duckdb", "sqlite", "sqlite", "sqlite"]


@pytest.mark.parametrize(("fixture", "own"), [("concerts", "sqlite"), ("library", "duckdb")])
def test_a_file_of_the_other_engine_says_so(request, fixture, own):
    other = {"sqlite": "duckdb", "duckdb": "sqlite"}[own]
    file = request.getfixturevalue(fixture)
    with Executor() as executor:
        result = executor.run(Query(str(file), "SELECT 1", other))
        assert result.error.endswith(f"It is a file of {own}: use the dialect {own!r}")
        file.write_bytes(b"no database at all")
        assert "use the dialect" not in executor.run(Query(str(file), "SELECT 1", "sqlite")).error

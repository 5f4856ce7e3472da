"""The memory that a worker shares with its parent."""

import os

import pytest

from sql_env.execution import heartbeat

from ...small_disk import run_on_small_disk

QUERY_ON_A_FULL_DISK = """
import os, tempfile
tempfile.tempdir = folder = sys.argv[1]
if sys.argv[2:]:
    del os.memfd_create
fill(folder)
from sql_env import Executor, Query
from sql_env.errors import SQLEnvError
with Executor() as executor:
    try:
        print(executor.run(Query("missing", "SELECT 1")).status)
    except SQLEnvError as error:
        print(error)
"""


def test_a_full_temporary_folder_does_not_kill_the_parent(tmp_path):
    assert run_on_small_disk(tmp_path, 8, QUERY_ON_A_FULL_DISK) == "unavailable\n"


def test_without_memory_files_a_full_temporary_folder_is_an_error(tmp_path):
    """As on macOS: the memory is then a temporary file."""
    printed = run_on_small_disk(tmp_path, 8, QUERY_ON_A_FULL_DISK, "without")
    assert "could not start" in printed
    assert "No space left on device" in printed


@pytest.mark.parametrize("memory_files", [True, False])
def test_both_ends_see_the_same(memory_files, monkeypatch):
    if not memory_files:
        monkeypatch.delattr(os, "memfd_create", raising=False)
    with heartbeat.open_memory() as file:
        ours, theirs = heartbeat.Heartbeat(file.fileno()), heartbeat.Heartbeat(file.fileno())
    ours.begin(-1)
    assert theirs.place == -1
    theirs.begin(7)
    assert (ours.place, ours.comparing) == (7, False)
    theirs.compare()
    assert (ours.place, ours.comparing) == (7, True)
    assert ours.began == theirs.began > 0
    ours.close()
    theirs.close()

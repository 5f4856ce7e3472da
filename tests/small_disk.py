"""A file system of a few pages, to fill up. It is mounted for one child process only."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

PAGE = 4096
_OWN_MOUNTS = ("unshare", "--user", "--map-root-user", "--mount")  # needs no rights
_PROGRAM = """
import os, sys

def fill(folder, free=0):
    "Leave this number of free pages on the disk."
    with open(os.path.join(folder, "filling"), "ab", 0) as file:
        try:
            while True:
                file.write(bytes(4096))
        except OSError:
            file.truncate(file.tell() - 4096 * free)

"""


def run_on_small_disk(folder, pages, program, *arguments):
    """Run a program of Python in a child process, and return what it printed.

    In the program, ``sys.argv[1]`` is the mounted folder, the arguments follow, and ``fill(folder, free)``
    fills the disk. A death by a signal, an exception and a hang of two minutes fail the test.
    """
    mount = f'mount -t tmpfs -o size={pages * PAGE} none "$2" && exec "$0" -c "$@"'
    root = Path(__file__).parents[1]
    done = subprocess.run(
        [*_mounting(), "sh", "-c", mount, sys.executable, _PROGRAM + program, folder, *arguments],
        env={**os.environ, "PYTHONPATH": str(root)},
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert done.returncode == 0, f"exit status {done.returncode}: {done.stderr}"
    return done.stdout


def _mounting():
    try:
        works = not subprocess.run([*_OWN_MOUNTS, "true"], capture_output=True).returncode
    except OSError:
        works = False
    if not works:
        pytest.skip("a small disk needs Linux and user namespaces: `unshare --user --mount` does not work")
    return _OWN_MOUNTS

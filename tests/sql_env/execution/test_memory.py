"""The memory limit of a worker process, in a process of its own."""

import subprocess
import sys

import pytest

from sql_env import Limits

SCRIPT = """
from sql_env.execution.memory import MemoryLimit
from sql_env import Limits
limit = MemoryLimit(Limits(memory_bytes=2**26, max_bytes=2**20))
assert not limit.is_near()
part = bytearray(limit._high + {beyond} - limit.used_bytes)
print(limit.is_near())
try:
    rest = bytearray(250 * 2**20)
except MemoryError:
    print("no memory")
"""


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux enforces the limit")
@pytest.mark.parametrize(("beyond", "near"), [(-40 * 2**20, False), (-20 * 2**20, False), (20 * 2**20, True)])
def test_the_limit_is_hard_and_its_neighbourhood_is_known(beyond, near):
    """The memory of the parent, which a new process seems to have had, does not count."""
    parent = bytearray(2**28)
    parent[::4096] = b"x" * 2**16
    script = SCRIPT.format(beyond=beyond)
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (0, f"{near}\nno memory\n"), done.stderr


def test_the_limit_grows_with_the_other_limits():
    assert Limits().process_bytes == 2**30
    assert Limits(max_bytes=2**20).process_bytes < 2**30
    assert Limits(memory_bytes=2**29).process_bytes > 2**30

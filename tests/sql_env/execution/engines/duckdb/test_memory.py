"""A query that takes all memory of its process ends with a status, and harms no later query.

Each query runs in its own process, which has the limits of a worker: its data and its CPU time.
"""

import signal
import subprocess
import sys

import pytest

from sql_env import Limits
from sql_env.execution.engines.duckdb.engine import DuckDBEngine

LIMIT = 2**30
PROGRAM = """
import re, resource, signal, sys
from pathlib import Path
from sql_env import Limits
from sql_env.execution.engines.duckdb.engine import DuckDBEngine

resource.setrlimit(resource.RLIMIT_DATA, ({limit}, {limit}))
resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
engine = DuckDBEngine(Limits(cpu_seconds=2))
database = sys.argv[1]
engine.run(database, "SELECT 1")
signal.signal(signal.SIGPROF, signal.SIG_DFL)
signal.setitimer(signal.ITIMER_PROF, 2 + engine.cpu_grace)
result = engine.run(database, sys.stdin.read())
# Not ru_maxrss: a new process begins with the largest memory of its parent.
peak = int(re.search(r"VmHWM:\\s+(\\d+)", Path("/proc/self/status").read_text())[1]) // 1024
print(result.status.value, engine.out_of_memory, peak)
signal.setitimer(signal.ITIMER_PROF, 0)
print(engine.run(database, "SELECT count(*) FROM author").rows, engine.out_of_memory)
"""
WIDE = "WITH t({name}) AS (SELECT 1) SELECT {stars} FROM t"
TOO_LARGE = {
    "many long rows": "SELECT s FROM (SELECT repeat('x', 10000000) AS s) CROSS JOIN range(100)",
    "a wide row": f"SELECT {', '.join(['s'] * 40)} FROM (SELECT repeat('x', 30000000) AS s)",
    "printf": "SELECT length(printf('%2000000000d', 1))",
    "repeat": "SELECT length(repeat('x', 4000000000))",
    "concatenation": "SELECT s || s || s || s FROM (SELECT repeat('x', 100000000) AS s)",
    "long names": WIDE.format(name='"' + "x" * 45_000 + '"', stars=", ".join("*" * 900)),
    "a list": "SELECT len(list(range)) FROM range(100000000)",
    "an aggregate": "SELECT string_agg(repeat('x', 1000000)) FROM range(5000)",
    "deep JSON": "SELECT json_array_length(repeat('[', 100000000))",
    "groups": "SELECT count(*) FROM (SELECT DISTINCT range, repeat(range::VARCHAR, 20) FROM range(50000000))",
}
ENDS = TOO_LARGE | {  # memory or CPU time ends them: which one comes first depends on the machine
    "a table of distances": "SELECT damerau_levenshtein(repeat('a', 40000), repeat('b', 40000))",
    "a long distance": "SELECT levenshtein(repeat('a', 100000), repeat('b', 100000))",
    "replace": "SELECT length(regexp_replace(repeat('a', 30000000), 'a', repeat('x', 100), 'g'))",
    "lpad": "SELECT lpad('x', 2000000000, 'y') = ''",
    "more long names": WIDE.format(name='"' + "x" * 45_000 + '"', stars=",".join("*" * 25_000)),
    "an error text": "SELECT error(repeat('x', 10000000))",
}


def run_alone(database, sql, limit=LIMIT):
    program = PROGRAM.format(limit=limit)
    return subprocess.run(
        [sys.executable, "-c", program, database], input=sql, capture_output=True, text=True, timeout=120
    )


def check(database, name):
    process = run_alone(database, ENDS[name])
    if process.returncode == -signal.SIGPROF:  # the kernel ends it, and a worker's parent says timeout
        assert name not in TOO_LARGE
        return
    assert process.returncode == 0, process.stderr[-2000:]
    first, later = process.stdout.splitlines()
    status, out_of_memory, peak = first.split()
    assert status == "too_large" if name in TOO_LARGE else status in ("too_large", "timeout", "error")
    assert (out_of_memory == "True") == (status == "too_large" and name != "long names")
    assert int(peak) < 1_100
    assert later == "((2,),) False"


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="macOS does not enforce RLIMIT_DATA")
@pytest.mark.parametrize("name", ENDS)
def test_memory_of_the_process_is_bounded(defined, name):
    check(defined, name)


def test_memory_of_the_engine_is_bounded(defined):
    sql = "SELECT len(list(range)) FROM range(100000000)"
    engine = DuckDBEngine(Limits(memory_bytes=50_000_000))
    assert engine.run(defined, sql).status.value == "too_large"
    assert engine.out_of_memory
    assert engine.run(defined, "SELECT 1").ok
    assert not engine.out_of_memory
    engine.close()


@pytest.mark.parametrize("error", [MemoryError(), MemoryError("std::bad_alloc")])
def test_a_memory_error_of_python_is_too_large(engine, defined, monkeypatch, error):
    def fail(*_):
        raise error

    monkeypatch.setattr("sql_env.execution.engines.duckdb.engine.fetch_rows", fail)
    result = engine.run(defined, "SELECT 1")
    assert (result.status.value, bool(result.error), engine.out_of_memory) == ("too_large", True, True)


def test_a_result_that_is_too_large_is_not_out_of_memory(engine, defined):
    assert engine.run(defined, "SELECT repeat('x', 2000000)").status.value == "too_large"
    assert not engine.out_of_memory
    assert engine.run(defined, "SELECT error('Failed to allocate')").status.value == "error"
    assert not engine.out_of_memory

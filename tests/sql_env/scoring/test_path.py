"""The path from `Scorer.score` to the engine is short."""

import json
import subprocess
import sys
import textwrap

TRACE = """
import json, sys
from sql_env import Scorer, Task, respond

visited = set()

def trace(frame, event, _):
    visited.add(frame.f_globals.get("__name__", ""))

import threading
task = Task("1", "How many singers?", "SELECT COUNT(*) FROM singer", {database!r})
with Scorer("sql-r1") as scorer:
    threading.setprofile(trace)
    sys.setprofile(trace)
    [score] = scorer.score([respond("SELECT 5")], [task])
    sys.setprofile(None)
assert score.rollout.correct
print(json.dumps(sorted(name for name in visited if name.startswith("sql_env."))))
"""

NOT_COUNTED = (
    "comparison",
    "types",
    "limits",
    "stats",
    "messages",
    "pending",
    "rows",
    "rubric",
    "reward",
    "engines",
)
"""Comparisons, rewards, engines and data types."""


def test_at_most_twelve_modules_lie_between_the_scorer_and_the_engine(concerts):
    code = textwrap.dedent(TRACE).format(database=str(concerts))
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    in_parent = {
        name for name in json.loads(done.stdout) if not any(part in name.split(".") for part in NOT_COUNTED)
    }
    in_worker = {"sql_env.execution.worker"}  # beside the connection and the heartbeat, which the parent uses
    assert {
        "sql_env.scoring.scorer",
        "sql_env.execution.pool",
        "sql_env.execution.worker_process",
    } <= in_parent
    assert len(in_parent | in_worker) <= 12, sorted(in_parent | in_worker)

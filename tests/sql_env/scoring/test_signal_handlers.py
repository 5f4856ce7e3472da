"""Signal handlers that score or close: each call ends, and every verdict is right."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

TESTS = Path(__file__).parents[1]

PRELUDE = """
import faulthandler, random, signal, sys, threading, time
faulthandler.dump_traceback_later(100, exit=True)
from itertools import count
from sql_env import Executor, Query, Scorer, Task, respond
from sql_env.caching import gold_store
from sql_env.errors import ClosedError
gold_store._FRESH_NS = 0
database, folder, choice = sys.argv[1:4]
numbers = count()

def check(scorer, times=1):
    "Score a right and a wrong answer to new questions."
    ns = [next(numbers) for _ in range(times)]
    tasks = [Task(f"{n}", "?", f"SELECT {n}", database, "concerts") for n in ns for _ in range(2)]
    completions = [respond(f"SELECT {n} + {more}") for n in ns for more in (0, 1)]
    scores = scorer.score(completions, tasks)
    assert [score.rollout.correct for score in scores] == [True, False] * times, scores

def check_all(scorer):
    check(scorer)
    n = next(numbers)
    [gold] = scorer.golds([Task(f"{n}", "?", f"SELECT {n}", database, "concerts")])
    assert gold.rows == ((n,),), gold
    scorer.stats
"""

AT_EACH_LINE = (
    PRELUDE
    + """
sys.path.insert(0, sys.argv[4])
from interrupt import call_at
from sql_env.caching import gold_cache
from sql_env.execution import pool
from sql_env.scoring import coalescer, gold_results, scorer as scorers, stats

modules = [coalescer, gold_cache, gold_results, gold_store, pool, scorers, stats]
with Scorer(gold_store=gold_store.GoldStore(folder), gold_cache=5) as scorer:
    check_all(scorer)
    if choice == "busy":  # as if the call of another thread ran all the time
        for each in (scorer._without_rows, scorer._with_rows):
            each._alone.acquire()
    steps = 0
    while call_at(steps, modules, lambda: check_all(scorer), lambda: check(scorer)):
        steps += 1
    scored = scorer.stats.scores
assert scored == 2 * (2 * steps + 2), (scored, steps)
print(steps)
"""
)

AT_RANDOM_MOMENTS = (
    PRELUDE
    + """
chance, handled, running = random.Random(7), 0, True

def arm():
    signal.setitimer(signal.ITIMER_REAL, chance.random() * 0.004 + 1e-6)

def handle(*_):
    global handled
    handled += 1
    check(scorer, chance.randrange(1, 4))
    if chance.random() < 0.3:
        assert scorer.executor.run(Query(database, f"SELECT {handled}")).rows == ((handled,),)
    if running:
        arm()

signal.signal(signal.SIGALRM, handle)
with Scorer(gold_store=gold_store.GoldStore(folder), gold_cache=20, workers=2) as scorer:
    check(scorer)
    threads = [
        threading.Thread(target=lambda: [check(scorer) for _ in iter(lambda: running, False)])
        for _ in range(int(choice))
    ]
    for thread in threads:
        thread.start()
    arm()
    while handled < 400:
        check(scorer, 3)
    running = False
    signal.setitimer(signal.ITIMER_REAL, 0)
    for thread in threads:
        thread.join()
print("all ended")
"""
)

CLOSING = (
    PRELUDE
    + """
chance, closed = random.Random(3), 0
signal.signal(signal.SIGALRM, lambda *_: scorer.close() if choice == "scorer" else scorer.executor.close())
for _ in range(int(sys.argv[4])):
    scorer = Scorer(workers=2, gold_store=gold_store.GoldStore(folder))
    signal.setitimer(signal.ITIMER_REAL, chance.choice([0.001, 0.01, 0.4]) * chance.random() + 1e-6)
    try:
        while not scorer.executor._pool.closed:
            check(scorer, 20)
    except ClosedError:
        closed += 1
    scorer.close()
    assert not scorer.executor._pool.processes
print("all ended")
"""
)


def run(program, *arguments):
    """Run a program; a hang fails the test, with the stacks of all threads."""
    done = subprocess.run(
        [sys.executable, "-c", program, *map(str, arguments)],
        env={**os.environ, "PYTHONPATH": str(TESTS.parents[1])},
        capture_output=True,
        text=True,
        timeout=150,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.mark.slow
@pytest.mark.parametrize("other_calls", ["none", "busy"])
def test_a_handler_that_scores_at_any_line(concerts, tmp_path, other_calls):
    assert int(run(AT_EACH_LINE, concerts, tmp_path, other_calls, TESTS)) > 200


@pytest.mark.slow
@pytest.mark.parametrize("threads", [0, 3])
def test_a_handler_that_scores_at_random_moments(concerts, tmp_path, threads):
    assert run(AT_RANDOM_MOMENTS, concerts, tmp_path, threads) == "all ended\n"


@pytest.mark.parametrize("what", ["scorer", "executor"])
@pytest.mark.parametrize("trials", [2, pytest.param(40, marks=pytest.mark.slow)])
def test_a_handler_that_closes(concerts, tmp_path, what, trials):
    assert run(CLOSING, concerts, tmp_path, what, trials) == "all ended\n"

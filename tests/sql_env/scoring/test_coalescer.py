"""Calls of several threads as batches: each caller gets its own results, and its own errors."""

import gc
import os
import random
import threading
import time
import weakref
from concurrent.futures import ThreadPoolExecutor

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sql_env import Scorer
from sql_env.scoring import coalescer as module
from sql_env.scoring.coalescer import Coalescer

from ..interrupt import interrupt_at


def double(items):
    return [2 * item for item in items]


def ended(threads, seconds=60):
    end = time.monotonic() + seconds
    for thread in threads:
        thread.join(max(0.0, end - time.monotonic()))
    return not any(thread.is_alive() for thread in threads)


def test_a_caller_that_is_alone_starts_no_thread():
    sizes = []
    coalesce = Coalescer(lambda items: sizes.append(len(items)) or double(items), 1)
    before = threading.active_count()
    assert [coalesce([n, n + 1]) for n in range(50)] == [[2 * n, 2 * n + 2] for n in range(50)]
    assert sizes == [2] * 50
    assert coalesce([]) == []
    assert threading.active_count() == before


@pytest.mark.parametrize("rounds", [100, pytest.param(4_000, marks=pytest.mark.slow)])
@pytest.mark.parametrize(("threads", "most"), [(1, 1), (2, 1), (7, 3), (64, 1), (64, 3)])
def test_each_caller_gets_its_own_results(rounds, threads, most):
    chance = random.Random(threads)
    coalesce = Coalescer(lambda items: time.sleep(chance.random() * 0.001) or double(items), most)
    wrong = []

    def call(number):
        mine = random.Random(number)
        for _ in range(-(-rounds // threads)):
            items = [mine.random() for _ in range(mine.randrange(4))]
            if coalesce(items) != double(items):
                wrong.append(items)

    callers = [threading.Thread(target=call, args=(n,), daemon=True) for n in range(threads)]
    for caller in callers:
        caller.start()
    assert ended(callers)
    assert not wrong


def test_calls_that_wait_while_a_batch_runs_are_one_batch():
    sizes, running, go = [], [threading.Event(), threading.Event()], threading.Event()

    def run(items):
        sizes.append(len(items))
        if len(sizes) <= 2:
            running[len(sizes) - 1].set()
            assert go.wait(60)
        return double(items)

    coalesce = Coalescer(run, 1)
    with ThreadPoolExecutor(10) as threads:
        results = [threads.submit(coalesce, [0])]
        assert running[0].wait(60)
        results.append(threads.submit(coalesce, [1]))
        assert running[1].wait(60)
        results += [threads.submit(coalesce, [n]) for n in range(2, 10)]
        while coalesce._queue.qsize() < 8:
            time.sleep(0.001)
        go.set()
        assert [result.result(60) for result in results] == [[2 * n] for n in range(10)]
    assert sizes == [1, 1, 8]


def test_a_slow_batch_does_not_block_the_others():
    go = threading.Event()
    coalesce = Coalescer(lambda items: (go.wait(60) if 0 in items else 1) and double(items), 2)
    with ThreadPoolExecutor(3) as threads:
        slow = [threads.submit(coalesce, [0]) for _ in range(2)]  # one is alone, one has a thread
        while coalesce._threads < 1:
            time.sleep(0.001)
        assert threads.submit(coalesce, [4]).result(60) == [8]
        assert not any(each.done() for each in slow)
        go.set()
        assert [each.result(60) for each in slow] == [[0], [0]]


def test_each_error_goes_to_its_caller():
    def run(items):
        time.sleep(0.001)
        if any(item < 0 for item in items):
            raise ValueError(min(items))
        return double(items)

    coalesce = Coalescer(run, 2)

    def call(number):
        try:
            return coalesce([number])
        except ValueError as error:
            return str(error)

    with ThreadPoolExecutor(16) as threads:
        results = list(threads.map(call, range(-40, 200)))
    assert results == [str(n) if n < 0 else [2 * n] for n in range(-40, 200)]


@pytest.mark.slow
def test_an_interrupt_at_any_line_harms_no_other_caller():
    hits = 0
    for step in range(60):
        coalesce = Coalescer(lambda items: time.sleep(0.0005) or double(items), 1)
        results = {}

        def call(n, coalesce=coalesce, results=results):
            results[n] = [coalesce([n]), coalesce([n + 1])]

        others = [threading.Thread(target=call, args=(n,), daemon=True) for n in range(4)]
        for other in others:
            other.start()
        hits += interrupt_at(step, [module], lambda coalesce=coalesce: [coalesce([9]), coalesce([9])])
        assert ended(others, 20), f"interrupted at line {step}: a caller waits for ever"
        after = threading.Thread(target=call, args=(50,), daemon=True)
        after.start()
        assert ended([after], 20), f"interrupted at line {step}: no later call returns"
        assert results == {n: [[2 * n], [2 * n + 2]] for n in (0, 1, 2, 3, 50)}
    assert hits > 5


@pytest.mark.filterwarnings("ignore:.*fork.*:DeprecationWarning")
def test_a_fork_while_others_wait():
    go, running = threading.Event(), threading.Event()
    coalesce = Coalescer(
        lambda items: running.set() or ((0 not in items or go.wait(60)) and double(items)), 1
    )
    with ThreadPoolExecutor(3) as threads:
        results = [threads.submit(coalesce, [0])]
        assert running.wait(60)
        results += [threads.submit(coalesce, [n]) for n in (0, 1)]
        child = os.fork()
        if not child:
            os._exit(0 if coalesce([7]) == [14] else 1)
        assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
        go.set()
        assert [result.result(60) for result in results] == [[0], [0], [2]]


@settings(max_examples=20)
@given(
    st.lists(st.lists(st.lists(st.integers(-5, 50), max_size=3), max_size=4), max_size=6), st.integers(1, 3)
)
def test_any_calls_of_any_threads(plans, most):
    """Each thread makes its calls one after another; a call with a negative item raises, and no other."""

    def run(items):
        if any(item < 0 for item in items):
            raise ValueError
        return double(items)

    coalesce = Coalescer(run, most)

    def follow(plan):
        outcomes = []
        for items in plan:
            try:
                outcomes.append(coalesce(items))
            except ValueError:
                outcomes.append("error")
        return outcomes

    with ThreadPoolExecutor(6) as threads:
        results = list(threads.map(follow, plans, timeout=60))
    assert results == [["error" if min(i, default=0) < 0 else double(i) for i in plan] for plan in plans]


def test_a_scorer_that_nobody_holds_is_collected_at_once(ask):
    scorer = Scorer()
    scorer.score(["no SQL"], [ask("SELECT 1")])
    alive = weakref.ref(scorer)
    gc.disable()
    try:
        del scorer
        assert alive() is None
    finally:
        gc.enable()

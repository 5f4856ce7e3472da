"""Calls of several threads as one batch: everyone gets their own, whatever becomes of whoever leads."""

import os
import random
import threading
import time
from concurrent.futures import ThreadPoolExecutor

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sql_env.scoring import together as module
from sql_env.scoring.together import Together

from ..interrupt import interrupt_at


def doubled(items):
    return [2 * item for item in items]


def within(seconds, threads):
    """Wait for threads; a thread that hangs fails the test instead of stopping it."""
    end = time.monotonic() + seconds
    for thread in threads:
        thread.join(max(0.0, end - time.monotonic()))
    return not any(thread.is_alive() for thread in threads)


def test_a_single_caller_waits_for_nobody():
    sizes = []
    together = Together(lambda items: sizes.append(len(items)) or doubled(items), 1)
    began = threading.active_count()
    assert [together([n, n + 1]) for n in range(50)] == [[2 * n, 2 * n + 2] for n in range(50)]
    assert sizes == [2] * 50
    assert together([]) == []
    assert threading.active_count() == began


@pytest.mark.parametrize("rounds", [100, pytest.param(4_000, marks=pytest.mark.slow)])
@pytest.mark.parametrize(("threads", "most"), [(1, 1), (2, 1), (7, 3), (64, 1), (64, 3)])
def test_everyone_gets_their_own(rounds, threads, most):
    chance = random.Random(threads)
    together = Together(lambda items: time.sleep(chance.random() * 0.001) or doubled(items), most)
    wrong = []

    def call(number):
        mine = random.Random(number)
        for _ in range(-(-rounds // threads)):
            items = [mine.random() for _ in range(mine.randrange(4))]
            if together(items) != doubled(items):
                wrong.append(items)

    workers = [threading.Thread(target=call, args=(n,), daemon=True) for n in range(threads)]
    for worker in workers:
        worker.start()
    assert within(60, workers)
    assert not wrong


def test_what_waits_while_a_batch_runs_is_one_batch():
    sizes, first, go = [], threading.Event(), threading.Event()

    def run(items):
        sizes.append(len(items))
        first.set()
        assert go.wait(60)
        return doubled(items)

    together = Together(run, 1)
    with ThreadPoolExecutor(9) as threads:
        results = [threads.submit(together, [0])]
        assert first.wait(60)
        results += [threads.submit(together, [n]) for n in range(1, 9)]
        while len(together._waiting) < 8:
            time.sleep(0.001)
        go.set()
        assert [result.result(60) for result in results] == [[2 * n] for n in range(9)]
    assert sizes == [1, 8]


def test_who_waits_for_a_slow_batch_sleeps():
    """Half a second of waiting in seven threads costs next to no CPU: they are woken, and do not look."""
    go, running = threading.Event(), threading.Event()
    together = Together(lambda items: running.set() or (go.wait(60) and doubled(items)), 1)
    with ThreadPoolExecutor(8) as threads:
        slow = threads.submit(together, [0])
        assert running.wait(60)
        looked = together._begin
        looks = []
        together._begin = lambda call: looks.append(call) or looked(call)
        results = [threads.submit(together, [n]) for n in range(7)]
        time.sleep(0.2)
        go.set()
        assert [result.result(60) for result in results] == [[2 * n] for n in range(7)]
        assert slow.result(60) == [0]
    assert len(looks) < 30  # one who looked every `PATIENCE` would have looked 400 times


def test_a_slow_batch_leaves_room_for_as_many_as_may_run():
    go = threading.Event()
    together = Together(lambda items: (go.wait(60) if 0 in items else 1) and doubled(items), 2)
    with ThreadPoolExecutor(2) as threads:
        slow = threads.submit(together, [0])
        while not together._leading:
            time.sleep(0.001)
        assert threads.submit(together, [4]).result(60) == [8]
        assert not slow.done()
        go.set()
        assert slow.result(60) == [0]


def test_errors_go_to_whom_they_belong():
    def run(items):
        time.sleep(0.001)
        if any(item < 0 for item in items):
            raise ValueError(min(items))
        return doubled(items)

    together = Together(run, 2)

    def call(number):
        try:
            return together([number])
        except ValueError as error:
            return str(error)

    with ThreadPoolExecutor(16) as threads:
        results = list(threads.map(call, range(-40, 200)))
    assert results == [str(n) if n < 0 else [2 * n] for n in range(-40, 200)]


@pytest.mark.slow
@pytest.mark.parametrize("most", [1, 2])
def test_an_interrupt_at_any_line_harms_nobody_else(most):
    """Whoever is interrupted: the others get their results, and so does who comes next."""
    for delay in (0.0, 0.003):
        step = hits = 0
        while hits >= step - 20:  # until it has ended 20 times before it came so far
            together = Together(lambda items: time.sleep(0.0005) or doubled(items), most)
            results = {}

            def call(n, together=together, results=results):
                results[n] = [together([n]), together([n + 1])]

            others = [threading.Thread(target=call, args=(n,), daemon=True) for n in range(4)]
            for other in others:
                other.start()
            time.sleep(delay * random.Random(step).random())
            hits += interrupt_at(step, [module], lambda together=together: [together([9]), together([9])])
            assert within(20, others), f"interrupted at line {step}: somebody waits for ever"
            assert results == {n: [[2 * n], [2 * n + 2]] for n in range(4)}
            after = threading.Thread(target=call, args=(50,), daemon=True)
            after.start()
            assert within(20, [after]), f"interrupted at line {step}: nobody can call any more"
            assert {*together._calls, *together._leading, *together._waiting} == set()
            step += 1
        assert hits > 20


@pytest.mark.filterwarnings("ignore:.*fork.*:DeprecationWarning")
def test_a_fork_while_others_wait():
    go, running = threading.Event(), threading.Event()
    together = Together(
        lambda items: running.set() or ((0 not in items or go.wait(60)) and doubled(items)), 1
    )
    with ThreadPoolExecutor(3) as threads:
        results = [threads.submit(together, [0])]
        assert running.wait(60)
        results += [threads.submit(together, [n]) for n in (1, 2)]
        child = os.fork()
        if not child:
            os._exit(0 if together([7]) == [14] else 1)
        assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
        go.set()
        assert [result.result(60) for result in results] == [[0], [2], [4]]


@settings(max_examples=20)
@given(
    st.lists(st.lists(st.lists(st.integers(-5, 50), max_size=3), max_size=4), max_size=6), st.integers(1, 3)
)
def test_any_calls_of_any_threads(plans, most):
    """Each thread makes its calls one after another; a call with a negative item raises, and no other."""

    def run(items):
        if any(item < 0 for item in items):
            raise ValueError
        return doubled(items)

    together = Together(run, most)

    def follow(plan):
        said = []
        for items in plan:
            try:
                said.append(together(items))
            except ValueError:
                said.append("error")
        return said

    with ThreadPoolExecutor(6) as threads:
        results = list(threads.map(follow, plans, timeout=60))
    assert results == [["error" if min(i, default=0) < 0 else doubled(i) for i in plan] for plan in plans]

"""One path from completions to scores: the same score in any company."""

import os
import random
import sqlite3
import threading

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sql_env import Limits, Query, Scorer, Status, Task, respond
from sql_env.caching import gold_store
from sql_env.caching.gold_cache import GoldCache
from sql_env.caching.gold_store import GoldStore
from sql_env.comparison import get_comparison, make_gold
from sql_env.errors import ClosedError, ComparisonError, LimitError
from sql_env.scoring.batch import GoldTarget, QueryBatch
from sql_env.types import ExecutionResult

GOLDS = [
    "SELECT name FROM singer WHERE country = 'France'",
    "SELECT country, COUNT(*) FROM singer GROUP BY country ORDER BY COUNT(*) DESC",
    "SELECT name FROM singer ORDER BY age LIMIT 3",
    "SELECT SUM(fee) FROM concert",
    "SELECT nothing FROM nowhere",
]
SQLS = [
    *GOLDS,
    "SELECT name FROM singer",
    "SELECT DISTINCT name FROM singer WHERE country = 'France'",
    "SELECT 0.6000000000000001",
    "SELECT name FROM singer WHERE",
    "DROP TABLE singer",
    "WITH RECURSIVE r(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM r) SELECT COUNT(*) FROM r",
    "SELECT randomblob(400000000)",
    "\0",
]
COMPLETIONS = ["", "no tags", "\ud800", *(respond(sql, "why") for sql in SQLS)]
LIMITS = Limits(max_steps=100_000)


@pytest.fixture(scope="module")
def world(tmp_path_factory, make_concerts):
    """Tasks over a database, and scorers with 1 and 2 workers."""
    path = make_concerts(tmp_path_factory.mktemp("world") / "concerts.sqlite")
    tasks = [
        Task(f"t{i}", "?", gold, str(path), "concerts", comparison=name)
        for i, gold in enumerate(GOLDS)
        for name in ("strict", "bird", "spider", "sql-r1")
    ]
    with (
        Scorer("sql-r1", limits=LIMITS, workers=1) as one,
        Scorer("sql-r1", limits=LIMITS, workers=2) as two,
    ):
        yield tasks, one, two


def key(score):
    return score.total, dict(score.components), score.rollout


patient = settings(deadline=None)  # a machine under load is no fault
pairs = st.lists(st.tuples(st.integers(0, 19), st.sampled_from(COMPLETIONS)), max_size=30)


@patient
@given(pairs, st.randoms(use_true_random=False))
def test_a_batch_scores_like_its_members_in_any_order_and_company(world, chosen, shuffle):
    tasks, one, two = world
    batch = [(completion, tasks[i]) for i, completion in chosen] * 2
    shuffle.shuffle(batch)
    texts, asked = [c for c, _ in batch], [t for _, t in batch]
    expected = [key(one.score([c], [t])[0]) for c, t in batch]
    assert [key(s) for s in one.score(texts, asked)] == expected
    assert [key(s) for s in two.score(texts, asked)] == expected


def test_eight_threads_score_like_one(world):
    tasks, one, two = world
    batch = [(c, t) for c in COMPLETIONS for t in tasks]
    random.Random(0).shuffle(batch)
    expected = [key(s) for s in one.score([c for c, _ in batch], [t for _, t in batch])]
    seen: dict[int, list] = {}

    def work(n):
        part = batch[n::8]
        seen[n] = [key(s) for s in two.score([c for c, _ in part], [t for _, t in part])]

    threads = [threading.Thread(target=work, args=(n,)) for n in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert all(seen[n] == expected[n::8] for n in range(8))


@pytest.mark.parametrize("sql", GOLDS[:4])
@pytest.mark.parametrize("comparison", ["strict", "bird", "spider", "sql-r1"])
def test_gold_in_the_right_format_is_right(ask, sql, comparison):
    with Scorer("sql-r1") as scorer:
        [score] = scorer.score([respond(sql, "why")], [ask(sql, comparison=comparison)])
    assert score.rollout.correct
    assert {name: score.components[name] for name in ("format", "execution", "result")} == {
        "format": 1.0,
        "execution": 2.0,
        "result": 3.0,
    }


def test_a_failed_gold_masks_its_samples_whatever_they_say(ask):
    task = ask("SELECT nothing FROM nowhere")
    with Scorer() as scorer:
        scores = scorer.score([*COMPLETIONS], [task] * len(COMPLETIONS))
        assert scorer.golds([task])[0].status is Status.ERROR
    assert all(score.masked and score.rollout.correct is None for score in scores)
    assert "the gold query fails" in scores[0].rollout.masked


def test_a_missing_database_masks_and_is_asked_again(ask, concerts):
    task = ask("SELECT COUNT(*) FROM singer")
    away = concerts.rename(concerts.with_suffix(".away"))
    with Scorer() as scorer:
        [score] = scorer.score([respond("SELECT 5")], [task])
        assert score.masked
        assert score.rollout.gold.status is Status.UNAVAILABLE
        away.rename(concerts)
        [score] = scorer.score([respond("SELECT 5")], [task])
        assert score.rollout.correct


def test_a_database_that_changes_is_read_again(ask, concerts):
    task = ask("SELECT COUNT(*) FROM singer")
    with Scorer() as scorer:
        assert scorer.score([respond("SELECT 5")], [task])[0].rollout.correct
        connection = sqlite3.connect(concerts)
        connection.execute("INSERT INTO singer VALUES (6, 'Six', NULL, NULL)")
        connection.commit()
        connection.close()
        assert not scorer.score([respond("SELECT 5")], [task])[0].rollout.correct


def test_ties_under_a_hidden_sort_key_may_change_places(ask):
    """Two singers are 30: ORDER BY age leaves their order open, wherever age is shown."""
    gold = "SELECT name FROM singer WHERE age IS NOT NULL ORDER BY age"
    swapped = f"{gold}, name DESC"
    with Scorer(rows=True) as scorer:
        first, second = scorer.score([respond(gold), respond(swapped)], [ask(gold)] * 2)
        assert first.rollout.result.rows != second.rollout.result.rows
        assert first.rollout.correct
        assert second.rollout.correct
        [reversed_] = scorer.score([respond(f"{gold} DESC")], [ask(gold)])
        assert not reversed_.rollout.correct


def test_the_scorers_comparison_replaces_the_tasks(ask):
    task = ask("SELECT country FROM singer", comparison="strict")
    distinct = respond("SELECT DISTINCT country FROM singer")
    for comparison, right in (("strict", False), ("bird", True), ("spider", True)):
        with Scorer(comparison=comparison) as scorer:
            assert scorer.score([distinct], [task])[0].rollout.correct == right


def test_mistakes_of_the_caller(ask):
    with Scorer() as scorer:
        with pytest.raises(ValueError, match="one task for each"):
            scorer.score(["a", "b"], [ask("SELECT 1")])
        with pytest.raises(ComparisonError, match="Did you mean 'spider'"):
            scorer.score(["a"], [ask("SELECT 1", comparison="sipder")])
    with pytest.raises(ClosedError):
        scorer.score([respond("SELECT 1")], [ask("SELECT 1")])


def test_a_gold_cache_has_no_negative_size():
    with pytest.raises(LimitError, match="not -1"):
        Scorer(gold_cache=-1)


@pytest.mark.filterwarnings("ignore:.*fork.*:DeprecationWarning")
def test_a_fork_does_not_wait_for_a_thread_that_it_does_not_have():
    cache = GoldCache(1)
    with cache._lock:
        child = os.fork()
        if not child:
            os._exit(0 if cache._lock.acquire(timeout=5) else 1)
    assert os.waitpid(child, 0)[1] == 0


def test_an_empty_batch_is_an_empty_batch():
    with Scorer() as scorer:
        assert scorer.score([], []) == []


LOOP = "WITH RECURSIVE r(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM r LIMIT {}) SELECT max(x) FROM r"


def test_what_a_query_may_take_goes_by_its_gold(ask):
    """The same query, for a gold that takes little and for one that takes some thousand steps."""
    limits = Limits(min_steps=1_000, gold_factor=10)
    slow, little, much = LOOP.format(2_000), ask("SELECT 2000"), ask(LOOP.format(2_000) + " -- gold")
    with Scorer("sql-r1", limits=limits) as scorer:
        scores = scorer.score([respond(slow)] * 4, [little, much, little, much])
        assert [score.rollout.correct for score in scores] == [False, True, False, True]
        assert scores[0].rollout.result.status is Status.TIMEOUT
        assert scores[0].rollout.result.error == "more than 1000 steps"
        assert scorer.score([respond(slow)], [much])[0].total == scores[1].total
    with Scorer("sql-r1", limits=Limits(max_steps=500, min_steps=1_000)) as scorer:
        assert scorer.golds([much])[0].error == "more than 500 steps"


@given(st.integers(0, 10**9), st.integers(1, 2**31 - 1), st.integers(1, 10**9), st.integers(1, 10**6))
def test_a_budget_covers_the_gold_and_keeps_to_the_limits(steps, most, least, factor):
    limits = Limits(max_steps=most, min_steps=least, gold_factor=factor)
    budget = limits.step_limit(steps)
    assert min(most, max(least, factor * steps)) <= budget <= most
    assert budget == most or budget <= max(least, 2 * factor * steps)
    assert limits.step_limit(None) == most


def test_golds_on_disk_are_shared_and_change_nothing(ask, tmp_path, monkeypatch):
    monkeypatch.setattr(gold_store, "_FRESH_NS", 0)
    tasks = [ask("SELECT name FROM singer ORDER BY age"), ask("SELECT fee FROM concert"), ask("SELECT oops")]
    texts = [
        respond("SELECT name FROM singer ORDER BY age, name DESC"),
        respond("SELECT 1"),
        respond("SELECT 1"),
    ]
    with Scorer() as plain:
        expected = plain.score(texts, tasks)
    for run, stored in enumerate([0, 3]):
        with Scorer(gold_store=GoldStore(tmp_path)) as scorer:
            assert scorer.score(texts, tasks) == expected
            assert scorer.stats.gold_stored == stored
            assert scorer.stats.gold_misses == 3, run
    with Scorer(gold_store=GoldStore(tmp_path), limits=Limits(max_rows=1)) as scorer:
        assert scorer.score(texts, tasks) != expected
        assert scorer.stats.gold_stored == 0
    sqlite3.connect(tasks[0].database).execute("UPDATE singer SET age = 1").connection.commit()
    with Scorer(gold_store=GoldStore(tmp_path)) as scorer:
        scorer.score(texts, tasks)
        assert scorer.stats.gold_stored == 0


def test_the_golds_that_are_kept_have_room(ask):
    tasks = [ask(f"SELECT {n}, zeroblob(1000)") for n in range(9)]
    with Scorer(gold_cache=100) as scorer:
        scorer._golds._cache = GoldCache(100, max_bytes=5_000)
        for asked, misses in ((tasks, 9), (tasks[-4:], 9), (tasks[:1], 10)):
            scorer.golds(asked)
            assert scorer.stats.gold_misses == misses


def test_the_control_of_a_query_is_a_gold_query_that_works(concerts):
    def target(sql, status):
        gold = make_gold(ExecutionResult(status, ("a",), ((1,),) if status is Status.OK else ()), None)
        return GoldTarget(Query(str(concerts), sql), get_comparison("bird"), gold, Limits())

    broken, good = target("SELECT x", Status.ERROR), target("SELECT 2", Status.OK)
    batch = QueryBatch(rows=False)
    for each in (broken, good):
        batch.add("SELECT 1", each)
    batch.add("SELECT 5", broken)
    assert [request.control for request in batch.requests()] == ["SELECT 2", "SELECT 1"]

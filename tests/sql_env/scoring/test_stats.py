"""What a scorer says of its own work: counts, seconds, and what of them the command line shows."""

import json
import os
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from sql_env import Limits, Scorer, ScorerStats, Status, respond

GOLD = "SELECT name FROM singer WHERE country = 'France'"
ENDLESS = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT count(*) FROM n"
SAID = [
    *[respond(GOLD)] * 2,
    *[respond("SELECT name FROM singer")] * 3,
    respond("SELECT nothing FROM singer"),
    respond("DELETE FROM singer"),
    *[respond(ENDLESS)] * 2,
    "no idea",
]


@pytest.fixture(scope="module")
def scorer():
    with Scorer("sql-r1", limits=Limits(max_steps=100_000)) as made:
        yield made


@pytest.fixture
def done(scorer):
    """Call something, and say what the scorer has done meanwhile."""

    def run(what):
        before = scorer.stats
        what()
        return scorer.stats - before

    return run


def test_a_batch_counts_what_is_run_and_what_is_saved(scorer, done, ask):
    tasks = [ask(GOLD)] * len(SAID)
    stats = done(lambda: scorer.score(SAID, tasks))
    assert (stats.scores, stats.without_sql, stats.known) == (10, 1, 1)
    assert (stats.distinct, stats.duplicates) == (4, 4)
    assert (stats.gold_hits, stats.gold_misses) == (0, 1)
    ran = stats.executor
    assert (ran.executed, ran.shared, ran.killed, ran.retired) == (5, 0, 0, 0)
    assert ran.ended == {Status.ERROR: 1, Status.DENIED: 1, Status.TIMEOUT: 1}
    again = done(lambda: scorer.score(SAID[:2], tasks[:2]))
    assert (again.gold_hits, again.gold_misses, again.duplicates) == (1, 0, 1)
    assert (again.executor.executed, again.executor.waiting, again.executor.started) == (0, 0.0, 0)


def test_seconds_add_up_to_the_time_of_scoring(scorer, done, ask):
    began = time.perf_counter()
    stats = done(lambda: scorer.score(SAID * 5, [ask(GOLD)] * 50))
    wall = time.perf_counter() - began
    assert list(stats.seconds) == ["parse", "gather", "queue", "execute", "compare", "reward"]
    assert all(seconds > 0 for seconds in stats.seconds.values())
    assert sum(stats.seconds.values()) <= wall
    assert stats.seconds["execute"] > stats.seconds["compare"]


def test_golds_alone_are_waited_for_and_gathered(scorer, done, ask):
    stats = done(lambda: scorer.golds([ask("SELECT count(*) FROM concert")] * 3))
    assert (stats.scores, stats.gold_misses, stats.executor.executed) == (0, 1, 1)
    assert stats.gathering > 0
    assert stats.executor.waiting > stats.executor.executing > 0


def test_several_calls_and_threads_are_counted_once_each(scorer, done, ask):
    task = ask(GOLD)
    jobs = [(SAID[i % 10], respond(f"SELECT {i % 7}")) for i in range(40)]

    def together():
        with ThreadPoolExecutor(8) as pool:
            list(pool.map(lambda said: scorer.score(said, [task] * 2), jobs))

    parts = []
    stats = done(lambda: parts.extend(done(together) for _ in range(2)))
    assert stats.scores == 160
    assert stats.without_sql == 8
    asked = stats.known + stats.distinct + stats.duplicates
    assert asked == 152
    assert stats.executor.executed + stats.executor.shared == stats.distinct + stats.gold_misses
    for name, value in stats.metrics().items():
        assert value == pytest.approx(sum(part.metrics()[name] for part in parts)), name


def test_a_query_in_which_a_worker_is_killed_counts_with_its_time(ask):
    wide = Limits(max_steps=2**31 - 1, min_steps=2**31 - 1, cpu_seconds=0.2)
    with Scorer("sql-r1", limits=wide) as scorer:
        scorer.score([respond(ENDLESS)], [ask(GOLD)])
        done = scorer.stats.executor
    assert (done.started, done.killed, done.ended[Status.TIMEOUT]) == (1, 1, 1)
    assert done.waiting > done.executing > 0.1


def test_json_holds_it_all(scorer, ask):
    scorer.score(SAID, [ask(GOLD)] * len(SAID))
    stats = scorer.stats
    read = json.loads(json.dumps(stats.to_dict()))
    assert read == stats.to_dict()
    assert read["duplicates"] == stats.duplicates
    assert read["seconds"] == stats.seconds
    assert set(read["executor"]["ended"]) == set(map(str, Status)) - {"ok"}
    assert (stats - stats).to_dict() == ScorerStats().to_dict()
    assert set((stats - stats).metrics().values()) == {0.0}


def test_a_snapshot_stays_as_it_is(scorer, ask):
    before = scorer.stats
    as_it_was = before.to_dict()
    scorer.score([respond("SELECT 1, 2, 3 FROM nowhere")], [ask(GOLD)])
    assert before.to_dict() == as_it_was != scorer.stats.to_dict()


@pytest.mark.filterwarnings("ignore:.*fork.*:DeprecationWarning")
def test_a_fork_counts_on_by_itself(ask):
    with Scorer("sql-r1") as scorer:
        scorer.score(["no idea"] * 3, [ask(GOLD)] * 3)
        there, here = os.pipe()
        child = os.fork()
        if child == 0:
            scorer.score(["no idea"] * 2, [ask(GOLD)] * 2)
            os.write(here, str(scorer.stats.scores).encode())
            os._exit(0)
        os.waitpid(child, 0)
        assert os.read(there, 9) == b"5"
        assert scorer.stats.scores == 3


@pytest.mark.slow
def test_the_profile_is_on_standard_error_and_scores_alone_on_standard_output(tmp_path):
    file = tmp_path / "completions.jsonl"
    file.write_text(
        "".join(json.dumps({"task_id": "demo-test-0000", "completion": said}) + "\n" for said in SAID)
    )
    command = [Path(sys.executable).with_name("sql-env"), "score", file]
    shown = subprocess.run([*command, "--profile"], capture_output=True, text=True, check=True)
    assert [json.loads(line)["task_id"] for line in shown.stdout.splitlines()] == ["demo-test-0000"] * 10
    said = [" ".join(line.replace("│", " ").split()) for line in shown.stderr.splitlines()]
    assert said[0].startswith("10 scores in ")
    assert any(line.startswith("execute: run queries ") and line.endswith("%") for line in said)
    for line in (
        "completions: without SQL 1 10.0%",
        "completions: duplicates 4 40.0%",
        "completions: queries to run 5 50.0%",
        "gold results: to run 1 100.0%",
        "queries run: timeout 1 16.7%",
        "workers: started 1",
    ):
        assert line in said

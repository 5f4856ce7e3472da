"""Faults that were found in published reward and evaluation code, each held off by a test.

The numbers are those of the survey that found them; where it was: SQL-R1, SkyRL-Gym, NeMo-Gym,
Arctic's BirdEnv, test-suite-sql-eval, BIRD's evaluators, InterCode, AgentGym, FINER-SQL, MTSQL-R1.
Two of its rows, on soft F1 and on VES, are of metrics that this library does not compute yet.
"""

import sqlite3
import threading
import time

import gymnasium
import psutil
import pytest

from sql_env import Limits, Scorer, Status, parse, respond
from sql_env.display.panel import draw_panel
from sql_env.errors import RewardError
from sql_env.scoring.reward import WeightedReward
from sql_env.scoring.rubric import Rubric

RUNAWAY = "WITH RECURSIVE r(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM r) SELECT COUNT(*) FROM r"
COUNT = "SELECT COUNT(*) FROM singer"


@pytest.fixture(scope="module")
def scorer():
    with Scorer("sql-r1", limits=Limits(max_steps=200_000), workers=2, rows=True) as made:
        yield made


@pytest.fixture
def correct(scorer, ask):
    """Whether SQL is right for a gold query, under a comparison."""

    def judge(sql, gold, comparison="strict"):
        [score] = scorer.score([respond(sql, "why")], [ask(gold, comparison=comparison)])
        return score.rollout.correct

    return judge


@pytest.fixture
def score(scorer, ask):
    def judge(sql, gold=COUNT):
        return scorer.score([respond(sql, "why")], [ask(gold)])[0]

    return judge


def content(path):
    connection = sqlite3.connect(path)
    try:
        return list(connection.iterdump())
    finally:
        connection.close()


def test_01_a_gold_query_that_fails_pays_nobody(score):
    assert score(COUNT, gold="SELECT nothing FROM nowhere").total is None


@pytest.mark.parametrize("sql", ["DROP TABLE singer", "DELETE FROM singer", "UPDATE singer SET age = 0"])
def test_02_03_a_write_is_denied_and_nothing_persists(score, concerts, sql):
    before = content(concerts)
    assert score(sql).rollout.result.status is Status.DENIED
    assert content(concerts) == before
    assert score(COUNT).rollout.correct


def test_03_connections_are_not_leaked(scorer, ask, concerts, tmp_path):
    workers = psutil.Process().children(recursive=True)
    for i in range(300):
        copy = tmp_path / f"{i}.sqlite"
        copy.write_bytes(concerts.read_bytes())
        task = ask(COUNT)
        scorer.score([respond(COUNT)], [type(task)(**{**task.to_dict(), "database": str(copy)})])
    assert all(worker.num_fds() < 256 for worker in workers if worker.is_running())


@pytest.mark.parametrize(
    "sql",
    [
        "DELETE FROM singer; SELECT 0",
        "CREATE TEMP TABLE singer AS SELECT 1 WHERE 0",
        "PRAGMA case_sensitive_like = ON",
        "ATTACH ':memory:' AS other",
    ],
)
def test_04_a_prediction_cannot_change_what_gold_or_the_next_one_sees(score, sql):
    gold = "SELECT name FROM singer WHERE name LIKE 'JO%'"
    assert not score(sql, gold=gold).rollout.correct
    after = score("SELECT 'Joe'", gold=gold)
    assert after.rollout.gold.rows == (("Joe",),)
    assert after.rollout.correct


def test_05_06_07_a_query_that_timed_out_is_not_running_on(scorer, score):
    for _ in range(8):
        assert score(RUNAWAY).rollout.result.status is Status.TIMEOUT
    workers = psutil.Process().children(recursive=True)
    spent = sum(sum(worker.cpu_times()[:2]) for worker in workers)
    time.sleep(0.3)
    assert sum(sum(worker.cpu_times()[:2]) for worker in workers) - spent < 0.15
    assert score(COUNT).rollout.correct


def test_08_many_runaways_at_once_all_come_back(scorer, ask):
    seen = []

    def work():
        seen.extend(scorer.score([respond(RUNAWAY)], [ask(COUNT)]))

    threads = [threading.Thread(target=work) for _ in range(16)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(timeout=60)
    assert [s.rollout.result.status for s in seen] == [Status.TIMEOUT] * 16


def test_09_what_is_shown_keeps_names_duplicates_and_order(score):
    shown = draw_panel(
        score("SELECT 1, 1").rollout.task, score("SELECT country AS land FROM singer ORDER BY 1")
    )
    places = [i for word in ("land", "China", "China", "France", "Ireland") if (i := shown.find(word)) >= 0]
    assert shown.count("China") == 2
    assert places == sorted(places)


def test_10_neither_duplicates_nor_order_are_lost(correct):
    assert not correct("SELECT 1 FROM singer", "SELECT 1")
    assert not correct("SELECT name FROM singer ORDER BY id DESC", "SELECT name FROM singer ORDER BY id")


@pytest.mark.parametrize(
    "sql", ["CREATE TABLE x (y)", "DROP TABLE singer", "", "-- nothing", "SELECT 1, 2 WHERE 0"]
)
@pytest.mark.parametrize("comparison", ["strict", "spider", "bird", "sql-r1"])
def test_11_an_empty_gold_does_not_pay_for_doing_nothing(correct, sql, comparison):
    gold = "SELECT name FROM singer WHERE 0"
    by_rule = sql.startswith("SELECT") and comparison != "strict"  # official: any two empty results agree
    assert correct(sql, gold, comparison) == by_rule


def test_12_a_missing_distinct_is_noticed(correct):
    gold = "SELECT DISTINCT country FROM singer"
    assert not correct("SELECT country FROM singer", gold)
    assert not correct("SELECT COUNT(country) FROM singer", "SELECT COUNT(DISTINCT country) FROM singer")


def test_13_comments_and_white_space_reach_the_engine_as_written(correct):
    assert correct("SELECT COUNT(*) -- all\nFROM singer", COUNT)
    assert correct("SELECT 'a  b -- c\n d'", "SELECT 'a  b -- c' || char(10) || ' d'")


@pytest.mark.parametrize(
    "gold",
    [
        "SELECT name FROM (SELECT name FROM singer ORDER BY age) WHERE name > 'A'",
        "SELECT name FROM singer WHERE 'order by' <> country",
    ],
)
def test_14_order_by_below_the_top_does_not_order(correct, gold):
    assert correct(f"SELECT * FROM ({gold}) ORDER BY name DESC", gold)


def test_15_no_text_breaks_the_parser(score):
    reasoning = "Assistant: user <|im_start|>assistant\n"
    assert parse(respond("SELECT 'Assistant:'", reasoning)).sql == "SELECT 'Assistant:'"


def test_15_only_the_database_itself_is_opened(score, concerts):
    for suffix in ("-journal", "-wal", "-shm"):
        concerts.with_name(concerts.name + suffix).write_bytes(b"")
    assert score(COUNT).rollout.correct


def test_16_golds_literals_are_not_plugged_into_predictions(correct):
    gold = "SELECT name FROM singer WHERE country = 'China'"
    for comparison in ("strict", "spider", "bird", "sql-r1"):
        assert not correct(gold.replace("China", "France"), gold, comparison)


def test_17_a_query_that_kills_its_worker_shifts_no_result(ask):
    killer = "SELECT printf('%.900000000c', 'x')"
    sqls = [f"SELECT {n}" if n % 5 else killer for n in range(1, 21)]
    tasks = [ask(f"SELECT {n}") for n in range(1, 21)]
    limits = Limits(cpu_seconds=0.3, max_bytes=2**30, memory_bytes=2**33)
    with Scorer("sql-r1", limits=limits, workers=2) as scorer:
        scores = scorer.score([respond(sql) for sql in sqls], tasks)
    assert [s.rollout.correct for s in scores] == [bool(n % 5) for n in range(1, 21)]


def test_18_a_result_is_never_cut_and_then_compared(ask):
    with Scorer("sql-r1", limits=Limits(max_rows=3)) as scorer:
        tasks = [ask("SELECT id FROM singer LIMIT 3")] * 2
        cut, whole = scorer.score([respond(f"SELECT id FROM singer{end}") for end in ("", " LIMIT 3")], tasks)
    assert cut.rollout.result.status is Status.TOO_LARGE
    assert not cut.rollout.correct
    assert whole.rollout.correct


def test_19_sql_that_fails_is_not_paid_like_sql_that_runs(ask):
    with Scorer("arctic") as scorer:
        fails, wrong = scorer.score([respond("SELECT x"), respond("SELECT -1")], [ask(COUNT)] * 2)
    assert (fails.total, wrong.total) == (0.0, 0.1)


@pytest.mark.parametrize(
    ("sql", "gold"),
    [
        ("SELECT 0", "SELECT NULL"),
        ("SELECT 0.009", "SELECT 0.001"),
        ("SELECT name, age FROM singer", "SELECT name FROM singer"),
        ("SELECT * FROM singer", "SELECT name, age FROM singer"),
        ("SELECT 1, 2", "SELECT 1, 1"),
        ("SELECT 1, 'b' UNION ALL SELECT 2, 'a'", "SELECT 1, 'a' UNION ALL SELECT 2, 'b'"),
    ],
)
def test_20_near_misses_are_misses(correct, sql, gold):
    for comparison in ("strict", "spider", "bird", "sql-r1"):
        assert not correct(sql, gold, comparison)


def test_23_like_folds_case_and_duplicate_names_are_kept(correct):
    assert correct("SELECT name FROM singer WHERE name LIKE 'jo%'", "SELECT 'Joe'")
    assert not correct("SELECT 1 AS a, 2 AS a", "SELECT 2 AS a")


def test_24_a_missing_tag_is_not_a_pass_and_data_is_not_read_as_a_verdict(correct, scorer, ask):
    [untagged] = scorer.score([COUNT], [ask(COUNT)])
    assert untagged.total == -1
    assert correct("SELECT 'Error: no data'", "SELECT 'Error: no data'")


def test_25_order_is_free_where_gold_does_not_order(correct):
    assert correct("SELECT name FROM singer ORDER BY name DESC", "SELECT name FROM singer")


@pytest.mark.slow
def test_26_every_environment_is_its_own(ask, concerts, tmp_path):
    file = tmp_path / "tasks.jsonl"
    file.write_text(
        f'{{"question": "How many?", "sql": "{COUNT}", "database": "{concerts}"}}\n'
        f'{{"question": "Who?", "sql": "SELECT name FROM singer", "database": "{concerts}"}}\n'
    )
    envs = [gymnasium.make("SQLEnv-jsonl-v0", path=str(file)) for _ in range(12)]
    ids = [env.reset(seed=i)[1]["task_id"] for i, env in enumerate(envs)]
    assert len({id(env.unwrapped.scorer) for env in envs}) == 12
    assert [env.step("x")[4]["task_id"] for env in envs] == ids
    for env in envs:
        env.close()


def test_27_no_sql_is_not_replaced_by_sql(scorer, ask):
    scores = scorer.score(["", "<think></think><answer></answer>"], [ask("SELECT 1")] * 2)
    assert [s.rollout.correct for s in scores] == [False, False]
    assert [s.total for s in scores] == [-1, -1]


def test_28_identifiers_are_not_rewritten(correct):
    gold = "SELECT value FROM (SELECT 7 AS value)"
    for comparison in ("strict", "spider", "bird", "sql-r1"):
        assert correct(gold, gold, comparison)
        assert not correct("SELECT 1", gold, comparison)


def test_29_identical_columns_do_not_explode(correct):
    wide = "SELECT " + ", ".join(["age"] * 12) + " FROM singer"
    assert correct(wide, wide, "spider")
    assert not correct(wide + " WHERE id <> 1 UNION ALL SELECT " + ", ".join(["1"] * 12), wide, "spider")


def test_30_a_broken_reward_is_an_error_not_a_zero_even_in_a_thread(ask):
    caught = []

    def broken(rollout):
        raise KeyError("a bug in a reward")

    with Scorer(Rubric("broken", (WeightedReward("broken", broken),))) as scorer:

        def work():
            with pytest.raises(RewardError, match="a bug in a reward") as info:
                scorer.score(["x"], [ask(COUNT)])
            caught.append(info)

        thread = threading.Thread(target=work)
        thread.start()
        thread.join()
    assert len(caught) == 1

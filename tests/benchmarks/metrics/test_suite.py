import shutil
import sqlite3

import pytest
from hypothesis import given
from hypothesis import strategies as st

from benchmarks.loading.predictions import read_predictions
from benchmarks.metrics.suite import combine_scores, find_suite, score_on_suites
from benchmarks.spider import spider
from sql_env import Scorer, Task
from sql_env.errors import DataError
from sql_env.types import Action, ExecutionResult, Rollout, Score, Status

RUBRIC = {"rewards": ["result"], "response_format": "sql"}


@pytest.fixture(scope="module")
def scorer():
    with Scorer(RUBRIC) as scorer:
        yield scorer


def change(path, script):
    connection = sqlite3.connect(path)
    connection.executescript(script)
    connection.close()


@pytest.fixture
def suites(tmp_path, make_concerts):
    """A folder of suites: three databases of concerts, one of them with nobody over 50, one empty."""
    folder = tmp_path / "suites" / "concerts"
    folder.mkdir(parents=True)
    for name in ("concerts", "concertsv1", "another"):
        make_concerts(folder / f"{name}.sqlite")
    change(folder / "concertsv1.sqlite", "UPDATE singer SET age = 20 WHERE age > 50")
    change(folder / "another.sqlite", "DELETE FROM singer; DELETE FROM concert")
    (folder / "schema.sql").write_text("no database")
    return folder.parent


def test_a_task_on_each_database(suites, ask):
    task = ask("SELECT name FROM singer")
    variants = find_suite(task, str(suites))
    assert [one.database for one in variants] == [
        str(suites / "concerts" / name) for name in ("concerts.sqlite", "another.sqlite", "concertsv1.sqlite")
    ]
    assert {(one.id, one.gold_sql) for one in variants} == {(task.id, task.gold_sql)}


@pytest.mark.parametrize("place", ["nowhere", ""])
def test_no_suite(tmp_path, ask, scorer, place):
    (tmp_path / "concerts").mkdir()
    task = ask("SELECT name FROM singer")
    with pytest.raises(DataError, match="t: its suite is missing"):
        find_suite(task, str(tmp_path / place))
    with pytest.raises(DataError, match="missing"):
        score_on_suites(scorer, ["SELECT 1"], [task], str(tmp_path / place))


def test_right_by_chance_on_one_database(suites, ask, scorer):
    """Zoë is the only singer over 50, until the data are others."""
    task = ask("SELECT name FROM singer WHERE age > 50", comparison="spider")
    predictions = [
        "SELECT name FROM singer WHERE id = 5",
        "SELECT T1.name FROM singer AS T1 WHERE NOT T1.age <= 50",
        "SELECT 7",
        "SELEC",
        "",
    ]
    alone = scorer.score(predictions, [task] * 5)
    assert [one.rollout.correct for one in alone] == [True, True, False, False, False]
    found = score_on_suites(scorer, predictions, [task] * 5, str(suites))
    assert [one.rollout.correct for one in found] == [False, True, False, False, False]
    assert found[0].total == found[2].total == alone[2].total
    assert found[1].total == alone[1].total
    assert found[0].rollout.task.database.endswith("concertsv1.sqlite")
    assert found[2].rollout.task.database.endswith("concerts.sqlite")


def test_a_gold_that_fails_on_one_database_masks_its_task(suites, ask, scorer):
    change(suites / "concerts" / "concertsv1.sqlite", "ALTER TABLE singer DROP COLUMN country")
    gold, other = ask("SELECT country FROM singer", "a"), ask("SELECT name FROM singer", "b")
    tasks = [gold, gold, other]
    found = score_on_suites(scorer, [gold.gold_sql, "SELECT 7", other.gold_sql], tasks, str(suites))
    assert [one.masked for one in found] == [True, True, False]
    assert "no such column: country" in found[1].rollout.masked
    assert found[2].rollout.correct


def test_one_completion_a_task(suites, ask, scorer):
    with pytest.raises(ValueError, match="0 completions for 1 tasks"):
        score_on_suites(scorer, [], [ask("SELECT 1")], str(suites))
    assert score_on_suites(scorer, [], [], str(suites)) == []


def verdict(place, correct):
    task = Task("t", "?", "SELECT 1", str(place))
    gold = ExecutionResult(Status.ERROR if correct is None else Status.OK)
    rollout = Rollout(task, "", Action(None), None, gold, correct)
    return Score(None if correct is None else float(correct), {}, rollout)


@given(st.lists(st.sampled_from([True, False, None]), min_size=1))
def test_combine(verdicts):
    found = combine_scores([verdict(place, correct) for place, correct in enumerate(verdicts)])
    wanted = None if None in verdicts else all(verdicts)
    assert found.rollout.correct is wanted
    assert int(found.rollout.task.database) == verdicts.index(wanted)


@pytest.fixture(scope="module")
def real_suites(shared_data, tmp_path_factory):
    """Suites of four real databases: each as it is, and with other rows."""
    folder = tmp_path_factory.mktemp("suites")
    for db_id in ("concert_singer", "pets_1", "singer", "employee_hire_evaluation"):
        source = shared_data / "spider" / "database" / db_id / f"{db_id}.sqlite"
        for place, kept in enumerate(("1", "rowid % 2", "rowid % 3")):
            (folder / db_id).mkdir(exist_ok=True)
            path = folder / db_id / f"{db_id}{'' if place == 0 else f'v{place}'}.sqlite"
            shutil.copyfile(source, path)
            path.chmod(0o644)
            with sqlite3.connect(path) as connection:
                names = connection.execute(
                    "SELECT name FROM sqlite_schema WHERE type = 'table' AND name NOT LIKE 'sqlite%'"
                ).fetchall()
                for (name,) in names:
                    connection.execute(f'DELETE FROM "{name}" WHERE NOT ({kept})')
            connection.close()
    return folder


@pytest.fixture(scope="module")
def dev(shared_data):
    return spider(data_dir=str(shared_data / "spider"))


def judged(scorer, dev, shared_data, folder, file="dail_sql_gpt4"):
    """The tasks of the real suites, and which predictions of a file are right: alone, and on the suites."""
    predictions = read_predictions(shared_data / "predictions/spider_dev" / f"{file}.txt", dev)
    chosen = [
        (task, sql)
        for task, sql in zip(dev.tasks, predictions, strict=True)
        if (folder / task.db_id).is_dir()
    ]
    tasks, predictions = [task for task, _ in chosen], [sql for _, sql in chosen]
    alone, on_all = scorer.score(predictions, tasks), score_on_suites(scorer, predictions, tasks, str(folder))
    return tasks, [one.rollout.correct for one in alone], [one.rollout.correct for one in on_all]


def test_real_predictions(scorer, dev, shared_data, real_suites):
    """What is right on a suite is right alone; some of what is right alone was so by chance."""
    tasks, alone, on_all = judged(scorer, dev, shared_data, real_suites)
    assert len(tasks) == 45 + 42 + 30 + 38
    assert all(one for one, suite in zip(alone, on_all, strict=True) if suite)
    assert sum(on_all) < sum(alone)
    assert sum(on_all) > 100


def test_a_suite_of_one_changes_nothing(scorer, dev, shared_data, tmp_path):
    for db_id in ("concert_singer", "pets_1"):
        (tmp_path / db_id).mkdir()
        name = f"{db_id}/{db_id}.sqlite"
        shutil.copyfile(shared_data / "spider" / "database" / name, tmp_path / name)
    tasks, alone, on_all = judged(scorer, dev, shared_data, tmp_path, "c3_chatgpt")
    assert len(tasks) == 45 + 42
    assert alone == on_all


def test_real_golds_are_right_on_their_suites(scorer, dev, real_suites):
    tasks = [task for task in dev.tasks if (real_suites / task.db_id).is_dir()]
    found = score_on_suites(scorer, [task.gold_sql for task in tasks], tasks, str(real_suites))
    assert all(one.rollout.correct for one in found)


def test_an_answer_learned_by_heart_fails(scorer, dev, real_suites):
    """The gold's result written out as numbers is right alone, and on no suite of other rows."""
    tasks = [
        task
        for task in dev.tasks
        if task.db_id == "concert_singer" and task.gold_sql.lower().startswith("select count(*) from singer")
    ]
    [(count,)] = {golds.rows[0] for golds in scorer.golds(tasks)}
    answers = [f"SELECT {count}"] * len(tasks)
    assert all(one.rollout.correct for one in scorer.score(answers, tasks))
    assert not any(one.rollout.correct for one in score_on_suites(scorer, answers, tasks, str(real_suites)))

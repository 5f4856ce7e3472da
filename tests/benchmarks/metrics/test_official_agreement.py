"""Our verdicts against those of the official evaluators, item by item.

Rules and versions: taoyds/test-suite-sql-eval e97acc5 and bird-bench/mini_dev 4d970a9.
"""

import json
from collections import Counter

import pytest

from benchmarks.bird import bird
from benchmarks.evaluate import evaluate
from benchmarks.loading.predictions import find_indices, read_predictions
from benchmarks.spider import spider
from sql_env import Scorer, Task

SPIDER_FILES = (
    "c3_chatgpt", "codes_sft_1b", "codes_sft_3b", "dail_sql_gpt4", "din_sql_gpt4", "gpt4_fewshot_din",
    "graphix_t5_3b_picard",
)  # fmt: skip
BIRD_FILES = {
    "dev": ("chatgpt", "codes_sft_1b", "codes_sft_7b_ek", "dail_sql_9shot_eucdisquestionmask"),
    "mini_dev": ("gpt-35-turbo", "gpt-4", "meta-llama-3-8b-instruct-2"),
}
BIRD_FOLDERS = {
    "dev": ("predictions/bird_dev", "official_eval/bird_dev"),
    "mini_dev": ("predictions/bird_minidev/sqlite", "official_eval/bird_minidev_sqlite"),
}

pytestmark = pytest.mark.slow

DIFFERING: dict[tuple[str, int], str] = {}
"""(file, index) -> why our verdict is not the official one. None differs."""

FAILING_GOLDS = {
    "spider-train-3153": "there is no table Ref_Company_Types (train_gold.sql, line 4398)",
    "spider-train-4513": "ORDER BY before INTERSECT (train_gold.sql, line 5939)",
    "spider-train-4514": "ORDER BY before INTERSECT (train_gold.sql, line 5940)",
    "spider-Spider-DK-0076": "no comma between T1.LName and T1.age",
}


@pytest.fixture(scope="module")
def spider_dev(shared_data):
    """All 1,034 items: the official verdicts on wta_1 come from the rebuilt database too."""
    rebuilt = str(shared_data / "spider" / "database_reconstructed")
    return spider(data_dir=str(shared_data / "spider"), database_dir=rebuilt)


def differing(file, benchmark, predictions, verdicts):
    scores = evaluate(benchmark, read_predictions(predictions, benchmark))
    assert len(scores) == len(verdicts)
    return {
        (file, index): (score.rollout.correct, bool(verdict))
        for index, score, verdict in zip(find_indices(benchmark), scores, verdicts, strict=True)
        if score.rollout.correct is not bool(verdict) and (file, index) not in DIFFERING
    }


@pytest.mark.parametrize("file", SPIDER_FILES)
def test_spider_verdicts(file, spider_dev, shared_data):
    official = json.loads((shared_data / "official_eval/spider_dev" / f"{file}.json").read_text())
    predictions = shared_data / "predictions/spider_dev" / f"{file}.txt"
    assert len(spider_dev.tasks) == 1034
    assert not differing(file, spider_dev, predictions, official["exec"])


@pytest.mark.parametrize(
    ("split", "file"), [(split, file) for split in BIRD_FILES for file in BIRD_FILES[split]]
)
def test_bird_verdicts(split, file, shared_data):
    predictions, verdicts = (shared_data / folder / f"{file}.json" for folder in BIRD_FOLDERS[split])
    official = json.loads(verdicts.read_text())
    benchmark = bird(split=split, data_dir=str(shared_data / "bird"))
    assert find_indices(benchmark) == official["index"]
    assert not differing(file, benchmark, predictions, official["ex"])


def test_spider_hardness(spider_dev, shared_data):
    for file in SPIDER_FILES:
        official = json.loads((shared_data / "official_eval/spider_dev" / f"{file}.json").read_text())
        assert [task.difficulty for task in spider_dev.tasks] == official["hardness"]
    found = Counter(task.difficulty for task in spider_dev.tasks)
    assert found == {"easy": 248, "medium": 446, "hard": 174, "extra": 166}


@pytest.mark.parametrize("comparison", [None, "strict"])
@pytest.mark.parametrize("name", ["dev", "train", "bird", "mini_dev", "dk", "realistic"])
def test_gold_is_right(name, comparison, spider_dev, shared_data):
    """Spider-Syn is not here: its gold queries are Spider's own."""
    folder, more = str(shared_data / "spider"), str(shared_data / "spider_dk" / "database")
    load = {
        "dev": lambda: spider_dev,
        "train": lambda: spider(split="train", data_dir=folder),
        "bird": lambda: bird(data_dir=str(shared_data / "bird")),
        "mini_dev": lambda: bird(split="mini_dev", data_dir=str(shared_data / "bird")),
        "dk": lambda: spider(
            data_dir=folder, database_dir=more, questions=str(shared_data / "spider_dk/Spider-DK.json")
        ),
        "realistic": lambda: spider(
            data_dir=folder, questions=str(shared_data / "spider_realistic/spider_realistic_508.json")
        ),
    }
    benchmark = load[name]()
    scores = evaluate(benchmark, [task.gold_sql for task in benchmark.tasks], comparison=comparison)
    wrong = {score.rollout.task.id: score for score in scores if not score.rollout.correct}
    known = {task.id for task in benchmark.tasks} & set(FAILING_GOLDS)
    assert set(wrong) == known
    assert all(score.masked for score in wrong.values())


@pytest.fixture(scope="module")
def scorer():
    with Scorer({"rewards": ["result"], "response_format": "sql"}) as scorer:
        yield scorer


@pytest.mark.parametrize(
    ("prediction", "official"),
    [
        ("SELECT name FROM singer WHERE country = \"France\"", True),
        ("SELECT name FROM singer WHERE country = 'France';", True),
        ("SELECT name FROM singer WHERE country = 'France'; ;  -- done", True),
        ("SELECT name FROM singer WHERE country = 'France'; SELECT 1", False),
        ("sqlite SELECT name FROM singer WHERE country = 'France'", False),
        ("SELECT DISTINCT name FROM singer WHERE country = 'France'", True),
        ("```sql\nSELECT name FROM singer WHERE country = 'France'\n```", False),
    ],
)  # fmt: skip
@pytest.mark.parametrize("comparison", ["spider", "bird"])
def test_how_predictions_are_read(prediction, official, comparison, ask, scorer):
    task = ask("SELECT name FROM singer WHERE country = 'France'", comparison=comparison)
    [score] = scorer.score([prediction], [task])
    assert score.rollout.correct is official


def test_text_that_is_not_utf8(scorer, tmp_path):
    """The official Spider evaluator drops the bytes that cannot be decoded."""
    import sqlite3

    with sqlite3.connect(tmp_path / "d.sqlite") as connection:
        connection.execute("CREATE TABLE t AS SELECT CAST(x'41ff42' AS TEXT) AS a")
    connection.close()
    task = Task("t", "?", "SELECT a FROM t", str(tmp_path / "d.sqlite"), comparison="spider")
    [right] = scorer.score(["SELECT 'AB'"], [task])
    assert right.rollout.correct


class TestDeliberateDifferences:
    """Where the official evaluators are wrong or unsafe, and we are not."""

    def test_value_and_tabs_outside_a_file_of_predictions(self, scorer, ask):
        """Officially ``value`` becomes 1, and a tab ends the query. That is a rule about files of
        predictions; what a model in training writes is run to the letter.
        """
        task = ask("SELECT count(*) AS market_value FROM singer ORDER BY market_value", comparison="spider")
        [score] = scorer.score([task.gold_sql.replace(" ", "\t")], [task])
        assert score.rollout.correct

    def test_a_blank_prediction(self, scorer, ask):
        """Officially nothing is run, which returns nothing, and equals an empty gold result."""
        for comparison in ("spider", "bird"):
            task = ask("SELECT name FROM singer WHERE age > 100", comparison=comparison)
            [score] = scorer.score([" "], [task])
            assert score.rollout.correct is False

    def test_a_statement_that_writes(self, scorer, ask):
        """Officially it runs on the database itself, and returns no row."""
        task = ask("SELECT name FROM singer WHERE age > 100", comparison="bird")
        [score] = scorer.score(["DELETE FROM singer"], [task])
        assert score.rollout.correct is False

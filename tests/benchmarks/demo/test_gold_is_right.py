"""Gold SQL in the right format is judged right by every component that judges SQL, everywhere."""

import pytest

from sql_env import Scorer, load_benchmark, respond

JUDGES = {"format": 1.0, "execution": 2.0, "result": 3.0}
SOURCES = {
    "demo": ("train", "dev", "test"),
    "spider": ("dev", "train"),
    "bird": ("dev", "mini_dev"),
}


@pytest.fixture(scope="module")
def scorer():
    with Scorer("sql-r1", workers=2) as made:
        yield made


@pytest.mark.slow
@pytest.mark.parametrize(("name", "split"), [(n, s) for n, splits in SOURCES.items() for s in splits])
def test_gold_is_right(name, split, scorer, request):
    data_dir = None if name == "demo" else str(request.getfixturevalue("shared_data") / name)
    tasks = load_benchmark(name, split, data_dir).tasks
    scores = scorer.score([respond(task.gold_sql, task.reasoning) for task in tasks], tasks)
    judged = [score for score in scores if not score.masked]
    assert len(scores) - len(judged) == (3 if (name, split) == ("spider", "train") else 0)
    wrong = [s.rollout.task.id for s in judged if JUDGES.items() - s.components.items()]
    assert wrong == []
    assert all(6 < score.total <= 7.5 for score in judged)

"""BIRD's soft F1, against its rules and, on published predictions, against the official values."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from benchmarks.bird import bird
from benchmarks.evaluate import evaluate
from benchmarks.loading.predictions import find_indices, read_predictions
from benchmarks.metrics.soft_f1 import compute_soft_f1, score_soft_f1
from sql_env import Scorer

DEV = ("chatgpt", "codes_sft_1b", "codes_sft_7b_ek", "dail_sql_9shot_eucdisquestionmask")
MINI_DEV = ("gpt-35-turbo", "gpt-4", "meta-llama-3-8b-instruct-2")
FOLDERS = {"dev": ("bird_dev", "bird_dev"), "mini_dev": ("bird_minidev/sqlite", "bird_minidev_sqlite")}

VALUES = st.sampled_from([None, 0, 1, 1.0, 2.5, "1", "a", b"a"])
TABLES = st.integers(1, 3).flatmap(lambda width: st.lists(st.tuples(*[VALUES] * width), max_size=5))


def by_the_letter(predicted, gold):
    """The rules once more, as they are worded: precision and recall over pairs of rows."""
    if not predicted and not gold:
        return 1.0
    ours = [row for i, row in enumerate(predicted) if row not in predicted[:i]]
    theirs = [row for i, row in enumerate(gold) if row not in gold[:i]]
    tp = fp = fn = 0.0
    for i in range(max(len(ours), len(theirs))):
        if i >= len(ours):
            fn += 1
        elif i >= len(theirs):
            fp += 1
        else:
            tp += sum(value in theirs[i] for value in ours[i]) / len(theirs[i])
            fp += sum(value not in theirs[i] for value in ours[i]) / len(theirs[i])
            fn += sum(value not in ours[i] for value in theirs[i]) / len(theirs[i])
    precision = tp / (tp + fp) if tp + fp else 0.0
    recall = tp / (tp + fn) if tp + fn else 0.0
    return 2 * precision * recall / (precision + recall) if precision + recall else 0.0


@given(TABLES, TABLES)
def test_follows_the_rules(predicted, gold):
    found = compute_soft_f1(predicted, gold)
    assert found == pytest.approx(by_the_letter(predicted, gold), abs=1e-12)
    assert 0 <= found <= 1


@given(TABLES)
def test_a_table_equals_itself_with_its_rows_repeated(table):
    assert compute_soft_f1(table, table) == 1.0
    assert compute_soft_f1(table + table, table) == 1.0
    assert compute_soft_f1([], table) == (0.0 if table else 1.0)


@pytest.mark.parametrize(
    ("predicted", "gold", "expected"),
    [
        ([("a", 1), ("b", 2)], [("b", 2), ("a", 1)], 0.0),  # rows pair by place
        ([(1, "a")], [("a", 1)], 1.0),  # columns do not
        ([("a", 1, "x")], [("a", 1)], 4 / 5),  # shares are of the gold's columns
        ([("a",)], [("a", "a")], 1.0),  # each gold value is found
        ([("a",)], [("a", "b")], 2 / 3),
        ([(None,)], [(None,)], 1.0),
        ([("1",)], [(1,)], 0.0),
        ([(1.0,)], [(1,)], 1.0),
    ],
)
def test_cases(predicted, gold, expected):
    assert compute_soft_f1(predicted, gold) == pytest.approx(expected)


class Watched:
    """A value that counts how often it is looked at."""

    looks = 0

    def __init__(self, value):
        self.value = value

    def __hash__(self):
        Watched.looks += 1
        return hash(self.value)

    def __eq__(self, other):
        Watched.looks += 1
        return self.value == other.value


@pytest.mark.parametrize(("rows", "columns"), [(20, 3), (200, 3), (3, 2_000)])
def test_cost_is_linear_in_the_number_of_values(rows, columns):
    ours, theirs = (
        [tuple(Watched(sign * (i * columns + c)) for c in range(columns)) for i in range(rows)]
        for sign in (1, -1)
    )
    Watched.looks = 0
    compute_soft_f1(ours, theirs)
    assert Watched.looks <= 10 * 2 * rows * columns


def test_of_a_score(ask):
    gold = "SELECT id FROM singer WHERE id < 3"
    sql = [gold, "SELECT id FROM singer WHERE id = 1", "SELECT nothing", "SELECT 1 WHERE 0"]
    tasks = [ask(gold, comparison="bird")] * 4 + [ask("SELECT nothing", comparison="bird")]
    with Scorer({"rewards": ["result"], "response_format": "sql"}, rows=True) as scorer:
        scores = scorer.score([*sql, "SELECT 1"], tasks)
    assert [score_soft_f1(score) for score in scores] == [1.0, pytest.approx(2 / 3), 0.0, 0.0, None]


@pytest.mark.slow
@pytest.mark.parametrize(
    ("split", "file"), [*(("dev", file) for file in DEV), *(("mini_dev", file) for file in MINI_DEV)]
)
def test_equals_the_official_value_of_each_item(split, file, shared_data):
    published, evaluated = FOLDERS[split]
    official = json.loads((shared_data / "official_eval" / evaluated / f"{file}.json").read_text())
    benchmark = bird(split=split, data_dir=str(shared_data / "bird"))
    predictions = read_predictions(shared_data / "predictions" / published / f"{file}.json", benchmark)
    assert find_indices(benchmark) == official["index"]
    found = [score_soft_f1(score) for score in evaluate(benchmark, predictions)]
    assert found == pytest.approx(official["soft_f1"], abs=1e-6)

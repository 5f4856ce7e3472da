"""Items are made of scores, written and read."""

import json
import math
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from benchmarks.records.item import (
    ITEMS,
    ROWS,
    TEXT,
    Candidate,
    encode_cell,
    make_item,
    preview_result,
    read_items,
    write_items,
)
from sql_env import ExecutionResult, Scorer, Status
from sql_env.errors import DataError

VALUES = st.none() | st.integers(-(2**63), 2**63 - 1) | st.floats() | st.text() | st.binary()


@pytest.fixture
def items(ask):
    sql = ("SELECT name FROM singer", "SELECT nothing", "SELECT age, X'00ff' FROM singer", "not sql")
    gold = ask("SELECT name FROM singer", id="spider-dev-0001", difficulty="easy")
    with Scorer({"rewards": ["result"], "response_format": "sql"}, rows=True) as scorer:
        scores = scorer.score([*sql, "SELECT 1"], [gold] * 4 + [replace(gold, gold_sql="SELECT gone")])
    more = {"metrics": {"exact": 1.0, "soft_f1": None}, "candidates": [Candidate(None, "malformed", None, 0)]}
    return [make_item(index, score, step=3, **more) for index, score in enumerate(scores)]


def test_make_item(items):
    first, error, other, _, masked = items
    assert (first.correct, first.status, first.error, first.masked) == (True, "ok", "", "")
    assert first.result == first.gold_result
    assert (first.result.columns, first.result.row_count) == (["name"], 5)
    assert (error.correct, error.status, error.result) == (False, "error", None)
    assert "nothing" in error.error
    assert other.result.rows[0][1] == {"hex": "00ff", "length": 2}
    assert (masked.correct, masked.total, masked.gold_result) == (None, None, None)
    assert "gold query fails" in masked.masked


def test_written_items_are_read_unchanged(items, tmp_path):
    path = write_items(tmp_path / "run", items)
    assert list(read_items(tmp_path / "run")) == list(read_items(path)) == items
    with path.open("a") as out:
        out.write('{"index": 7, "cut off')
    assert list(read_items(path)) == items
    assert [name.name for name in path.parent.iterdir()] == [ITEMS]


@pytest.mark.parametrize(
    ("text", "message"),
    [("{\n", "line 1: not JSON"), ("3\n", "not a JSON object"), ("{}\n", "line 1: the fields must be")],
)
def test_malformed_items(text, message, tmp_path):
    (tmp_path / ITEMS).write_text(text)
    with pytest.raises(DataError, match=message):
        list(read_items(tmp_path))


def test_a_folder_without_items(tmp_path):
    with pytest.raises(DataError, match="no items at"):
        list(read_items(tmp_path))


@given(VALUES)
def test_every_value_can_be_encoded(value):
    kept = encode_cell(value)
    assert json.loads(json.dumps(kept, allow_nan=False)) == kept
    if isinstance(value, bytes):
        assert value.startswith(bytes.fromhex(kept["hex"]))
    elif isinstance(value, str):
        assert kept == value or (value.startswith(kept["text"]) and len(value) == kept["length"])
    elif isinstance(kept, dict):
        again = type(value)(kept["number"])
        assert again == value or math.isnan(value)
    else:
        assert kept == value


@settings(deadline=None)
@given(st.lists(st.tuples(VALUES), max_size=2 * ROWS))
def test_a_preview_is_bounded(rows):
    kept = preview_result(ExecutionResult(Status.OK, ("a",), tuple(rows)))
    assert len(kept.rows) == min(ROWS, len(rows))
    assert kept.row_count == len(rows)
    assert all(len(json.dumps(row)) < 12 * TEXT for row in kept.rows)

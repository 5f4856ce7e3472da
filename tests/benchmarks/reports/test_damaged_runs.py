"""Damaged files of a run: reports, figures and diagnoses work, or name the file, the line and the field."""

import json
from copy import deepcopy
from dataclasses import replace

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from benchmarks.diagnostics.doctor.diagnosis import diagnose, drop_rows
from benchmarks.records.item import ITEMS, Candidate, Item, ResultPreview, read_items
from benchmarks.records.run import RunFolder
from benchmarks.reports.figures import make_panels
from benchmarks.reports.html.page import render_page
from benchmarks.reports.recorded_run import read_runs
from sql_env.errors import DataError

ITEM = Item(
    index=0, task_id="t-0", db_id="db", dialect="sqlite", difficulty="easy", question="Which?", evidence="",
    gold_sql="SELECT a FROM t", completion="SELECT b FROM t", reasoning="So.", sql="SELECT b FROM t",
    correct=False, status="ok", error="", masked="", total=0.5, components={"result": 0.0, "length": None},
    metrics={"exact": 0.0, "pass@2": 1.0}, result=ResultPreview(["b"], [[{"hex": "00", "length": 1}]], 1),
    gold_result=ResultPreview(["a"], [[{"number": "inf"}]], 1),
    candidates=[Candidate("SELECT 1", "ok", True, 1), Candidate(None, "malformed", False, 0)],
)  # fmt: skip
ROWS = [
    replace(ITEM, index=place, task_id=f"t-{place // 2}", step=step, total=place / 3).to_dict()
    for place, step in enumerate([1, 1, 2, 2])
]

TEXTS = st.text(st.characters(codec=None, exclude_categories=[]), max_size=6)
LEAVES = st.none() | st.booleans() | st.integers() | st.floats() | TEXTS
EDGES = st.sampled_from(
    [2**53 + 1, -(10**400), 1e308, -1e99, "<b>", "\ud800", "[/red]", "$x$", "%s{}", "a" * 70]
)
JSON = st.recursive(
    LEAVES | EDGES,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXTS, inner, max_size=3),
    max_leaves=5,
)


def places(value, path=()):
    """Yield the path to each value within a value."""
    yield path
    if isinstance(value, dict | list):
        for key, inner in value.items() if isinstance(value, dict) else enumerate(value):
            yield from places(inner, (*path, key))


def put(value, path, new):
    """Return a copy with another value at a path."""
    if not path:
        return new
    copy = deepcopy(value)
    inner = copy
    for key in path[:-1]:
        inner = inner[key]
    inner[path[-1]] = new
    return copy


def use(folder):
    """Read a run in all ways. Only a `DataError` may be raised."""
    try:
        runs = read_runs([folder])
        render_page(runs).encode()
        make_panels(runs)
        diagnose([drop_rows(item) for item in read_items(folder)])
    except DataError as error:
        return str(error)
    return ""


def resume(folder, settings):
    """Open a run folder again. Only a `DataError` may be raised."""
    try:
        RunFolder(folder, settings, {"torch": "2"}).close()
    except DataError as error:
        return str(error)
    return ""


@pytest.mark.slow
@pytest.mark.parametrize("training", [False, True])
@settings(max_examples=100)
@given(data=st.data(), new=JSON)
def test_any_value_in_a_line_works_or_is_named(tmp_path_factory, training, data, new):
    folder = tmp_path_factory.mktemp("run")
    rows = ROWS if training else [{**row, "step": None} for row in ROWS]
    row = data.draw(st.integers(0, 3))
    path = data.draw(st.sampled_from(list(places(rows[row]))))
    lines = [json.dumps(each) for each in put(rows, (row, *path), new)]
    (folder / ITEMS).write_text("\n".join(lines) + "\n")
    if message := use(folder):
        assert f"{ITEMS}, line {row + 1}: " in message
        assert not path or str(path[0]) in message
        assert len(message) < 1_000


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("total", "<b>"), ("total", float("nan")), ("total", True), ("components", [1]), ("correct", "yes"),
        ("sql", 3), ("status", None), ("step", 1.5), ("index", "0"), ("candidates", {}),
        ("metrics", {"a": "b"}), ("result", {"columns": ["a"], "rows": [[1, 2]], "row_count": 1}),
        ("task_id", []), ("masked", False),
    ],
)  # fmt: skip
def test_a_wrong_type_is_an_error_with_file_line_and_field(tmp_path, field, value):
    rows = [ROWS[0], {**ROWS[1], field: value}]
    (tmp_path / ITEMS).write_text("".join(json.dumps(row) + "\n" for row in rows))
    assert use(tmp_path).startswith(f"{tmp_path / ITEMS}, line 2: '{field}")


@pytest.mark.slow
@settings(max_examples=100)
@given(data=st.data(), new=JSON)
@example(data=None, new=[1])
def test_any_other_file_of_a_run_works_or_is_an_error(tmp_path_factory, data, new):
    folder = tmp_path_factory.mktemp("run")
    settings = {"benchmark": "demo", "split": "test", "decoding": {"seed": 0}}
    files = {
        "config.json": settings,
        "summary.json": {"accuracy": 0.5, "metrics": {"greedy": {"n": 1}}},
        "schemas.json": {"db": "CREATE TABLE t (a)"},
        "environment.json": {"torch": "1", "resumed_with": [{"torch": "2"}]},
    }
    name = data.draw(st.sampled_from(sorted(files))) if data else "environment.json"
    path = data.draw(st.sampled_from(list(places(files[name])))) if data else ("resumed_with",)
    files[name] = put(files[name], path, new)
    cut = data.draw(st.integers(0, 40)) if data else 0
    for each, content in files.items():
        text = json.dumps(content)
        (folder / each).write_text(text[: len(text) - cut] if each == name else text)
    (folder / ITEMS).write_text(json.dumps(ROWS[0]) + "\n")
    for message in (use(folder), resume(folder, settings)):
        assert not message or name in message


@pytest.mark.slow
@settings(max_examples=30)
@given(st.data())
def test_a_cut_line_at_the_end_is_left_out(tmp_path_factory, data):
    folder = tmp_path_factory.mktemp("run")
    content = "".join(json.dumps(row) + "\n" for row in ROWS)
    cut = data.draw(st.integers(content.index("\n") + 1, len(content)))
    (folder / ITEMS).write_text(content[:cut])
    assert use(folder) == ""
    assert len(list(read_items(folder))) == content[:cut].count("\n")

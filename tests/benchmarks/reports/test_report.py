"""Reports: what is computed for the page, and what the page consists of."""

import json
import re
from base64 import b64decode
from dataclasses import replace
from gzip import decompress

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from benchmarks.metrics.paired import mcnemar
from benchmarks.records.item import Candidate, Item, ResultPreview, write_items
from benchmarks.reports.curves import compute_zero_variance_share, make_curves
from benchmarks.reports.html import overview
from benchmarks.reports.html.chart import MAX_POINTS, draw_chart, place_ticks, thin_curve
from benchmarks.reports.html.page import name_hidden_characters, render_page
from benchmarks.reports.html.query_diff import diff_queries
from benchmarks.reports.html.result_diff import diff_results
from benchmarks.reports.html.viewer_data import collect_entries, make_details, make_index
from benchmarks.reports.recorded_run import RecordedRun, read_runs, shorten_paths
from sql_env.errors import DataError

ITEM = Item(0, "t-0", "db", "sqlite", "easy", "Which?", "", "SELECT a FROM t", "SELECT a FROM t", "",
            "SELECT a FROM t", True, "ok", "", "", 1.0, {"result": 1.0},
            result=ResultPreview(["a"], [[1]], 1), gold_result=ResultPreview(["a"], [[1]], 1))  # fmt: skip

CELLS = st.none() | st.integers(-3, 3) | st.sampled_from(["", "a", "b"]) | st.floats(-2, 2).map(round)
NAMES = st.lists(st.sampled_from("abc"), min_size=1, max_size=4)
RESULTS = NAMES.flatmap(
    lambda columns: st.lists(st.lists(CELLS, min_size=len(columns), max_size=len(columns)), max_size=6).map(
        lambda rows: ResultPreview(columns, rows, len(rows))
    )
)


def wrong(item, sql="SELECT b FROM t"):
    return replace(
        item, sql=sql, completion=sql, correct=False, total=0.0, result=ResultPreview(["b"], [[2]], 1)
    )


def run(items, name="run", **about):
    return RecordedRun(name, list(items), about, {"db": "CREATE TABLE t (a);"})


@pytest.fixture
def runs():
    items = [replace(ITEM, index=i, task_id=f"t-{i}", difficulty=["easy", "hard"][i % 2]) for i in range(20)]
    return [
        run((wrong(item) if item.index < 8 else item for item in items), "first", benchmark="demo"),
        run((wrong(item) if item.index % 7 == 0 else item for item in items), "second"),
    ]


@given(st.text(max_size=80), st.text(max_size=80))
def test_pieces_are_the_texts_and_shared_ones_are_the_same(ours, gold):
    left, right = diff_queries(ours, gold)
    assert "".join(left) == ours
    assert "".join(right) == gold
    shared = ["".join("".join(pieces[::2]).lower().replace('"', "'").split()) for pieces in (left, right)]
    assert shared[0] == shared[1]


def test_only_what_differs_is_a_piece_of_its_own():
    left, right = diff_queries("SELECT  Name FROM t WHERE a = 'X'", "select name\nFROM t WHERE a = 'x'")
    assert left[1::2] == ["'X'"]
    assert right[1::2] == ["'x'"]
    assert diff_queries("a", "a") == (["a"], ["a"])
    assert diff_queries("= 'a'", '= "a"') == (["= 'a'"], ['= "a"'])


@pytest.mark.parametrize(
    "ours", ["SELECT " + "a, b, " * 830, "SELECT " + "a, " * 500 + "b" * 3_000, "a " * 2_500]
)
def test_many_equal_words_do_not_hang_the_comparison(ours):
    """Without a limit, the first takes 20 s."""
    gold = "SELECT " + ", ".join(["a"] * 600) + " FROM t"
    left, right = diff_queries(ours, gold)
    assert ("".join(left), "".join(right)) == (ours, gold)
    assert diff_queries(gold, gold) == ([gold], [gold])


@given(RESULTS)
def test_equal_results_have_no_marks_in_any_order(result):
    turned = replace(result, rows=result.rows[::-1])
    assert not any(map(any, diff_results(result, result)))
    assert not any(map(any, diff_results(result, turned)))


@given(RESULTS, RESULTS)
def test_marks_are_cells_and_results_that_differ_have_some(ours, gold):
    left, right = diff_results(ours, gold)
    for found, result in ((left, ours), (right, gold)):
        assert len(found) == len(result.rows)
        assert all(0 <= k < len(result.columns) for row in found for k in row)
    if len(ours.columns) == len(gold.columns) == 1:
        assert any(left + right) == (sorted(map(str, ours.rows)) != sorted(map(str, gold.rows)))


def test_marks_of_columns_that_changed_places_and_of_rows_that_are_missing():
    gold = ResultPreview(["a", "b"], [[1, "x"], [2, "y"]], 2)
    assert diff_results(ResultPreview(["b", "a"], [["y", 2], ["x", 1.0]], 2), gold) == ([[], []], [[], []])
    assert diff_results(ResultPreview(["a"], [[1]], 1), gold) == ([[]], [[1], [0, 1]])
    assert diff_results(None, gold) == ([], [])


def test_curves():
    paid = [(1, "a", 1.0), (1, "a", 1.0), (1, "b", 0.0), (1, "b", 1.0), (1, "c", 1.0), (2, "a", 3.0)]
    items = [replace(ITEM, step=s, task_id=t, total=p, completion="x" * int(p)) for s, t, p in paid]
    items.append(replace(ITEM, step=2, masked="why", total=None, correct=None, completion=""))
    found = make_curves(items)
    assert found["reward"]["total"] == [(1, 0.8), (2, 3.0)]
    assert found["answers"]["groups without variance"] == [(1, 0.5)]
    assert found["answers"]["masked"] == [(1, 0.0), (2, 0.5)]
    assert found["how queries end"] == {"ok": [(1, 1.0), (2, 1.0)]}
    assert found["length"]["characters"] == [(1, 0.8), (2, 1.5)]
    assert compute_zero_variance_share([]) is None


@given(st.floats(-1e6, 1e6), st.floats(0, 1e6))
def test_ticks_hold_the_range_and_are_few(low, span):
    found = place_ticks(low, low + span)
    assert len(found) <= 9
    assert found == sorted(set(found))
    assert found[0] <= low + 1e-6 * max(1, abs(low), span)
    assert found[-1] >= low + span - 1e-6 * max(1, abs(low + span), span)


def test_a_chart_of_many_steps_is_thinned():
    curve = [(step, float(step % 2)) for step in range(10 * MAX_POINTS)]
    assert len(thin_curve(curve)) == MAX_POINTS
    assert {value for _, value in thin_curve(curve)} == {0.5}
    assert draw_chart("none", {"a": []}) is None
    assert draw_chart("one", {"a": [(3, 0.0)]}).lines[0].last == "0"


def test_entries_put_evaluations_side_by_side_and_rollouts_after_them(runs):
    rollouts = run([replace(ITEM, step=step) for step in (1, 1, 2)], "training")
    found = collect_entries([*runs, rollouts])
    assert [set(entry.items) for entry in found] == [{0, 1}] * 20 + [{2}] * 3
    twice = collect_entries([run([ITEM, ITEM], "a"), run([ITEM], "b")])
    assert [set(entry.items) for entry in twice] == [{0, 1}, {0}]


def test_pairs_are_those_of_the_paired_tests(runs):
    [pair] = overview.compare_runs([*runs, run([replace(ITEM, step=1)], "training")])
    assert pair.test == mcnemar(*([item.correct for item in each.items] for each in runs))
    assert (pair.first, pair.second) == (0, 1)
    assert pair.gained == "#/items?flip=gained-0-1"


def test_figures_of_whole_runs(runs):
    [accuracy, validity] = overview.make_headline(runs).rows
    assert [bar.value.mean for bar in accuracy.bars] == [0.6, 0.85]
    assert [bar.value.mean for bar in validity.bars] == [1.0, 1.0]
    assert [(row.label, row.bars[0].value.n) for row in overview.group_by_difficulty(runs).rows] == [
        ("easy", 10),
        ("hard", 10),
    ]
    assert overview.count_error_classes(runs)[0][2] == [
        (8, 8, "#/items?run=0&class=column"),
        (3, 3, "#/items?run=1&class=column"),
    ]
    samples = [Candidate("SELECT 1", "ok", i == 0, 1) for i in range(4)]
    sampled = overview.make_headline(
        [run([replace(ITEM, candidates=samples, metrics={"vote@4": 1.0, "pass@4": 1.0, "r_ves": 90.0})])]
    )
    assert len(sampled.rows) == len({row.label for row in sampled.rows})
    assert {row.label: row.bars[0].value.mean for row in sampled.rows} == {
        "execution accuracy": 1.0, "validity": 1.0, "vote@4": 1.0,
        "pass@1": 0.25, "pass@2": 0.5, "pass@4": 1.0,
    }  # fmt: skip


def unpacked(html, name):
    [text] = re.findall(rf'<script type="application/json" id="{name}">(.*?)</script>', html)
    return json.loads(decompress(b64decode(json.loads(text))))


def test_a_card_shows_the_masked_share_apart_from_golds_that_fail(runs):
    """Of 22 items two are masked by a fault and two by their gold query: a tenth of the other 20."""
    lost = replace(ITEM, correct=None, status="unavailable", masked="no <b>worker</b>")
    by_gold = replace(ITEM, correct=None, masked="the gold query fails", gold_result=None)
    page = render_page([run([*runs[0].items[:18], lost, lost, by_gold, by_gold])])
    assert "Masked although the gold query succeeds: 10.0 %; masked because it fails: 2" in page
    assert "leaves out more than 1 % of the answers" in page
    assert "<li>2 × no &lt;b&gt;worker&lt;/b&gt;</li>" in page
    assert "leaves out more than 1 %" not in render_page(runs)


def test_the_page_holds_its_data_and_is_the_same_each_time(runs):
    html = render_page(runs)
    assert render_page(runs) == html
    found = collect_entries(runs)
    assert unpacked(html, "index") == json.loads(json.dumps(make_index(runs, found)))
    assert unpacked(html, "part-0") == json.loads(json.dumps(next(iter(make_details(found)))))
    assert not re.search(r"(?:src|href)=\"(?!#|data:,)", html)
    assert "http" not in html.replace("http-equiv", "")


@settings(max_examples=20, deadline=None)
@given(st.text())
@pytest.mark.slow
def test_no_text_gets_out_of_its_place(text):
    hostile = replace(
        wrong(ITEM, text + "</script><script>"), task_id=text, db_id=text, difficulty=text, question=text,
        evidence=text, gold_sql=text, reasoning=text, status=text or "ok", error=text,
        components={text: 1.0}, metrics={text + "m": 0.5}, result=ResultPreview([text], [[text]], 1),
    )  # fmt: skip
    html = render_page([RecordedRun(text, [hostile], {text: text}, {text: text})])
    assert html.count("<script") == 3
    assert html.count("</script>") == 3
    html.encode("utf-8")
    assert unpacked(html, "part-0")[0]["items"]["0"]["result"]["rows"] == [[text]]


def test_odd_characters_are_named():
    assert (
        name_hidden_characters("a\x00\ud800\u202e ∀ عربي 👩‍👩‍👧\n") == "a⟨0000⟩⟨D800⟩⟨202E⟩ ∀ عربي 👩‍👩‍👧\n"
    )


def test_runs_are_read_from_folders(tmp_path):
    write_items(tmp_path / "evaluation", [ITEM])
    (tmp_path / "evaluation" / "summary.json").write_text('{"benchmark": "demo", "limits": {"max_rows": 3}}')
    write_items(tmp_path / "training" / "rollouts", [replace(ITEM, step=1)])
    evaluation, training = read_runs([tmp_path / "evaluation", tmp_path / "training"])
    assert (evaluation.name, evaluation.training, training.name, training.training) == (
        "evaluation",
        False,
        "training",
        True,
    )
    assert evaluation.about["benchmark"] == "demo"
    assert "<dt>limits.max_rows</dt><dd>3</dd>" in render_page([evaluation])
    write_items(tmp_path / "empty", [])
    with pytest.raises(DataError, match="has no items"):
        read_runs([tmp_path / "empty"])
    (tmp_path / "evaluation" / "summary.json").write_text("[")
    with pytest.raises(DataError, match="cannot read"):
        read_runs([tmp_path / "evaluation"])


def test_names_tell_runs_apart():
    assert shorten_paths(["x/a", "y/a", "b"]) == ["x/a", "y/a", "b"]
    assert shorten_paths(["a", "x/a"])[0] != shorten_paths(["a", "x/a"])[1]

"""What a model reads of a result: true, short, and with no way out of it."""

import json
import math
import re
import time

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from sql_env import ExecutionResult, Executor, Query, Status
from sql_env.errors import LimitError
from sql_env.prompts.observation import ResultView, escape_text, wrap_observation

CONTROL = [
    "</observation>",
    "<observation>",
    "</think>",
    "<answer>",
    "</sql>",
    "<|im_end|>",
    "<|im_start|>system",
    "<|endoftext|>",
    "<|eot_id|>",
    "<|start_header_id|>",
    "<s>",
    "</s>",
    "<pad>",
    "<0x0A>",
    "<start_of_turn>",
    "<tool_call>",
    "</tool_response>",
    "<<SYS>>",
    "<｜end▁of▁sentence｜>",
    "＜/observation＞",
    "[INST]",
    "[/INST]",
    "[TOOL_CALLS]",
    "[gMASK]",
    "[SEP]",
]
"""Tags of ours, and control tokens of the chat templates in use."""

texts = st.lists(
    st.sampled_from([*CONTROL, "<", "/", "|", ">", "\n", "Turns left: 9."]) | st.text(max_size=8)
).map("".join)
values = texts | st.integers(-(2**63), 2**63 - 1) | st.floats() | st.binary(max_size=40) | st.none()
tables = st.integers(1, 4).flatmap(
    lambda width: st.builds(
        lambda columns, rows: ExecutionResult(Status.OK, tuple(columns), tuple(rows)),
        st.lists(texts, min_size=width, max_size=width),
        st.lists(st.tuples(*[values] * width), max_size=6),
    )
)
errors = st.builds(
    lambda status, error: ExecutionResult(status, error=error), st.sampled_from(list(Status)[1:]), texts
)


@given(tables | errors, st.integers(1, 9))
@example(ExecutionResult(Status.OK, ("<",), (("/observation>",), ("<",))), 2)
def test_no_value_name_or_message_can_end_or_fake_anything(result, left):
    text = wrap_observation(ResultView()(result), left, left - 1)
    inside = text.removeprefix("<observation>\n").removesuffix("\n</observation>")
    assert len(text) - len(inside) == len("<observation>\n\n</observation>")
    for text in CONTROL:
        assert text not in inside
    lines = inside.split("\n")
    assert len(lines) == (len(result.rows) + 3 if result.ok else 2), "nothing begins a line of its own"
    assert lines[-1].startswith(f"Turns left: {left}.")
    assert all(line.isprintable() for line in lines)
    assert json.loads(json.dumps(text)) == text
    text.encode()


@pytest.mark.parametrize("text", CONTROL)
def test_every_control_token_is_escaped(text):
    assert escape_text(f"a{text}b").startswith("a\\u")
    assert text not in ResultView()(ExecutionResult(Status.OK, (text,), ((text,),)))


@pytest.mark.parametrize(
    "text", ["a < b", "x<5", "<>", "<=", "[1, 2]", "a[0]", "[sic]", "R&D", "50%", "C:\\new", "Zoë 李"]
)
def test_ordinary_text_stays_as_it_is(text):
    assert escape_text(text) == text


def test_a_tokenizer_finds_no_control_token_in_what_a_value_says():
    tokenizers = pytest.importorskip("tokenizers")
    made = tokenizers.Tokenizer(tokenizers.models.BPE())
    made.add_special_tokens(CONTROL)
    text = ResultView(cell=5_000, chars=9_000)(
        ExecutionResult(Status.OK, tuple(CONTROL), (tuple(CONTROL), (" ".join(CONTROL),)))
    )
    assert made.encode(text).ids == []
    assert len(made.encode("x".join(CONTROL)).ids) == len(CONTROL)


def test_a_table_has_names_rows_in_order_and_types_that_can_be_told_apart():
    rows = ((1, "1", None, "NULL"), (2.5, "O'Brien", b"\xaa", ""), (math.inf, " x ", -math.inf, math.nan))
    text = ResultView()(ExecutionResult(Status.OK, ("id", "id", "a|b", ""), rows))
    assert text.split("\n") == [
        "id | id | a|b | ",
        "1 | '1' | NULL | 'NULL'",
        "2.5 | 'O''Brien' | X'aa' | ''",
        "9e999 | ' x ' | -9e999 | NaN",
        "(3 rows)",
    ]


@settings(deadline=None)
@given(
    st.text(st.characters(exclude_characters="<＜﹤[［"), max_size=50).filter(str.isprintable)
    | st.integers(-(2**62), 2**62)
    | st.floats(allow_nan=False)
    | st.binary(max_size=50)
)
def test_what_is_shown_can_be_copied_into_a_query(shared, value):
    executor, database = shared
    shown = ResultView()(ExecutionResult(Status.OK, ("v",), ((value,),))).split("\n")[1]
    [[copied]] = executor.run(Query(database, f"SELECT {shown}")).rows
    assert copied == value


@pytest.fixture(scope="module")
def shared(tmp_path_factory, make_concerts):
    with Executor() as executor:
        yield executor, str(make_concerts(tmp_path_factory.mktemp("shown") / "concerts.sqlite"))


def test_no_rows_still_have_names():
    assert ResultView()(ExecutionResult(Status.OK, ("a", "b"))) == "a | b\n(0 rows)"
    assert ResultView()(ExecutionResult(Status.OK, ("a",), ((1,),))).endswith("(1 row)")


def test_what_is_cut_is_counted():
    rows = tuple((i, "x") for i in range(1234))
    assert ResultView(rows=2)(ExecutionResult(Status.OK, ("i", "x"), rows)).split("\n")[-2:] == [
        "1 | 'x'",
        "(1,234 rows; the first 2 shown)",
    ]
    assert ResultView(chars=60)(ExecutionResult(Status.OK, ("i", "x"), rows)).endswith(
        "rows; the first 8 shown)"
    )
    long = ResultView(cell=5)(ExecutionResult(Status.OK, ("n" * 9,), (("y" * 1_000_000,), (b"\1" * 9,))))
    assert long.split("\n") == [
        "nnnnn… (9 characters)",
        "'yyyyy… (1,000,000 characters)'",
        "X'0101010101…'",
        "(2 rows)",
    ]
    wide = ResultView(chars=100)(
        ExecutionResult(Status.OK, tuple(f"c{i}" for i in range(500)), (tuple(range(500)),))
    )
    assert wide.split("\n")[0] == " | ".join(f"c{i}" for i in range(10))
    assert wide.endswith("(1 row. 500 columns; the first 10 shown)")
    assert "… (90 characters)" in ResultView(chars=20)(ExecutionResult(Status.ERROR, error="e" * 90))


@given(tables, st.integers(1, 300), st.integers(1, 50), st.integers(1, 5))
def test_a_view_keeps_its_bounds(result, chars, cell, rows):
    view = ResultView(rows, chars, cell)
    text = view(result)
    assert text == view(result)
    shown = text.split("\n")[1:-1]
    assert len(shown) <= rows
    assert sum(map(len, shown)) <= 10 * chars + 40, "an escape takes up to ten characters"


def test_a_huge_result_is_told_at_once():
    result = ExecutionResult(Status.OK, ("a", "b"), (("[" + "A" * 20_000_000, "<" * 10_000_000),) * 100_000)
    start = time.perf_counter()
    assert len(ResultView()(result)) < 20_000
    assert time.perf_counter() - start < 1
    hostile = ExecutionResult(Status.ERROR, error="[" * 1_000_000 + "A" * 1_000_000)
    assert len(ResultView(chars=200_000)(hostile)) < 300_000
    assert time.perf_counter() - start < 5


@pytest.mark.parametrize("status", list(Status)[1:])
def test_every_status_has_words(status):
    text = ResultView()(ExecutionResult(status, error="no such table: x"))
    assert re.match(r"(Error|Stopped, because it .*|Denied|The database does not answer)[.:]", text)
    assert ("no such table: x" in text) == (status is not Status.UNAVAILABLE)


@pytest.mark.parametrize("wrong", [0, -1, 2.5, True, "9"])
def test_bad_views(wrong):
    with pytest.raises(LimitError, match="view 'rows' must be an integer of at least 1"):
        ResultView(rows=wrong)

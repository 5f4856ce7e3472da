"""The parser is total, linear, and the inverse of `respond`."""

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from sql_env.errors import FormatError
from sql_env.parser import FORMATS, get_format, parse, respond

PIECES = [
    "<think>",
    "</think>",
    "<answer>",
    "</answer>",
    "<solution>",
    "</solution>",
    "```sql\n",
    "```",
    "SELECT 1",
]
noise = st.lists(st.sampled_from(PIECES) | st.text(max_size=5)).map("".join)
plain = st.text(st.characters(exclude_characters="<>`", exclude_categories=["Cs"]), max_size=50)
forms = st.sampled_from(list(FORMATS.values()))


def completion(think: str = "why", answer: str = "```sql\nSELECT 1\n```") -> str:
    return f"<think>{think}</think><answer>{answer}</answer>"


@given(noise, forms)
@example("\ud800", FORMATS["sql"])
@example("\0", FORMATS["fenced"])
def test_any_text_becomes_an_action(text, form):
    action = parse(text, form)
    assert action.well_formed == (action.sql is not None)
    assert action.sql is None or action.sql.strip() == action.sql != ""


@given(plain.map(str.strip).filter(bool), plain.map(str.strip), forms)
def test_parse_takes_apart_what_respond_puts_together(sql, reasoning, form):
    action = parse(respond(sql, reasoning, form), form)
    assert action.sql == sql
    assert action.reasoning == (reasoning if form.think else "")


@pytest.mark.parametrize(
    "text",
    [
        "",
        "SELECT 1",
        "```sql\nSELECT 1\n```",
        completion().removeprefix("<think>"),
        completion().removesuffix("</answer>"),
        completion(think="a <answer> b"),
        completion(think="a </think> b"),
        completion() + completion(),
        "<answer>```sql\nSELECT 1\n```</answer><think>late</think>",
        completion(answer="SELECT 1"),
        completion(answer="```\nSELECT 1\n```"),
        completion(answer="```sql\nSELECT 1"),
        completion(answer="```sql\n \n```"),
        completion(answer="```sqlite\nSELECT 1\n```"),
        completion().replace("<think>", "<THINK>"),
    ],
)
def test_a_broken_format_has_no_sql(text):
    assert not parse(text).well_formed


def test_the_last_fence_of_the_answer_counts():
    text = completion(answer="First ```sql\nSELECT 1\n``` but better ```sql\nSELECT 2\n```.")
    assert parse(text).sql == "SELECT 2"


def test_a_fence_in_the_reasoning_does_not_count():
    assert parse(completion(think="```sql\nSELECT 2\n```")).sql == "SELECT 1"


def test_text_around_the_tags_is_allowed():
    assert parse("Well.\n" + completion() + "\nDone.").sql == "SELECT 1"


def test_sql_is_kept_to_the_letter():
    sql = "SELECT 'a  b' -- note\nFROM t"
    assert parse(respond(sql)).sql == sql


def test_a_prefilled_tag_is_not_repeated_by_the_model():
    form = get_format("think-answer-prefilled")
    assert parse("why</think><answer>```sql\nSELECT 1\n```</answer>", form).sql == "SELECT 1"
    assert not parse(completion(), form).well_formed


@pytest.mark.parametrize("piece", [*PIECES, "<think></think>", "<think><answer>```sql\n", "<", "`", "\n"])
@pytest.mark.parametrize("form", FORMATS.values(), ids=lambda form: form.name)
def test_megabytes_of_one_piece_do_not_hang(piece, form):
    parse(piece * 500_000, form)
    parse(completion(think=piece * 500_000), form)


def test_an_unknown_format_is_named_with_the_known_ones():
    with pytest.raises(FormatError, match=r"Did you mean 'think-answer'\?.*fenced"):
        get_format("think-anser")

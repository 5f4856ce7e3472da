"""What the model is shown."""

import pytest

from sql_env.errors import FormatError
from sql_env.executor import Executor
from sql_env.parser import FORMATS, response_format
from sql_env.prompt import TEMPLATES, messages, outline, text
from sql_env.schema import Column, Schema, Table
from sql_env.types import Task

TASK = Task(
    "t", "Who sings?", "SELECT secret FROM gold", "x.sqlite", evidence="Singing is a job.", reasoning="a hint"
)


@pytest.fixture(scope="module")
def schema(tmp_path_factory, make_concerts):
    with Executor() as executor:
        return executor.schema(str(make_concerts(tmp_path_factory.mktemp("prompt") / "concerts.sqlite")))


@pytest.mark.parametrize("template", TEMPLATES)
@pytest.mark.parametrize("form", FORMATS)
def test_the_question_the_schema_and_the_evidence_are_shown_and_the_gold_is_not(schema, template, form):
    shown = text(messages(TASK, schema, response_format(form), template))
    for word in ("Who sings?", "Singing is a job.", "singer", "concert", "fee"):
        assert word in shown
    assert "secret" not in shown
    assert "a hint" not in shown


@pytest.mark.parametrize("form", FORMATS.values(), ids=lambda form: form.name)
def test_the_full_prompt_asks_for_the_format_that_is_rewarded(schema, form):
    shown = text(messages(TASK, schema, form))
    for part in (
        form.think and f"<{form.think}>",
        form.answer and f"</{form.answer}>",
        form.fence and "```sql",
    ):
        assert (part or "") in shown


def test_the_outline_has_every_table_and_column(schema):
    assert outline(schema).split("\n") == [
        "singer(id, name, country, age)",
        "concert(id, title, singer_id, fee)",
    ]


@pytest.mark.parametrize("template", TEMPLATES)
def test_the_text_of_a_prompt_ends_its_line(schema, template):
    """What the environment observes is, to the letter, what a model without a chat template is trained on."""
    shown = text(messages(TASK, schema, response_format("think-answer"), template))
    assert shown == shown.rstrip("\n") + "\n"


def test_the_outline_of_nothing_is_empty():
    assert outline(Schema(())) == ""


@pytest.mark.parametrize("odd", ["", "we'ird", "d`", "/*", "(" * 5_000, "a\nb int"])
def test_an_odd_type_hides_neither_its_column_nor_a_table(odd):
    """SQLite takes any quoted text for the type of a column."""
    schema = Schema((Table("o", (Column("a", odd), Column("b c"))), Table("t", (Column("a", "INT"),))))
    assert outline(schema) == "o(a, b c)\nt(a)"


def test_an_unknown_template_is_named_with_the_known_ones(schema):
    with pytest.raises(FormatError, match="Did you mean 'full'"):
        messages(TASK, schema, FORMATS["sql"], "fulll")

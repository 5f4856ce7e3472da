"""Tasks become prompts, answers and datasets, the same way for every trainer."""

import json
import logging

import pytest

from sql_env import Scorer, Task, parse
from sql_env.errors import TaskError
from trainers.dataset import (
    Prompter,
    count_prompt_tokens,
    filter_usable,
    make_grpo_dataset,
    make_sft_dataset,
    make_token_budget,
)
from trainers.demo import tiny

GOLD = "SELECT name FROM singer WHERE age = 30"


@pytest.fixture
def scorer():
    with Scorer("sql-r1") as made:
        yield made


def test_unusable_tasks_are_left_out_and_counted(scorer, ask, caplog):
    good, empty, broken = ask(GOLD), ask("SELECT name FROM singer WHERE age = 1"), ask("SELECT x FROM y")
    with caplog.at_level(logging.WARNING):
        assert filter_usable([good, empty, broken], scorer) == [good]
    assert "1 of 3 tasks left out: gold result is empty" in caplog.text
    assert "1 of 3 tasks left out: gold query fails (error)" in caplog.text
    assert filter_usable([good, empty], scorer, keep_empty=True) == [good, empty]


def test_both_strategies_teach_the_gold_sql(scorer, ask):
    task = ask(GOLD, reasoning="Filter by age.")
    prompter = Prompter(scorer, "compact")
    for strategy, reasoning in (("reasoning", "Filter by age."), ("sql", "")):
        [row] = make_sft_dataset([task], prompter, strategy)
        action = parse(row["completion"])
        assert (action.sql, action.reasoning) == (GOLD, reasoning)
        assert row["prompt"] == prompter(task)
        assert scorer.score([row["completion"]], [task])[0].rollout.correct


def test_reasoning_that_is_not_there_cannot_be_taught(scorer, ask):
    with pytest.raises(TaskError, match="task 't' has no reasoning"):
        make_sft_dataset([ask(GOLD)], Prompter(scorer), "reasoning")


def test_reasoning_is_taught_by_itself_where_all_tasks_have_it(scorer, ask):
    with_it, without = ask(GOLD, reasoning="Filter."), ask(GOLD)
    for tasks, reasoning in (([with_it, with_it], "Filter."), ([with_it, without], "")):
        row = make_sft_dataset(tasks, Prompter(scorer))[0]
        assert parse(row["completion"]).reasoning == reasoning


@pytest.mark.parametrize("template", ["full", "compact"])
def test_a_plain_prompt_is_a_text_that_ends_its_line(scorer, ask, template):
    prompt = Prompter(scorer, template)(ask(GOLD))
    assert isinstance(prompt, str)
    assert prompt.endswith("\n")
    assert not prompt.endswith("\n\n")
    assert "singer" in prompt
    assert GOLD not in prompt


def test_a_chat_prompt_and_its_completion_are_messages(scorer, ask):
    [row] = make_sft_dataset([ask(GOLD)], Prompter(scorer, chat=True), "sql")
    assert [message["role"] for message in row["prompt"]] == ["system", "user"]
    assert [message["role"] for message in row["completion"]] == ["assistant"]


def test_the_task_comes_back_from_its_column(scorer, ask):
    task = ask(GOLD, evidence="x", difficulty="simple")
    [row] = make_grpo_dataset([task], Prompter(scorer))
    assert Task.from_dict(json.loads(row["task"])) == task
    assert set(row) == {"prompt", "task"}


def test_a_budget_in_the_tokens_of_a_model(scorer, ask):
    task = ask(GOLD)
    whole = str(Prompter(scorer, "compact")(task))
    tokenizer = tiny.train_tokenizer([whole], scorer.rubric.form, 100)
    assert make_token_budget(0, tokenizer) is None
    length = count_prompt_tokens(whole, tokenizer)
    sizes = []
    for most in range(length, length - 12, -2):
        cut = Prompter(scorer, "compact", budget=make_token_budget(most, tokenizer))(task)
        assert count_prompt_tokens(cut, tokenizer) <= most
        sizes.append(len(cut))
    assert sizes[0] == len(whole)
    assert sizes == sorted(sizes, reverse=True)
    assert sizes[-1] < sizes[0]

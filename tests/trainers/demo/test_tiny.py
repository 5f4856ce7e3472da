"""A tokenizer and a model from scratch, what they generate, and how they are measured."""

import pytest
import torch

from benchmarks.demo import demo
from sql_env import Scorer, Task
from sql_env.parser import FORMATS
from trainers.dataset import Prompter
from trainers.demo import tiny
from trainers.generation.accuracy import measure_accuracy
from trainers.generation.sampling import generate_completions
from trainers.logs.record import compute_standard_error

FORM = FORMATS["think-answer"]


@pytest.fixture(scope="module")
def prompter():
    with Scorer("sql-r1") as scorer:
        yield Prompter(scorer, "compact")


@pytest.fixture(scope="module")
def tasks() -> list[Task]:
    return list(demo(split="dev").tasks[:12])


@pytest.fixture(scope="module")
def words(prompter, tasks):
    texts = [prompter(task) + prompter.make_completion(task, "reasoning") for task in tasks]
    return tiny.train_tokenizer(texts, FORM, 600)


@pytest.fixture(scope="module")
def model(words):
    return tiny.make_model(words)


def test_any_text_survives_the_tokenizer(words, prompter, tasks):
    for text in (
        prompter(tasks[0]),
        prompter.make_completion(tasks[0], "sql"),
        "né 李 🙂\t'x''y' -- ?\n\n",
        "  SELECT  *",
    ):
        assert words.decode(words(text)["input_ids"]) == text


def test_the_frame_of_an_answer_is_a_token_for_each_piece(words):
    assert tiny.list_frame_pieces(FORM) == ["<think>\n", "\n</think>\n<answer>\n```sql\n", "\n```\n</answer>"]
    assert all(len(words(piece)["input_ids"]) == 1 for piece in tiny.list_frame_pieces(FORM))
    assert tiny.list_frame_pieces(FORMATS["sql"]) == []


def test_a_value_is_the_same_tokens_in_the_question_and_between_quotes(words):
    question, written = (
        words("singers from Ireland in spring")["input_ids"],
        words("x = 'Ireland' ")["input_ids"],
    )
    value = words("Ireland")["input_ids"]
    for ids in (question, written):
        assert any(ids[i : i + len(value)] == value for i in range(len(ids)))


def test_a_model_is_tiny_and_the_same_for_a_seed(words, model):
    assert 0.2e6 < model.num_parameters() < 5e6
    again, other = tiny.make_model(words), tiny.make_model(words, seed=1)
    same, different = (
        [torch.equal(a, b) for a, b in zip(model.parameters(), m.parameters(), strict=True)]
        for m in (again, other)
    )
    assert all(same)
    assert not all(different)


@pytest.mark.slow
def test_a_batch_changes_no_greedy_answer(words, model, prompter, tasks):
    prompts = [prompter(task) for task in tasks]
    together = generate_completions(model, words, prompts, max_new_tokens=12)
    assert together == generate_completions(model, words, prompts, max_new_tokens=12, batch=1)
    assert [len(answers) for answers in together] == [1] * len(tasks)


@pytest.mark.slow
def test_sampling_is_repeatable_and_leaves_the_random_numbers_alone(words, model, prompter, tasks):
    prompts = [prompter(task) for task in tasks[:3]]
    how = {"samples": 4, "temperature": 1.0, "max_new_tokens": 8}
    state = torch.get_rng_state()
    first = generate_completions(model, words, prompts, **how)
    assert torch.equal(state, torch.get_rng_state())
    assert first == generate_completions(model, words, prompts, **how)
    assert first != generate_completions(model, words, prompts, **how, seed=1)
    assert [len(answers) for answers in first] == [4, 4, 4]


def test_a_model_is_measured_in_four_figures(words, model, prompter, tasks):
    figures = measure_accuracy(model, words, tasks, prompter, k=2, max_new_tokens=8)
    assert list(figures) == ["greedy", "mean@1", "pass@2", "vote@2", "masked"]
    assert all(0 <= value <= 1 for value in figures.values())


def test_a_standard_error_is_that_of_a_share():
    assert compute_standard_error(0.5, 100) == pytest.approx(0.05)
    assert compute_standard_error(0.5, 0) == 0.0

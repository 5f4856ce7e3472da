"""Tokens, time and cost of completions."""

import json

import pytest

from benchmarks.evaluation.pipeline import complete_tasks
from benchmarks.generation.endpoint import Endpoint
from benchmarks.generation.generator import SamplingParams
from benchmarks.generation.usage import add_usage, read_token_counts, sum_usage
from benchmarks.records.json_lines import JsonLinesFile
from benchmarks.records.run import check_prediction

from .any_server import Server, respond


def answer(text, usage):
    body = {"choices": [{"message": {"content": text}}], "usage": usage}
    return respond(json.dumps(body).encode())


@pytest.mark.parametrize(
    ("usage", "counts"),
    [
        ({"prompt_tokens": 7, "completion_tokens": 3}, (7, 3)),
        ({"prompt_tokens": 7}, (7, None)),
        ({"prompt_tokens": -7, "completion_tokens": True}, (None, None)),
        ({"prompt_tokens": "7", "completion_tokens": 10**30}, (None, None)),
        ([], (None, None)),
        (None, (None, None)),
    ],
)
def test_what_a_server_says_is_checked(usage, counts):
    assert read_token_counts(json.dumps({"usage": usage}).encode()) == counts
    assert read_token_counts(b"nonsense") == (None, None)


def test_the_usage_of_an_endpoint_is_kept_for_each_task(ask, tmp_path):
    server = Server(
        answer("SELECT 1", {"prompt_tokens": 7, "completion_tokens": 3}),
        answer("SELECT 2", {"prompt_tokens": 9, "completion_tokens": 4}),
    )
    generator = Endpoint("m", base_url=server.url, concurrency=1, retries=0)
    rows = JsonLinesFile(tmp_path / "predictions.jsonl", check_prediction)

    class Built:
        messages = ({"role": "user", "content": "?"},)
        dropped_gold_tables = ()

    try:
        tasks = [ask("SELECT 1", id="a"), ask("SELECT 2", id="b")]
        greedy = {"greedy": SamplingParams()}
        complete_tasks(generator, tasks, lambda: [Built, Built], greedy, rows, lambda *done: None)
    finally:
        generator.close()
        rows.close()
        server.close()
    assert [{type(text) for text in row["completions"]} for row in rows.rows] == [{str}, {str}]
    counts = [(row["usage"]["prompt_tokens"], row["usage"]["completion_tokens"]) for row in rows.rows]
    assert sorted(counts) == [(7, 3), (9, 4)]
    total = sum_usage(rows.rows, price_in=2.0, price_out=10.0)
    assert (total["requests"], total["prompt_tokens"], total["completion_tokens"]) == (2, 16, 7)
    assert total["cost"] == pytest.approx((2 * 16 + 10 * 7) / 1e6)


def test_an_unknown_number_of_tokens_has_no_cost():
    usage = {"prompt_tokens": 5, "completion_tokens": None, "seconds": 1.0}
    rows = [{"completions": ["a"], "usage": usage}, {"completions": ["b"]}]
    assert sum_usage(rows, price_in=1.0)["cost"] is None
    assert "cost" not in sum_usage(rows)
    assert sum_usage(rows[1:]) == {}
    assert add_usage([]) == {}

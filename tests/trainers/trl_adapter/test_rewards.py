"""The scorer as TRL's reward functions: the same numbers, one execution, None for masked samples."""

import asyncio
import json
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

from sql_env import Scorer, batched, respond
from sql_env.errors import RewardError
from sql_env.scoring.reward import WeightedReward
from sql_env.scoring.rubric import Rubric
from trainers.trl_adapter.rewards import (
    compute_metrics,
    extract_text,
    get_reward_weights,
    make_reward_functions,
)

SPEC = ["format", "execution", {"reward": "result", "weight": 2.0}, "length"]
RIGHT = "SELECT name FROM singer WHERE country = 'France'"
COMPLETIONS = [
    respond(RIGHT, "Look for French singers."),
    respond("SELECT name FROM singer"),
    respond("SELECT nothing FROM nowhere"),
    respond("DROP TABLE singer"),
    "no idea",
    "",
]


class CountingScorer(Scorer):
    """A scorer that counts its batches."""

    batches = 0

    def score(self, completions, tasks):
        self.batches += 1
        return super().score(completions, tasks)


def column(tasks):
    return [json.dumps(task.to_dict()) for task in tasks]


def rewards(scorer, completions, tasks, **others):
    """Call the functions as TRL does: component -> values."""
    columns = {"prompts": ["?"] * len(tasks), "completion_ids": [[1]] * len(tasks), "trainer_state": None}
    return {
        function.__name__: function(completions=completions, task=column(tasks), **columns, **others)
        for function in make_reward_functions(scorer)
    }


@pytest.fixture
def scorer():
    with CountingScorer(SPEC) as made:
        yield made


def test_the_weighted_sum_of_the_components_is_the_total(scorer, ask):
    tasks = [ask(RIGHT)] * len(COMPLETIONS)
    values = rewards(scorer, COMPLETIONS, tasks)
    assert list(values) == ["format", "execution", "result", "length"]
    assert get_reward_weights(scorer.rubric) == [1.0, 1.0, 2.0, 1.0]
    for i, score in enumerate(scorer.score(COMPLETIONS, tasks)):
        assert {name: column[i] for name, column in values.items()} == score.components
        weights = zip(values.values(), get_reward_weights(scorer.rubric), strict=True)
        assert sum(weight * column[i] for column, weight in weights) == pytest.approx(score.total)


def test_a_batch_is_scored_once_for_all_components(scorer, ask):
    tasks = [ask(RIGHT)] * len(COMPLETIONS)
    functions = make_reward_functions(scorer)
    for function in functions:
        function(completions=COMPLETIONS, task=column(tasks))
    assert scorer.batches == 1
    for function in functions:
        function(completions=COMPLETIONS[::-1], task=column(tasks))
    assert scorer.batches == 2


def test_a_masked_sample_is_none_for_every_component(scorer, ask):
    tasks = [ask("SELECT broken FROM nowhere"), ask(RIGHT)]
    values = rewards(scorer, [COMPLETIONS[0]] * 2, tasks)
    assert all(column[0] is None and column[1] is not None for column in values.values())


@pytest.mark.parametrize(
    "wrap",
    [
        lambda text: [{"role": "assistant", "content": text}],
        lambda text: [{"role": "assistant", "content": [{"type": "text", "text": text}]}],
        lambda text: [{"role": "user", "content": "go on"}, {"role": "assistant", "content": text}],
    ],
)
def test_conversations_are_rewarded_like_plain_texts(scorer, ask, wrap):
    tasks = [ask(RIGHT)] * len(COMPLETIONS)
    plain = rewards(scorer, COMPLETIONS, tasks)
    assert rewards(scorer, [wrap(completion) for completion in COMPLETIONS], tasks) == plain


def test_a_conversation_without_text_is_empty():
    assert extract_text([]) == ""
    assert extract_text([{"role": "assistant", "content": None}]) == ""


def test_many_threads_get_their_own_batches(scorer, ask):
    batches = [([COMPLETIONS[i % 6], COMPLETIONS[i % 5]], [ask(RIGHT), ask("SELECT 1")]) for i in range(24)]
    functions = make_reward_functions(scorer)

    def call(batch):
        return [function(completions=batch[0], task=column(batch[1])) for function in functions]

    alone = [call(batch) for batch in batches]
    with ThreadPoolExecutor(8) as pool:
        assert list(pool.map(call, batches)) == alone


def test_metrics_are_logged_once_a_batch(scorer, ask):
    logged = []
    tasks = [ask(RIGHT), ask(RIGHT), ask(RIGHT), ask("SELECT broken FROM nowhere")]
    rewards(scorer, COMPLETIONS[:4], tasks, log_metric=lambda name, value: logged.append((name, value)))
    shares = {"sql/correct": 1 / 3, "sql/masked": 0.25, "sql/ok": 2 / 3, "sql/error": 1 / 3}
    others = {f"sql/{name}": 0.0 for name in ("denied", "malformed", "timeout", "too_large", "unavailable")}
    taken = {f"sql/{name}" for name in scorer.stats.metrics()}
    assert {name: value for name, value in logged if name not in taken} == pytest.approx(shares | others)
    assert len(logged) == len(dict(logged)) == len(shares | others) + len(taken)


def test_a_batch_logs_what_it_took_and_not_what_others_did(scorer, ask):
    tasks = [ask(RIGHT)] * 6
    functions, logged = make_reward_functions(scorer), {}
    for function in functions:
        function(completions=COMPLETIONS, task=column(tasks), log_metric=logged.__setitem__)
    assert (logged["sql/gold_misses"], logged["sql/queries"], logged["sql/known"]) == (1, 4, 1)
    assert (logged["sql/ended/error"], logged["sql/ended/denied"]) == (1, 1)
    assert logged["sql/time/execute"] > 0
    assert logged["sql/time/reward"] > 0
    for function in functions:
        function(completions=COMPLETIONS[:1] * 6, task=column(tasks), log_metric=logged.__setitem__)
    assert (logged["sql/gold_misses"], logged["sql/gold_hits"], logged["sql/queries"]) == (0, 1, 0)
    assert (logged["sql/duplicates"], logged["sql/time/execute"]) == (5, 0)


def test_the_names_of_metrics_do_not_depend_on_the_batch(scorer, ask):
    names = list(compute_metrics(scorer.score(COMPLETIONS, [ask(RIGHT)] * 6)))
    masked = compute_metrics(scorer.score(["x"], [ask("SELECT broken FROM nowhere")]))
    assert masked == {**dict.fromkeys(names, 0.0), "sql/masked": 1.0}


def test_a_broken_reward_raises_and_is_not_remembered(ask):
    broken = Rubric("broken", (WeightedReward("broken", lambda rollout: 1 / 0),))
    with CountingScorer(broken) as scorer:
        [function] = make_reward_functions(scorer)
        for _ in range(2):
            with pytest.raises(RewardError, match=r"'broken' raised ZeroDivisionError: .*rewards\.py:\d+"):
                function(completions=["x"], task=column([ask(RIGHT)]))
        assert scorer.batches == 2


async def later(rollout):
    await asyncio.sleep(0)
    return float(len(rollout.completion))


@batched
def together(rollouts):
    return np.array([len(rollout.completion) for rollout in rollouts], np.float32)


def test_async_and_batched_rewards_are_components_like_others(ask):
    with Scorer([later, {"reward": together, "weight": 2}, "format"]) as scorer:
        values = rewards(scorer, COMPLETIONS, [ask(RIGHT)] * len(COMPLETIONS))
        expected = [float(len(completion)) for completion in COMPLETIONS]
        assert values["later"] == values["together"] == expected
        assert get_reward_weights(scorer.rubric) == [1.0, 2.0, 1.0]

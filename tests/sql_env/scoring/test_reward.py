"""Rewards that are Python functions: plain, async and batched. How they are named, called and checked."""

import asyncio
import copy
import math
import pickle
import re
import threading
from concurrent.futures import ThreadPoolExecutor
from decimal import Decimal
from fractions import Fraction
from functools import partial

import gymnasium
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import sql_env
from sql_env import Scorer, batched, respond, rubric
from sql_env.errors import ComparisonError, PluginError, RewardError
from sql_env.scoring.reward import WeightedReward
from sql_env.testing import check_reward, sample_rollouts

ROLLOUTS = list(sample_rollouts())


def size(rollout, scale=1.0):
    """Give a number, or None for a rollout without SQL."""
    return len(rollout.completion) * scale if rollout.action.sql else None


async def size_later(rollout, scale=1.0):
    await asyncio.sleep(0)
    return size(rollout, scale)


@batched
def sizes(rollouts, scale=1.0):
    return [size(rollout, scale) for rollout in rollouts]


@batched
async def sizes_later(rollouts, scale=1.0):
    return tuple([await size_later(rollout, scale) for rollout in rollouts])


FORMS = [
    size_later,
    sizes,
    sizes_later,
    partial(size_later),
    lambda rollout, scale: size_later(rollout, scale),
]


# Functions in place of names


def test_a_function_is_a_reward(ask):
    task = ask("SELECT 1")
    with Scorer([size, {"reward": size, "weight": 2, "name": "twice", "params": {"scale": 10}}]) as scorer:
        [score] = scorer.score([respond("SELECT 1")], [task])
    n = len(respond("SELECT 1"))
    assert score.components == {"size": n, "twice": 10 * n}
    assert score.total == 21 * n
    assert rubric(size).name == "size"
    assert rubric({"rewards": [size, "result"], "comparison": "bird"}).comparison == "bird"


def test_an_environment_takes_a_function():
    with gymnasium.make("SQLEnv-demo-v0", reward=[size, {"reward": "result", "weight": 2}]) as env:
        env.reset(seed=1)
        info = env.step("no idea")[-1]
    assert info["components"] == {"size": None, "result": 0.0}
    envs = gymnasium.make_vec("SQLEnv-demo-v0", num_envs=2, reward=lambda rollout: 1.5)
    envs.reset(seed=1)
    assert list(envs.step(["", ""])[1]) == [1.5, 1.5]
    envs.close()


class Judge:
    def __call__(self, rollout):
        return 1.0


@pytest.mark.parametrize(
    ("function", "name"),
    [
        (lambda rollout: 1.0, "lambda"),
        (partial(size, scale=2.0), "size"),
        (partial(partial(size), scale=2.0), "size"),
        (Judge(), "Judge"),
    ],
)
def test_a_function_has_a_name(function, name):
    assert [reward.name for reward in rubric([function]).rewards] == [name]


def test_two_functions_of_one_name_need_names():
    with pytest.raises(
        PluginError, match=r'a different name for each.*\'lambda\'.*\{"reward": \.\.\., "name"'
    ):
        rubric([lambda rollout: 1.0, lambda rollout: 2.0])
    named = [{"reward": lambda rollout: 1.0, "name": name} for name in "ab"]
    assert [reward.name for reward in rubric(named).rewards] == ["a", "b"]
    with pytest.raises(PluginError, match="must be a text, not 5"):
        rubric([{"reward": size, "name": 5}])


def test_a_spec_of_an_environment_is_json_only_with_names():
    """gymnasium writes it: a function must be named by its place."""
    with gymnasium.make("SQLEnv-demo-v0", reward=[size]) as env, pytest.raises(TypeError, match="function"):
        env.spec.to_json()
    with gymnasium.make("SQLEnv-demo-v0", reward=["rewards.custom:brevity"]) as env:
        assert "rewards.custom:brevity" in env.spec.to_json()


@pytest.mark.parametrize("function", [size, size_later, sizes, sizes_later])
def test_a_rubric_of_functions_can_be_copied_and_pickled(function):
    judge = rubric([{"reward": function, "concurrency": 3}])
    expected = judge.score(ROLLOUTS[:30])
    assert copy.deepcopy(judge).score(ROLLOUTS[:30]) == expected
    assert pickle.loads(pickle.dumps(judge)).score(ROLLOUTS[:30]) == expected
    assert pickle.loads(pickle.dumps(judge)) == judge


# Numbers


class Tensor:
    """Like a tensor of torch: no registered number, but with a shape."""

    def __init__(self, value, ndim=0):
        self.value, self.ndim = value, ndim

    def __float__(self):
        return float(self.value)


@pytest.mark.parametrize(
    "value",
    [
        np.float32(0.5), np.float64(0.5), np.array(0.5), Fraction(1, 2), Decimal("0.5"), Tensor(0.5),
    ],
)  # fmt: skip
def test_every_scalar_is_a_number(value):
    [computed] = rubric(lambda rollout: value).score(ROLLOUTS[:1])
    assert computed.components == {"lambda": 0.5}
    assert type(computed.total) is float


@pytest.mark.parametrize(
    ("value", "number"), [(np.int64(7), 7.0), (True, 1.0), (np.bool_(True), 1.0), (-0.0, 0)]
)
def test_integers_and_truth_values_are_numbers(value, number):
    assert rubric(lambda rollout: value).score(ROLLOUTS[:1])[0].total == number


def test_a_tensor_of_torch_is_a_number():
    torch = pytest.importorskip("torch")
    values = [torch.tensor(0.5), torch.tensor(3), torch.tensor(0.5, dtype=torch.bfloat16)]
    assert [rubric(lambda r, v=v: v).score(ROLLOUTS[:1])[0].total for v in values] == [0.5, 3.0, 0.5]
    for value in (torch.tensor([0.5]), torch.tensor(math.nan), torch.tensor(1j)):
        with pytest.raises(RewardError, match="a finite number, or None"):
            rubric(lambda rollout, value=value: value).score(ROLLOUTS[:1])


@pytest.mark.parametrize(
    "value",
    [
        math.nan, -math.inf, np.float32("nan"), np.float32("inf"), Decimal("nan"), Decimal("sNaN"), 10**400,
        "1", b"1", np.str_("1"), [1.0], np.array([1.0]), Tensor(1.0, ndim=1), Tensor("x"), 1j,
        np.complex64(1), np.datetime64(5, "s"), np.timedelta64(5, "s"), object(),
        pytest.param(10**5000, id="digits"),
    ],
)  # fmt: skip
def test_what_is_no_finite_number_is_an_error(value):
    with pytest.raises(RewardError, match=r"reward 'lambda' returned .*: return a finite number, or None"):
        rubric(lambda rollout: value).score(ROLLOUTS[:1])


# Mistakes


def divide(rollout):
    return 1 / (rollout.task.id == rollout)


async def divide_later(rollout):
    await asyncio.sleep(0)
    return divide(rollout)


@batched
def divide_all(rollouts):
    return [divide(rollout) for rollout in rollouts]


LINE = divide.__code__.co_firstlineno + 1


@pytest.mark.parametrize("function", [divide, divide_later, divide_all])
def test_a_reward_that_raises_shows_its_line(function):
    place = rf"raised ZeroDivisionError: division by zero \({re.escape(__file__)}:{LINE}\)"
    with pytest.raises(RewardError, match=place):
        rubric(function).score(ROLLOUTS[:3])
    with pytest.raises(RewardError, match=rf"{place}, on a rollout \(no SQL"):
        check_reward(function)


def test_a_line_of_a_library_comes_with_the_line_that_called_it():
    def parses(rollout):
        return Fraction(rollout.completion)

    line = parses.__code__.co_firstlineno + 1
    with pytest.raises(RewardError, match=rf"fractions\.py:\d+, called at {re.escape(__file__)}:{line}\)"):
        rubric(parses).score(ROLLOUTS[1:2])


@pytest.mark.parametrize(
    ("spec", "message"),
    [
        ({"reward": "result", "params": {"wrng": 0}}, "has no parameter 'wrng'.*Did you mean 'wrong'"),
        ({"reward": size, "params": {"scal": 0}}, "no parameter 'scal'.*Did you mean 'scale'.*Known: scale"),
        ({"reward": size, "params": {"rollout": 0}}, "no parameter 'rollout'"),
        (lambda: 1.0, "cannot be called with a rollout"),
        (lambda rollout, *, needed: 1.0, "cannot be called .* missing a required .*'needed'"),
        ({"reward": size, "concurrency": 0}, "must be an integer of at least 1, not 0"),
        ({"reward": size, "concurrency": True}, "must be an integer of at least 1, not True"),
        (5, "a reward is a name, a function or an object, not 5"),
        ({"reward": 5}, "a function or the name of one, not 5"),
    ],
)  # fmt: skip
def test_a_wrong_reward_is_found_when_the_rubric_is_built(spec, message):
    with pytest.raises(PluginError, match=message):
        rubric([spec])
    with pytest.raises(PluginError, match=message):
        gymnasium.make("SQLEnv-demo-v0", reward=[spec])


def test_a_reward_may_take_any_parameter():
    judge = rubric([{"reward": lambda rollout, **options: options["a"], "params": {"a": 3}}])
    assert judge.score(ROLLOUTS[:1])[0].total == 3.0


def test_an_unknown_comparison_is_found_when_the_scorer_is_built():
    with pytest.raises(ComparisonError, match="Did you mean 'spider'"):
        Scorer("result", comparison="spidr")
    with pytest.raises(ComparisonError, match="Did you mean 'spider'"):
        gymnasium.make("SQLEnv-demo-v0", comparison="spidr")


def test_a_preset_is_no_reward_to_check():
    with pytest.raises(PluginError, match=r"is a preset: check it with .*check_rubric\('sql-r1'\)"):
        check_reward("sql-r1")


# Async and batched rewards


@pytest.mark.parametrize("function", [size, *FORMS])
def test_every_form_keeps_the_contract(function):
    check_reward(function, scale=2.0)


@given(st.lists(st.sampled_from(ROLLOUTS), max_size=20), st.integers(1, 5))
def test_every_form_scores_like_the_plain_one(chosen, concurrency):
    expected = rubric([{"reward": size, "name": "x", "params": {"scale": 0.1}}, "format"]).score(chosen)
    for function in FORMS:
        spec = {"reward": function, "name": "x", "params": {"scale": 0.1}, "concurrency": concurrency}
        assert rubric([spec, "format"]).score(chosen) == expected


class Meter:
    """An async reward that counts the calls that run at the same time, and waits for a number of them."""

    def __init__(self, expected):
        self.expected, self.running, self.most = expected, 0, 0

    async def __call__(self, rollout):
        self.running += 1
        self.most = max(self.most, self.running)
        while self.most < self.expected:
            await asyncio.sleep(0.001)
        await asyncio.sleep(0)
        self.running -= 1
        return 1.0


@pytest.mark.parametrize(("given", "expected"), [({}, 64), ({"concurrency": 5}, 5)])
def test_async_calls_run_together_up_to_a_bound(given, expected):
    meter = Meter(expected)
    scores = rubric([{"reward": meter, **given}]).score(ROLLOUTS[:100])
    assert meter.most == expected
    assert [score.total for score in scores] == [1.0] * 100


def test_the_bound_counts_the_calls_of_all_threads():
    meter = Meter(4)
    judge = rubric([{"reward": meter, "concurrency": 4}])
    with ThreadPoolExecutor(16) as threads:
        totals = list(threads.map(lambda rollout: judge(rollout).total, ROLLOUTS[:64]))
    assert totals == [1.0] * 64
    assert meter.most == 4


def test_an_async_reward_is_scored_in_a_thread_that_runs_a_loop():
    """As in a notebook, and in verl's agent loop."""

    async def score():
        return rubric(size_later).score(ROLLOUTS[:20])

    assert asyncio.run(score()) == rubric([{"reward": size, "name": "size_later"}]).score(ROLLOUTS[:20])


def test_all_calls_share_one_loop():
    """A client that a reward keeps, such as a connection pool, belongs to the loop that made it."""
    loops = set()

    async def notes(rollout):
        loops.add((asyncio.get_running_loop(), threading.current_thread()))
        return 0.0

    rubric(notes).score(ROLLOUTS[:3])
    with ThreadPoolExecutor(2) as threads:
        list(threads.map(rubric(notes), ROLLOUTS[:6]))
    assert len(loops) == 1


@pytest.mark.filterwarnings("error")
def test_one_failure_cancels_the_calls_that_wait():
    started = []

    async def fails(rollout):
        started.append(rollout)
        await asyncio.sleep(0)
        raise ValueError("no key")

    with pytest.raises(RewardError, match="raised ValueError: no key"):
        rubric([{"reward": fails, "concurrency": 2}]).score(ROLLOUTS)
    assert len(started) < len(ROLLOUTS)

    def mixed(rollout):
        return size_later(rollout) if rollout is ROLLOUTS[0] else 1 / 0

    with pytest.raises(RewardError, match="division by zero"):
        rubric(mixed).score(ROLLOUTS[:2])


def test_an_async_reward_that_scores_with_async_rewards_does_not_wait_for_itself():
    inner = rubric(size_later)

    async def outer(rollout):
        return inner(rollout).total

    with pytest.raises(RewardError, match="await what it needs"):
        rubric(outer).score(ROLLOUTS[:1])


def test_a_child_process_has_a_loop_of_its_own():
    import multiprocessing

    expected = rubric(size_later).score(ROLLOUTS[40:42])
    with multiprocessing.get_context("fork").Pool(1) as pool:
        assert pool.map(rubric(size_later), ROLLOUTS[40:42]) == expected


def test_a_batched_reward_gets_all_rollouts_that_are_not_masked(ask):
    seen = []

    @batched
    def counts(rollouts):
        seen.append([rollout.completion for rollout in rollouts])
        rollouts.clear()  # its own list
        return np.arange(3.0)

    tasks = [ask("SELECT 1"), ask("SELECT nothing FROM nowhere"), ask("SELECT 2"), ask("SELECT 3")]
    with Scorer([counts]) as scorer:
        scores = scorer.score(["a", "b", "c", "d"], tasks)
        assert [score.total for score in scores] == [0.0, None, 1.0, 2.0]
        assert seen == [["a", "c", "d"]]
        scorer.score(["b"], tasks[1:2])
    assert len(seen) == 1


@pytest.mark.parametrize(
    ("returned", "message"),
    [
        ([1.0], r"returned 1 values for a list of 2 rollouts: it is marked with sql_env\.batched"),
        ("ab", "returned 'ab' for a list of 2"),
        ({1: 2, 3: 4}, "for a list of 2"),
        (1.0, "raised TypeError"),
        ([1.0, math.nan], "returned nan"),
    ],
)
def test_a_batched_reward_returns_one_value_for_each(returned, message):
    with pytest.raises(RewardError, match=message):
        rubric(batched(lambda rollouts: returned)).score(ROLLOUTS[:2])


def test_a_value_that_depends_on_the_others_breaks_the_contract():
    with pytest.raises(RewardError, match="for the same rollout"):
        check_reward(batched(lambda rollouts: [float(len(rollouts))] * len(rollouts)))


def test_the_marks_are_public():
    assert {"batched", "without_rows"} <= set(sql_env.__all__)
    assert WeightedReward("sizes", sizes).takes_batches

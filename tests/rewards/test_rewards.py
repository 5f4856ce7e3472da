"""Rewards and presets: the paper's numbers, and rules for every preset."""

import logging
import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rewards import custom, execution, format, length, result
from sql_env import plugins
from sql_env.errors import ComparisonError, FormatError, PluginError, RewardError
from sql_env.parser import parse, respond
from sql_env.scoring.rubric import load_rubric
from sql_env.testing import check_reward, check_rubric, sample_rollouts
from sql_env.types import Action, ExecutionResult, Rollout, Status, Task

TASK = Task("t", "How many?", "SELECT 1", "db.sqlite")
OK = ExecutionResult(Status.OK, ("n",), ((1,),))
ERROR = ExecutionResult(Status.ERROR, error="no such table: t")
TIMEOUT = ExecutionResult(Status.TIMEOUT, error="too many steps")
PRESETS = plugins.list_names(plugins.PRESETS)
REWARDS = plugins.list_names(plugins.REWARDS)
ANSWER = "```sql\nSELECT COUNT(*)\nFROM t\n```"
SQL_SHARE = len("SELECT COUNT(*)\nFROM t") / len(ANSWER)


def rollout(think="why", outcome=OK, correct=True, gold=OK, answer=ANSWER):
    text = f"<think>{think}</think><answer>{answer}</answer>"
    return Rollout(TASK, text, parse(text), outcome, gold, correct)


MALFORMED = Rollout(TASK, "no idea", Action(None), None, OK, correct=False)


# research: SQL-R1's paper, equations 2 to 5, and the totals measured on its released code
@pytest.mark.parametrize("preset", ["sql-r1", "sql-r1-legacy"])
@pytest.mark.parametrize(
    ("case", "components"),
    [
        (MALFORMED, (-1, 0, 0, 0)),
        (rollout(outcome=ERROR, correct=False), (1, -2, 0, 0)),
        (rollout(outcome=TIMEOUT, correct=False), (1, -2, 0, 0)),
        (rollout(correct=False), (1, 2, -3, 0)),
        (rollout(think=""), (1, 2, 3, 0.5 * len(ANSWER) / 2048 + SQL_SHARE)),
        (rollout(think="x" * (2000 - len(ANSWER))), (1, 2, 3, 0.5 * 2000 / 2048 + SQL_SHARE)),
        (rollout(think="x" * (2048 - len(ANSWER))), (1, 2, 3, 0.5 + SQL_SHARE)),
        (rollout(think="x" * 20_000), (1, 2, 3, 0.5 + SQL_SHARE)),
    ],
    ids=["bad format", "error", "timeout", "wrong", "short", "2000 chars", "at the maximum", "20000 chars"],
)
def test_sql_r1_rewards_as_the_paper_does(preset, case, components):
    score = load_rubric(preset)(case)
    assert tuple(score.components.values()) == pytest.approx(components)
    assert score.total == pytest.approx(sum(components))


def test_sql_r1s_totals_are_those_of_its_table():
    """Bad format -1, error -1 alike, runs but wrong 0, correct from 6 to 7.5."""
    totals = [
        load_rubric("sql-r1")(case).total for case in (MALFORMED, rollout(outcome=ERROR, correct=False))
    ]
    assert totals == [-1, -1]
    assert load_rubric("sql-r1")(rollout(correct=False)).total == 0
    assert all(
        6 < load_rubric("sql-r1")(rollout(think="x" * n)).total <= 7.5 for n in (0, 100, 5_000, 50_000)
    )


def test_legacy_measures_sql_with_its_white_space_collapsed():
    answer = "```sql\nSELECT   COUNT(*)\n  FROM t\n```"
    spaced = rollout(answer=answer)
    paper, legacy = (load_rubric(name)(spaced).components["length"] for name in ("sql-r1", "sql-r1-legacy"))
    assert paper - legacy == pytest.approx(4 / len(answer))


def test_legacy_warns_of_its_faults(caplog):
    with caplog.at_level(logging.WARNING):
        load_rubric("sql-r1-legacy")
    assert "ties in ORDER BY" in caplog.text
    assert load_rubric("sql-r1-legacy").comparison == "sql-r1"


@pytest.mark.parametrize(
    ("preset", "malformed", "fails", "wrong", "right"),
    [("skyrl-sql", -1, 0, 0, 1), ("arctic", 0, 0, 0.1, 1)],
)
def test_other_presets_reward_as_their_papers_do(preset, malformed, fails, wrong, right):
    judge = load_rubric(preset)
    cases = (MALFORMED, rollout(outcome=ERROR, correct=False), rollout(correct=False), rollout())
    assert [judge(case).total for case in cases] == [malformed, fails, wrong, right]


@pytest.mark.parametrize("preset", PRESETS)
@pytest.mark.parametrize("status", [s for s in Status if s is not Status.OK])
def test_a_failed_gold_is_masked(preset, status):
    broken = ExecutionResult(status, error="no such column")
    for case in (
        Rollout(TASK, "", Action(None), None, broken, None),
        rollout(gold=broken, correct=None),
        rollout(gold=broken, outcome=broken, correct=None),
    ):
        score = load_rubric(preset)(case)
        assert score.masked
        assert score.total is None
        assert set(score.components.values()) == {None}


def test_a_worker_that_failed_is_masked_too():
    lost = ExecutionResult(Status.UNAVAILABLE, error="the worker died")
    assert load_rubric("sql-r1")(rollout(outcome=lost, correct=False)).masked


@pytest.mark.parametrize("name", REWARDS)
def test_every_reward_keeps_its_contract(name):
    check_reward(name)


def test_the_worked_example_keeps_its_contract():
    check_reward("rewards.custom:brevity", max_chars=100)
    assert custom.brevity(rollout()) == pytest.approx(1 - len("SELECT COUNT(*)\nFROM t") / 200)
    assert custom.brevity(MALFORMED) is None


@pytest.mark.parametrize("name", PRESETS)
def test_no_wrong_answer_is_rewarded_like_a_right_one(name):
    check_rubric(name)


@given(st.data())
def test_totals_are_finite_and_wrong_is_below_right(data):
    preset = load_rubric(data.draw(st.sampled_from(PRESETS)))
    seen = list(sample_rollouts(preset.form))
    right = preset(data.draw(st.sampled_from([r for r in seen if r.correct])))
    wrong = preset(data.draw(st.sampled_from([r for r in seen if not r.correct])))
    assert math.isfinite(right.total)
    assert wrong.total < right.total


@given(st.text(max_size=40).filter(lambda s: s.strip()))
def test_format_does_not_depend_on_the_sql(sql):
    text = respond(sql.replace("`", "'").replace("<", ">"), "why")
    case = Rollout(TASK, text, parse(text), ERROR, OK, correct=False)
    assert format.format(case) == format.format(rollout()) == 1.0


def test_components_take_parameters():
    assert format.format(MALFORMED, bad=-5.0) == -5.0
    assert execution.execution(rollout(), runs=0.1) == 0.1
    assert result.result(rollout(correct=False), wrong=0.0) == 0.0
    assert length.length(rollout(), max_length=10) == pytest.approx(0.5 + SQL_SHARE)


def words(text):
    return len(text.split())


def test_length_counts_tokens_with_a_count_function(monkeypatch):
    monkeypatch.setattr("sql_env.testing.words", words, raising=False)
    paid = length.length(rollout(think="one two three"), count="sql_env.testing:words", max_length=100)
    assert paid == pytest.approx(0.5 * (3 + 6) / 100 + 4 / 6)


def test_a_rubric_is_named_by_data():
    judge = load_rubric(
        {
            "rewards": [
                "format",
                {"reward": "result", "weight": 2.0, "name": "right", "params": {"wrong": 0.0}},
            ],
            "comparison": "bird",
        }
    )
    score = judge(rollout())
    assert score.components == {"format": 1.0, "right": 3.0}
    assert score.total == 7.0


@pytest.mark.parametrize(
    ("spec", "error", "message"),
    [
        ("sql-r2", PluginError, "Did you mean 'sql-r1'"),
        ("nowhere:reward", PluginError, "cannot load"),
        (["format", "formt"], PluginError, "Did you mean 'format'"),
        ([], PluginError, "at least one reward"),
        (["format", "format"], PluginError, "a different name for each"),
        ([{"reward": "format", "wieght": 2}], PluginError, "Did you mean 'weight'"),
        ([{"reward": "format", "weight": "2"}], PluginError, "finite number"),
        ([{"reward": "format", "weight": math.nan}], PluginError, "finite number"),
        ({"rewards": ["format"], "comparison": "sider"}, ComparisonError, "Did you mean 'spider'"),
        ({"rewards": ["format"], "response_format": "xml"}, FormatError, "no response format"),
        (["math:pi"], PluginError, "not callable"),
        (None, PluginError, "a list of names"),
        ({"rewards": "format"}, PluginError, "a list of names"),
        ([{"reward": "format", "params": 5}], PluginError, "must be an object"),
        ([{"reward": "format", "weight": 10**400}], PluginError, "finite number"),
    ],
)
def test_a_mistake_in_a_rubric_says_how_to_mend_it(spec, error, message):
    with pytest.raises(error, match=message):
        load_rubric(spec)


@pytest.mark.parametrize(
    ("reward", "message"),
    [
        (lambda rollout: 1 / 0, "raised ZeroDivisionError"),
        (lambda rollout: math.nan, "returned nan"),
        (lambda rollout: math.inf, "returned inf"),
        (lambda rollout: 10**400, "returned 1000"),
        (lambda rollout: "1", "returned '1'"),
        (lambda rollout, calls=[]: calls.append(0) or len(calls), "for the same rollout"),
    ],
)
def test_the_contract_catches_a_broken_reward(reward, message):
    with pytest.raises(RewardError, match=message):
        check_reward(reward)


def test_the_contract_catches_a_rubric_that_rewards_wrong_answers():
    with pytest.raises(RewardError, match=r"gives 1\.0 for a wrong"):
        check_rubric(["format"])

from itertools import combinations
from statistics import mean

import pytest
from hypothesis import given
from hypothesis import strategies as st

from benchmarks.metrics.accuracy import (
    compute_accuracy,
    compute_validity,
    is_valid,
    is_vote_correct,
    mean_at_1,
    pass_at_k,
    pass_at_k_by_task,
    pick_by_vote,
)
from benchmarks.metrics.intervals import bootstrap_interval
from sql_env import Action, ExecutionResult, Rollout, Score, Status, Task

GOLD = ExecutionResult(Status.OK, ("a",), ((1,),))
FAILED = ExecutionResult(Status.ERROR, error="no such table")


def rollout(result, correct=None, gold=GOLD, difficulty=""):
    task = Task("t", "?", "SELECT 1", "d.sqlite", difficulty=difficulty)
    return Rollout(task, "", Action("SELECT 1" if result else None), result, gold, correct)


def rows(*values):
    return rollout(ExecutionResult(Status.OK, ("a",), tuple((value,) for value in values)))


def score(correct, difficulty=""):
    judged = rollout(GOLD, correct, FAILED if correct is None else GOLD, difficulty)
    return Score(None if correct is None else float(correct), {}, judged)


def test_accuracy_leaves_masked_ones_out():
    assert compute_accuracy([score(True), score(False), score(None), score(True)]) == pytest.approx(2 / 3)
    assert compute_accuracy([score(None)]) is None
    assert compute_accuracy([score(None), score(False)]) == 0.0


@given(st.lists(st.lists(st.booleans(), min_size=3, max_size=6), min_size=1, max_size=4), st.integers(1, 3))
def test_pass_at_k_is_the_mean_over_all_draws(correct, k):
    drawn = mean(mean(any(draw) for draw in combinations(samples, k)) for samples in correct)
    assert pass_at_k(correct, k) == pytest.approx(drawn)


def test_pass_at_k_leaves_masked_ones_out():
    assert pass_at_k([[True, None, False], [None, None]], 2) == 1.0
    assert mean_at_1([[True, None, False], [None], [False]]) == 0.25
    assert pass_at_k([[None]], 5) is None
    with pytest.raises(ValueError, match="pass@2 needs 2 samples of each task, but one task has 1"):
        pass_at_k([[True, None], [True, False]], 2)
    with pytest.raises(ValueError, match="at least 1"):
        pass_at_k([], 0)


def test_vote_picks_the_commonest_result():
    assert pick_by_vote([rows(1), rows(2, 3), rows(3, 2, 2)]) == 1


def test_vote_gives_ties_to_the_first_seen():
    assert pick_by_vote([rows(1), rows(2), rows(2), rows(1)]) == 0


def test_vote_hears_only_results():
    assert pick_by_vote([rollout(None), rollout(FAILED), rollout(FAILED), rows(7)]) == 3
    assert pick_by_vote([rollout(None), rollout(FAILED)]) is None
    assert pick_by_vote([]) is None
    assert pick_by_vote([rollout(FAILED), rows(), rows(), rows(1)]) == 1


@given(st.lists(st.none() | st.lists(st.integers(0, 2), max_size=2), max_size=8))
def test_vote_wins_or_nobody_votes(candidates):
    rollouts = [rollout(None) if values is None else rows(*values) for values in candidates]
    groups = [None if values is None else frozenset(values) for values in candidates]
    winner = pick_by_vote(rollouts)
    votes = [groups.count(group) for group in groups if group is not None]
    if winner is None:
        assert not votes
    else:
        assert groups.count(groups[winner]) == max(votes)
        assert groups.index(groups[winner]) == winner


LOST = ExecutionResult(Status.UNAVAILABLE, error="the worker died")


def test_validity_leaves_out_masked_predictions():
    """What ran counts, right or wrong. A failing gold query or a lost worker masks its item."""
    judged = [
        Score(None, {}, rollout(result, gold=gold))
        for result in (GOLD, FAILED, None, LOST)
        for gold in (GOLD, FAILED)
    ]
    assert [is_valid(score) for score in judged] == [
        True, None, False, None, False, None, None, None,
    ]  # fmt: skip
    assert compute_validity(judged) == pytest.approx(1 / 3)
    assert compute_validity(judged[-2:]) is None


@given(st.lists(st.lists(st.none() | st.booleans(), min_size=0, max_size=5), max_size=6))
def test_chances_are_what_pass_at_k_averages(correct):
    chances = pass_at_k_by_task(correct, 1)
    assert [chance is None for chance in chances] == [set(samples) <= {None} for samples in correct]
    found = bootstrap_interval(chances, resamples=50)
    assert pass_at_k(correct, 1) == (None if found is None else pytest.approx(found.mean))


def test_voted_is_whether_the_winner_is_right():
    def answer(value, correct):
        return rollout(ExecutionResult(Status.OK, ("a",), ((value,),)), correct)

    assert is_vote_correct([answer(1, False), answer(2, True), answer(2, True)]) is True
    assert is_vote_correct([answer(1, False), answer(2, True)]) is False
    assert is_vote_correct([rollout(FAILED, False), rollout(None, False)]) is False
    assert is_vote_correct([rollout(LOST), rollout(LOST), answer(3, True)]) is True
    assert is_vote_correct([rollout(LOST)]) is None
    assert is_vote_correct([]) is None

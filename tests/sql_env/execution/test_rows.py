"""Rows that stay where the query ran: nobody takes them for none, and all are told how to get them."""

import copy
import json
import operator
import pickle

import pytest

from sql_env import Scorer, without_rows
from sql_env.errors import RewardError, RowsError
from sql_env.execution.rows import ROWS_NOT_FETCHED
from sql_env.scoring.reward import WeightedReward
from sql_env.scoring.rubric import Rubric
from sql_env.testing import check_reward
from sql_env.types import ExecutionResult, Status

ORDER = {"__eq__", "__ne__", "__lt__", "__le__", "__gt__", "__ge__"}
HARMLESS = {*dir(object), "__class_getitem__", "__getnewargs__"} - ORDER
"""What says nothing of what is in a tuple; `__getnewargs__` is for pickle, which does not ask it here."""

EMPTY = ()
READS = {
    "unpacked": lambda rows: [*rows],
    "to names": lambda rows: dict(zip("a", *rows, strict=True)),
    "as arguments": lambda rows: print(*rows),
    "list": list,
    "tuple": tuple,
    "set": set,
    "sorted": sorted,
    "any": any,
    "not": lambda rows: not rows,
    "or": lambda rows: rows or (),
    "slice": lambda rows: rows[:1],
    "after": lambda rows: EMPTY + rows,
    "before": lambda rows: rows + EMPTY,
    "equal": lambda rows: rows == (),
    "equal from the left": lambda rows: operator.eq((), rows),
    "less": lambda rows: operator.lt((), rows),
    "json": json.dumps,
    "join": lambda rows: "".join(rows),
    "enumerate": lambda rows: next(enumerate(rows)),
}


@pytest.mark.parametrize("name", sorted(set(dir(tuple)) - HARMLESS))
def test_every_method_of_a_tuple_refuses(name):
    with pytest.raises(RowsError, match="rows=True"):
        getattr(ROWS_NOT_FETCHED, name)(())


@pytest.mark.parametrize("read", READS.values(), ids=READS)
def test_whatever_reads_them_refuses(read):
    with pytest.raises(RowsError, match="without_rows"):
        read(ROWS_NOT_FETCHED)


def test_there_is_one_of_it():
    copies = [pickle.loads(pickle.dumps(ROWS_NOT_FETCHED, p)) for p in range(pickle.HIGHEST_PROTOCOL + 1)]
    copies += [copy.copy(ROWS_NOT_FETCHED), copy.deepcopy(ROWS_NOT_FETCHED)]
    assert all(each is ROWS_NOT_FETCHED for each in copies)
    result = ExecutionResult(Status.OK, ("a",), ROWS_NOT_FETCHED)
    assert pickle.loads(pickle.dumps(result)).rows is ROWS_NOT_FETCHED
    assert copy.deepcopy(result) == result  # identical rows are equal unread
    assert {ROWS_NOT_FETCHED: 1}[ROWS_NOT_FETCHED] == 1
    assert repr(ROWS_NOT_FETCHED) == "<rows not fetched>"


@without_rows
def counts_rows(rollout):
    return float(len(rollout.result.rows)) if rollout.result else 0.0


@without_rows
def hides_its_error(rollout):
    try:
        return counts_rows(rollout)
    except RowsError:
        return -1.0


@without_rows
def reads_the_gold(rollout):
    return float(len(rollout.gold.rows) + len(rollout.result.columns if rollout.result else ()))


def test_a_marked_reward_that_reads_rows_is_told(ask):
    rubric = Rubric("mine", (WeightedReward("counts", counts_rows),))
    completion = "<think></think><answer>```sql\nSELECT 1\n```</answer>"
    with Scorer(rubric) as scorer:
        with pytest.raises(RewardError, match=r"'counts' raised RowsError: .* rows=True\. .* not be marked"):
            scorer.score([completion], [ask("SELECT 2")])
        assert scorer.score([completion], [ask("SELECT 2")], rows=True)[0].total == 1.0


def test_check_reward_finds_it():
    with pytest.raises(RewardError, match=r"RowsError: .*without_rows"):
        check_reward(counts_rows)
    with pytest.raises(RewardError, match=r"gives 0\.0 with rows and -1\.0 without"):
        check_reward(hides_its_error)
    check_reward(reads_the_gold)
    check_reward(lambda rollout: counts_rows(rollout))  # which is not marked

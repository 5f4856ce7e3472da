"""Streams: the scores of a batch, with no more read than is needed."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from benchmarks.evaluation.judging import SQL
from sql_env import Scorer, Task
from sql_env.errors import ClosedError
from sql_env.scoring.stream import score_stream


@pytest.fixture(scope="module")
def world(tmp_path_factory, make_concerts):
    path = str(make_concerts(tmp_path_factory.mktemp("stream") / "concerts.sqlite"))
    golds = ("SELECT name FROM singer", "SELECT count(*) FROM concert", "SELECT gone FROM singer")
    with Scorer(SQL) as scorer:
        yield scorer, [Task(f"t{n}", "Which?", gold, path) for n, gold in enumerate(golds)]


@settings(max_examples=30)
@given(
    st.lists(
        st.tuples(st.sampled_from(["SELECT name FROM singer", "SELECT 4", "SELECT"]), st.integers(0, 2))
    ),
    st.integers(1, 9),
    st.integers(1, 3),
)
def test_scores_are_those_of_one_batch_in_its_order(world, picked, batch, ahead):
    scorer, tasks = world
    pairs = [(text, tasks[place]) for text, place in picked]
    expected = scorer.score([text for text, _ in pairs], [task for _, task in pairs])
    assert list(score_stream(scorer, iter(pairs), batch=batch, ahead=ahead)) == expected


def test_no_more_is_read_than_is_under_way(world):
    scorer, tasks = world
    read = []

    def endless():
        while True:
            read.append(len(read))
            yield "SELECT 1", tasks[0]

    scores = score_stream(scorer, endless(), batch=5, ahead=3)
    assert read == []
    for number in range(23):
        assert next(scores).rollout.correct is False
        assert len(read) <= number + 15 + 5
    scores.close()


def test_mistakes_and_errors_come_out(world):
    scorer, tasks = world
    for options in ({"batch": 0}, {"ahead": 0}):
        with pytest.raises(ValueError, match="must be positive"):
            list(score_stream(scorer, [], **options))
    with Scorer(SQL) as closed:
        pass
    with pytest.raises(ClosedError):
        list(score_stream(closed, [("SELECT 1", tasks[0])]))

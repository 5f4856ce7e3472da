"""The vector environment: what as many single environments do, in one batch a step."""

import json

import gymnasium
import numpy as np
import pytest
from gymnasium.error import ResetNeeded, UnsupportedMode
from gymnasium.vector import AutoresetMode, SyncVectorEnv
from gymnasium.wrappers.vector import RecordEpisodeStatistics
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from sql_env import Executor, SQLEnv, respond
from sql_env.envs.vector_env import SQLVectorEnv
from sql_env.errors import ArgumentError, GoldError, PluginError, TaskError

COUNT = "SELECT COUNT(*) FROM singer"
FRENCH = "SELECT name FROM singer WHERE country = 'France'"
GOLDS = {"count": COUNT, "names": FRENCH, "broken": "SELECT missing FROM nowhere"}
NUM = 3


def look(sql):
    return f"<think>A look.</think><sql>{sql}</sql>"


queries = st.sampled_from(
    [COUNT, FRENCH, "SELECT 1", "SELECT x", "DROP TABLE singer", "SELECT * FROM singer"]
)
completions = st.one_of(
    queries.map(lambda sql: respond(sql, "why")),
    queries.map(look),
    st.sampled_from(["", "no idea", look("SELECT 1") + respond("SELECT 1", "why")]),
)
steps = st.lists(st.lists(completions, min_size=NUM, max_size=NUM), min_size=1, max_size=6)


@pytest.fixture(scope="module")
def jsonl(tmp_path_factory, make_concerts):
    """A benchmark file of two good tasks and one whose gold fails."""
    place = tmp_path_factory.mktemp("vector")
    make_concerts(place / "concerts.sqlite")
    rows = [
        {"id": i, "question": f"{i}?", "sql": sql, "database": "concerts.sqlite"} for i, sql in GOLDS.items()
    ]
    (place / "tasks.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    return str(place / "tasks.jsonl")


@pytest.fixture(scope="module", params=[1, 3], ids=["one turn", "three turns"])
def pair(request, jsonl):
    """As many single environments, and the vector environment that is to do the same."""
    arguments = {"path": jsonl, "max_turns": request.param, "max_queries": 1, "render_mode": "ansi"}
    single = [SQLEnv("jsonl", **arguments) for _ in range(NUM)]
    vector = SQLVectorEnv(NUM, benchmark="jsonl", workers=2, **arguments)
    yield single, vector
    vector.close()
    for env in single:
        env.close()


def sync(single, mode):
    """gymnasium's vector of environments that live on when it is collected."""
    return SyncVectorEnv([lambda env=env: env for env in single], autoreset_mode=mode)


def same(one, other):
    """Whether two infos, observations or arrays are the same, and of the same types."""
    if isinstance(one, dict):
        return isinstance(other, dict) and set(one) == set(other) and all(same(one[k], other[k]) for k in one)
    if isinstance(one, np.ndarray):
        return (
            one.dtype == other.dtype and one.shape == other.shape and str(one.tolist()) == str(other.tolist())
        )
    return type(one) is type(other) and one == other


def check(expected, got):
    for one, other in zip(expected, got, strict=True):
        assert same(one, other), f"{one}\n\n{other}"


@settings(max_examples=8, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(seed=st.integers(0, 2**32), batches=steps)
@pytest.mark.parametrize("mode", AutoresetMode, ids=lambda mode: mode.value)
def test_it_does_what_single_environments_do(pair, mode, seed, batches):
    single, vector = pair
    expected = sync(single, mode)
    vector._mode = vector.metadata["autoreset_mode"] = mode  # else each mode needs processes of its own
    check(expected.reset(seed=seed), vector.reset(seed=seed))
    assert vector.np_random_seed == tuple(seed + i for i in range(NUM)) == expected.np_random_seed
    for actions in batches:
        wanted = expected.step(actions)
        check(wanted, vector.step(actions))
        over = wanted[2]
        if mode is AutoresetMode.DISABLED and over.any():
            check(expected.reset(options={"reset_mask": over}), vector.reset(options={"reset_mask": over}))
    assert expected.render() == vector.render()


@pytest.fixture(scope="module")
def shared(jsonl):
    with_mode = {"autoreset_mode": "Disabled", "max_turns": 2, "view": {"rows": 1}}
    envs = gymnasium.make_vec("SQLEnv-jsonl-v0", 4, "vector_entry_point", path=jsonl, **with_mode)
    yield envs
    envs.close()


def test_it_is_made_by_name(shared):
    assert isinstance(shared, SQLVectorEnv)
    assert shared.metadata["autoreset_mode"] is AutoresetMode.DISABLED
    assert shared.num_envs == len(shared.observation_space) == len(shared.action_space) == 4
    prompts, _ = shared.reset(seed=0)
    assert prompts in shared.observation_space
    assert shared.action_space.sample() in shared.action_space


def test_a_step_is_one_batch_of_queries_and_one_of_answers(shared, monkeypatch):
    shared.reset(options={"task_id": "count"})
    batches, run = [], Executor.run_many
    monkeypatch.setattr(Executor, "run_many", lambda self, some: batches.append(some) or run(self, some))
    observations, *_ = shared.step(
        [look("SELECT 7"), look("SELECT 7"), look("SELECT 8"), look("SELECT missing")]
    )
    assert [[query.sql for query in batch] for batch in batches] == [
        ["SELECT 7", "SELECT 8", "SELECT missing"]
    ]
    assert [text.split("\n")[2] for text in observations[:3]] == ["7", "7", "8"]
    assert "no such column" in observations[3]


def test_each_environment_can_be_given_its_task(shared):
    ids = ["names", "count", "count", "names"]
    prompts, infos = shared.reset(options={"task_id": ids})
    assert list(infos["task_id"]) == ids
    assert ["names?" in prompt for prompt in prompts] == [True, False, False, True]
    mask = np.array([True, False, False, False])
    again, infos = shared.reset(options={"task_id": ["count", "x", "x", "x"], "reset_mask": mask})
    assert again[1:] == prompts[1:]
    assert again[0] == prompts[1]
    assert list(infos["_task_id"]) == list(mask)
    answers = [respond(GOLDS[i], "why") for i in ["count", *ids[1:]]]
    assert (shared.step(answers)[1] > 6).all()


def test_infos_belong_to_nobody_else(shared):
    """Environments with the same task share its prompt, but not the chat that a caller goes on with."""
    _, infos = shared.reset(options={"task_id": "count"})
    infos["messages"][0][0]["content"] = "spoilt"
    infos["messages"][0].append("spoilt")
    assert infos["messages"][1][0]["content"] != "spoilt"
    _, infos = shared.reset(options={"task_id": "count"})
    assert "spoilt" not in str(infos["messages"])


def test_mistakes_say_how_to_mend_them(shared, jsonl):
    shared.reset(seed=1)
    for wrong in (["x"] * 3, ["x"] * 5, [], "xxxx", None, 4, iter("xxxx")):
        with pytest.raises(ArgumentError, match="give 4 actions, one for each environment"):
            shared.step(wrong)
    for strange in (None, 5, b"x", ["x"]):
        with pytest.raises(ArgumentError, match="an action is a completion, a str, not"):
            shared.step(["x", "x", strange, "x"])
    with pytest.raises(ArgumentError, match="give 4 seeds"):
        shared.reset(seed=[1, 2])
    with pytest.raises(ArgumentError, match="give 4 task ids"):
        shared.reset(options={"task_id": ["count"]})
    with pytest.raises(ArgumentError, match="reset_mask must be a numpy array of 4 bool"):
        shared.reset(options={"reset_mask": [True] * 4})
    with pytest.raises(TaskError, match="Did you mean 'count'"):
        shared.reset(options={"task_id": "cuont"})
    with pytest.raises(TaskError, match="no reset option is called"):
        shared.reset(options={"task": "count"})
    with pytest.raises(GoldError, match="no such table: nowhere"):
        shared.reset(options={"task_id": "broken"})
    for wrong in (0, -1, 1.0, True, "2"):
        with pytest.raises(ArgumentError, match="num_envs must be a positive integer"):
            SQLVectorEnv(wrong)
    with pytest.raises(ArgumentError, match="Did you mean 'SameStep'"):
        SQLVectorEnv(autoreset_mode="SamStep")
    with pytest.raises(UnsupportedMode, match="Did you mean 'ansi'"):
        SQLVectorEnv(render_mode="ansy")
    with pytest.raises(PluginError, match="it takes"):
        SQLVectorEnv(benchmark="jsonl", pth=jsonl)


def test_an_episode_that_is_over_needs_a_reset(shared, jsonl):
    with pytest.raises(ResetNeeded, match="environment 0 has no episode"):
        SQLVectorEnv(2, benchmark="jsonl", path=jsonl).step(["x", "x"])
    shared.reset(seed=1)
    assert list(shared.step(["x", look("SELECT 1"), "x", "x"])[2]) == [True, False, True, True]
    with pytest.raises(ResetNeeded, match=r"environments \[0, 2, 3\] are over"):
        shared.step(["x"] * 4)
    shared.reset(options={"reset_mask": np.array([True, False, True, True])})
    assert list(shared.step(["x"] * 4)[2]) == [True] * 4


def test_human_mode_prints_what_was_done(jsonl, capsys):
    with_mode = {"render_mode": "human", "autoreset_mode": "SameStep"}
    envs = gymnasium.make_vec("SQLEnv-jsonl-v0", 2, path=jsonl, **with_mode)
    envs.reset(options={"task_id": "count"})
    envs.step([respond(COUNT, "why"), "no idea"])
    envs.close()
    shown = capsys.readouterr().out
    assert shown.count("count?") == 2
    assert "+3.000" in shown
    assert "does not follow" in shown


def test_episode_statistics_are_recorded(jsonl):
    envs = gymnasium.make_vec("SQLEnv-jsonl-v0", 2, path=jsonl)
    wrapped = RecordEpisodeStatistics(envs)
    wrapped.reset(seed=0)
    *_, infos = wrapped.step(["no idea", "no idea"])
    assert list(infos["episode"]["r"]) == [-1.0, -1.0]
    wrapped.close()


@pytest.mark.slow
def test_a_thousand_environments_draw_what_as_many_single_ones_draw():
    """And SAME_STEP goes on with the generator of each, over many steps."""
    envs = gymnasium.make_vec("SQLEnv-demo-v0", 1024, split="train")
    single = gymnasium.make("SQLEnv-demo-v0", split="train").unwrapped
    _, infos = envs.reset(seed=7)
    drawn = [list(infos["task_id"])]
    for _ in range(3):
        *_, infos = envs.step(["no idea"] * 1024)
        drawn.append(list(infos["task_id"]))
    for place in range(0, 1024, 101):
        ids = [single.reset(seed=7 + place)[1]["task_id"]] + [single.reset()[1]["task_id"] for _ in range(3)]
        assert ids == [each[place] for each in drawn]
    single.close()
    envs.close()

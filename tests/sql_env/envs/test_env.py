"""The Gymnasium environment, for every installed benchmark."""

import json
import subprocess
import sys
import time
import warnings

import gymnasium
import pytest
from gymnasium.error import ResetNeeded, UnsupportedMode
from gymnasium.utils.env_checker import check_env
from gymnasium.vector import AsyncVectorEnv, AutoresetMode, SyncVectorEnv
from gymnasium.wrappers import RecordEpisodeStatistics
from hypothesis import given
from hypothesis import strategies as st

import sql_env
from sql_env import plugins, respond
from sql_env.envs.registration import get_environment_id
from sql_env.envs.space import TextSpace
from sql_env.errors import DatabaseError, GoldError, LimitError, PluginError, TaskError

FRENCH = "SELECT name FROM singer WHERE country = 'France'"


@pytest.fixture
def jsonl(concerts, tmp_path):
    """A benchmark file over `concerts`: two good tasks, one whose gold fails."""
    rows = [
        {"id": "count", "question": "How many singers?", "sql": "SELECT COUNT(*) FROM singer"},
        {
            "id": "names",
            "question": "Who is French?",
            "sql": "SELECT name FROM singer WHERE country = 'France'",
        },
        {"id": "broken", "question": "What?", "sql": "SELECT missing FROM nowhere"},
    ]
    path = tmp_path / "tasks.jsonl"
    path.write_text("".join(json.dumps({**row, "database": concerts.name}) + "\n" for row in rows))
    return str(path)


@pytest.fixture
def env(jsonl):
    with gymnasium.make("SQLEnv-jsonl-v0", path=jsonl, render_mode="ansi") as made:
        yield made


@pytest.fixture
def arguments(jsonl, request):
    """What each environment id needs to be made from the data at hand."""
    return {
        "demo": dict,
        "jsonl": lambda: {"path": jsonl},
        "spider": lambda: {"data_dir": str(request.getfixturevalue("shared_data") / "spider")},
        "bird": lambda: {"data_dir": str(request.getfixturevalue("shared_data") / "bird")},
        "synsql": lambda: {"data_dir": str(request.getfixturevalue("synsql"))},
    }


@pytest.fixture
def synsql(concerts, tmp_path):
    """SynSQL's layout, with one task."""
    place = tmp_path / "synsql" / "databases" / "concerts"
    place.mkdir(parents=True)
    (place / "concerts.sqlite").write_bytes(concerts.read_bytes())
    row = {
        "db_id": "concerts",
        "sql_complexity": "Simple",
        "question_style": "Formal",
        "question": "How many singers are there?",
        "external_knowledge": "",
        "cot": "Count the rows of singer.",
        "sql": "SELECT COUNT(*) FROM singer",
    }
    (tmp_path / "synsql" / "data.json").write_text(json.dumps([row]))
    return tmp_path / "synsql"


@pytest.mark.parametrize("name", plugins.list_names(plugins.BENCHMARKS))
@pytest.mark.slow
def test_every_id_passes_gymnasiums_checker(name, arguments):
    env = gymnasium.make(get_environment_id(name), **arguments[name]())
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        check_env(env.unwrapped)
    env.close()


def test_the_id_works_without_an_import_too():
    code = "import gymnasium; print(gymnasium.make('sql_env:SQLEnv-demo-v0').spec.id)"
    made = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert made.stdout.strip() == "SQLEnv-demo-v0"


def test_an_episode(env):
    prompt, info = env.reset(options={"task_id": "names"})
    assert "Who is French?" in prompt
    assert "CREATE TABLE singer" in prompt
    assert [message["role"] for message in info["messages"]] == ["system", "user"]
    assert "WHERE country = 'France'" not in prompt
    answer = respond(FRENCH, "Filter by country.")
    observation, reward, terminated, truncated, info = env.step(answer)
    assert (observation, terminated, truncated) == ("", True, False)
    assert reward == pytest.approx(sum(info["components"].values()))
    assert info["correct"]
    assert info["status"] == "ok"
    json.dumps(info)


def test_a_step_after_the_end_needs_a_reset(env):
    with pytest.raises(ResetNeeded):
        env.step("x")
    env.reset(seed=1)
    env.step("x")
    with pytest.raises(ResetNeeded, match="call reset"):
        env.unwrapped.step("x")


def test_the_same_seed_draws_the_same_tasks(env):
    def draws(seed):
        ids = [env.reset(seed=seed)[1]["task_id"]]
        return ids + [env.reset()[1]["task_id"] for _ in range(10)]

    assert draws(7) == draws(7)
    assert set(draws(7)) == {"count", "names"}, "a task whose gold query fails is skipped"


def test_mistakes_at_reset_and_at_making(env, jsonl, concerts, tmp_path):
    with pytest.raises(TaskError, match="Did you mean 'count'"):
        env.reset(options={"task_id": "cuont"})
    for strange in (5, None, ["count"]):
        with pytest.raises(TaskError, match="no task has the id"):
            env.reset(options={"task_id": strange})
    with pytest.raises(TaskError, match="no reset option is called"):
        env.reset(options={"task": "count"})
    with pytest.raises(GoldError, match="no such table: nowhere"):
        env.reset(options={"task_id": "broken"})
    with pytest.raises(LimitError, match="Did you mean 'max_rows'"):
        gymnasium.make("SQLEnv-jsonl-v0", path=jsonl, limits={"max_row": 3})
    with pytest.raises(LimitError, match="must be positive"):
        gymnasium.make("SQLEnv-jsonl-v0", path=jsonl, limits={"max_rows": -3})
    with pytest.raises(PluginError, match="Did you mean 'sql-r1'"):
        gymnasium.make("SQLEnv-jsonl-v0", path=jsonl, reward="sqlr1")
    with pytest.raises(PluginError, match="it takes"):
        gymnasium.make("SQLEnv-jsonl-v0", pth=jsonl)
    with pytest.raises(UnsupportedMode, match="Did you mean 'ansi'"):
        sql_env.SQLEnv("jsonl", path=jsonl, render_mode="ansy")


def test_a_database_that_goes_away_is_named(env, concerts):
    concerts.unlink()
    with pytest.raises((GoldError, DatabaseError), match=r"concerts\.sqlite"):
        env.reset(options={"task_id": "count"})


@given(st.integers(0, 2**32 - 1))
def test_samples_score_and_never_raise(seed):
    env = test_samples_score_and_never_raise.env
    env.action_space.seed(seed)
    env.reset(seed=seed)
    action = env.action_space.sample()
    assert action in env.action_space
    _, reward, *_ = env.step(action)
    assert -1 <= reward <= 7.5


@pytest.fixture(scope="module", autouse=True)
def shared_env():
    env = gymnasium.make("SQLEnv-demo-v0")
    test_samples_score_and_never_raise.env = env
    yield
    env.close()


def test_the_panel_shows_question_sql_results_and_rewards(env):
    env.reset(options={"task_id": "names"})
    assert "Who is French?" in env.render()
    env.step(respond("select name, age from singer where age > 40", "why"))
    shown = env.render()
    for word in (
        "Who is French?",
        "SELECT",
        "result: 2 rows",
        "gold: 2 rows",
        "Zoë",
        "Ann",
        "format",
        "+1.000",
        "total",
    ):
        assert word in shown


def test_the_panel_does_not_draw_megabytes_to_show_a_few_letters(env):
    env.reset(options={"task_id": "names"})
    env.step(respond("SELECT hex(zeroblob(500000)), zeroblob(1000000)", "why"))
    began = time.process_time()
    assert "0000…" in env.render()
    assert time.process_time() - began < 2


def test_the_panel_cannot_be_steered_by_what_it_shows(env):
    env.reset(options={"task_id": "names"})
    env.step(respond("SELECT '\x1b[2J\u202e [bold red]x[/]' AS \"\x1b[1m\"", "why"))
    shown = env.render()
    assert "\x1b" not in shown
    assert "\u202e" not in shown
    assert "[bold red]" in shown


def test_human_mode_prints(jsonl, capsys):
    with gymnasium.make("SQLEnv-jsonl-v0", path=jsonl, render_mode="human") as env:
        env.reset(options={"task_id": "count"})
        env.step(respond("SELECT 5", "why"))
    assert "+3.000" in capsys.readouterr().out


def test_episode_statistics_are_recorded(env):
    wrapped = RecordEpisodeStatistics(env)
    wrapped.reset(options={"task_id": "count"})
    *_, info = wrapped.step(respond("SELECT 5", "why"))
    assert info["episode"]["r"] > 6
    assert info["episode"]["l"] == 1


@pytest.mark.parametrize("vector", [SyncVectorEnv, AsyncVectorEnv])
def test_vector_environments(jsonl, vector):
    def make():
        import sql_env  # noqa: F401 - registers in a process of its own

        return gymnasium.make("SQLEnv-jsonl-v0", path=jsonl)

    options = {"shared_memory": False} if vector is AsyncVectorEnv else {}
    envs = vector([make] * 3, autoreset_mode=AutoresetMode.SAME_STEP, **options)
    prompts, _ = envs.reset(seed=3)
    assert len(prompts) == 3
    for _ in range(3):
        prompts, rewards, terminated, _, _ = envs.step([respond("SELECT 5", "why"), "x", respond("SELECT x")])
        assert all(prompts), "SAME_STEP resets at once, so no step is wasted"
        assert terminated.all()
        assert list(rewards[1:]) == [-1, -1]
    envs.close()


def test_make_vec_makes_it_by_name(jsonl):
    envs = gymnasium.make_vec("SQLEnv-jsonl-v0", num_envs=2, vectorization_mode="sync", path=jsonl)
    assert len(envs.reset(seed=0)[0]) == 2
    envs.close()


def test_the_space():
    space = TextSpace(seed=1)
    samples = [space.sample() for _ in range(50)]
    assert len(set(samples)) > 10
    assert samples == [TextSpace.sample(again) for again in [TextSpace(seed=1)] for _ in range(50)]
    assert 3 not in space
    assert space == TextSpace()
    with pytest.raises(ValueError, match="neither mask"):
        space.sample(mask=1)

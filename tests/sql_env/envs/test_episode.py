"""Episodes of several turns: exploration, answers, observations and rewards."""

import json
import warnings
from dataclasses import replace

import gymnasium
import pytest
from gymnasium.error import ResetNeeded
from gymnasium.utils.env_checker import check_env
from hypothesis import given, settings
from hypothesis import strategies as st

from rewards.turns import turns as turn_cost
from sql_env import Episode, Scorer, Status, load_benchmark, respond
from sql_env.envs.episode import step as step_episodes
from sql_env.errors import EpisodeError, LimitError
from sql_env.execution.pool import WorkerPool
from sql_env.parser import FORMATS, parse
from sql_env.testing import check_reward

GOLD = "SELECT name FROM singer WHERE country = 'France'"
FORM = FORMATS["think-answer"]
PIECES = [
    "<think>",
    "</think>",
    "<answer>",
    "</answer>",
    "<sql>",
    "</sql>",
    "```sql\n",
    "```",
    "SELECT 1",
    "x",
]
noise = st.lists(st.sampled_from(PIECES), max_size=12).map("".join)


def look(sql, form=FORM):
    think = f"<{form.think}>A look.</{form.think}>" if form.think else "A look. "
    return f"{think}<{form.tool}>{sql}</{form.tool}>".removeprefix(form.prefill.strip())


@pytest.fixture(scope="module")
def scorer():
    with Scorer("sql-r1") as made:
        yield made


@pytest.fixture
def episode(scorer, ask):
    def begin(gold=GOLD, **arguments):
        return Episode(scorer, ask(gold), **{"max_turns": 4, **arguments})

    return begin


# what a completion is


@pytest.mark.parametrize("form", FORMATS.values(), ids=lambda form: form.name)
def test_in_every_format_a_query_is_a_query_and_an_answer_an_answer(form):
    query = parse(look("SELECT 1", form), form, tools=True)
    assert (query.query, query.sql) == ("SELECT 1", None)
    assert query.reasoning == ("A look." if form.think else "")
    answer = respond("SELECT 1", "why", form)
    assert parse(answer, form, tools=True) == parse(answer, form)
    assert parse(answer, form).query is None


@pytest.mark.parametrize("form", FORMATS.values(), ids=lambda form: form.name)
@pytest.mark.parametrize(
    "text",
    [
        "{look}{look}",
        "{look}<sql>",
        "{look}</sql>",
        "</sql>x<sql>{think}",
        "{think}<sql>SELECT 1",
        "{think}SELECT 1</sql>",
        "{think}<sql> </sql>",
    ],
)
def test_a_broken_query_is_malformed(form, text):
    think = "" if form.prefill else f"<{form.think}></{form.think}>" if form.think else ""
    action = parse(text.format(look=look("SELECT 1", form), think=think), form, tools=True)
    assert (action.sql, action.query) == (None, None)


@pytest.mark.parametrize("form", [f for f in FORMATS.values() if f.answer or f.fence], ids=lambda f: f.name)
def test_a_query_beside_an_answer_is_malformed_so_nobody_is_paid_for_both(form):
    answer = respond("SELECT 1", "why", form)
    for text in (
        answer + "<sql>SELECT 2</sql>",
        "<sql>SELECT 2</sql>" + answer,
        look("SELECT 2", form) + answer,
    ):
        action = parse(text, form, tools=True)
        assert (action.sql, action.query) == (None, None)


def test_where_reasoning_is_asked_for_a_query_needs_it_too():
    assert parse("<sql>SELECT 1</sql>", FORM, tools=True).query is None
    assert parse("<sql>SELECT 1</sql><think>late</think>", FORM, tools=True).query is None


@given(noise, st.sampled_from(list(FORMATS.values())))
def test_tools_only_ever_take_answers_away(text, form):
    action, alone = parse(text, form, tools=True), parse(text, form)
    assert action.sql in (alone.sql, None)
    assert action.sql is None or action.query is None
    if "<sql>" not in text and "</sql>" not in text:
        assert action == alone


# one turn


@settings(deadline=None)
@given(text=noise)
@pytest.mark.slow
def test_one_turn_is_what_the_scorer_says(scorer, text):
    task = load_benchmark("demo", "test").tasks[0]
    step = Episode(scorer, task).step(text)
    assert (step.done, step.observation) == (True, "")
    assert step.score == scorer.score([text], [task])[0]


def test_only_where_there_are_turns_the_model_is_told_of_them(episode):
    one, four = episode(max_turns=1), episode()
    assert "<sql>" not in one.prompt
    for part in ("4 turns", "<sql>", "</sql>", "<answer>", "```sql"):
        assert part in four.prompt
    assert "<sql>" not in episode(template="compact").prompt


# several turns


def test_a_policy_that_explores_errs_and_repairs_gets_the_full_reward(episode, scorer, ask):
    current = episode()
    first = current.step(look("SELECT DISTINCT country FROM singer ORDER BY 1"))
    assert first.observation.split("\n") == [
        "<observation>",
        "country",
        "'China'",
        "'France'",
        "'Ireland'",
        "(3 rows)",
        "Turns left: 3.",
        "</observation>",
    ]
    second = current.step(look("SELECT name FROM singers"))
    assert "Error: no such table: singers\nTurns left: 2." in second.observation
    third = current.step(look(GOLD))
    assert "Turns left: 1. Answer now." in third.observation
    assert not any(step.done for step in (first, second, third))
    last = current.step(respond(GOLD, "why"))
    assert last.done
    assert last.score.total == scorer.score([respond(GOLD, "why")], [ask(GOLD)])[0].total > 6
    history = last.score.rollout.turns
    assert [turn.query for turn in history][1] == "SELECT name FROM singers"
    assert [turn.result.status for turn in history] == ["ok", "error", "ok"]
    assert [message["role"] for message in current.messages][2:] == ["assistant", "user"] * 3


def test_an_answer_at_once_is_paid_as_in_one_turn(episode):
    assert (
        episode().step(respond(GOLD, "why")).score.total
        == episode(max_turns=1).step(respond(GOLD, "why")).score.total
    )


@pytest.fixture
def ran(monkeypatch):
    """The SQL that workers are given."""
    given, run = [], WorkerPool.run

    def noted(self, cases, ask):
        given.extend(case.query.sql for case in cases)
        return run(self, cases, ask)

    monkeypatch.setattr(WorkerPool, "run", noted)
    return given


def test_who_never_answers_is_malformed_and_the_last_query_is_not_run(episode, ran):
    current = episode(max_turns=2)
    current.step(look(GOLD))
    assert ran
    ran.clear()
    score = current.step(look("SELECT 12345")).score
    assert "SELECT 12345" not in ran
    assert score.components["format"] == -1.0
    assert score.total == -1.0
    assert score.rollout.masked == ""


@pytest.mark.parametrize("text", ["", "no tags", look("SELECT 1") + look("SELECT 2"), "<sql>SELECT 1</sql>"])
def test_what_is_neither_ends_the_episode_as_malformed(episode, text):
    step = episode().step(text)
    assert step.done
    assert step.score.total == -1.0


def test_queries_beyond_the_limit_are_told_so_and_not_run(episode):
    current = episode(max_turns=5, max_queries=1)
    assert "Turns left: 4. Queries left: 0." in current.step(look("SELECT 1")).observation
    refused = current.step(look("SELECT 42"))
    assert "Not run: no queries are left." in refused.observation
    assert "42" not in refused.observation
    assert current.turns[-1].result is None
    assert current.step(respond(GOLD, "why")).score.components["result"] == 3.0
    assert "Not run" in episode(max_queries=0).step(look("SELECT 1")).observation


def test_a_tool_call_costs_a_turn_and_says_the_same(episode):
    current, called = episode(max_turns=3), episode(max_turns=3)
    for sql in ("SELECT 1", "SELECT missing"):
        assert called.query(sql) == current.step(look(sql)).observation
    assert "Not run" in called.query("SELECT 2"), "the last turn is for the answer"
    assert called.answer(respond(GOLD, "why")).rollout.correct
    assert called.messages == called.built_prompt.messages, "nobody knows what text came with the calls"


def test_after_the_end_there_is_nothing(episode):
    current = episode()
    current.answer("x")
    assert (current.done, current.turns_left, current.queries_left) == (True, 0, 0)
    for more in (current.step, current.query, current.answer):
        with pytest.raises(EpisodeError, match="begin another"):
            more("x")


@pytest.mark.parametrize("wrong", [0, -1, 1.5, True, "3"])
def test_bad_limits(episode, wrong):
    with pytest.raises(LimitError, match="max_turns must be an integer of at least 1"):
        episode(max_turns=wrong)
    if wrong != 0:
        with pytest.raises(LimitError, match="max_queries must be an integer of at least 0"):
            episode(max_queries=wrong)
    with pytest.raises(LimitError):
        gymnasium.make("SQLEnv-demo-v0", max_turns=wrong)


@pytest.mark.slow
def test_hostile_queries_are_observations_and_no_end(hostile_sql, tight, ask):
    words = {
        Status.OK: "row",
        Status.ERROR: "Error: ",
        Status.DENIED: "Denied: ",
        Status.TIMEOUT: "Stopped, because it takes too long: ",
        Status.TOO_LARGE: "Stopped, because it is too large: ",
    }
    with Scorer("sql-r1", limits=tight) as scorer:
        current = Episode(scorer, ask(GOLD), max_turns=len(hostile_sql) + 1)
        for name, (sql, status) in hostile_sql.items():
            observation = current.query(sql)
            assert current.turns[-1].result.status is status, name
            assert words[status] in observation, name
            assert len(observation) < 20_000, name
        assert current.answer(respond(GOLD, "why")).components["result"] == 3.0


def test_our_own_fault_masks_the_episode_and_shows_nothing_of_this_machine(episode, concerts):
    current = episode()
    content = concerts.read_bytes()
    concerts.unlink()
    observation = current.step(look("SELECT 1")).observation
    concerts.write_bytes(content)
    assert "The database does not answer." in observation
    assert str(concerts.parent) not in observation
    score = current.step(respond(GOLD, "why")).score
    assert score.total is None
    assert "could not be run" in score.rollout.masked


def test_a_turn_keeps_no_long_values_and_a_batch_few_results(ask, monkeypatch):
    sizes = []
    with Scorer("sql-r1") as scorer:
        run = scorer.executor.run_many

        def count(queries):
            sizes.append(len(queries))
            return run(queries)

        monkeypatch.setattr(scorer.executor, "run_many", count)
        episodes = [Episode(scorer, ask(GOLD), max_turns=3) for _ in range(20)]
        texts = [look(f"SELECT CAST(zeroblob(900000) AS TEXT) AS a, {n // 2} AS n") for n in range(20)]
        seen = [step.observation for step in step_episodes(episodes, texts)]
    assert sizes == [8, 2]  # ten distinct queries
    assert all(str(n // 2) in text and "(900,000 characters)" in text for n, text in enumerate(seen))
    for episode in episodes:
        [turn] = episode.turns
        assert [len(row[0]) for row in turn.result.rows] == [1_000]
        assert turn.row_count == 1


def test_a_turn_keeps_no_more_rows_than_were_shown(episode):
    current = episode()
    numbers = (
        "WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 50000) SELECT i FROM n"
    )
    assert "(50,000 rows; the first 20 shown)" in current.step(look(numbers)).observation
    assert len(current.turns[0].result.rows) == 20
    assert current.turns[0].row_count == 50_000


# what the model must not see


SECRET = "SELECT 7654321 AS secret_gold FROM singer WHERE age > 29"
queries = st.lists(
    st.sampled_from(
        ["SELECT * FROM singer", "SELECT 1", "SELECT x", "PRAGMA table_info(singer)", "", "SELECT age"]
    )
    | st.text(max_size=20),
    max_size=3,
)


@settings(max_examples=50, deadline=None)
@given(explored=queries)
@pytest.mark.slow
def test_prompt_and_observations_do_not_depend_on_the_gold(scorer, tmp_path_factory, make_concerts, explored):
    place = tmp_path_factory.getbasetemp() / "leak.sqlite"
    if not place.exists():
        make_concerts(place)
    task = replace(
        load_benchmark("demo", "test").tasks[0], database=str(place), gold_sql=SECRET, reasoning="hint"
    )
    other = replace(task, gold_sql="SELECT 1", reasoning="")
    shown = []
    for each in (task, other):
        episode = Episode(scorer, each, max_turns=4)
        shown.append([episode.prompt, *(episode.query(sql) for sql in explored)])
        episode.answer("")
    assert shown[0] == shown[1]
    for text in shown[0]:
        assert "secret_gold" not in text
        assert "7654321" not in text


def test_on_spider_no_gold_is_shown(scorer, shared_data):
    tasks = load_benchmark("spider", data_dir=str(shared_data / "spider")).tasks[::100]
    for task in tasks:
        episode = Episode(scorer, task, max_turns=3)
        shown = [
            episode.prompt,
            episode.query("SELECT name, sql FROM sqlite_master"),
            episode.query("SELECT gold"),
        ]
        assert not any(task.gold_sql in text for text in shown), task.id


# rewards


def test_turns_cost_what_they_are_told_to(episode, ask):
    check_reward("turns", cost=0.25, free=1)
    costs = [{"reward": "result"}, {"reward": "turns", "params": {"cost": 0.25, "free": 1}}]
    with Scorer(costs) as scorer:
        current = Episode(scorer, ask(GOLD), max_turns=5)
        for _ in range(3):
            current.query("SELECT 1")
        score = current.answer(respond(GOLD, "why"))
    assert score.components == {"result": 3.0, "turns": -0.5}
    assert score.total == 2.5
    assert turn_cost(score.rollout) == 0.0
    assert str(turn_cost(score.rollout, cost=1, free=9)) == "0.0"


SKYRL = FORMATS["think-solution"]


@pytest.mark.parametrize(
    ("completions", "reward"),
    [
        ([respond(GOLD, "why", SKYRL)], 1),
        ([look("SELECT 1"), respond(GOLD, "why", SKYRL)], 1),
        ([look("SELECT x"), look(GOLD), respond(GOLD, "", SKYRL)], 1),
        ([look("SELECT 1"), respond("SELECT 1", "why", SKYRL)], 0),
        ([look("SELECT 1"), respond("SELECT x", "why", SKYRL)], 0),
        ([look("SELECT 1"), look("SELECT 1"), look("SELECT 1")], -1),
        (["<sql>SELECT 1</sql>"], -1),
        ([look("SELECT 1"), f"<solution>{GOLD}</solution>"], -1),
        ([look("SELECT 1") + respond(GOLD, "why", SKYRL)], -1),
        ([look("SELECT 1"), respond(GOLD, "why", SKYRL) * 2], -1),
        ([look("SELECT 1"), respond(GOLD, "why")], -1),
    ],
)
def test_skyrl_pays_by_the_format_of_all_turns(ask, completions, reward):
    with Scorer("skyrl-sql") as scorer:
        episode = Episode(scorer, ask(GOLD), max_turns=3)
        *steps, last = [episode.step(completion) for completion in completions]
        assert not any(step.done for step in steps)
        assert last.score.total == reward


# gymnasium


@pytest.fixture
def env():
    with gymnasium.make("SQLEnv-demo-v0", max_turns=3, view={"rows": 2}, render_mode="ansi") as made:
        yield made


def test_the_checker_passes_several_turns(env):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        check_env(env.unwrapped)


def test_an_episode_of_several_steps(env):
    prompt, info = env.reset(seed=1)
    assert "3 turns" in prompt
    assert info["turns_left"] == 3
    table = "SELECT name FROM sqlite_master WHERE type = 'table'"
    observation, reward, terminated, truncated, info = env.step(look(table))
    assert (reward, terminated, truncated) == (0.0, False, False)
    assert "the first 2 shown" in observation
    assert observation in env.observation_space
    assert (info["turn"], info["turns_left"]) == (1, 2)
    assert (info["sql"], info["status"], info["components"]) == (table, "ok", {})
    json.dumps(info)
    env.step(look("SELECT missing"))
    assert "turn 2" in env.render()
    assert "no such column: missing" in env.render()
    observation, reward, terminated, truncated, info = env.step(look("SELECT 1"))
    assert (observation, reward, terminated, truncated) == ("", -1.0, True, False)
    assert (info["turn"], info["turns_left"], info["correct"]) == (3, 0, False)
    assert "the first 2" in env.render()
    with pytest.raises(ResetNeeded):
        env.unwrapped.step("x")


def test_mistakes_at_making_name_what_is_known():
    with pytest.raises(LimitError, match="Did you mean 'rows'"):
        gymnasium.make("SQLEnv-demo-v0", view={"row": 3})


def test_a_query_runs_in_the_executor_that_scores(episode, ran):
    current = episode()
    current.step(look("SELECT 12345"))
    current.step(respond(GOLD, "why"))
    assert "SELECT 12345" in ran
    assert GOLD in ran

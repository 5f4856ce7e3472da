"""One number through every door: the total and each component, to the last bit."""

import asyncio
import json
import random
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import gymnasium
import pytest

from benchmarks.loading.predictions import read_predictions
from sql_env import Scorer, Status, load_benchmark, respond
from sql_env.envs.episode import Episode
from trainers.trl_adapter.environment import SQLTools, make_environment_rewards
from trainers.trl_adapter.rewards import get_reward_weights, make_reward_functions
from trainers.verl_reward import compute_score

COUNT = 500
MALFORMED = ("", "no tags", "<think>", "SELECT 1", "```sql\nSELECT 1\n```", "\0\u2028", "<think></think>" * 9)
SYSTEMS = ("c3_chatgpt", "dail_sql_gpt4", "graphix_t5_3b_picard")
QUICK = (Status.DENIED, Status.ERROR, Status.TOO_LARGE)

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def batch(shared_data, hostile_sql):
    """500 completions on real tasks: right, wrong, malformed and hostile, in random order."""
    benchmark = load_benchmark("spider", data_dir=str(shared_data / "spider"))
    files = [shared_data / "predictions" / "spider_dev" / f"{name}.txt" for name in SYSTEMS]
    predictions = [read_predictions(file, benchmark) for file in files]
    hostile = [sql for sql, status in hostile_sql.values() if status in QUICK]
    rng = random.Random(0)
    kinds = (
        lambda i: respond(benchmark.tasks[i].gold_sql, "why"),
        lambda i: respond(rng.choice(predictions)[i], "because " * rng.randrange(400)),
        lambda i: rng.choice(MALFORMED),
        lambda i: respond(rng.choice(hostile), "why"),
    )
    chosen = [rng.randrange(len(benchmark.tasks)) for _ in range(COUNT)]
    return [(rng.choice(kinds)(i), benchmark.tasks[i]) for i in chosen]


@pytest.fixture(scope="module")
def scorer():
    with Scorer("sql-r1", workers=2) as made:
        yield made


@pytest.fixture(scope="module")
def expected(batch, scorer):
    """What `Scorer.score` says of the whole batch at once: totals and components."""
    scores = scorer.score([text for text, _ in batch], [task for _, task in batch])
    assert {-1.0, 0.0} < {score.total for score in scores}
    assert sum(score.rollout.correct or 0 for score in scores) > 100
    return [(score.total, dict(score.components)) for score in scores]


def test_env_step(batch, expected, shared_data):
    with gymnasium.make("SQLEnv-spider-v0", data_dir=str(shared_data / "spider")) as env:
        for (text, task), score in zip(batch, expected, strict=True):
            env.reset(options={"task_id": task.id})
            _, reward, *_, info = env.step(text)
            assert (reward, info["components"]) == score


@pytest.mark.slow
@pytest.mark.parametrize("max_turns", [1, 3])
def test_an_episode_that_answers_at_once(batch, expected, scorer, max_turns):
    for (text, task), score in zip(batch, expected, strict=True):
        said = Episode(scorer, task, max_turns=max_turns).step(text).score
        assert (said.total, dict(said.components)) == score


@pytest.mark.parametrize("chat", [False, True], ids=["text", "chat"])
def test_the_reward_functions_of_trl(batch, expected, scorer, chat):
    texts = [text for text, _ in batch]
    completions = [[{"role": "assistant", "content": text}] for text in texts] if chat else texts
    tasks = [json.dumps(task.to_dict()) for _, task in batch]
    functions, weights = make_reward_functions(scorer), get_reward_weights(scorer.rubric)
    columns = [function(completions=completions, task=tasks, prompts=None) for function in functions]
    for row, (total, components) in zip(zip(*columns, strict=True), expected, strict=True):
        assert dict(zip(components, row, strict=True)) == components
        assert sum(weight * value for weight, value in zip(weights, row, strict=True)) == total


def test_the_episodes_of_trl(batch, expected, scorer):
    """What TRL's several turns pay a model that answers at once."""
    tools = [SQLTools(scorer, max_turns=3) for _ in batch]
    for one, (_, task) in zip(tools, batch, strict=True):
        one.reset(task=json.dumps(task.to_dict()), prompt=[])
    completions = [[{"role": "assistant", "content": text}] for text, _ in batch]
    columns = [
        reward(completions=completions, environments=tools) for reward in make_environment_rewards(scorer)
    ]
    for row, (_, components) in zip(zip(*columns, strict=True), expected, strict=True):
        assert dict(zip(components, row, strict=True)) == components


def can_be_generated(text):
    """True for a text that a tokenizer can write: not too long, and without lone surrogates."""
    return len(text) < 2_000 and text.encode(errors="replace").decode() == text


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")
def test_the_agent_loop_of_verl(batch, expected, scorer):
    """The loop itself, its tokenizer and its masks; only the model's words come from a script."""
    agent_loop = pytest.importorskip("verl.experimental.agent_loop.agent_loop")
    from omegaconf import OmegaConf

    from trainers.demo import tiny
    from trainers.verl_adapter.agent_loop import SQLAgentLoop
    from trainers.verl_adapter.parquet import PLAIN_CHAT_TEMPLATE, make_rows

    places = [place for place, (text, _) in enumerate(batch) if can_be_generated(text)]
    short, paid = [batch[place] for place in places], [expected[place] for place in places]
    assert len(short) > 400
    tokenizer = tiny.train_tokenizer([text for text, _ in short], scorer.rubric.form, 400)
    tokenizer.chat_template = PLAIN_CHAT_TEMPLATE
    sql = {"reward": "sql-r1", "workers": 2, "max_turns": 3, "max_queries": None, "prompt": "full"}
    sql["profile"] = False
    rollout = {"response_length": 100_000, "prompt_length": 100_000}
    config = OmegaConf.create({"sql": sql, "actor_rollout_ref": {"rollout": rollout}, "data": {}})
    wrap = agent_loop.DictConfigWrap
    made = make_rows([task for _, task in short], scorer, "spider", "full", max_turns=3)

    class Script:
        def __init__(self, text):
            self.ids = [*tokenizer(text)["input_ids"], tokenizer.eos_token_id]

        async def generate(self, request_id, prompt_ids, sampling_params):
            return SimpleNamespace(token_ids=self.ids, log_probs=None, extra_fields={"global_steps": 0})

    async def play(text, row):
        loop = SQLAgentLoop(
            wrap(config), Script(text), tokenizer, None, None, wrap(config.data), hf_model_type="lfm2"
        )
        return await loop.run({}, **row, raw_prompt=row["prompt"])

    for (text, _), row, (total, components) in zip(short, made, paid, strict=True):
        output = asyncio.run(play(text, row))
        info = output.extra_fields["reward_extra_info"]
        assert output.reward_score == info["score"] == total
        assert {name: info[name] for name in components} == components


def test_verls_compute_score(batch, expected):
    for (text, task), (total, components) in zip(batch, expected, strict=True):
        extra = {"task": json.dumps(task.to_dict())}
        said = compute_score("spider", text, task.gold_sql, extra)
        assert said["score"] == total
        assert {name: said[name] for name in components} == components


@pytest.mark.slow
def test_the_command_line(batch, expected, shared_data, tmp_path):
    file = tmp_path / "completions.jsonl"
    rows = [{"task_id": task.id, "completion": text} for text, task in batch]
    file.write_text("".join(json.dumps(row) + "\n" for row in rows))
    command = [Path(sys.executable).with_name("sql-env"), "score", file, "--benchmark", "spider"]
    done = subprocess.run(
        [*command, "--data-dir", shared_data / "spider"], capture_output=True, text=True, check=True
    )
    said = [json.loads(line) for line in done.stdout.splitlines()]
    assert [(line["total"], line["components"]) for line in said] == expected

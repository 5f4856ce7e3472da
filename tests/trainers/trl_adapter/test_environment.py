"""Several turns in TRL: one tool, the same rewards as in gymnasium, a mask on all but the model's tokens."""

import inspect
import json
import subprocess
import sys
from pathlib import Path

import gymnasium
import pytest

from sql_env import Scorer, respond
from sql_env.errors import LimitError, TaskError
from sql_env.parser import FORMATS
from trainers.dataset import Prompter
from trainers.trl_adapter.environment import SQLTools, extract_answer, make_environment_arguments

GOLD = "SELECT name FROM singer WHERE country = 'France'"
EXPLORED = ["SELECT DISTINCT country FROM singer", "SELECT name FROM singers WHERE country = 'France'"]
ANSWER = respond(GOLD, "The table is singer, the value 'France'.")
COSTS = ["format", "execution", "result", "length", {"reward": "turns", "params": {"cost": 0.1}}]


@pytest.fixture
def scorer():
    with Scorer(COSTS) as made:
        yield made


@pytest.fixture
def jsonl(concerts, tmp_path):
    path = tmp_path / "tasks.jsonl"
    row = {"id": "t", "question": "Which?", "sql": GOLD, "database": concerts.name}
    path.write_text(json.dumps(row) + "\n")
    return str(path)


class GRPO:
    """The part of `trl.GRPOConfig` that is read and set."""

    max_tool_calling_iterations = None


def message(content, **others):
    return {"role": "assistant", "content": content, **others}


def in_gymnasium(jsonl):
    """Return the observations and the reward of the scripted policy: a look, a mistake, its repair."""
    with gymnasium.make("SQLEnv-jsonl-v0", path=jsonl, reward=COSTS, max_turns=4) as env:
        env.reset(options={"task_id": "t"})
        observations = [env.step(f"<think>A look.</think><sql>{sql}</sql>")[0] for sql in EXPLORED]
        _, reward, terminated, _, info = env.step(ANSWER)
    assert terminated
    return observations, reward, info["components"]


def rewards(environments, completions, functions, **others):
    return {
        function.__name__: function(completions=completions, environments=environments, **others)
        for function in functions
    }


def test_the_model_is_offered_one_tool_and_nothing_else(scorer, ask):
    tools = make_environment_arguments(scorer, GRPO())["environment_factory"]()
    tools.reset(task=json.dumps(ask(GOLD).to_dict()), prompt=[])
    public = [name for name, _ in inspect.getmembers(tools, inspect.ismethod) if not name.startswith("_")]
    assert public == ["reset", "run_sql"]


def test_the_tool_has_a_schema_that_says_what_it_does():
    from transformers.utils import get_json_schema

    schema = get_json_schema(SQLTools.run_sql)["function"]
    assert schema["name"] == "run_sql"
    assert "SQL" in schema["description"]
    assert schema["parameters"]["required"] == ["query"]
    assert schema["parameters"]["properties"]["query"]["type"] == "string"


def test_a_policy_that_explores_errs_and_repairs_is_rewarded_as_in_gymnasium(scorer, ask, jsonl):
    arguments = make_environment_arguments(scorer, GRPO(), max_turns=4)
    tools = arguments["environment_factory"]()
    assert "3 times" in tools.reset(task=json.dumps(ask(GOLD).to_dict()))
    observations = [tools.run_sql(sql) for sql in EXPLORED]
    assert "no such table: singers" in observations[1]
    rewarded = rewards([tools], [[message("", tool_calls=[{}]), message(ANSWER)]], arguments["reward_funcs"])
    expected, reward, components = in_gymnasium(jsonl)
    assert observations == expected
    assert {name: values[0] for name, values in rewarded.items()} == components
    assert tools.episode.score.total == reward
    assert components["result"] == 3.0
    assert components["turns"] == -0.2


def test_a_batch_is_scored_once_and_every_environment_by_its_own_task(scorer, ask):
    arguments = make_environment_arguments(scorer, GRPO())
    environments = [arguments["environment_factory"]() for _ in range(3)]
    for tools, gold in zip(environments, [GOLD, "SELECT 1", "SELECT broken FROM nowhere"], strict=True):
        tools.reset(task=json.dumps(ask(gold).to_dict()))
    logged = {}
    rewarded = rewards(
        environments, [[message(ANSWER)]] * 3, arguments["reward_funcs"], log_metric=logged.__setitem__
    )
    assert rewarded["result"] == [3.0, -3.0, None]
    assert rewarded["format"] == [1.0, 1.0, None]
    assert logged["sql/turns"] == 1.0
    assert logged["sql/correct"] == 0.5


def test_a_database_that_fails_while_exploring_masks_the_sample(scorer, ask, concerts):
    arguments = make_environment_arguments(scorer, GRPO())
    tools = arguments["environment_factory"]()
    tools.reset(task=json.dumps(ask(GOLD).to_dict()))
    content = concerts.read_bytes()
    concerts.unlink()
    assert "does not answer" in tools.run_sql("SELECT 1")
    concerts.write_bytes(content)
    rewarded = rewards([tools], [[message(ANSWER)]], arguments["reward_funcs"])
    assert {values[0] for values in rewarded.values()} == {None}


@pytest.mark.parametrize(
    ("messages", "text"),
    [
        ([], ""),
        ([message("x")], "x"),
        ([message("a"), {"role": "tool", "content": "SELECT 1"}], ""),
        ([message("SELECT 1", tool_calls=[{"type": "function"}])], ""),
        ([message("b", reasoning_content="a")], "<think>\na\n</think>\nb"),
        ([message("b", thinking="a")], "<think>\na\n</think>\nb"),
        ([message([{"type": "text", "text": "x"}])], "x"),
        ([message(None)], ""),
    ],
)
def test_which_message_is_the_answer(messages, text):
    assert extract_answer(messages, FORMATS["think-answer"]) == text


def test_trl_asks_no_more_often_than_there_are_turns(scorer):
    config = GRPO()
    make_environment_arguments(scorer, config, max_turns=4)
    make_environment_arguments(scorer, config, max_turns=9)
    assert config.max_tool_calling_iterations == 3, "what is set stays"


def test_mistakes(scorer, ask):
    tools = SQLTools(scorer)
    with pytest.raises(TaskError, match="grpo_dataset"):
        tools.reset(prompt=[])
    tools.reset(task=json.dumps(ask(GOLD).to_dict()))
    with pytest.raises(TypeError, match="must be a string"):
        tools.run_sql(3)
    with pytest.raises(LimitError, match="the trainer of object has no environments"):
        make_environment_arguments(scorer, object())
    with pytest.raises(LimitError, match="max_turns"):
        make_environment_arguments(scorer, GRPO(), max_turns=0)


@pytest.fixture(scope="module")
def words():
    """A tokenizer with a small vocabulary, trained on the script below, with Qwen3's chat template."""
    import trl
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers
    from transformers import PreTrainedTokenizerFast
    from transformers.utils import get_json_schema

    made = Tokenizer(models.BPE())
    made.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    made.decoder = decoders.ByteLevel()
    learnt = trainers.BpeTrainer(
        vocab_size=1000,
        special_tokens=["<pad>", "<|im_start|>", "<|im_end|>"],
        initial_alphabet=sorted(pre_tokenizers.ByteLevel.alphabet()),
        show_progress=False,
    )
    template = (Path(trl.__file__).parent / "chat_templates" / "qwen3.jinja").read_text()
    schema = json.dumps(get_json_schema(SQLTools.run_sql))
    made.train_from_iterator([schema, template, ANSWER, *map(call, EXPLORED)] * 3, learnt)
    made.add_tokens(
        [f"<{mark}{name}>" for name in ("think", "tool_call", "tool_response") for mark in ("", "/")]
    )
    return PreTrainedTokenizerFast(
        tokenizer_object=made,
        eos_token="<|im_end|>",
        pad_token="<pad>",
        padding_side="left",
        chat_template=template,
    )


def model(words):
    """A model of Qwen3's kind with random weights."""
    import torch
    from transformers import Qwen3Config, Qwen3ForCausalLM

    torch.manual_seed(0)
    return Qwen3ForCausalLM(
        Qwen3Config(
            vocab_size=len(words), hidden_size=64, intermediate_size=128, num_hidden_layers=2, head_dim=32,
            num_attention_heads=2, num_key_value_heads=2, max_position_embeddings=8192,
            pad_token_id=words.pad_token_id, eos_token_id=words.eos_token_id, initializer_range=0.08,
        )
    )  # fmt: skip


def trainer(words, scorer, tasks, out, made=None, length=2000, **turns):
    from trl import GRPOConfig

    from trainers.trl_grpo import make_grpo_trainer

    config = GRPOConfig(
        output_dir=str(out), use_cpu=True, bf16=False, gradient_checkpointing=False, report_to=[],
        save_strategy="no", disable_tqdm=True, per_device_train_batch_size=4, num_generations=2, max_steps=2,
        max_completion_length=length, logging_steps=1, learning_rate=1e-5,
    )  # fmt: skip
    turns = make_environment_arguments(scorer, config, **turns)
    return make_grpo_trainer(made or model(words), words, tasks, Prompter(scorer, chat=True), config, **turns)


def call(sql):
    arguments = json.dumps({"name": "run_sql", "arguments": {"query": sql}})
    return f"<think>\nA look.\n</think>\n\n<tool_call>\n{arguments}\n</tool_call><|im_end|>"


@pytest.fixture
def silent(monkeypatch):
    """No warning that TRL's environments are new; one thread, because more wait for each other."""
    import torch

    monkeypatch.setenv("TRL_EXPERIMENTAL_SILENCE", "1")
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


def follow(made, words):
    """Train a model that follows the script: a look, a mistake, its repair. Return what the trainer saw."""
    turn, seen = [0], {}
    script = [*map(call, EXPLORED), ANSWER + "<|im_end|>"]

    def scripted(prompt_ids, *arguments, **others):
        turn[0] += 1
        ids = words(script[(turn[0] - 1) % len(script)], add_special_tokens=False)["input_ids"]
        return [list(ids) for _ in prompt_ids], None

    generate = made._generate_and_score_completions

    def watched(inputs):
        seen["tasks"] = [json.loads(row["task"])["gold_sql"] for row in inputs]
        seen["batch"] = generate(inputs)
        seen["scores"] = [environment.episode.score for environment in made.environments]
        return seen["batch"]

    made._generate_single_turn, made._generate_and_score_completions = scripted, watched
    made.train()
    return seen


def tokens(words, batch):
    """The first completion's text: the tokens that are learnt, and the tool's."""
    ids, learnt = batch["completion_ids"][0], batch["tool_mask"][0].bool()
    real = batch["completion_mask"][0].bool()
    return words.decode(ids[learnt & real]), words.decode(ids[~learnt & real])


@pytest.mark.slow
@pytest.mark.filterwarnings("default")
def test_trl_rewards_the_scripted_policy_as_gymnasium_does(silent, words, scorer, ask, jsonl, tmp_path):
    """Two groups with the same completions: the first is right, the second has another task."""
    made = trainer(words, scorer, [ask(GOLD), ask("SELECT 1")], tmp_path, max_turns=4)
    seen = follow(made, words)
    observations, reward, components = in_gymnasium(jsonl)
    assert seen["tasks"][0] == seen["tasks"][1] != seen["tasks"][2] == seen["tasks"][3], "groups share a task"
    for gold, score in zip(seen["tasks"], seen["scores"], strict=True):
        assert score.rollout.task.gold_sql == gold
        assert [turn.observation for turn in score.rollout.turns] == observations
        assert (score.total == reward) == (gold == GOLD)
        assert score.components == components or gold != GOLD
    logged = made.state.log_history[0]
    assert logged["rewards/turns/mean"] == pytest.approx(-0.2)
    assert logged["tools/failure_frequency"] == 0
    assert logged["sql/queries"] > 4 * len(EXPLORED), "of four episodes, and golds"
    assert logged["sql/ended/error"] == 4, "each errs once"
    assert logged["sql/time/execute"] > 0


@pytest.mark.slow
@pytest.mark.filterwarnings("default")
def test_only_the_models_own_tokens_are_learnt(silent, words, scorer, ask, tmp_path):
    seen = follow(trainer(words, scorer, [ask(GOLD)] * 2, tmp_path, max_turns=4), words)
    learnt, masked = tokens(words, seen["batch"])
    assert learnt == "".join([*map(call, EXPLORED), ANSWER + "<|im_end|>"])
    for text in ("observation>", "Turns left", "no such table", "tool_response>"):
        assert text in masked


@pytest.mark.slow
@pytest.mark.filterwarnings("default")
def test_a_model_that_looks_around_trains_on_what_it_samples(silent, words, scorer, ask, tmp_path):
    """A model that was trained on the script, and then samples its own calls and answers."""
    made = model(words)
    by_heart(made, follow(trainer(words, scorer, [ask(GOLD)] * 2, tmp_path, max_turns=4), words)["batch"])
    taught = trainer(words, scorer, [ask(GOLD)] * 2, tmp_path, made, max_turns=4)
    taught.train()
    rows = [row for row in taught.state.log_history if "reward" in row]
    assert len(rows) == 2
    assert all(row["tools/call_frequency"] > 0.25 for row in rows)
    assert any(row["rewards/result/mean"] > 0 and row["grad_norm"] > 0 for row in rows)


def by_heart(made, batch):
    """Teach a model a batch's first completion, its own tokens only."""
    import torch

    ids = torch.cat([batch["prompt_ids"][0], batch["completion_ids"][0]])[None]
    labels = torch.cat([torch.full_like(batch["prompt_ids"][0], -100), batch["completion_ids"][0]])[None]
    labels[0, len(batch["prompt_ids"][0]) :][batch["tool_mask"][0] == 0] = -100
    optimizer = torch.optim.AdamW(made.parameters(), lr=3e-3)
    for _ in range(90):
        made(input_ids=ids, labels=labels).loss.backward()
        optimizer.step()
        optimizer.zero_grad()


@pytest.mark.slow
def test_the_command_line_takes_turns(words, scorer, tmp_path):
    model(words).save_pretrained(tmp_path / "model")
    words.save_pretrained(tmp_path / "model")
    command = [
        sys.executable, "-m", "trainers.trl_grpo", "--model_name_or_path", tmp_path / "model",
        "--max_turns", 3, "--tasks", 4, "--threads", 1, "--per_device_train_batch_size", 2,
        "--num_generations", 2, "--max_steps", 2, "--max_completion_length", 16, "--logging_steps", 1,
        "--output_dir", tmp_path / "out",
    ]  # fmt: skip
    done = subprocess.run([*map(str, command)], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    rows = [json.loads(line) for line in (tmp_path / "out" / "metrics.jsonl").read_text().splitlines()]
    assert all("sql/turns" in row and row["tools/call_frequency"] == 0 for row in rows[:2])

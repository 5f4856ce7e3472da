"""verl's agent loop around an episode: the mask, the observations, and the reward."""

import asyncio
import importlib.util
import json
from types import SimpleNamespace

import gymnasium
import pytest

from sql_env import Scorer, respond

pytest.importorskip("transformers")
pytest.importorskip("tokenizers")
if importlib.util.find_spec("verl") is None:
    pytest.skip("verl is not installed", allow_module_level=True)

from trainers.demo import tiny
from trainers.verl_adapter.parquet import PLAIN_CHAT_TEMPLATE, make_rows
from trainers.verl_reward import compute_score

pytestmark = pytest.mark.filterwarnings("ignore")

GOLD = "SELECT name FROM singer WHERE country = 'France'"
LOOKS = ["SELECT country FROM singer", "SELECT name FROM singers"]
SCRIPT = [f"<think>A look.</think><sql>{sql}</sql>" for sql in LOOKS]
SCRIPT += [f"<think>The table is singer.</think><sql>{GOLD}</sql>", respond(GOLD, "That was it.")]
REWARD = json.dumps(["format", "execution", "result", "length", {"reward": "turns", "params": {"cost": 0.1}}])
CHATML = (
    "{% for m in messages %}{{ '<|im_start|>' + m['role'] + '\n' + m['content'] + '<|im_end|>\n' }}"
    "{% endfor %}{% if add_generation_prompt %}{{ '<|im_start|>assistant\n' }}{% endif %}"
)


@pytest.fixture
def task(ask):
    return ask(GOLD)


@pytest.fixture
def row(task):
    with Scorer(json.loads(REWARD)) as scorer:
        (made,) = make_rows([task], scorer, "own", "full", max_turns=4)
    return {**made, "raw_prompt": made["prompt"]}


@pytest.fixture(params=["plain", "chatml"])
def words(request, row):
    """A tokenizer, and the type of its model in verl."""
    with Scorer(json.loads(REWARD)) as scorer:
        form = scorer.rubric.form
    if request.param == "plain":
        made = tiny.train_tokenizer([m["content"] for m in row["prompt"]] + SCRIPT, form, 400)
        made.chat_template = PLAIN_CHAT_TEMPLATE
        return made, "lfm2"
    made = tiny.train_tokenizer([m["content"] for m in row["prompt"]] + SCRIPT, form, 400)
    made.add_special_tokens({"bos_token": "<|im_start|>", "eos_token": "<|im_end|>"})
    made.chat_template = CHATML
    return made, "qwen2"


class Model:
    """Completes with the lines of a script, a token for each letter: encoding the text gives other tokens."""

    def __init__(self, tokenizer, script):
        self.tokenizer, self.script, self.prompts, self.completions, self.rooms = (
            tokenizer,
            iter(script),
            [],
            [],
            [],
        )

    async def generate(self, request_id, prompt_ids, sampling_params):
        letters = [token for letter in next(self.script) for token in self.tokenizer(letter)["input_ids"]]
        letters = [*letters, self.tokenizer.eos_token_id][: sampling_params["max_tokens"]]
        self.prompts.append(list(prompt_ids))
        self.completions.append(letters)
        self.rooms.append(sampling_params["max_tokens"])
        step = len(self.completions)
        return SimpleNamespace(
            token_ids=letters, log_probs=[-0.5] * len(letters), extra_fields={"global_steps": step}
        )


def play(words, row, script, room=4_000, **sql):
    from omegaconf import OmegaConf
    from verl.experimental.agent_loop.agent_loop import DictConfigWrap

    from trainers.verl_adapter.agent_loop import SQLAgentLoop

    tokenizer, kind = words
    given = {"reward": REWARD, "workers": 1, "max_turns": 4, "max_queries": None, "prompt": "full"}
    given |= {"profile": False, **sql}
    rollout = {"response_length": room, "prompt_length": 2_000}
    config = OmegaConf.create({"sql": given, "actor_rollout_ref": {"rollout": rollout}, "data": {}})
    model = Model(tokenizer, script)

    async def run():
        loop = SQLAgentLoop(
            DictConfigWrap(config),
            model,
            tokenizer,
            None,
            None,
            DictConfigWrap(config.data),
            hf_model_type=kind,
        )
        return await loop.run({"temperature": 1.0, "logprobs": True}, **row)

    return asyncio.run(run()), model


def in_gymnasium(task, tmp_path):
    path = tmp_path / "tasks.jsonl"
    fields = {"id": "t", "question": task.question, "sql": GOLD, "database": task.database}
    path.write_text(json.dumps(fields) + "\n")
    with gymnasium.make("SQLEnv-jsonl-v0", path=str(path), reward=json.loads(REWARD), max_turns=4) as env:
        env.reset(options={"task_id": "t"})
        observations = [env.step(completion)[0] for completion in SCRIPT[:-1]]
        _, reward, terminated, _, info = env.step(SCRIPT[-1])
    assert terminated
    return observations, reward, info["components"]


@pytest.mark.slow
def test_a_policy_that_explores_errs_and_repairs_is_rewarded_as_in_gymnasium(words, row, task, tmp_path):
    output, model = play(words, row, SCRIPT)
    observations, reward, components = in_gymnasium(task, tmp_path)
    info = output.extra_fields["reward_extra_info"]
    assert output.reward_score == info["score"] == reward
    assert {name: info[name] for name in components} == components
    assert (info["acc"], info["masked"], components["result"]) == (1.0, 0.0, 3.0)
    assert output.num_turns == 8
    assert "no such table: singers" in observations[1]
    seen = words[0].decode(model.prompts[-1])
    assert all(text in seen for text in observations)
    fields = output.extra_fields
    assert (fields["min_global_steps"], fields["max_global_steps"]) == (1, 4)


def test_only_what_the_model_wrote_is_learnt_from(words, row):
    output, model = play(words, row, SCRIPT)
    lengths = {len(output.response_ids), len(output.response_mask), len(output.response_logprobs)}
    assert len(lengths) == 1
    written = [t for t, own in zip(output.response_ids, output.response_mask, strict=True) if own]
    assert written == [token for tokens in model.completions for token in tokens]
    assert [p for p, own in zip(output.response_logprobs, output.response_mask, strict=True) if own] == [
        -0.5
    ] * len(written)
    assert {p for p, own in zip(output.response_logprobs, output.response_mask, strict=True) if not own} == {
        0.0
    }
    read = words[0].decode(
        [t for t, own in zip(output.response_ids, output.response_mask, strict=True) if not own]
    )
    assert read.count("<observation>") == 3
    assert "A look." not in read


def test_nothing_is_made_into_tokens_again(words, row):
    output, model = play(words, row, SCRIPT)
    prompt = words[0].apply_chat_template(
        row["prompt"], add_generation_prompt=True, tokenize=True, return_dict=False
    )
    assert model.prompts[0] == output.prompt_ids == prompt
    for before, completion, after in zip(model.prompts, model.completions, model.prompts[1:], strict=False):
        assert after[: len(before) + len(completion)] == before + completion
    assert output.prompt_ids + output.response_ids == model.prompts[-1] + model.completions[-1]
    text = words[0].decode(model.completions[0], skip_special_tokens=True)
    assert text == SCRIPT[0]
    assert words[0](text)["input_ids"] != model.completions[0][:-1]


def test_all_turns_share_one_budget(words, row):
    whole, model = play(words, row, SCRIPT)
    used = [len(ids) - len(whole.prompt_ids) for ids in model.prompts]
    assert model.rooms == [4_000 - length for length in used]
    short = used[1] - 1
    output, model = play(words, row, SCRIPT, room=short)
    assert len(model.prompts) == 1
    assert len(output.response_ids) <= short
    assert output.extra_fields["reward_extra_info"]["format"] == -1.0
    assert all(output.response_mask)


def test_one_turn_is_scored_as_compute_score_does(words, row, task):
    for completion in (SCRIPT[-1], SCRIPT[0], "no idea", ""):
        output, _ = play(words, row, [completion], max_turns=1)
        alone = compute_score("own", completion, GOLD, row["extra_info"], reward=REWARD)
        assert output.extra_fields["reward_extra_info"] == alone


def test_a_database_that_fails_masks_the_sample(words, row, task, tmp_path):
    gone = json.dumps({**task.to_dict(), "database": str(tmp_path / "gone.sqlite")})
    output, _ = play(words, {**row, "extra_info": {"task": gone}}, SCRIPT)
    info = output.extra_fields["reward_extra_info"]
    assert (output.reward_score, info["masked"]) == (0.0, 1.0)
    broken = json.dumps(["format", {"reward": "os.path:join", "name": "broken"}])
    output, _ = play(words, row, SCRIPT, reward=broken)
    assert output.extra_fields["reward_extra_info"] == {
        "score": 0.0, "acc": 0.0, "masked": 1.0, "format": 0.0, "broken": 0.0,
    }  # fmt: skip

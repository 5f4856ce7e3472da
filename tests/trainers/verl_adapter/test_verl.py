"""The parts of the verl trainer that need no run of verl: reward, data, configuration."""

import asyncio
import copy
import importlib.util
import json
import os
import subprocess
import sys
import warnings
from concurrent.futures import ThreadPoolExecutor
from types import SimpleNamespace

import pytest

from sql_env import Scorer, respond
from sql_env.errors import DataError, PluginError

pytest.importorskip("transformers")

from trainers import verl_grpo, verl_reward
from trainers.dataset import Prompter, count_prompt_tokens, make_token_budget
from trainers.demo import tiny, verl_stage
from trainers.demo.tasks import DemoArguments
from trainers.verl_adapter import parquet as verl_data
from trainers.verl_adapter.merge import find_checkpoint

needs_verl = pytest.mark.skipif(importlib.util.find_spec("verl") is None, reason="verl is not installed")

SETUPS = ["cpu", "one_gpu_3b", "eight_gpus_7b", "two_nodes_7b"]

RIGHT = "SELECT name FROM singer WHERE age = 30"

COMPLETIONS = [
    respond(RIGHT, "By age."),
    respond("SELECT name FROM singer WHERE age + 0 = 30", "By age, at length. " * 20),
    respond("SELECT name FROM singer"),
    respond("SELECT nobody FROM singer"),
    respond("DROP TABLE singer"),
    "",
    "no idea",
    f"<think>a</think><answer>```sql\n{RIGHT}\n```</answer><answer>twice</answer>",
]

SQL = {
    "benchmark": "demo", "data_dir": None, "params": {}, "split": "train", "eval_split": "dev",
    "levels": None, "tasks": 20, "eval_tasks": 10, "seed": 3, "keep_empty": False,
    "prompt": "compact", "max_turns": 1,
}  # fmt: skip


def score(completion, task, **others):
    return verl_reward.compute_score("demo", completion, task.gold_sql, info(task), **others)


def info(task):
    return {"index": 0, "task": json.dumps(task.to_dict()), "num_turns": 2, "rollout_reward_scores": {}}


# The reward


@pytest.mark.parametrize("reward", ["sql-r1", "skyrl-sql", '[{"reward": "result", "weight": 2.5}, "length"]'])
def test_total_and_components_are_those_of_the_scorer(ask, reward):
    task = ask(RIGHT)
    with Scorer(reward) as scorer:
        for completion, expected in zip(
            COMPLETIONS, scorer.score(COMPLETIONS, [task] * len(COMPLETIONS)), strict=True
        ):
            result = score(completion, task, reward=reward)
            assert result == {
                "score": expected.total,
                "acc": float(expected.rollout.correct),
                "masked": 0.0,
                **expected.components,
            }
            assert all(type(value) is float for value in result.values())


def test_many_threads_get_the_same_scores(ask):
    tasks = [ask(RIGHT), ask("SELECT count(*) FROM concert", id="u")] * 20
    alone = [score(completion, task) for task in tasks[:2] for completion in COMPLETIONS]
    jobs = [(completion, task) for task in tasks for completion in COMPLETIONS]
    with ThreadPoolExecutor(16) as pool:
        together = list(pool.map(lambda job: score(*job), jobs))
    assert together == alone * 20


async def later(rollout):
    await asyncio.sleep(0)
    return float(len(rollout.completion))


def test_an_async_reward_is_scored_in_threads_of_a_process_that_runs_a_loop(ask):
    """verl's reward managers call the function in an executor of their event loop."""
    spec = json.dumps([{"reward": f"{__name__}:later", "concurrency": 3}])

    async def score_all():
        loop = asyncio.get_running_loop()
        jobs = [
            loop.run_in_executor(None, lambda c=c: score(c, ask(RIGHT), reward=spec)) for c in COMPLETIONS
        ]
        return await asyncio.gather(*jobs)

    assert [found["later"] for found in asyncio.run(score_all())] == [len(each) for each in COMPLETIONS]


def broken(rollout):
    raise ZeroDivisionError


@pytest.mark.parametrize(
    ("extra", "reward"),
    [
        (None, "sql-r1"),
        ({}, "sql-r1"),
        ({"task": "{"}, "sql-r1"),
        ({"task": '{"id": 1}'}, "sql-r1"),
        ("good", "no-such-reward"),
        ("good", "[1]"),
        ("good", json.dumps(["format", {"reward": "os.path:join", "name": "broken"}])),
        ("gone", "sql-r1"),
        ("bad gold", "sql-r1"),
    ],
)
def test_it_never_raises_and_what_cannot_be_scored_is_masked(ask, extra, reward, tmp_path):
    from dataclasses import replace

    tasks = {"good": ask(RIGHT), "bad gold": ask("SELECT broken FROM nowhere")}
    tasks["gone"] = replace(tasks["good"], database=str(tmp_path / "gone.sqlite"))
    given = info(tasks[extra]) if isinstance(extra, str) else extra
    result = verl_reward.compute_score("demo", COMPLETIONS[0], "", given, reward=reward)
    assert result["masked"] == 1.0
    assert {value for key, value in result.items() if key != "masked"} == {0.0}
    names = {"sql-r1": {"format", "execution", "result", "length"}, "no-such-reward": set(), "[1]": set()}
    assert set(result) - set(verl_reward.OWN_KEYS) == names.get(reward, {"format", "broken"})


def test_a_component_that_does_not_apply_adds_nothing(ask):
    result = score(COMPLETIONS[2], ask(RIGHT), reward="rewards.custom:brevity")
    assert result == {"score": 0.0, "acc": 0.0, "masked": 0.0, "brevity": 0.0}


def test_names_that_verl_needs_are_refused():
    with pytest.raises(PluginError, match="'acc'"):
        verl_reward.load_checked_rubric('[{"reward": "result", "name": "acc"}]')
    with pytest.raises(PluginError, match="'stats'"):
        verl_reward.load_checked_rubric('[{"reward": "result", "name": "stats"}]')


# The data


@pytest.fixture(scope="module")
def scorer():
    with Scorer("sql-r1") as made:
        yield made


def read(path):
    import pyarrow.parquet as pq

    return pq.read_table(path).to_pylist()


def test_too_few_tasks_for_a_batch(tmp_path, scorer, words):
    """verl would divide by zero. It leaves out prompts that are too long."""
    tokenizer = copy.deepcopy(words[0])
    tokenizer.chat_template = verl_data.PLAIN_CHAT_TEMPLATE
    file = tmp_path / "train.parquet"
    verl_data.write_parquet(file, words[1], scorer, "demo", "compact")
    lengths = sorted(count_prompt_tokens(row["prompt"], tokenizer) for row in read(file))
    fit = sum(length <= lengths[9] for length in lengths)
    data = SimpleNamespace(
        train_files=str(file),
        max_prompt_length=lengths[9],
        train_batch_size=fit,
        filter_overlong_prompts=True,
    )
    verl_grpo.check_batch(data, tokenizer)
    data.train_batch_size += 1
    with pytest.raises(
        DataError, match=rf"20 tasks .*, {fit} of them .*train_batch_size={fit + 1}\. Lower the"
    ):
        verl_grpo.check_batch(data, tokenizer)
    data.filter_overlong_prompts = False
    verl_grpo.check_batch(data, tokenizer)


@pytest.mark.slow
def test_the_parquet_has_what_verl_reads(tmp_path, scorer):
    train, held_out = tmp_path / "a" / "train.parquet", tmp_path / "held_out.parquet"
    assert verl_data.write_datasets(SQL, scorer, train, held_out) == (20, 10)
    rows = read(train)
    assert [row["extra_info"]["index"] for row in rows] == list(range(20))
    for row in rows:
        task = verl_reward.decode_task(row["extra_info"]["task"])
        assert os.path.isabs(task.database)
        assert row["data_source"] == "demo"
        assert row["reward_model"] == {"style": "rule", "ground_truth": task.gold_sql}
        assert row["prompt"] == Prompter(scorer, "compact", chat=True)(task)
        assert task.gold_sql not in str(row["prompt"])
        right = verl_reward.compute_score("demo", respond(task.gold_sql), "", row["extra_info"])
        assert (right["acc"], right["masked"]) == (1.0, 0.0)
    again = tmp_path / "again.parquet"
    verl_data.write_datasets(SQL, scorer, again, held_out)
    assert read(again) == rows
    verl_data.write_datasets({**SQL, "seed": 4}, scorer, again, held_out)
    assert read(again) != rows


def test_held_out_tasks_of_the_same_split_are_not_trained_on(scorer):
    sql = {**SQL, "eval_split": None, "split": "dev", "tasks": 0, "eval_tasks": 50}
    held_out = verl_data.draw_tasks(sql, "dev", 50, scorer)
    ids = {task.id for task in held_out}
    learnt = verl_data.draw_tasks(sql, "dev", 0, scorer, frozenset(ids))
    assert len(held_out) == 50
    assert len(learnt) == 150
    assert not ids & {task.id for task in learnt}


def test_levels_choose_tasks_and_none_left_is_an_error(scorer):
    simple = verl_data.draw_tasks({**SQL, "levels": ["simple"]}, "dev", 30, scorer)
    assert {task.difficulty for task in simple} == {"simple"}
    with pytest.raises(DataError, match="no task is left"):
        verl_data.draw_tasks({**SQL, "levels": ["none such"]}, "dev", 30, scorer)


def test_a_gold_that_fails_is_left_out_and_counted(tmp_path, concerts, scorer, caplog):
    lines = [
        {"question": f"{gold}?", "sql": gold, "database": str(concerts)}
        for gold in (RIGHT, "SELECT broken FROM nowhere", "SELECT 1 WHERE 0")
    ]
    path = tmp_path / "own.jsonl"
    path.write_text("".join(json.dumps(line) + "\n" for line in lines))
    sql = {**SQL, "benchmark": "jsonl", "params": {"path": str(path)}}
    assert [task.gold_sql for task in verl_data.draw_tasks(sql, "all", 0, scorer)] == [RIGHT]
    assert "1 of 3 tasks left out: gold query fails (error)" in caplog.text
    assert "1 of 3 tasks left out: gold result is empty" in caplog.text


@pytest.fixture(scope="module")
def words(scorer):
    tasks = verl_data.draw_tasks(SQL, "dev", 20, scorer)
    texts = [Prompter(scorer, "full")(task) for task in tasks]
    return tiny.train_tokenizer(texts, scorer.rubric.form, 400), tasks


@pytest.mark.parametrize("template", ["compact", "full"])
def test_a_model_without_a_chat_template_reads_the_prompt_of_its_cold_start(words, scorer, template):
    tokenizer, tasks = words
    for task in tasks:
        taught = tokenizer(Prompter(scorer, template)(task))["input_ids"]
        chat = Prompter(scorer, template, chat=True)(task)
        prompt = tokenizer.apply_chat_template(
            chat,
            chat_template=verl_data.PLAIN_CHAT_TEMPLATE,
            add_generation_prompt=True,
            tokenize=True,
            return_dict=False,
        )
        assert prompt == taught


def test_only_a_tokenizer_without_a_chat_template_gets_one(words, tmp_path):
    tokenizer, _ = words
    tokenizer.save_pretrained(tmp_path / "plain")
    assert verl_data.get_chat_template(str(tmp_path / "plain")) == verl_data.PLAIN_CHAT_TEMPLATE
    tokenizer.chat_template = "{{ messages }}"
    tokenizer.save_pretrained(tmp_path / "chat")
    tokenizer.chat_template = None
    assert verl_data.get_chat_template(str(tmp_path / "chat")) is None


@pytest.mark.parametrize("template", ["rich", "sql_env.prompts.template:RICH"])
def test_the_rows_have_the_prompt_of_the_template(scorer, ask, template):
    [row] = verl_data.make_rows([ask(RIGHT)], scorer, "demo", template)
    assert row["prompt"][1]["content"].startswith("Database schema:")


# The configuration


@pytest.fixture(scope="module")
def quiet_verl():
    pytest.importorskip("verl")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        import verl  # noqa: F401

        yield


def leaves(node, path=""):
    if isinstance(node, dict) and node:
        for key, value in node.items():
            yield from leaves(value, f"{path}.{key}" if path else key)
    else:
        yield path


OPEN = (
    "sql.",
    "hydra.",
    "reward.custom_reward_function.reward_kwargs.",
    "trainer.v1.sampler.sampler_kwargs.",
    "trainer.v1.sampler.custom_sampler.",
    "actor_rollout_ref.model.override_config.",
    "critic.model.override_config.",
    "ray_kwargs.ray_init.",
)
"""Keys that verl does not check, and keys of our own."""


@pytest.mark.slow
@needs_verl
@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("setup", SETUPS)
def test_every_key_that_we_set_is_one_of_verls(quiet_verl, setup):
    import hydra
    from omegaconf import OmegaConf
    from verl.workers.config import FSDPEngineConfig

    ours = verl_grpo.compose_config([f"setup={setup}", "actor_rollout_ref.model.path=x"])
    with hydra.initialize_config_module("verl.trainer.config", version_base=None):
        theirs = OmegaConf.to_container(hydra.compose("ppo_trainer"), resolve=False)
    known = set(leaves(theirs)) | {
        f"{place}.{name}"
        for place in (
            "actor_rollout_ref.actor.fsdp_config",
            "actor_rollout_ref.ref.fsdp_config",
            "critic.fsdp",
        )
        for name in FSDPEngineConfig.__dataclass_fields__
    }
    own = leaves(OmegaConf.to_container(ours, resolve=False))
    strange = [
        key
        for key in own
        if not key.startswith(OPEN) and key not in known and not any(key.startswith(k + ".") for k in known)
    ]
    assert strange == []
    OmegaConf.to_container(ours, resolve=True)
    assert ours.reward.custom_reward_function.reward_kwargs.reward == "sql-r1"
    assert ours.trainer.v1.sampler.custom_sampler.name == "sync"
    assert list(ours.trainer.logger) == ["console"]


@needs_verl
@pytest.mark.filterwarnings("ignore")
@pytest.mark.slow
def test_the_setups_are_what_they_are_called(quiet_verl):
    config = {name: verl_grpo.compose_config([f"setup={name}"]) for name in SETUPS}
    assert config["cpu"].trainer.device == "cpu"
    assert [config[name].trainer.n_gpus_per_node for name in SETUPS[1:]] == [1, 8, 8]
    assert [config[name].trainer.nnodes for name in SETUPS[1:]] == [1, 1, 2]
    paper = config["eight_gpus_7b"]
    assert paper.actor_rollout_ref.actor.optim.lr == 3e-7
    assert paper.data.train_batch_size * paper.actor_rollout_ref.rollout.n == 64
    assert (paper.actor_rollout_ref.rollout.temperature, paper.trainer.total_epochs) == (1.1, 10)


@needs_verl
@pytest.mark.filterwarnings("ignore")
@pytest.mark.slow
def test_what_a_command_line_implies_goes_before_it(quiet_verl, monkeypatch):
    monkeypatch.setattr(verl_grpo, "has_accelerator", lambda: False)
    found = verl_grpo.implied_overrides(["sql.algorithm=rloo"])
    assert found == ["setup=cpu", "algorithm.adv_estimator=rloo"]
    assert verl_grpo.implied_overrides(["setup=one_gpu_3b", "sql.algorithm=null"]) == []
    monkeypatch.setattr(verl_grpo, "has_accelerator", lambda: True)
    assert verl_grpo.implied_overrides(["sql.algorithm=null"]) == []
    with pytest.raises(PluginError, match="grop"):
        verl_grpo.implied_overrides(["sql.algorithm=grop"])


@needs_verl
@pytest.mark.filterwarnings("ignore")
def test_the_configuration_is_completed_by_model_and_algorithm(quiet_verl, words, tmp_path, monkeypatch):
    tokenizer, _ = words
    tokenizer.save_pretrained(tmp_path)
    monkeypatch.setenv("VERL_USE_EXTERNAL_MODULES", "one")
    monkeypatch.setenv("VERL_PLATFORM", "cpu")
    model = f"actor_rollout_ref.model.path={tmp_path}"
    config = verl_grpo.compose_config(
        ["setup=cpu", model, "sql.max_turns=3", "sql.reward=[format,{reward: result}]"]
    )
    verl_grpo.fill_defaults(config)
    assert config.actor_rollout_ref.model.custom_chat_template == verl_data.PLAIN_CHAT_TEMPLATE
    assert config.sql.prompt == "full@1"
    config.sql.prompt = own = "sql_env.prompts.template:RICH"  # other processes import it, too
    verl_grpo.fill_defaults(config)
    assert config.sql.prompt == own
    budget = make_token_budget(9, verl_grpo.load_model_tokenizer(config))
    size = budget.measure([{"role": "user", "content": "Which dishes?"}])
    assert (budget.max_size, size) == (9, len(tokenizer("Which dishes?\n")["input_ids"]))
    assert json.loads(config.reward.custom_reward_function.reward_kwargs.reward)[0] == "format"
    assert config.actor_rollout_ref.rollout.agent.default_agent_loop == "sql_env"
    assert config.actor_rollout_ref.rollout.agent.agent_loop_config_path.endswith("agent.yaml")
    passed = config.ray_kwargs.ray_init.runtime_env.env_vars
    assert dict(passed) == {"VERL_USE_EXTERNAL_MODULES": "one", "VERL_PLATFORM": "cpu"}


@needs_verl
@pytest.mark.filterwarnings("ignore")
@pytest.mark.slow
def test_a_configuration_that_verl_cannot_run_has_an_error(quiet_verl, monkeypatch):
    monkeypatch.delenv("VERL_PLATFORM", raising=False)
    assert "name a model" in verl_grpo.validation_error(verl_grpo.compose_config(["setup=cpu"]))
    config = verl_grpo.compose_config(["setup=cpu", "actor_rollout_ref.model.path=x"])
    assert "VERL_PLATFORM" in verl_grpo.validation_error(config)
    monkeypatch.setenv("VERL_PLATFORM", "cpu")
    assert verl_grpo.validation_error(config) == ""
    find = importlib.util.find_spec
    monkeypatch.setattr(
        importlib.util, "find_spec", lambda n: None if n == "trl.experimental.ppo" else find(n)
    )
    assert "trl>=1.12,<1.13" in verl_grpo.validation_error(config)


def verl_command(*arguments):
    command = [sys.executable, "-m", "trainers.verl_grpo", *arguments]
    return subprocess.run(command, capture_output=True, text=True, check=False, timeout=120)


def test_help_needs_no_verl():
    done = verl_command("--help")
    assert done.returncode == 0
    assert "setup=eight_gpus_7b" in done.stdout


@needs_verl
@pytest.mark.slow
def test_cfg_job_prints_the_configuration():
    done = verl_command("setup=cpu", "sql.params.path=my.jsonl", "sql.params.more=2", "--cfg", "job")
    assert done.returncode == 0, done.stderr
    assert "path: pkg://trainers.verl_reward" in done.stdout
    assert "  params:\n    path: my.jsonl\n    more: 2\n" in done.stdout
    assert (
        verl_grpo.compose_config(verl_grpo.add_loader_arguments(["sql.params={path: x}"])).sql.params.path
        == "x"
    )


@needs_verl
@pytest.mark.slow
@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["setup=cpu"], "error: name a model: actor_rollout_ref.model.path="),
        (["setup=cpu", "sql.algorithm=grop"], "Did you mean 'grpo'?"),
        (["setup=cpu", "actor_rollout_ref.model.path=x", "trainer.stepz=3"], "stepz"),
    ],
)
def test_a_mistake_on_the_command_line_is_named(arguments, message):
    done = verl_command(*arguments)
    assert done.returncode != 0
    assert message in done.stderr + done.stdout


# The processor, the sampler, the merger


@needs_verl
@pytest.mark.slow
def test_a_processor_is_registered_with_verl():
    script = """
import verl
from verl.plugin.platform import get_platform
from verl.workers.engine.base import EngineRegistry
from verl.workers.rollout.base import get_rollout_class
from verl.workers.rollout.replica import RolloutReplicaRegistry
platform = get_platform()
print(type(platform).__module__, platform.device_name, platform.ray_resource_name())
for kind in ("language_model", "value_model"):
    print(EngineRegistry.get_engine_cls(kind, "fsdp2").__name__)
print(RolloutReplicaRegistry.get("transformers").__name__, get_rollout_class("transformers").__name__)
"""
    done = subprocess.run(
        [sys.executable, "-c", script],
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, **verl_grpo.CPU_ENVIRONMENT},
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines() == [
        "trainers.verl_adapter.cpu.platform cpu GPU",
        "CPUFSDPEngineWithLMHead",
        "CPUFSDPEngineWithValueHead",
        "Replica WeightSender",
    ]


@needs_verl
@pytest.mark.filterwarnings("ignore")
def test_masked_samples_and_lone_survivors_are_left_out(quiet_verl):
    from trainers.verl_adapter.replay_sampler import average_components, find_dropped

    keys = ["a_0_0", "a_1_0", "a_2_0", "b_0_0", "b_1_0", "c_0_0", "d_0_0", "d_1_0"]
    masked = {"a_1_0", "b_0_0"}
    infos = [{"score": float(i), "masked": float(key in masked), "format": 1.0} for i, key in enumerate(keys)]
    assert find_dropped(keys, infos) == {"a_1_0", "b_0_0", "b_1_0"}
    found = average_components(infos)
    assert found["reward/score/mean"] == pytest.approx((0 + 2 + 4 + 5 + 6 + 7) / 6)
    assert found["reward/masked/mean"] == 0.25
    assert found["reward/format/mean"] == 1.0
    assert average_components([{"masked": 1.0}]) == {"reward/masked/mean": 1.0}


@needs_verl
@pytest.mark.filterwarnings("ignore")
def test_a_step_is_one_line_and_its_groups_are_watched(quiet_verl, caplog):
    from trainers.logs.learning import PATIENCE, LearningWatch
    from trainers.verl_adapter.replay_sampler import format_step, list_answers

    keys = ["b_0_0", "a_0_0", "b_1_0", "a_1_0"]
    infos = [{"score": 0.5, "acc": 0.0, "masked": 0.0}] * 3 + [{"score": 0.0, "acc": 0.0, "masked": 1.0}]
    assert format_step(7, infos, [10, 20], 1.26) == (
        "step 7: reward 0.500, correct 0.0%, masked 25.0%, length 15 tokens, 1.3 s"
    )
    assert format_step(7, [{}], [], 0.0) == "step 7: reward 0.000, correct 0.0%, masked 100.0%, 0.0 s"
    answers = list_answers(keys, infos)
    assert [(answer.group, answer.total) for answer in answers] == [
        ("a", 0.5), ("a", None), ("b", 0.5), ("b", 0.5),
    ]  # fmt: skip
    watch = LearningWatch()
    for step in range(2 * PATIENCE):
        watch.add(answers, step)
    [record] = caplog.records
    assert "Train a cold start first" in record.message


@needs_verl
@pytest.mark.filterwarnings("ignore")
def test_the_statistics_of_the_samples_add_up(ask, quiet_verl):
    from trainers.verl_adapter.replay_sampler import average_components, sum_stats

    reward = json.dumps(["format", "execution"])  # a scorer of its own
    tasks = [ask(RIGHT), ask("SELECT count(*) FROM concert"), ask("SELECT broken FROM nowhere")]
    jobs = [(completion, task) for task in tasks for completion in COMPLETIONS] * 2
    before = verl_reward.get_scorer(reward).stats
    with ThreadPoolExecutor(8) as pool:
        infos = list(pool.map(lambda job: score(*job, reward=reward, profile=True), jobs))
    done = verl_reward.get_scorer(reward).stats - before
    assert done.scores == len(jobs)
    assert sum_stats(infos) == pytest.approx({f"sql/{name}": value for name, value in done.metrics().items()})
    assert set(average_components(infos)) == {
        f"reward/{name}/mean" for name in (*verl_reward.OWN_KEYS, "format", "execution")
    }
    assert sum_stats([{}, {"stats": "{}"}]) == {}
    assert score("", tasks[0], reward="no-such-reward", profile=True)["stats"] == "{}"


@needs_verl
@pytest.mark.filterwarnings("ignore")
def test_the_sampler_gets_the_settings_of_verls_own(quiet_verl):
    import inspect

    from verl.trainer.ppo.v1.replay_buffer import ReplayBuffer, ReplayBufferAsync

    from trainers.verl_adapter import replay_sampler as verl_sampler

    filters = {"enable": True, "metric": "acc", "max_inflight_gen_batches": 2}
    given = {"filter_groups": filters, "train_batch_size": 8, "gen_batch_size": None}
    made = verl_sampler.make_buffer_settings(given)
    assert (made["filter_groups_metric"], made["gen_batch_size"]) == ("acc", 1)
    assert set(made) <= set(inspect.signature(ReplayBuffer.__init__).parameters)
    made = verl_sampler.make_buffer_settings({**given, "filter_groups": {**filters, "enable": False}})
    assert (made["filter_groups_metric"], made["gen_batch_size"]) == (None, 8)
    assert issubclass(verl_sampler.separate_async, ReplayBufferAsync)
    assert verl_sampler.colocate_async.sample is verl_sampler.ScoringReplayBuffer.sample


@needs_verl
@pytest.mark.filterwarnings("ignore")
@pytest.mark.slow
def test_rollouts_are_kept_of_a_single_turn_only(quiet_verl):
    overrides = ["setup=cpu", "actor_rollout_ref.model.path=x", "sql.rollouts=8"]
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("VERL_PLATFORM", "cpu")
        assert "sql.max_turns=1" in verl_grpo.validation_error(
            verl_grpo.compose_config([*overrides, "sql.max_turns=3"])
        )
        assert "sql.rollouts" not in verl_grpo.validation_error(verl_grpo.compose_config(overrides))


@needs_verl
@pytest.mark.filterwarnings("ignore")
@pytest.mark.slow
def test_a_run_folder_belongs_to_one_configuration(quiet_verl, tmp_path):
    from omegaconf import open_dict

    def claim(*more):
        config = verl_grpo.compose_config(["setup=cpu", *more])
        with open_dict(config):
            config.trainer.default_local_dir = str(tmp_path)
            config.actor_rollout_ref.model.path = "x"
        with verl_grpo.claim_run_folder(config):
            (tmp_path / "global_step_2" / "actor").mkdir(parents=True, exist_ok=True)

    claim("sql.prompt=compact")
    assert json.loads((tmp_path / "prompt.json").read_text())["template"] == "compact@1"
    free = ["trainer.total_training_steps=9", "sql.workers=3", "sql.rollouts=4", "trainer.test_freq=1"]
    claim("sql.prompt=compact", *free)
    for other, difference in {
        "sql.reward=arctic": 'sql.reward: "sql-r1" there, "arctic" here',
        "actor_rollout_ref.actor.optim.lr=1e-3": "actor_rollout_ref.actor.optim.lr: 0.0005 there, 0.001 here",
        "algorithm.adv_estimator=rloo": "algorithm.adv_estimator",
        "trainer.resume_mode=disable": "with the same settings: give another trainer.default_local_dir",
    }.items():
        with pytest.raises(DataError, match="global_step_2") as caught:
            claim("sql.prompt=compact", other)
        assert difference in str(caught.value)
    changed = verl_grpo.compose_config(["setup=cpu", f"trainer.default_local_dir={tmp_path}"])
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(verl_grpo, "validation_error", lambda config: "")
        patch.setattr(verl_grpo, "fill_defaults", lambda config: None)
        with pytest.raises(SystemExit, match="has an earlier run") as ended:
            verl_grpo.run_training(changed)
    assert str(ended.value).startswith("error: ")
    resume = ["sql.prompt=compact", "trainer.resume_mode=resume_path"]
    claim(*resume, f"trainer.resume_from_path={tmp_path}/global_step_2")
    with pytest.raises(DataError, match="is no checkpoint"):
        claim(*resume, f"trainer.resume_from_path={tmp_path}/global_step_9")


def test_the_newest_checkpoint_is_found(tmp_path):
    with pytest.raises(DataError, match="no checkpoint"):
        find_checkpoint(tmp_path)
    for step in (2, 10):
        (tmp_path / f"global_step_{step}" / "actor").mkdir(parents=True)
        (tmp_path / f"global_step_{step}" / "actor" / "fsdp_config.json").write_text("{}")
    (tmp_path / "latest_checkpointed_iteration.txt").write_text("10")
    assert find_checkpoint(tmp_path).name == "global_step_10"
    assert find_checkpoint(tmp_path / "global_step_2").name == "global_step_2"


# The demo


@needs_verl
@pytest.mark.filterwarnings("ignore")
def test_the_demo_calls_verl_in_its_own_keys(quiet_verl, tmp_path):
    args = DemoArguments(out=str(tmp_path), backend="verl", algorithm="rloo", grpo_steps=7, grpo_rate=0.25)
    config = verl_grpo.compose_config(verl_stage.make_command(args, tmp_path / "cold_start", 33)[3:])
    assert config.sql.algorithm == "rloo"
    assert config.actor_rollout_ref.model.path == str(tmp_path / "cold_start")
    assert config.trainer.total_training_steps == config.trainer.save_freq == 7
    assert config.actor_rollout_ref.actor.optim.lr == 0.25
    assert config.actor_rollout_ref.actor.optim.lr_warmup_steps == 3
    assert config.data.max_response_length == 33
    assert config.data.train_batch_size * config.actor_rollout_ref.rollout.n == 128
    assert config.sql.benchmark is None
    assert "file" in config.trainer.logger


def test_the_demo_s_threads_are_those_of_verl(tmp_path):
    import torch

    before = torch.get_num_threads()
    try:
        torch.set_num_threads(3)
        environment = verl_stage.make_environment(tmp_path / "verl.jsonl")
    finally:
        torch.set_num_threads(before)
    assert environment["OMP_NUM_THREADS"] == "3"
    assert environment["VERL_FILE_LOGGER_PATH"] == str(tmp_path / "verl.jsonl")


@pytest.mark.slow
def test_the_demo_reads_what_verl_logs(tmp_path):
    class Stage:
        name, total, advanced, shown = "GRPO", 50, 0, ()

        def advance(self, steps):
            self.advanced += steps

        def on_log(self, args, state, control, logs):
            self.shown += ((state.global_step, logs["reward"], logs["sql/correct"]),)

    path, stage = tmp_path / "verl.jsonl", Stage()
    data = {"reward/score/mean": 1.5, "reward/acc/mean": 0.5, "reward/format/mean": 1.0, "actor/entropy": 0.1}
    full = "".join(json.dumps({"step": step, "data": data}) + "\n" for step in (1, 2, 3, 4))
    texts = iter(["", full[:-20], full])

    def ended():
        path.write_text(next(texts))
        return path.read_text() == full

    rows = list(verl_stage.follow_log(path, ended, stage))
    assert [row["step"] for row in rows] == [1, 2, 3, 4]
    assert rows[0] == {
        "step": 1, "reward": 1.5, "sql/correct": 0.5, "rewards/format/mean": 1.0, "entropy": 0.1,
    }  # fmt: skip
    assert (stage.advanced, stage.shown) == (4, ((2, 1.5, 0.5), (4, 1.5, 0.5)))

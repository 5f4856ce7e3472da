"""Files of others name code, and none is imported: checkpoints, task files, dataset rows, run folders."""

import json
import os
import pickle
import sys
from contextlib import suppress
from dataclasses import asdict
from types import SimpleNamespace

import pytest
from typer.testing import CliRunner

import sql_env.cli
from benchmarks.diagnostics.doctor.diagnosis import diagnose
from benchmarks.evaluate import app as evaluate_app
from benchmarks.evaluation.options import PromptSettings
from benchmarks.generation.generator import load_generator
from benchmarks.jsonl import jsonl
from benchmarks.records.item import make_item, read_items
from benchmarks.reports.html.page import render_page
from benchmarks.reports.recorded_run import read_runs
from sql_env import Scorer, Task, load_benchmark, plugins, respond
from sql_env.comparison import get_comparison
from sql_env.envs.config import EnvConfig
from sql_env.errors import DataError, FormatError, PluginError, SQLEnvError
from sql_env.execution.backends import resolve_backend
from sql_env.execution.engines import load_engine
from sql_env.limits import Limits
from sql_env.parser import get_format
from sql_env.prompts.template import RICH, get_template, load_template, read_recorded_template
from sql_env.scoring.rubric import load_rubric
from trainers.verl_reward import compute_score

NAME = "payload:x"
GROUPS = [
    plugins.REWARDS,
    plugins.PRESETS,
    plugins.BENCHMARKS,
    plugins.ALGORITHMS,
    plugins.COMMANDS,
    plugins.GENERATORS,
]


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """A folder of somebody else with a module that leaves a file when it is imported."""
    payload = "import pathlib; pathlib.Path(__file__).with_name('PWNED').touch()\n"
    (tmp_path / "payload.py").write_text(
        f"{payload}from sql_env.prompts.template import RICH as x\nclass Code: pass\n"
    )
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.chdir(tmp_path)
    yield tmp_path
    sys.modules.pop("payload", None)


def check_not_imported(folder):
    assert not (folder / "PWNED").exists()
    assert "payload" not in sys.modules


def test_the_payload_works_for_its_owner(folder):
    assert load_template(NAME) is RICH
    assert (folder / "PWNED").exists()


# Names


@pytest.mark.parametrize("group", GROUPS)
@pytest.mark.parametrize("name", [NAME, "payload", "payload:", ":x", "os:system"])
def test_no_group_imports_a_name_that_is_not_installed(folder, group, name):
    with pytest.raises(PluginError, match=r"is called .*Known: .*entry point of the group"):
        plugins.load(group, name)
    check_not_imported(folder)


@pytest.mark.parametrize(
    "find",
    [
        get_template,
        get_format,
        get_comparison,
        resolve_backend,
        lambda name: load_engine(name, Limits()),
    ],
)
def test_no_table_of_names_imports(folder, find):
    with pytest.raises(SQLEnvError, match="payload:x"):
        find(NAME)
    check_not_imported(folder)


@pytest.mark.parametrize(
    "use",
    [
        lambda: EnvConfig(prompt=NAME).make_episode_settings()["template"],
        lambda: load_rubric(NAME),
        lambda: load_benchmark(NAME),
        lambda: load_generator(NAME, "model"),
    ],
)
def test_a_call_of_the_user_imports(folder, use):
    """The user trusts what the user writes: these arguments take ``package.module:object``."""
    with suppress(SQLEnvError, TypeError):  # a template is no reward, no benchmark and no generator
        use()
    assert (folder / "PWNED").exists()


# Checkpoints


@pytest.fixture
def model(folder):
    (folder / "prompt.json").write_text(json.dumps({"template": NAME}))
    return str(folder)


ADVICE = r"prompt\.json.*cannot name code.*--template.*--prompt"


@pytest.mark.parametrize(
    "read", [read_recorded_template, lambda place: PromptSettings().with_template_of(place)]
)
def test_the_record_of_a_checkpoint_names_no_code(folder, model, read):
    with pytest.raises(FormatError, match=ADVICE):
        read(model)
    check_not_imported(folder)


@pytest.mark.parametrize("text", ["[" * 100_000, '{"template": ["full"]}', '{"template": null}', "{}", "\0"])
def test_a_damaged_record_says_so(folder, text):
    (folder / "prompt.json").write_text(text)
    with pytest.raises(FormatError, match=r"prompt\.json"):
        read_recorded_template(folder)


def test_evaluation_reads_the_record_as_data(folder, model):
    given = ["--benchmark", "demo", "--model", model, "--tasks", "1", "--base-url", "http://127.0.0.1:9/v1"]
    done = CliRunner().invoke(evaluate_app, given)
    assert done.exit_code == 2
    assert "cannot name code" in done.output
    check_not_imported(folder)


def test_ask_reads_the_record_as_data(folder, model, concerts, monkeypatch, capsys):
    url = "http://127.0.0.1:9/v1"
    given = ["sql-env", "ask", "How many?", "--db", str(concerts), "--model", model, "--base-url", url]
    monkeypatch.setattr(sys, "argv", given)
    with pytest.raises(SystemExit, match="2"):
        sql_env.cli.main()
    assert "cannot name code" in " ".join(capsys.readouterr().err.split())
    check_not_imported(folder)


@pytest.mark.slow
def test_training_reads_the_record_as_data(folder, model):
    pytest.importorskip("transformers")
    from trainers.arguments import SQLArguments
    from trainers.training import load_setup

    given = SimpleNamespace(model_name_or_path=model, model_revision=None)
    with Scorer("sql-r1") as scorer, pytest.raises(FormatError, match=ADVICE):
        load_setup(SQLArguments(), SimpleNamespace(trust_remote_code=False), given, scorer)
    check_not_imported(folder)


@pytest.mark.slow
def test_a_tokenizer_with_code_of_its_own_is_refused_without_a_question(folder, monkeypatch):
    """transformers asks on the terminal if the caller has not decided."""
    pytest.importorskip("transformers")
    from trainers.dataset import load_tokenizer

    auto_map = {"AutoTokenizer": ["payload.Code", "payload.Code"], "AutoConfig": "payload.Code"}
    for name in ("tokenizer_config.json", "config.json"):
        (folder / name).write_text(json.dumps({"auto_map": auto_map, "model_type": "mine"}))
    monkeypatch.setattr("builtins.input", lambda *_: "y")
    with pytest.raises(ValueError, match="custom code"):
        load_tokenizer(str(folder))
    check_not_imported(folder)


class Runs:
    """A pickle that runs code when it is loaded."""

    def __reduce__(self):
        return os.mkdir, ("PWNED",)


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")
def test_a_shard_that_runs_code_is_not_merged(folder):
    torch = pytest.importorskip("torch")
    pytest.importorskip("verl")
    from trainers.verl_adapter.merge import merge_checkpoint

    actor = folder / "run" / "actor"
    actor.mkdir(parents=True)
    (actor / "fsdp_config.json").write_text('{"world_size": 1}')
    settings = {"model_type": "gpt2", "architectures": ["GPT2LMHeadModel"]}
    (actor / "huggingface").mkdir()
    (actor / "huggingface" / "config.json").write_text(json.dumps(settings))
    torch.save({"weight": Runs()}, actor / "model_world_size_1_rank_0.pt")
    with pytest.raises(DataError, match="more than tensors"):
        merge_checkpoint(folder / "run", folder / "model")
    assert not (folder / "PWNED").exists()
    assert "TORCH_FORCE_WEIGHTS_ONLY_LOAD" not in os.environ


# Tasks and runs


@pytest.mark.parametrize("field", ["comparison", "dialect"])
def test_a_file_of_tasks_names_no_code(folder, concerts, field):
    row = {"question": "q", "sql": "SELECT 1", "database": str(concerts), field: NAME}
    (folder / "tasks.jsonl").write_text(json.dumps(row))
    with pytest.raises(DataError, match=r"tasks\.jsonl, line 1: no .*payload:x.*[Kk]nown: "):
        jsonl(path=str(folder / "tasks.jsonl"))
    check_not_imported(folder)


@pytest.mark.parametrize("field", ["comparison", "dialect"])
def test_a_row_of_a_dataset_names_no_code(folder, ask, field):
    """verl and TRL take the task from a column. Nothing raises in verl: the sample is masked."""
    task = ask("SELECT 1", **{field: NAME})
    row = {"task": json.dumps(task.to_dict()), "reward": NAME, "template": NAME}
    assert compute_score("demo", respond("SELECT 1"), "", row)["masked"] == 1.0
    with Scorer("sql-r1") as scorer, pytest.raises(SQLEnvError, match="payload:x"):
        scorer.score([respond("SELECT 2")], [Task.from_json(row["task"])])
    check_not_imported(folder)


def test_a_run_folder_names_no_code(folder, ask):
    with Scorer("sql-r1", rows=True) as scorer:
        item = make_item(0, scorer.score([respond("SELECT 1")], [ask("SELECT 1")])[0])
    row = {**asdict(item), "task_id": NAME, "dialect": NAME, "difficulty": NAME, "components": {NAME: 1.0}}
    (folder / "items.jsonl").write_text(json.dumps(row) + "\n")
    settings = {"prompt": {"template": NAME}, "reward": NAME, "comparison": NAME, "benchmark": NAME}
    for name in ("config.json", "summary.json", "schemas.json"):
        (folder / name).write_text(json.dumps(settings))
    [run] = read_runs([folder])
    assert run.about["reward"] == NAME
    diagnose(read_items(folder))
    assert NAME in render_page([run])
    check_not_imported(folder)


def test_a_pickle_runs_code_at_all():
    """The shard of `test_a_shard_that_runs_code_is_not_merged` would do harm."""
    assert b"mkdir" in pickle.dumps(Runs())

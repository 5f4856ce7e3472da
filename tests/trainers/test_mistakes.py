"""A mistake on the command line of a trainer is one line that says how to correct it, and no traceback."""

import subprocess
import sys

import pytest

from sql_env.errors import ArgumentError
from trainers import sft, trl_grpo
from trainers.arguments import HELP_OF_ALL, peek_argument
from trainers.trl_adapter.environment import check_chat_template

TRAINERS = pytest.mark.parametrize("main", [sft.main, trl_grpo.main], ids=["sft", "trl_grpo"])
MODEL = ["--model_name_or_path", "no/such/model/anywhere", "--output_dir", "out"]


def said(main, *arguments):
    """Return the line with which a command ends."""
    with pytest.raises(SystemExit) as ended:
        main([str(argument) for argument in arguments])
    assert isinstance(ended.value.code, str)
    assert "\n" not in ended.value.code
    return ended.value.code


@pytest.mark.slow
@TRAINERS
@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (
            ["--lerning_rate", "1", *MODEL],
            "no option '--lerning_rate'. Did you mean '--learning_rate'?",
        ),
        (["--eval-task=3", "--lerning-rate=1", *MODEL], "Did you mean '--learning_rate'?"),
        (["--zzzzzzzz", *MODEL], "there is no option '--zzzzzzzz' "),
        (["stray", *MODEL], "there is no option 'stray'"),
        (["--max_steps", "many", *MODEL], "--max_steps"),
        (["--strategy", "sqll", *MODEL], "invalid choice: 'sqll'"),
        (["--config"], "--config needs a YAML file"),
        (["--config", "nowhere.yaml"], "cannot read the YAML file nowhere.yaml"),
        (["--config=nowhere.yaml"], "cannot read the YAML file nowhere.yaml"),
        ([], "--model_name_or_path is missing"),
        (["--reward", '["format",', *MODEL], "is not valid JSON"),
        (MODEL, "no model at 'no/such/model/anywhere'"),
    ],
)
def test_a_mistake_on_the_command_line(main, arguments, message, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert message in said(main, *arguments)


@pytest.mark.slow
@TRAINERS
@pytest.mark.parametrize(
    ("text", "message"),
    [
        (
            "lerning_rate: 1\n",
            "no key of the YAML file 'lerning_rate'. Did you mean 'learning_rate'?",
        ),
        ("a: [\n", "is not valid YAML"),
        ("", "must contain a mapping"),
        ("- 1\n", "must contain a mapping"),
        ("\udcff", "cannot read the YAML file"),
    ],
)
def test_a_mistake_in_the_yaml_file(main, text, message, tmp_path):
    file = tmp_path / "train.yaml"
    file.write_bytes(text.encode(errors="surrogateescape"))
    assert message in said(main, "--config", file, *MODEL)


@pytest.mark.slow
def test_a_value_that_trl_refuses_is_no_traceback(tmp_path):
    batch = ["--per_device_train_batch_size", "3", "--num_generations", "2"]
    assert "divisible" in said(trl_grpo.main, *batch, *MODEL)


def test_an_argument_is_found_on_the_line_or_in_the_file(tmp_path):
    file = tmp_path / "train.yaml"
    file.write_text("algorithm: rloo\n")
    for given, found in (
        ([], ""),
        (["--config", str(file)], "rloo"),
        ([f"--config={file}"], "rloo"),
        (["--config", str(file), "--algorithm", "dapo"], "dapo"),
    ):
        assert peek_argument("algorithm", given) == found
    with pytest.raises(ArgumentError, match="--algorithm"):
        peek_argument("algorithm", ["--algorithm"])


@TRAINERS
def test_the_help_shows_our_options_and_few_of_trl(main, capsys):
    with pytest.raises(SystemExit) as ended:
        main(["--help"])
    text = capsys.readouterr().out
    assert ended.value.code == 0
    assert text.index("--benchmark") < text.index("--learning_rate") < text.index(HELP_OF_ALL)
    assert len(text.splitlines()) < 100
    assert "--adam_beta1" not in text


@pytest.mark.slow
@TRAINERS
def test_all_options_are_shown_on_request(main, capsys):
    with pytest.raises(SystemExit) as ended:
        main([HELP_OF_ALL])
    assert ended.value.code == 0
    assert "--adam_beta1" in capsys.readouterr().out


class Tokenizer:
    chat_template = "{{ messages }}"


@pytest.mark.slow
def test_a_chat_template_that_trl_cannot_read_is_refused_before_the_training():
    with pytest.raises(ArgumentError, match="Qwen 3"):
        check_chat_template(Tokenizer())
    own = Tokenizer()
    own.response_schema = {}
    check_chat_template(own)


def verl(*arguments):
    command = [sys.executable, "-m", "trainers.verl_grpo", *arguments]
    return subprocess.run(command, capture_output=True, text=True, check=False, timeout=200)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["sql.benchmrak=demo"], "Key 'benchmrak' is not in"),
        (['sql.reward=["format",'], "no viable alternative"),
        (["actor_rollout_ref.model.path=no/such/model/anywhere"], "no model at 'no/such/model/anywhere'"),
    ],
)
def test_a_mistake_in_an_override_of_verl(arguments, message, tmp_path, monkeypatch):
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    monkeypatch.chdir(tmp_path)
    done = verl(*arguments)
    assert done.returncode != 0
    [line] = [line for line in done.stderr.splitlines() if line.startswith("error: ")]
    assert message in line
    assert "Traceback" not in done.stderr


@pytest.mark.slow
def test_overrides_may_stand_on_both_sides_of_an_option_of_hydra(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    done = verl("sql.split=here", "--cfg", "job", "sql.eval_split=there")
    assert done.returncode == 0, done.stderr
    assert "  split: here\n" in done.stdout
    assert "  eval_split: there\n" in done.stdout

"""The page docs/own-data: its commands train a model on the questions that its program writes."""

import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

from benchmarks.records.item import read_items
from sql_env.benchmark import parse_parameters
from trainers.arguments import parse_arguments

pytestmark = pytest.mark.slow

PAGE = (Path(__file__).parents[2] / "docs" / "own-data.md").read_text(encoding="utf-8")
BATCH = [
    "--prompt", "compact", "--threads", "1", "--max_steps", "1", "--per_device_train_batch_size", "2",
    "--disable_tqdm", "True", "--max_new_tokens", "8", "--eval_tasks", "1", "--save_steps", "9",
]  # fmt: skip
SHORT = ["--num_generations", "2", "--max_completion_length", "16"]


def read_command(module, *parts):
    """Return the first command of the page that runs a module and has all these parts."""
    commands = [line.strip() for line in PAGE.replace("\\\n", " ").split("\n") if line.startswith("$ ")]
    [found, *_] = [c for c in commands if f"-m {module} " in c and all(part in c for part in parts)]
    return shlex.split(found)[2:]


def run(folder, *command):
    done = subprocess.run(
        [sys.executable, *command], cwd=folder, capture_output=True, text=True, check=False, timeout=240
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout + done.stderr


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A folder with what the page writes, and a model without training."""
    place = tmp_path_factory.mktemp("own")
    run(place, "-c", re.findall(r"^```python\n(.*?)^```", PAGE, re.MULTILINE | re.DOTALL)[0])
    (place / "my_rewards.py").write_text(re.findall(r"^```py\n(.*?)^```", PAGE, re.MULTILINE | re.DOTALL)[0])
    run(place, "-m", "trainers.demo.tiny", "--output_dir", "MODEL", "--vocabulary", "600")
    run(place, *read_command("trainers.sft"), *BATCH)
    return place


def test_grpo_on_own_questions_with_a_reward_of_an_own_column(folder):
    """The model's answers are wrong, so a further reward without a condition shows the column."""
    with (folder / "my_rewards.py").open("a") as file:
        file.write("\n\ndef shown(rollout):\n    return rollout.task.extra['importance']\n")
    command = read_command("trainers.trl_grpo", "my_rewards:important")
    rubric = command.pop().replace("]", ', "my_rewards:shown"]')
    said = run(folder, *command, rubric, *BATCH, *SHORT)
    assert "greedy execution accuracy on 1 held-out tasks" in said
    items = list(read_items(folder / "runs" / "important" / "rollouts"))
    assert [(item.task_id, item.components["shown"]) for item in items] == [("1", 0.5)] * 2
    for item in items:
        assert item.components["important"] == (0.5 if item.correct else None)


def test_arguments_of_a_loader_in_a_file_and_on_the_command_line(tmp_path):
    from trl import SFTConfig

    (tmp_path / "sft.yaml").write_text("param: [path=a.jsonl, more=1]\n")
    given = [
        "--model_name_or_path",
        "m",
        "--output_dir",
        str(tmp_path),
        "--config",
        str(tmp_path / "sft.yaml"),
    ]
    for arguments, path in (([], "a.jsonl"), (["--param", "path=b.jsonl", "--param", "other=2"], "b.jsonl")):
        args, *_ = parse_arguments(SFTConfig, [*given, *arguments])
        assert parse_parameters(args.param) == {
            "path": path,
            "more": 1,
            **({"other": 2} if arguments else {}),
        }

"""Runs of verl on the processor: a kill and a resumed run, masked samples, several turns, a merged model."""

import importlib.util
import json
import os
import signal
import subprocess
import sys
import time
from collections import Counter

import pytest

from benchmarks.records.item import read_items
from sql_env import Scorer, ScorerStats, Task

pytest.importorskip("transformers")

from trainers.dataset import Prompter
from trainers.demo import tiny
from trainers.generation.accuracy import measure_greedy
from trainers.verl_adapter.parquet import draw_tasks

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(importlib.util.find_spec("verl") is None, reason="verl is not installed"),
]

SQL = {
    "benchmark": "demo", "data_dir": None, "params": {}, "levels": None, "seed": 0, "keep_empty": False,
}  # fmt: skip

FLAKY = """
from zlib import crc32

def flaky(rollout):
    if crc32(rollout.completion.encode()) % 4 == 0:
        raise ValueError("on purpose")
    return float(len(rollout.completion) % 5)
"""

STATS = [f"sql/{name}" for name in ScorerStats().metrics()]

LOOK = "<think>\n\n</think>\n<sql>SELECT 1</sql>"


@pytest.fixture(scope="module")
def tasks():
    with Scorer("sql-r1") as scorer:
        prompter = Prompter(scorer, "compact")
        found = draw_tasks(SQL, "train", 24, scorer)
        return found, [str(prompter(task)) for task in found], scorer.rubric.form


@pytest.fixture(scope="module")
def folder(tmp_path_factory, tasks):
    """A tokenizer, a model with random weights, and a model that always runs a query."""
    import torch

    place = tmp_path_factory.mktemp("verl")
    (place / "flaky_reward.py").write_text(FLAKY)
    _, prompts, form = tasks
    words = tiny.train_tokenizer([*prompts, *[LOOK] * 40], form, 500)
    model = tiny.make_model(words, width=32)
    for part in (words, model):
        part.save_pretrained(place / "random")
    torch.set_num_threads(1)  # others use the machine too
    batch = words(
        [prompt + LOOK + words.eos_token for prompt in prompts[:6]], return_tensors="pt", padding=True
    )
    lengths = words([LOOK + words.eos_token])["input_ids"]
    labels = batch["input_ids"].clone()
    labels[:, : -len(lengths[0])] = -100
    optimizer = torch.optim.AdamW(model.parameters(), lr=1e-2)
    for _ in range(60):
        inputs = {key: batch[key] for key in ("input_ids", "attention_mask")}
        loss = model(**inputs, labels=labels).loss
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    assert loss.item() < 0.1
    for part in (words, model):
        part.save_pretrained(place / "looking")
    return place


def start(folder, out, *more, model="random"):
    keys = {
        "actor_rollout_ref.model.path": folder / model,
        "sql.prompt": "compact",
        "sql.tasks": 24,
        "sql.eval_tasks": 8,
        "data.train_batch_size": 4,
        "data.max_response_length": 12,
        "actor_rollout_ref.rollout.n": 4,
        "trainer.default_local_dir": out,
        "trainer.total_epochs": 100,
    }
    command = [sys.executable, "-m", "trainers.verl_grpo", *(f"{k}={v}" for k, v in keys.items()), *more]
    paths = os.pathsep.join([str(folder), os.environ.get("PYTHONPATH", "")])
    (out / "log").parent.mkdir(exist_ok=True, parents=True)
    with (out / "log").open("w") as log:
        env = {**os.environ, "PYTHONPATH": paths, "OMP_NUM_THREADS": "1", "HF_HUB_OFFLINE": "1"}
        return subprocess.Popen(
            command, stdout=log, stderr=subprocess.STDOUT, env=env, start_new_session=True
        )


def finish(process, out):
    try:
        assert process.wait(timeout=280) == 0, (out / "log").read_text()[-6000:]
    finally:
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGKILL)
    return steps(out)


def steps(out):
    """Return the metrics of each step on the console: name -> value."""
    found = {}
    for line in (out / "log").read_text().splitlines():
        if " step:" in line and " - " in line:
            head, *pairs = line.split(" - ")
            values = dict(pair.rsplit(":", 1) for pair in pairs)
            found[int(head.rpartition("step:")[2])] = {
                name: float(value.removesuffix(")").rpartition("(")[2]) for name, value in values.items()
            }
    return found


@pytest.mark.timeout(600)
def test_a_killed_run_resumes_from_its_checkpoint_and_becomes_a_model(folder, tasks, tmp_path):
    rubric = json.dumps(["format", {"reward": "flaky_reward:flaky", "weight": 0.5}])
    settings = (f"sql.reward='{rubric}'", "sql.algorithm=dr_grpo", "trainer.save_freq=1")
    process = start(folder, tmp_path, *settings, "trainer.total_training_steps=500")
    noted = tmp_path / "latest_checkpointed_iteration.txt"
    until = time.monotonic() + 280
    while not noted.exists() or int(noted.read_text() or 0) < 2:
        assert process.poll() is None, (tmp_path / "log").read_text()[-6000:]
        assert time.monotonic() < until
        time.sleep(0.5)
    os.killpg(process.pid, signal.SIGKILL)
    process.wait()
    first = steps(tmp_path)
    assert 1 in first
    assert any(row["reward/masked/mean"] > 0 for row in first.values())
    for row in first.values():
        parts = row["reward/format/mean"] + 0.5 * row["reward/flaky/mean"]
        assert row["reward/score/mean"] == pytest.approx(parts, abs=1e-4)
        assert row["reward/flaky/mean"] >= 0
    assert any(row["actor/grad_norm"] > 0 for row in first.values())
    assert max(row["training/rollout_probs_diff_max"] for row in first.values()) < 1e-4

    last = int(noted.read_text()) + 2
    more = [f"trainer.total_training_steps={last}", "trainer.test_freq=1"]
    second = finish(start(folder, tmp_path, *settings, *more), tmp_path)
    assert list(second) == [last - 1, last]
    assert "val-core/demo/acc/mean@1" in second[last]
    assert "val-aux/demo/format/mean@1" in second[last]

    merged = tmp_path / "model"
    command = [
        sys.executable,
        "-m",
        "trainers.verl_adapter.merge",
        "--run",
        str(tmp_path),
        "--output_dir",
        str(merged),
    ]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=120)
    assert done.returncode == 0, done.stderr
    assert json.loads((merged / "prompt.json").read_text())["template"] == "compact@1"
    check_model(merged, folder / "random", tasks[0])


@pytest.mark.timeout(400)
def test_rollouts_are_kept_with_their_steps_and_scores(folder, tmp_path):
    more = ["sql.reward=[format,result]", "trainer.total_training_steps=2", "sql.rollouts=16"]
    logged = finish(start(folder, tmp_path, *more), tmp_path)
    kept = list(read_items(tmp_path / "rollouts"))
    assert Counter(item.step for item in kept) == {1: 16, 2: 16}
    assert all(count == 4 for count in Counter((item.step, item.task_id) for item in kept).values())
    for step, row in logged.items():
        totals = [item.total for item in kept if item.step == step]
        assert row["reward/score/mean"] == pytest.approx(sum(totals) / 16, abs=1e-4)
        assert set(STATS) <= set(row)
        assert 1 <= row["sql/gold_hits"] + row["sql/gold_misses"] <= 16
        assert row["sql/time/parse"] > 0
        assert row["sql/time/reward"] > 0
    assert not any("stats" in name for row in logged.values() for name in row)


def check_model(merged, before, tasks: list[Task]):
    import torch
    from transformers import AutoModelForCausalLM, AutoTokenizer

    model = AutoModelForCausalLM.from_pretrained(merged, dtype=torch.float32)
    old = AutoModelForCausalLM.from_pretrained(before, dtype=torch.float32)
    change = max(
        (new - weight).abs().max().item()
        for new, weight in zip(model.parameters(), old.parameters(), strict=True)
    )
    assert 1e-4 < change < 0.1
    words = AutoTokenizer.from_pretrained(merged)
    with Scorer("sql-r1") as scorer:
        chat = Prompter(scorer, "compact", chat=words.chat_template is not None)
        assert measure_greedy(model, words, tasks[:4], chat, max_new_tokens=8) == 0.0


@pytest.mark.timeout(400)
def test_several_turns(folder, tmp_path):
    more = [
        "sql.max_turns=3",
        "sql.algorithm=rloo",
        "data.max_response_length=200",
        "data.max_prompt_length=512",
    ]
    rows = finish(start(folder, tmp_path, "trainer.total_training_steps=2", *more, model="looking"), tmp_path)
    assert list(rows) == [1, 2]
    for row in rows.values():
        assert row["num_turns/max"] >= 4
        assert row["reward/masked/mean"] == 0
        assert row["sql/queries"] + row["sql/shared"] >= 8, "most of sixteen look"
        assert row["sql/time/execute"] > 0
        assert row["response_length/mean"] > 30
        assert row["training/rollout_probs_diff_max"] < 1e-4

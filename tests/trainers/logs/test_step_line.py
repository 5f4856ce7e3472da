"""The console has one line for each report of a trainer, and a file all its metrics."""

import json
from types import SimpleNamespace

import pytest

pytest.importorskip("transformers")

from trainers.logs.step_line import METRICS, StepLine, format_line

LOGS = {
    "loss": 0.0, "reward": -0.5, "sql/correct": 0.25, "sql/masked": 0.0, "completions/mean_length": 87.4,
    "step_time": 1.26, "rewards/format/mean": 1.0, "learning_rate": 1e-6,
}  # fmt: skip


def test_a_line_has_the_important_metrics_only():
    assert format_line(2, 50, LOGS) == (
        "step 2 of 50: reward -0.500, correct 25.0%, masked 0.0%, length 87 tokens, 1.3 s"
    )
    assert format_line(2, 50, {"loss": 1.5, "learning_rate": 3e-3}) == "step 2 of 50: loss 1.5, rate 0.003"
    assert format_line(2, 50, {"train_runtime": 3.0}) == ""


def test_all_metrics_are_in_a_file(tmp_path, capsys, caplog):
    line, args = StepLine(), SimpleNamespace(output_dir=str(tmp_path))
    for first, step in ((True, 1), (False, 1), (True, 2)):
        state = SimpleNamespace(global_step=step, max_steps=2, is_world_process_zero=first)
        line.on_log(args, state, None, logs=LOGS)
    rows = [json.loads(row) for row in (tmp_path / METRICS).read_text().splitlines()]
    assert rows == [{"step": 1, **LOGS}, {"step": 2, **LOGS}]
    assert [row.partition(":")[0] for row in capsys.readouterr().out.splitlines()] == [
        "step 1 of 2", "step 2 of 2",
    ]  # fmt: skip
    args.output_dir = str(tmp_path / METRICS)
    line.on_log(args, state, None, logs=LOGS)
    assert "the metrics of step 2 are not kept" in caplog.text

"""The table over seeds: means, spreads, and what must not stand in one table."""

import json
from copy import deepcopy

import pytest
from typer.testing import CliRunner

from sql_env.errors import DataError
from trainers.studies.experiment import format_mean, make_table
from trainers.studies.table import app, compare_runs


def record(seed, after, algorithm="", backend="trl", **settings):
    shared = {"seed": seed, "algorithm": algorithm, "backend": backend, "out": f"{seed}", "sft_steps": 9}
    before = {"greedy": 0.3 + seed / 100, "pass@8": 0.5}
    figures = {"greedy": after, "pass@8": 0.75}
    return {
        "settings": shared | settings, "before": before, "after": figures, "seconds": {"grpo": 60.0 + seed},
    }  # fmt: skip


RUNS = [
    record(2, 0.7), record(1, 0.6), record(3, 0.8), record(1, 0.5, "rloo"), record(2, 0.9, "grpo", "verl"),
]  # fmt: skip


def test_a_row_for_the_start_and_one_for_each_algorithm():
    assert compare_runs(RUNS) == [
        ("", "seeds", "greedy", "pass@8", "wall time of RL, s"),
        ("cold start", "1, 2, 3", "0.320 ± 0.010", "0.500 ± 0.000", "–"),
        ("GRPO, as tuned for the demo (trl)", "1, 2, 3", "0.700 ± 0.100", "0.750 ± 0.000", "62"),
        ("rloo (trl)", "1", "0.500", "0.750", "61"),
        ("grpo (verl)", "2", "0.900", "0.750", "62"),
    ]
    assert format_mean([0.5]) == "0.500"


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda run: run["settings"].update(sft_steps=8), "differ in sft_steps"),
        (lambda run: run["before"].update(greedy=0.0), "seed 2 did not start from the same model"),
        (lambda run: run["settings"].update(algorithm="rloo", seed=1), "did not start from the same"),
    ],
)
def test_other_experiments_do_not_mix(change, message):
    runs = deepcopy(RUNS)
    change(runs[-1])
    with pytest.raises(DataError, match=message):
        compare_runs(runs)


def test_a_seed_counts_once():
    with pytest.raises(DataError, match="two runs have the same seed"):
        compare_runs([*RUNS, RUNS[0]])
    with pytest.raises(DataError, match="no runs"):
        compare_runs([])


def test_the_command(tmp_path):
    for place, run in enumerate(RUNS):
        folder = tmp_path / str(place)
        folder.mkdir()
        (folder / "record.json").write_text(json.dumps(run))
    done = CliRunner().invoke(app, [*map(str, sorted(tmp_path.iterdir())), "--markdown"])
    assert done.exit_code == 0
    head, rule, start, demo, *_ = done.stdout.splitlines()
    assert head == "|  | seeds | greedy | pass@8 | wall time of RL, s |"
    assert head.count("|") == rule.count("|") == start.count("|")
    assert demo == "| GRPO, as tuned for the demo (trl) | 1, 2, 3 | 0.700 ± 0.100 | 0.750 ± 0.000 | 62 |"
    assert "cold start" in CliRunner().invoke(app, [str(tmp_path / "0")], terminal_width=200).stdout
    missing = CliRunner().invoke(app, [str(tmp_path / "none")])
    assert missing.exit_code == 1
    assert make_table("", compare_runs(RUNS)).row_count == 4

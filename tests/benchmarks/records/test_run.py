"""Run folders: their content, and that a killed run loses nothing and repeats nothing."""

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from contextlib import closing

import pytest
from hypothesis import given
from hypothesis import strategies as st

from benchmarks.evaluation.options import PromptSettings
from benchmarks.generation.generator import SamplingParams, load_generator
from benchmarks.records.item import read_items
from benchmarks.records.json_lines import JsonLinesFile
from benchmarks.records.run import RunFolder
from sql_env.errors import DataError
from sql_env.prompts.template import get_template, record_template

from ...small_disk import run_on_small_disk

JSON = st.dictionaries(st.text(), st.none() | st.integers() | st.text(), max_size=3)


@given(st.lists(JSON, max_size=5), st.data(), JSON)
def test_a_cut_loses_one_row(tmp_path_factory, rows, data, later):
    path = tmp_path_factory.mktemp("rows") / "rows.jsonl"
    with closing(JsonLinesFile(path)) as file:
        for row in rows:
            file.append(row)
    content = path.read_bytes()
    cut = data.draw(st.integers(0, len(content)))
    path.write_bytes(content[:cut])
    with closing(JsonLinesFile(path)) as file:
        whole = content[:cut].count(b"\n")
        assert file.rows == rows[:whole]
        file.append(later)
    with closing(JsonLinesFile(path)) as file:
        assert file.rows == [*rows[:whole], later]


def test_a_damaged_line(tmp_path):
    for line, message in (("{", "line 2: not JSON"), ("3", "line 2: not a JSON object")):
        (tmp_path / "rows.jsonl").write_text(f"{{}}\n{line}\n")
        with pytest.raises(DataError, match=message):
            JsonLinesFile(tmp_path / "rows.jsonl")
    with pytest.raises(DataError, match="cannot write"):
        JsonLinesFile(tmp_path / "gone" / "rows.jsonl")


ON_A_FULL_DISK = """
import json
from contextlib import closing
from pathlib import Path
from benchmarks.records.json_lines import JsonLinesFile, write_json
from benchmarks.records.run import RunFolder
from sql_env.errors import DataError

def row(n):
    return {"task_id": str(n), "decoding": "file", "completions": ["x" * 700 * n]}

def fails(action):
    try:
        action()
    except DataError as error:
        assert "No space left on device" in str(error)
        return True

folder = Path(sys.argv[1]) / "run"
for free in range(5):
    appended = 0

    def fill_journal():
        global appended
        with closing(RunFolder(folder, {}, {})) as run:
            appended = len(run.predictions.rows)
            fill(sys.argv[1], free)
            for n in range(1, 100):
                run.predictions.append(row(n))
                appended += 1

    assert fails(fill_journal), free
    assert fails(lambda: write_json(folder / "summary.json", {"a": "x" * 30_000}))
    assert sorted(each.name for each in folder.iterdir()) == [
        "config.json", "environment.json", "items.jsonl", "predictions.jsonl"
    ]
    assert (folder / "predictions.jsonl").read_bytes().count(b"\\n") == appended
    os.unlink(f"{sys.argv[1]}/filling")
    with closing(RunFolder(folder, {}, {})) as run:
        assert len(run.predictions.rows) == appended
        run.predictions.append(row(1))
print(appended)
"""


def test_a_full_disk_is_an_error_and_leaves_whole_rows(tmp_path):
    assert int(run_on_small_disk(tmp_path, 60, ON_A_FULL_DISK)) > 5


def test_a_row_after_a_full_disk_is_written(tmp_path):
    """The row that could not be written is in the file neither in part nor by a later write."""
    program = """
from pathlib import Path
from benchmarks.records.json_lines import JsonLinesFile
from sql_env.errors import DataError
file = JsonLinesFile(Path(sys.argv[1]) / "rows.jsonl")
file.append({"n": 0})
fill(sys.argv[1])
try:
    file.append({"n": "x" * 9_000})
except DataError:
    os.unlink(f"{sys.argv[1]}/filling")
    file.append({"n": 1})
file.close()
print(open(f"{sys.argv[1]}/rows.jsonl").read(), end="")
"""
    assert run_on_small_disk(tmp_path, 20, program) == '{"n": 0}\n{"n": 1}\n'


@pytest.mark.parametrize(
    ("row", "message"),
    [
        ({"task_id": "a", "decoding": "file", "completions": "SELECT"}, "'completions' must be a list"),
        ({"task_id": "a", "decoding": "file", "completions": [3]}, r"'completions\[0\]' must be a string"),
        ({"task_id": [], "decoding": "file", "completions": []}, "'task_id' must be a string"),
        ({"decoding": "file", "completions": []}, "the fields must be .*: 'task_id' is missing"),
    ],
)
def test_a_prediction_of_the_wrong_type_is_named(tmp_path, row, message):
    RunFolder(tmp_path, {}, {}).close()
    (tmp_path / "predictions.jsonl").write_text(json.dumps(row) + "\n")
    with pytest.raises(DataError, match=f"predictions.jsonl, line 1: {message}"):
        RunFolder(tmp_path, {}, {})


def test_another_configuration_is_named_key_by_key(tmp_path):
    config = {"model": "a", "decoding": {"temperature": 0.8, "seed": 0}}
    RunFolder(tmp_path, config, {}).close()
    RunFolder(tmp_path, config, {}).close()
    other = {"model": "a", "decoding": {"temperature": 1.0, "seed": 0}, "split": None}
    with pytest.raises(DataError) as caught:
        RunFolder(tmp_path, other, {})
    message = str(caught.value)
    assert "decoding.temperature: 0.8 there, 1.0 here; split: not there, null here" in message
    assert "model" not in message
    assert "seed" not in message
    assert json.loads((tmp_path / "config.json").read_text()) == config


def test_other_folders_are_not_changed(tmp_path):
    (tmp_path / "items.jsonl").write_text("{}\n")
    with pytest.raises(DataError, match=r"has items\.jsonl, but no config\.json"):
        RunFolder(tmp_path, {}, {})
    assert [path.name for path in tmp_path.iterdir()] == ["items.jsonl"]
    (tmp_path / "spider" / "database").mkdir(parents=True)
    with pytest.raises(DataError, match=r"has database, but no config\.json: give a new or an empty folder"):
        RunFolder(tmp_path / "spider", {}, {})
    assert [path.name for path in (tmp_path / "spider").iterdir()] == ["database"]
    (tmp_path / "file").write_text("")
    with pytest.raises(DataError, match="cannot write a run into"):
        RunFolder(tmp_path / "file", {}, {})


def test_one_process_at_a_time(tmp_path):
    with closing(RunFolder(tmp_path, {}, {})), pytest.raises(DataError, match="in use by another process"):
        RunFolder(tmp_path, {}, {})
    RunFolder(tmp_path, {}, {}).close()


def test_a_changed_environment_is_recorded(tmp_path, caplog):
    for environment in ({"torch": "1", "device": "cpu"}, {"torch": "2", "device": "cpu"}):
        for _ in range(2):
            RunFolder(tmp_path, {}, environment).close()
    there = json.loads((tmp_path / "environment.json").read_text())
    assert there == {"torch": "1", "device": "cpu", "resumed_with": [{"torch": "2"}]}
    [message] = [record.getMessage() for record in caplog.records]
    assert message == 'resumed in another environment: torch: "1" there, "2" here'


def command(memorised, out, *more):
    """Return the command that evaluates the model of `memorised`, with a batch for each question."""
    return [
        sys.executable, "-m", "benchmarks.evaluate", "--benchmark", "jsonl",
        "--param", f"path={memorised.questions}", "--model", str(memorised.folder),
        "--template", "compact", "--max-tokens", "120", "--threads", "1", "--candidates", "3",
        "--temperature", "1.0", "--batch", "3", "--workers", "1", "--out", str(out), *more,
    ]  # fmt: skip


def finished(memorised, out, *more):
    done = subprocess.run(command(memorised, out, *more), capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


def without_seconds(text):
    """A JSON text with its usage, but without times."""
    row = json.loads(text)
    row["usage"] = {name: value for name, value in row["usage"].items() if "seconds" not in name}
    return json.dumps(row)


@pytest.mark.slow
def test_a_killed_run_is_resumed(memorised, tmp_path):
    """A run that is killed between completions and inside a line ends like a run without a kill."""
    output = finished(memorised, tmp_path / "whole")
    predictions = tmp_path / "killed" / "predictions.jsonl"

    with subprocess.Popen(command(memorised, tmp_path / "killed"), stderr=subprocess.DEVNULL) as process:
        until = time.monotonic() + 240
        while not (predictions.exists() and predictions.read_bytes().count(b"\n") >= 2):
            assert process.poll() is None
            assert time.monotonic() < until
            time.sleep(0.001)
        os.kill(process.pid, signal.SIGKILL)
    kept = predictions.read_bytes()
    kept = kept[: kept.rfind(b"\n") + 1]
    assert 2 <= kept.count(b"\n") < 16
    assert not (tmp_path / "killed" / "items.jsonl").read_text()
    with predictions.open("ab") as file:
        file.write(b'{"task_id": "jsonl-all-0007", "deco')

    assert finished(memorised, tmp_path / "killed") == output
    assert predictions.read_bytes().startswith(kept)
    rows = [json.loads(line) for line in predictions.read_text().splitlines()]
    assert len({(row["task_id"], row["decoding"]) for row in rows}) == len(rows) == 16
    assert sorted(map(without_seconds, predictions.read_text().splitlines())) == sorted(
        map(without_seconds, (tmp_path / "whole" / "predictions.jsonl").read_text().splitlines())
    )

    items = tmp_path / "killed" / "items.jsonl"
    items.write_bytes(items.read_bytes()[:5000])
    assert finished(memorised, tmp_path / "killed") == output
    for name in ("config.json", "environment.json", "items.jsonl", "schemas.json"):
        assert (tmp_path / "killed" / name).read_bytes() == (tmp_path / "whole" / name).read_bytes()
    killed, whole = ((tmp_path / name / "summary.json").read_text() for name in ("killed", "whole"))
    assert without_seconds(killed) == without_seconds(whole)


@pytest.mark.slow
def test_files_of_a_run(memorised, tmp_path):
    shown = finished(memorised, tmp_path)
    items = list(read_items(tmp_path))
    assert [item.metrics["greedy"] for item in items] == [float(right) for right in memorised.correct]
    assert [len(item.candidates) for item in items] == [3] * 8
    for item in items:
        runs = [candidate for candidate in item.candidates if candidate.status == "ok"]
        assert item.metrics["vote@3"] == float(bool(item.correct))
        assert item.metrics["pass@3"] == float(any(candidate.correct for candidate in item.candidates))
        assert item.metrics["mean@1"] == pytest.approx(sum(bool(c.correct) for c in item.candidates) / 3)
        assert all(1 <= candidate.votes <= len(runs) for candidate in runs)
    summary = json.loads((tmp_path / "summary.json").read_text())
    usages = [json.loads(line)["usage"] for line in (tmp_path / "predictions.jsonl").read_text().splitlines()]
    assert summary["usage"]["requests"] == 8 * 4
    for name in ("prompt_tokens", "completion_tokens"):
        assert 0 < sum(usage[name] for usage in usages) == summary["usage"][name]
    assert "cost" not in summary["usage"]
    greedy = summary["metrics"]["greedy"]
    assert (greedy["n"], greedy["mean"]) == (8, 0.75)
    assert greedy["low"] < 0.75 < greedy["high"]
    assert summary["metrics"]["vote@3"]["mean"] == summary["accuracy"]
    change = summary["selection"]["vote@3 - greedy"]
    assert change["mean"] == pytest.approx(summary["accuracy"] - 0.75)
    for row in ("greedy", "mean@1", "pass@3", "vote@3"):
        assert f"│ {row} " in shown
    assert "McNemar" in shown
    config = json.loads((tmp_path / "config.json").read_text())
    assert config["prompt"] == {"template": "compact@1", "budget": None}
    assert (config["reward"], config["response_format"]) == ("sql-r1", "think-answer")
    assert config["source"].keys() == {"generator", "model", "sha256", "dtype"}
    assert "CREATE TABLE" in json.loads((tmp_path / "schemas.json").read_text())[items[0].db_id]


@pytest.mark.slow
def test_the_template_of_the_training_is_used(memorised, tmp_path):
    shutil.copytree(memorised.folder, tmp_path / "model")
    record_template(tmp_path / "model", get_template("compact"), None)
    arguments = command(memorised, tmp_path / "run", "--tasks", "1", "--model", str(tmp_path / "model"))
    place = arguments.index("--template")
    subprocess.run(arguments[:place] + arguments[place + 2 :], check=True, capture_output=True)
    config = json.loads((tmp_path / "run" / "config.json").read_text())
    assert config["prompt"]["template"] == "compact@1"


@pytest.mark.slow
def test_a_budget_reports_dropped_tables(memorised, tmp_path):
    shown = finished(memorised, tmp_path, "--prompt-budget", "25")
    assert json.loads((tmp_path / "config.json").read_text())["prompt"]["budget"] == {
        "most": 25, "unit": "tokens",
    }  # fmt: skip
    rows = [json.loads(line) for line in (tmp_path / "predictions.jsonl").read_text().splitlines()]
    dropped = {row["task_id"] for row in rows if row.get("dropped_gold_tables")}
    assert dropped
    assert f"prompts that lack a table of the gold query: {len(dropped)}" in shown


@pytest.mark.slow
def test_vllm(memorised):
    pytest.importorskip("vllm", reason="vLLM is not installed")
    prompts = [[{"role": "user", "content": "x"}]] * 2
    made = load_generator("vllm", str(memorised.folder), dtype="float32", gpu_memory_utilization=0.2)
    found = dict(made.complete(prompts, SamplingParams(samples=2, temperature=0.5, max_tokens=8)))
    assert {place: len(texts) for place, texts in found.items()} == {0: 2, 1: 2}


@pytest.mark.slow
def test_another_model_needs_another_folder(memorised, tmp_path):
    finished(memorised, tmp_path, "--tasks", "2")
    weights = memorised.folder / "generation_config.json"
    before = weights.read_text()
    try:
        weights.write_text(before.replace("{", '{"top_k": 7,', 1))
        done = subprocess.run(
            command(memorised, tmp_path, "--tasks", "3"), capture_output=True, text=True, check=False
        )
    finally:
        weights.write_text(before)
    assert done.returncode == 2
    assert "source.sha256" in done.stderr
    assert "tasks.count: 2 there, 3 here" in done.stderr


def test_a_local_model_without_a_record_is_reported(tmp_path, caplog):
    assert PromptSettings().with_template_of(str(tmp_path)).template is None
    [record] = caplog.records
    for text in (str(tmp_path), "has no prompt.json", "'full@1'", "--template"):
        assert text in record.message
    caplog.clear()
    PromptSettings(template="compact").with_template_of(str(tmp_path))
    PromptSettings().with_template_of("a-name-on-the-hub")
    record_template(tmp_path, get_template("compact"), None)
    assert PromptSettings().with_template_of(str(tmp_path)).template == "compact@1"
    assert caplog.records == []

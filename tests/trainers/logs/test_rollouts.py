"""The rollouts that a training run keeps: whole groups, in order, from many threads, over a restart."""

import json
from concurrent.futures import ThreadPoolExecutor
from types import SimpleNamespace

import pytest

from benchmarks.records.item import ITEMS, read_items
from sql_env import Scorer, respond
from trainers.logs import rollouts
from trainers.logs.rollouts import LATER, RolloutWriter, take_groups
from trainers.trl_adapter.rewards import make_reward_functions

from ...small_disk import run_on_small_disk

RIGHT = "SELECT name FROM singer"


@pytest.fixture(scope="module")
def scorer():
    with Scorer(["format", "result"], rows=True) as made:
        yield made


@pytest.fixture
def batch(scorer, ask):
    """Make scores of a number of groups with three answers each."""

    def batch(groups):
        tasks = [ask(RIGHT, id=f"t-{i // 3}") for i in range(3 * groups)]
        return scorer.score([respond(RIGHT, f"answer {i}") for i in range(len(tasks))], tasks)

    return batch


def kept(folder):
    return [(item.index, item.step, item.task_id) for item in read_items(folder)]


def test_whole_groups_are_kept_as_far_as_they_fit(batch):
    scores = batch(3)
    assert [len(take_groups(scores, most)) for most in (0, 2, 3, 5, 6, 9, 99)] == [0, 2, 3, 3, 6, 9, 9]
    assert take_groups([], 4) == []


def test_so_many_of_a_step_are_kept_over_all_its_batches(batch, tmp_path):
    keeper = RolloutWriter(tmp_path / "a" / "b", 6)
    for step in (1, 1, 1, 2):
        keeper.add(batch(1), step)
    assert kept(tmp_path / "a" / "b") == [(i, 1 + i // 6, "t-0") for i in range(9)]
    none = RolloutWriter(tmp_path / "none", 0)
    none.add(batch(1), 1)
    assert not (tmp_path / "none").exists()


def test_what_is_done_again_is_replaced(batch, tmp_path):
    first = RolloutWriter(tmp_path, 3)
    for step in (1, 2, 3):
        first.add(batch(1), step)
    with (tmp_path / ITEMS).open("a") as out:
        out.write('{"cut off by a kill')
    RolloutWriter(tmp_path, 3).add(batch(2), 2)
    assert kept(tmp_path) == [(i, 1 + i // 3, "t-0") for i in range(6)]
    RolloutWriter(tmp_path, 3).add(batch(1), 1)
    assert kept(tmp_path) == [(i, 1, "t-0") for i in range(3)]


def test_a_second_kill_loses_no_step_that_is_not_repeated(batch, tmp_path):
    first = RolloutWriter(tmp_path, 3)
    for step in range(1, 6):
        first.add(batch(1), step)
    RolloutWriter(tmp_path, 3).add(batch(1), 2)  # resumed from step 1, and killed in step 3
    assert kept(tmp_path) == [(i, 1 + i // 3, "t-0") for i in range(6)]
    assert [item.step for item in read_items(tmp_path / LATER)] == [*[2] * 3, *[3] * 3, *[4] * 3, *[5] * 3]
    second = RolloutWriter(tmp_path, 3)  # resumed from step 4
    second.add(batch(1), 5)
    assert kept(tmp_path) == [(i, 1 + i // 3, "t-0") for i in range(15)]
    assert (tmp_path / LATER).exists()
    second.add(batch(1), 6)
    assert not (tmp_path / LATER).exists()
    assert kept(tmp_path) == [(i, 1 + i // 3, "t-0") for i in range(18)]


def test_threads_do_not_mix_their_lines(batch, tmp_path):
    keeper, scores = RolloutWriter(tmp_path, 1_000), batch(2)
    with ThreadPoolExecutor(8) as threads:
        list(threads.map(lambda _: keeper.add(scores, 1), range(40)))
    found = list(read_items(tmp_path))
    assert [item.index for item in found] == list(range(240))


def test_the_file_is_bounded_and_a_full_disk_stops_nothing(batch, tmp_path, monkeypatch, caplog):
    monkeypatch.setattr(rollouts, "MAX_BYTES", 5_000)
    keeper = RolloutWriter(tmp_path, 3)
    for step in range(1, 50):
        keeper.add(batch(1), step)
    assert 5_000 < (tmp_path / ITEMS).stat().st_size < 10_000
    (tmp_path / "file").write_text("")
    RolloutWriter(tmp_path / "file" / "folder", 3).add(batch(1), 1)
    assert [record.message.partition(" in ")[0] for record in caplog.records] == [
        "no more rollouts are kept"
    ] * 2


ON_A_FULL_DISK = """
import logging
from pathlib import Path
from benchmarks.records.item import read_items
from sql_env import Scorer, Task
from trainers.logs.rollouts import RolloutWriter
logging.basicConfig(stream=sys.stdout, format="%(message)s")
folder = Path(sys.argv[1]) / "rollouts"
with Scorer(["format"]) as scorer:
    scores = scorer.score(["x" * 3_000] * 4, [Task("t", "?", "SELECT 1", "missing", "db")] * 4)
    RolloutWriter(folder, 4).add(scores, 1)
    fill(sys.argv[1], 1)
    writer = RolloutWriter(folder, 4)
    for step in range(2, 5):
        writer.add(scores, step)
    kept = list(read_items(folder))
    assert [item.index for item in kept] == list(range(len(kept))), kept
    os.unlink(f"{sys.argv[1]}/filling")
    RolloutWriter(folder, 4).add(scores, 9)
    print(len(list(read_items(folder))) - len(kept))
"""


@pytest.mark.slow
def test_a_full_disk_stops_no_training(tmp_path):
    warning, more = run_on_small_disk(tmp_path, 40, ON_A_FULL_DISK).splitlines()
    assert warning.startswith("no more rollouts are kept")
    assert "No space left on device" in warning
    assert more == "4"


@pytest.mark.parametrize("line", ["{", "3", '{"index": 0}', "\0", "[" * 100_000])
def test_a_damaged_file_stops_no_training(batch, tmp_path, caplog, line):
    (tmp_path / ITEMS).write_text(f"{line}\n")
    keeper = RolloutWriter(tmp_path, 3)
    for step in (2, 3):
        keeper.add(batch(1), step)
    [record] = caplog.records
    assert "no more rollouts are kept" in record.message
    assert "line 1" in record.message
    assert (tmp_path / ITEMS).read_text() == f"{line}\n"  # it may be mended


def test_only_the_first_process_keeps_any(batch, tmp_path, monkeypatch):
    monkeypatch.setenv("RANK", "1")
    RolloutWriter(tmp_path, 3).add(batch(1), 1)
    assert not (tmp_path / ITEMS).exists()


def test_trl_keeps_a_batch_once_with_the_step_that_learns_from_it(scorer, ask, tmp_path):
    task, completions = ask(RIGHT), [respond(RIGHT), "no idea"]
    keeper = RolloutWriter(tmp_path, 8)
    for step in (0, 1):
        for function in make_reward_functions(scorer, keeper):
            function(
                completions=completions,
                task=[json.dumps(task.to_dict())] * 2,
                trainer_state=SimpleNamespace(global_step=step),
            )
    items = list(read_items(tmp_path))
    assert [(item.step, item.correct, item.status) for item in items] == [
        (1, True, "ok"), (1, False, "malformed"), (2, True, "ok"), (2, False, "malformed"),
    ]  # fmt: skip
    assert items[0].components == {"format": 1.0, "result": 3.0}
    assert items[1].completion == "no idea"

"""Output folders of trainers: a second run resumes the first, or is refused, and mixes nothing."""

import json

import pytest

from benchmarks.records.item import ITEMS
from sql_env.errors import DataError
from trainers.logs.run_folder import METRICS, RECORD, TrainerFolder

SETTINGS = {"reward": "sql-r1", "learning_rate": 1e-6, "sql": {"tasks": 24}}
OTHER = {**SETTINGS, "sql": {"tasks": 25}}


@pytest.fixture
def folder(tmp_path):
    return TrainerFolder(tmp_path / "run", "--output_dir", "--resume last", "checkpoint-", "state.json")


def train(folder, settings=SETTINGS, checkpoint=None, *, steps=(), **others):
    with folder.claim(settings, checkpoint, **others):
        for step in steps:
            (folder.path / f"checkpoint-{step}").mkdir(exist_ok=True)
            (folder.path / f"checkpoint-{step}" / "state.json").write_text("{}")


def refused(folder, *arguments, **others):
    with pytest.raises(DataError) as caught:
        train(folder, *arguments, **others)
    assert "\n" not in str(caught.value)
    return str(caught.value)


def test_a_new_run_records_its_settings(folder):
    train(folder)
    train(folder, OTHER)  # the first has written nothing else
    assert json.loads((folder.path / RECORD).read_text()) == OTHER
    assert folder.find_newest() is None


def test_a_second_run_in_the_same_folder_is_refused(folder):
    train(folder, steps=(2, 10))
    same = refused(folder)
    assert "checkpoint-10" in same
    assert "with the same settings: give another --output_dir, or resume: --resume last" in same
    other = refused(folder, OTHER)
    assert "sql.tasks: 24 there, 25 here" in other
    assert "another --output_dir" in other
    assert "--resume last" in other
    assert json.loads((folder.path / RECORD).read_text()) == SETTINGS


@pytest.mark.parametrize("name", ["config.json", "held_out.json", "model.safetensors"])
def test_a_model_is_not_overwritten(folder, name):
    folder.path.mkdir()
    (folder.path / name).write_text("{}")
    assert f"({name}), and this is another run: it has no training.json" in refused(folder)
    assert [path.name for path in folder.path.iterdir()] == [name]


def test_a_run_that_is_asked_to_resumes_its_own_checkpoint_only(folder, tmp_path):
    train(folder, steps=(2, 10))
    newest = folder.find_newest()
    assert newest.name == "checkpoint-10"
    train(folder, SETTINGS, newest, steps=(12,))
    train(folder, {**SETTINGS, "new in this release": 1}, folder.find_newest())
    assert "sql.tasks: 24 there, 25 here" in refused(folder, OTHER, folder.find_newest())
    assert "checkpoint-12 is later than checkpoint-10" in refused(folder, SETTINGS, newest)
    elsewhere = TrainerFolder(tmp_path / "b", "--output_dir", "--resume last", "checkpoint-", "state.json")
    train(elsewhere, OTHER, newest, steps=(11,))
    assert "an earlier run" in refused(elsewhere, SETTINGS, newest)


def test_an_incomplete_checkpoint_is_none(folder):
    train(folder, steps=(2,))
    (folder.path / "checkpoint-4").mkdir()
    assert folder.find_newest().name == "checkpoint-2"
    train(folder, SETTINGS, folder.find_newest())


def test_a_trainer_that_resumes_by_itself_resumes_the_same_run_only(folder):
    train(folder, steps=(2,), automatic=True)
    train(folder, steps=(4,), automatic=True)
    assert "sql.tasks" in refused(folder, OTHER, automatic=True)
    (folder.path / RECORD).unlink()
    assert "no training.json" in refused(folder, automatic=True)


def test_rollouts_and_metrics_without_a_checkpoint_belong_to_their_run(folder):
    train(folder)
    (folder.path / "rollouts").mkdir()
    (folder.path / "rollouts" / ITEMS).write_text("{}\n")
    (folder.path / METRICS).write_text("{}\n")
    train(folder)  # its steps are repeated
    assert "(metrics.jsonl, rollouts), and this is another run" in refused(folder, OTHER)


def test_two_processes_do_not_share_a_folder(folder, monkeypatch):
    with folder.claim(SETTINGS, None):
        assert "in use by another process" in refused(folder)
        monkeypatch.setenv("RANK", "1")  # another process of the same training
        train(folder)


def test_a_folder_that_cannot_be_made_is_an_error(folder):
    folder.path.write_text("")
    assert "cannot write a training" in refused(folder)

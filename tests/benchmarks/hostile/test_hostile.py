"""The attack on the library, in small, and the checks that it can fail."""

import os
import subprocess
import sys
from collections import Counter
from dataclasses import replace
from random import Random

import duckdb
import pytest
from typer.testing import CliRunner

from benchmarks.hostile.__main__ import app
from benchmarks.hostile.campaign import Case, Cases, Tally, check_tasks, compare_passes, run_pass
from benchmarks.hostile.databases import ENGINES, make_databases, make_right_answer
from benchmarks.hostile.faults import inject
from benchmarks.hostile.grammar import Grammar
from benchmarks.hostile.hunt import Report, hunt
from benchmarks.hostile.known import KNOWN, make_flood
from benchmarks.hostile.surroundings import SECRET, MemoryWatch, make_surroundings
from sql_env import Limits, Rollout, Score, Status
from sql_env.types import Action, ExecutionResult


@pytest.fixture
def around():
    with make_surroundings(0) as around:
        make_databases(around.databases, 0)
        yield around


@pytest.mark.parametrize("engine", ENGINES)
def test_completions_depend_on_the_seed_and_the_number_alone(engine):
    grammar, other = Grammar(engine, KNOWN[engine]), Grammar(engine, KNOWN[engine])
    first = [grammar.make(Random(f"0/{n}")) for n in range(500)]
    assert [other.make(Random(f"0/{n}")) for n in reversed(range(500))] == first[::-1]
    assert len(set(first)) > 450
    bombs = {grammar.make_bomb(Random(n)) for n in range(50)}
    assert len(bombs) > 30
    assert not any(mark in bomb for bomb in bombs for mark in ("{n}", "{m}", "{w}", "{x}", "{stars}"))


@pytest.mark.parametrize("engine", ENGINES)
def test_right_answers_are_right_and_have_a_text_of_their_own(engine, around):
    cases = Cases(engine, around, seed=0)
    check_tasks(cases)
    assert {task.comparison for task in cases.tasks} == {"strict", "bird", "spider", "sql-r1"}
    assert all(make_right_answer(task, n) != task.gold_sql for task in cases.tasks for n in (0, 1))


@pytest.mark.slow
@pytest.mark.parametrize("engine", ENGINES)
def test_a_part_of_the_generated_queries_runs(engine, around):
    """A grammar whose queries all fail to compile tests nothing."""
    numbers = range(100, 500)
    tally, _ = run_pass(Cases(engine, around, seed=0), numbers, around, workers=2, batch=100)
    assert tally.statuses["ok"] > 40
    assert tally.statuses["error"] > 100
    assert tally.statuses["denied"] > 5


def test_the_rows_of_a_flood_have_one_hash():
    rows = duckdb.sql(make_flood(6)).fetchall()
    assert len(set(rows)) == 36
    assert len({hash(row) for row in rows}) == 1


def judged(case, status=Status.OK, correct=False, rows=(), error=""):
    result = ExecutionResult(status, (), rows, error)
    gold = ExecutionResult(Status.OK)
    rollout = Rollout(case.task, case.sql, Action(case.sql), result, gold, correct)
    return Score(None if rollout.masked else 0.0, {}, rollout)


def test_what_breaks_a_rule_is_found(around):
    """The measurement can fail: a mask, a lost right answer, a secret in a row, a difference."""
    cases = Cases("sqlite", around, seed=0)
    case = Case("SELECT 1", cases.tasks[0])
    right = replace(case, right=True)
    secret = around.secrets[0].decode()
    tally, other = Tally(), Tally()
    tally.add(0, case, judged(case, Status.UNAVAILABLE, error="gone"), around)
    tally.add(1, right, judged(right, Status.ERROR, error="no"), around)
    tally.add(2, case, judged(case, rows=((f"a {secret} b",),)), around)
    tally.add(3, replace(case, sql=f"SELECT '{secret}'"), judged(case, rows=((secret,),)), around)
    tally.add(4, right, judged(right, correct=True), around)
    assert [finding.rule for finding in tally.findings] == ["masked", "right answer lost", "leak"]
    for number, score in enumerate(
        [
            judged(case, Status.UNAVAILABLE, error="gone"),
            judged(case, Status.ERROR, error="yes"),
            judged(case, rows=((2,),)),
            judged(case, Status.TIMEOUT),
            judged(case, correct=False),
        ]
    ):
        other.add(number, case, score, around)
    found = {finding.rule for finding in compare_passes(cases, tally, other)}
    assert found == {"other text", "other rows", "other verdict near a limit", "other verdict"}
    report = Report()
    report.add("sqlite", tally.findings, {})
    assert report.missed == ["sqlite: 1 masked", "sqlite: 1 leak", "sqlite: 1 right answer lost"]


def test_surroundings_are_restored_and_their_secrets_are_planted(monkeypatch):
    monkeypatch.setenv("HOME", "/a/long/home")
    before, folder = dict(os.environ), os.getcwd()
    with make_surroundings(3) as around:
        assert os.environ[SECRET].encode() in around.secrets
        assert b"/a/long/home" in around.secrets
        assert os.getcwd() == str(around.folder / "work")
        snapshot = around.snapshot()
        (around.folder / "tmp" / "left").write_text("x")
        assert around.snapshot() != snapshot
    assert (dict(os.environ), os.getcwd()) == (before, folder)
    assert not around.folder.exists()


@pytest.mark.slow
def test_the_memory_of_processes_that_this_one_starts_counts():
    code = "import time; text = bytearray(80_000_000); time.sleep(1)"
    with MemoryWatch() as memory:
        subprocess.run([sys.executable, "-c", code], check=True)
    assert 80_000_000 < memory.tree < 200_000_000
    assert memory.growth < 40_000_000


def test_the_commands_explain_a_wrong_argument():
    for arguments, message in (
        (["hunt", "--workers", "0"], "--workers must be numbers"),
        (["hunt", "--engines", "mysql"], "--engines must be among"),
        (["faults", "--engines", "x"], "--engines must be among"),
    ):
        done = CliRunner().invoke(app, arguments)
        assert done.exit_code == 2
        assert message in " ".join(done.stderr.replace("│", " ").split())


@pytest.mark.slow
def test_a_hunt_with_5000_completions_finds_nothing():
    """No mask, no leak, no lost right answer, no file changed, and SQLite repeats each result."""
    report = hunt(2_500, workers=(2, 1), dear=0)
    lost = [finding for finding in report.findings if not finding.rule.startswith("other")]
    assert (report.missed, lost) == ([], [])
    statuses = Counter[str]()
    for stage, figures in report.figures.items():
        if "completions" in figures:
            statuses.update(figures["statuses"])
            assert figures["right_answers"] > 20, stage
    assert statuses.total() == 5_000
    assert statuses["ok"] > 500


@pytest.mark.slow
def test_known_bombs_stay_within_the_memory():
    """The dear queries of the past, with less CPU time than the defaults."""
    report = hunt(2, workers=(1,), dear=4, memory_limits=Limits(cpu_seconds=1.0))
    assert report.missed == []
    assert report.figures["memory, one query at a time"]["statuses"]["too_large"] > 20
    assert report.figures["memory, batches"]["completions"] > 100


@pytest.mark.slow
def test_no_fault_makes_a_right_answer_wrong():
    report = inject(256, seed=1)
    assert report.missed == []
    assert report.findings == []
    figures = report.figures["faults"]
    assert sum(figures["outcomes"].values()) == 256
    assert sum(figures["faults"].values()) > 10

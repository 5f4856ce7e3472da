"""The doctor finds the problem of an unhealthy run by its name, and finds nothing in a healthy one.

The runs are scripted completions on the demo benchmark, scored by the real Scorer.
"""

import json
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from benchmarks.diagnostics.doctor.diagnosis import RULES, diagnose
from benchmarks.loading.predictions import read_predictions
from benchmarks.records.item import Candidate, Item, ResultPreview, make_item, write_items
from sql_env import Scorer, Task, load_benchmark, respond

COMMAND = Path(sys.executable).with_name("sql-env")
PAGE = Path(__file__).parents[3] / "docs" / "checks.md"

STEPS, TASKS, SIZE = 12, 10, 4
FULL = "Let me think about the tables, the conditions and the order that the question asks for."


class Policy:
    """A scripted policy. Each answer is drawn by its skill, and says why in words of its own."""

    def __init__(self, seed=0):
        self.random = Random(seed)

    def chance(self, begin, end, progress):
        return self.random.random() < begin + (end - begin) * progress

    def reasoning(self, progress):
        return f"{FULL} {self.random.random()}"

    def malformed(self, progress):
        return self.chance(0.06, 0.02, progress)

    def right(self, progress):
        return self.chance(0.3, 0.6, progress)

    def broken(self, progress):
        return self.chance(0.1, 0.05, progress)

    def wrong(self, task):
        return f"SELECT count(*) + {self.random.randrange(10**9)} FROM ({task.gold_sql.rstrip('; ')})"

    def fallback(self, task):
        return f"SELECT {self.random.choice('abc')}_{self.random.randrange(999)} FROM nowhere"

    def __call__(self, task, progress):
        reasoning = self.reasoning(progress)
        if self.malformed(progress):
            return reasoning
        if self.right(progress):
            return respond(task.gold_sql, reasoning)
        return respond(self.fallback(task) if self.broken(progress) else self.wrong(task), reasoning)


@pytest.fixture(scope="module")
def tasks():
    return load_benchmark("demo", "test").tasks


@pytest.fixture(scope="module")
def rollouts(tasks):
    """Let a policy answer groups of tasks over some steps, and score what it says."""

    def run(policy, spec="sql-r1", tasks=tasks, step=True):
        asked, texts, steps = [], [], []
        for n in range(STEPS):
            for task in policy.random.sample(tasks, TASKS):
                for _ in range(SIZE):
                    asked.append(task)
                    texts.append(policy(task, n / (STEPS - 1)))
                    steps.append(n + 1 if step else None)
        with Scorer(spec, rows=True) as scorer:
            scores = scorer.score(texts, asked)
        return [make_item(n, score, step=steps[n]) for n, score in enumerate(scores)]

    return run


def codes(items):
    return sorted({finding.code for finding in diagnose(items)})


@pytest.mark.parametrize("seed", [0, *(pytest.param(seed, marks=pytest.mark.slow) for seed in range(1, 6))])
@pytest.mark.parametrize("preset", ["sql-r1", "sql-r1-legacy", "arctic"])
def test_a_healthy_training_run(seed, preset, rollouts):
    assert codes(rollouts(Policy(seed), preset)) == []


@pytest.mark.parametrize("share", [0.3, 1.0])
def test_a_healthy_evaluation(share, rollouts):
    class Model(Policy):
        def right(self, progress):
            return self.chance(share, share, progress)

    assert codes(rollouts(Model(), step=False)) == []


class Rambling(Policy):
    def malformed(self, progress):
        return self.chance(0.2, 0.2, progress)


class Guessing(Policy):
    def right(self, progress):
        return self.chance(0.3, 0.4, progress)

    def broken(self, progress):
        return self.chance(0.6, 0.6, progress)


class Joining(Policy):
    """Falls into joins without a condition, and into writing."""

    def wrong(self, task):
        endless = "WITH RECURSIVE r(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM r) SELECT max(n) FROM r"
        return endless if self.random.random() < 0.1 else "DROP TABLE dish"


class Finished(Policy):
    def right(self, progress):
        return self.chance(0.9, 1.0, progress)

    def malformed(self, progress):
        return self.chance(0.1, 0.0, progress)


class Lost(Policy):
    """Never right, and all wrong in the same way."""

    def malformed(self, progress):
        return False

    right = broken = malformed


class Collapsed(Policy):
    """Says the same of a task each time, right half of the time."""

    def __call__(self, task, progress):
        if progress < 0.5:
            return super().__call__(task, progress)
        odd = self.random.random() < 0.05
        return respond(task.gold_sql if int(task.id[-1]) % 2 or odd else "SELECT 1, 2, 3, 4", "It is clear.")


class Padding(Policy):
    def reasoning(self, progress):
        return super().reasoning(progress) + " So, again:" * int(60 * progress)


class Terse(Policy):
    def reasoning(self, progress):
        return super().reasoning(progress)[: 200 - int(190 * progress)] * 4


class Pleasing(Policy):
    """Learns the format and to run, but not to answer."""

    def malformed(self, progress):
        return self.chance(0.7, 0.0, progress)

    def right(self, progress):
        return self.random.random() < 0.15 / (0.3 + 0.7 * progress)  # of the well-formed: 0.15 of all


class Falling(Policy):
    """Falls back on one query."""

    def wrong(self, task):
        return "SELECT  1"


@pytest.mark.slow
@pytest.mark.parametrize(
    ("policy", "code"),
    [
        (Rambling, "format"),
        (Guessing, "execution"),
        (Joining, "limits"),
        (Finished, "flat-groups"),
        (Lost, "flat-groups"),
        (Lost, "dead-component"),
        (Collapsed, "same-completions"),
        (Padding, "length-drift"),
        (Terse, "length-drift"),
        (Pleasing, "reward-without-correct"),
        (Falling, "one-sql"),
    ],
)
def test_unhealthy_training_runs(policy, code, rollouts):
    assert code in codes(rollouts(policy()))


@pytest.mark.slow
@pytest.mark.parametrize("policy", [Rambling, Guessing, Joining, Falling])
def test_unhealthy_evaluations(policy, rollouts):
    found = codes(rollouts(policy(), step=False))
    assert found
    assert set(found) <= {"format", "execution", "limits", "one-sql"}


def test_masked_answers(rollouts, tasks):
    gone = [replace(task, gold_sql="SELECT gone") if n % 5 == 0 else task for n, task in enumerate(tasks)]
    [found] = diagnose(rollouts(Policy(), tasks=gone))
    assert found.code == "masked"
    assert "the gold query fails" in found.evidence


def test_empty_matches(rollouts, tasks):
    """Half of the tasks have an empty gold result, which any impossible condition meets."""
    nothing = [replace(t, gold_sql=f"SELECT * FROM ({t.gold_sql.rstrip('; ')}) WHERE 0") for t in tasks]
    mixed = [one if n % 2 else other for n, (one, other) in enumerate(zip(nothing, tasks, strict=True))]
    assert "empty-matches" in codes(rollouts(Policy(), tasks=mixed))


def test_dead_components(rollouts):
    constant = {"rewards": ["format", "result", "turns"], "response_format": "think-answer"}
    [found] = [f for f in diagnose(rollouts(Policy(), constant)) if f.code == "dead-component"]
    assert found.evidence == f"'turns' is 0 in all {STEPS * TASKS * SIZE} answers"
    never = {"rewards": ["result", {"reward": "test_doctor_reward:never"}]}
    sys.modules["test_doctor_reward"] = sys.modules[__name__]
    try:
        [found] = [f for f in diagnose(rollouts(Policy(), never)) if f.code == "dead-component"]
    finally:
        del sys.modules["test_doctor_reward"]
    assert "applies to none" in found.evidence


def never(rollout):
    """A reward whose condition is never met."""


def test_a_format_that_nobody_follows(rollouts):
    class Mute(Policy):
        def __call__(self, task, progress):
            return f"{task.gold_sql} {self.random.random()}"

    assert codes(rollouts(Mute())) == ["constant-total", "dead-component", "flat-groups", "format"]


@pytest.mark.parametrize("few", [0, 1, 19])
def test_nothing_is_said_of_a_few_answers(few, rollouts):
    assert codes(rollouts(Rambling())[:few]) == []


def test_the_order_of_items_does_not_matter(rollouts):
    items = rollouts(Pleasing())
    turned = list(items)
    Random(1).shuffle(turned)
    assert codes(turned) == codes(items)


WORDS = st.sampled_from(
    ["", "a", "malformed", "ok", "error", "timeout", "SELECT 1", "SELECT 2", "\udcff", "x y"]
)
FLOATS = st.none() | st.floats() | st.integers(-(10**400), 10**400) | st.sampled_from([0.0, 1.0])
SHOWN = st.none() | st.builds(ResultPreview, st.just([]), st.just([]), st.integers(0, 3))
ITEMS = st.builds(
    Item,
    st.integers(),
    *[WORDS] * 9,
    sql=st.none() | WORDS,
    correct=st.none() | st.booleans(),
    status=WORDS,
    error=WORDS,
    masked=st.sampled_from(["", "", "why"]),
    total=FLOATS,
    components=st.dictionaries(WORDS, FLOATS, max_size=3),
    result=SHOWN,
    gold_result=SHOWN,
    candidates=st.lists(st.builds(Candidate, WORDS, WORDS, st.none(), st.integers()), max_size=1),
    step=st.none() | st.integers(-3, 20),
)


@settings(deadline=None, max_examples=150)
@given(st.lists(ITEMS, max_size=40), st.sampled_from([1, 2, 30]))
@pytest.mark.slow
def test_no_items_raise(items, times):
    for finding in diagnose(items * times):
        assert finding.evidence
        assert finding.advice


def test_every_finding_is_documented(rollouts):
    page = PAGE.read_text(encoding="utf-8")
    known = {"format", "execution", "limits", "masked", "constant-total", "dead-component", "flat-groups",
             "same-completions", "length-drift", "reward-without-correct", "empty-matches",
             "one-sql"}  # fmt: skip
    assert len(known) == len(RULES)
    assert all(f"`{code}`" in page for code in known)


def sql_env(*arguments):
    return subprocess.run([COMMAND, *map(str, arguments)], capture_output=True, text=True, check=False)


@pytest.mark.slow
def test_the_command(rollouts, tmp_path):
    write_items(tmp_path / "well", rollouts(Policy()))
    write_items(tmp_path / "ill", rollouts(Falling()))
    done = sql_env("doctor", tmp_path / "well", "--strict")
    assert done.returncode == 0, done.stderr
    assert "480 answers" in done.stdout
    assert "12 steps of training" in done.stdout
    assert done.stdout.endswith("nothing found\n")
    write_items(tmp_path / "few", rollouts(Policy())[:5])
    assert "at least 20 answers are needed" in sql_env("doctor", tmp_path / "few").stdout
    assert sql_env("doctor", tmp_path / "ill").returncode == 0
    done = sql_env("doctor", tmp_path / "ill" / "items.jsonl", "--strict", "--out", tmp_path / "found.jsonl")
    assert done.returncode == 1
    found = [json.loads(line)["code"] for line in (tmp_path / "found.jsonl").read_text().splitlines()]
    assert "one-sql" in found
    assert all(f"{code}: " in done.stdout for code in found)
    done = sql_env("doctor", tmp_path / "none")
    assert done.returncode == 2
    assert "no items at" in done.stderr


def test_a_task_is_all_that_an_item_needs():
    with Scorer("sql-r1", rows=True) as scorer:
        task = Task("t", "?", "SELECT 1", "missing.sqlite")
        scores = scorer.score(["x"] * 30, [task] * 30)
    assert codes(make_item(n, score, step=1) for n, score in enumerate(scores)) == ["masked"]


@pytest.mark.slow
@pytest.mark.parametrize("file", ["gold", "c3_chatgpt", "dail_sql_gpt4", "graphix_t5_3b_picard"])
def test_published_predictions_are_healthy(file, shared_data):
    benchmark = load_benchmark("spider", "dev", str(shared_data / "spider"))
    golds = [task.gold_sql for task in benchmark.tasks]
    path = shared_data / "predictions" / "spider_dev" / f"{file}.txt"
    texts = golds if file == "gold" else read_predictions(path, benchmark)
    with Scorer({"rewards": ["result"], "response_format": "sql"}, rows=True) as scorer:
        scores = scorer.score(texts, benchmark.tasks)
    assert codes(make_item(n, score) for n, score in enumerate(scores)) == []


def test_the_folder_of_a_trainer_is_read_like_its_rollouts(tmp_path):
    with Scorer("sql-r1") as scorer:
        scores = scorer.score(["no idea"] * 24, load_benchmark("demo").tasks[:24])
    (tmp_path / "rollouts").mkdir()
    write_items(tmp_path / "rollouts", (make_item(i, score, step=1) for i, score in enumerate(scores)))
    shown = [
        subprocess.run([COMMAND, "doctor", place], capture_output=True, text=True, check=True).stdout
        for place in (tmp_path, tmp_path / "rollouts")
    ]
    assert "24 answers to 24 tasks in 1 steps of training" in shown[0]
    assert "are malformed" in shown[0]
    assert shown[0] == shown[1]

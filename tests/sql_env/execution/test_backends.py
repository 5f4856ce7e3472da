"""Backends by name, and Ray only for those who ask for it."""

import subprocess
import sys
from itertools import count, islice

import pytest

from sql_env import Executor, Limits, Scorer
from sql_env.errors import LimitError, PluginError
from sql_env.execution.backends import BACKENDS, load_executor, map_distributed, resolve_backend


def test_local_is_the_executor():
    with load_executor("local", Limits(max_rows=7), 3) as executor:
        assert isinstance(executor, Executor)
        assert (executor.limits.max_rows, executor.workers) == (7, 3)
    with pytest.raises(LimitError):
        load_executor(workers=0)


def test_an_unknown_backend():
    for take in (
        resolve_backend,
        load_executor,
        lambda name: Scorer(backend=name),
        lambda n: [*map_distributed(len, [], n)],
    ):
        with pytest.raises(PluginError, match=r"no backend is called 'rey'\. Did you mean 'ray'"):
            take("rey")


def test_without_ray_the_error_says_what_to_install(monkeypatch):
    monkeypatch.setitem(sys.modules, "ray", None)  # as Python itself marks what cannot be imported
    with pytest.raises(PluginError, match=r"pip install '\.\[ray\]'"):
        resolve_backend("ray")
    assert resolve_backend("auto") == "local"


def test_auto_is_ray_in_a_job_that_ray_has_started(monkeypatch):
    pytest.importorskip("ray", reason="the Ray backend needs the extra ray")
    monkeypatch.delenv("RAY_JOB_CONFIG_JSON_ENV_VAR", raising=False)
    assert resolve_backend("auto") == "local"
    monkeypatch.setenv("RAY_JOB_CONFIG_JSON_ENV_VAR", "{}")
    assert resolve_backend("auto") == "ray"


def test_jobs_are_done_here_as_they_are_asked_for():
    assert list(islice(map_distributed(str, count()), 3)) == ["0", "1", "2"]


def test_importing_the_library_does_not_import_ray():
    code = (
        "import sys, sql_env, sql_env.execution.backends, benchmarks.evaluate; sys.exit('ray' in sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
    assert set(BACKENDS) == {"local", "ray"}

"""What an extra installs is enough for what it is there for."""

import subprocess
import sys
from importlib.metadata import Distribution, PackageNotFoundError, distribution, packages_distributions

import pytest
from packaging.requirements import Requirement

ALONE = """
from importlib.machinery import PathFinder

find = PathFinder.find_spec
PathFinder.find_spec = lambda name, *where: None if name in {absent!r} else find(name, *where)
import {module}
"""
"""Imports a module where packages are absent."""


def installed_by(name: str, extras: frozenset[str], seen: set[tuple[str, frozenset[str]]]) -> set[str]:
    """The distributions that pip would bring along for ``name[extras]``, itself among them."""
    key = name.lower().replace("_", "-")
    if (key, extras) in seen:
        return set()
    seen.add((key, extras))
    try:
        found: Distribution = distribution(name)
    except PackageNotFoundError:  # for another platform
        return set()
    names = {key}
    for line in found.requires or []:
        wanted = Requirement(line)
        environments = [{"extra": extra} for extra in extras or {""}]
        if wanted.marker is None or any(wanted.marker.evaluate(one) for one in environments):
            names |= installed_by(wanted.name, frozenset(wanted.extras), seen)
    return names


@pytest.mark.slow
@pytest.mark.parametrize(
    ("extra", "module"),
    [
        ("trl", "trl.trainer.grpo_trainer"),
        ("trl", "trl.trainer.sft_trainer"),
        ("trl", "trainers.demo.run"),
        ("verl", "verl.trainer.main_ppo"),
    ],
)
def test_an_extra_brings_all_that_its_trainer_imports(extra, module, monkeypatch):
    carried = [place for place in sys.path if "thirdparty_files" in place]  # Ray adds what it carries along
    monkeypatch.setattr(sys, "path", [place for place in sys.path if place not in carried])
    brought = installed_by("sql-env", frozenset({extra}), set()) | {"pip", "setuptools"}
    absent = {
        package
        for package, owners in packages_distributions().items()
        if not brought & {owner.lower().replace("_", "-") for owner in owners}
    }
    assert "hypothesis" in absent
    code = ALONE.format(absent=absent, module=module)
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=300)
    assert ran.returncode == 0, ran.stderr[-3000:]


LACKING = """
import runpy
import sys
from importlib.machinery import PathFinder

find = PathFinder.find_spec
PathFinder.find_spec = lambda name, *where: None if name in {absent!r} else find(name, *where)
sys.argv = {argv!r}
runpy.run_module({module!r}, run_name="__main__", alter_sys=True)
"""
"""Runs a command where packages are absent."""

OF_EXTRAS = {
    *("accelerate", "datasets", "httpx2", "hydra", "matplotlib", "psutil"),
    *("ray", "torch", "transformers", "trl", "verl", "vllm"),
}

EVALUATION = "sql_env evaluate --benchmark demo --model m --tasks 1"


@pytest.mark.slow
@pytest.mark.parametrize(
    ("command", "extra"),
    [
        ("benchmarks.evaluate --benchmark demo --model m", "trl"),
        (EVALUATION, "trl"),
        (f"{EVALUATION} --base-url http://localhost:1/v1", "eval"),
        (f"{EVALUATION} --backend ray --base-url http://localhost:1/v1", "eval"),
        ("sql_env check --benchmark demo --backend ray", "ray"),
        ("sql_env plot m", "bench"),
        ("trainers.sft --model_name_or_path m", "trl"),
        ("trainers.trl_grpo --model_name_or_path m", "trl"),
        ("trainers.demo", "trl"),
        ("trainers.demo.tiny", "trl"),
        ("trainers.verl_grpo sql.benchmark=demo", "verl"),
        ("trainers.verl_adapter.merge", "trl"),
        ("benchmarks.performance.throughput", "bench"),
    ],
)
def test_a_missing_extra_is_one_line_that_names_it(command, extra, tmp_path):
    module, *rest = command.split()
    code = LACKING.format(absent=OF_EXTRAS, module=module, argv=[module, *rest])
    ran = subprocess.run(
        [sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True, timeout=100
    )
    assert ran.returncode != 0
    assert f"pip install '.[{extra}]'" in ran.stderr
    assert "Traceback" not in ran.stderr

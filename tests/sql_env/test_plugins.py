"""Plug-ins: found by name, told apart, and installed from a distribution of somebody else's."""

import subprocess
import sys
from importlib.metadata import EntryPoint
from pathlib import Path

import pytest

import rewards.format
from sql_env import plugins
from sql_env.benchmark import load_benchmark
from sql_env.errors import DataError, PluginError

ROOT = Path(__file__).parents[2]


def run(*command, **options):
    done = subprocess.run([*map(str, command)], capture_output=True, text=True, check=False, **options)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def test_a_reward_is_found_by_name_and_by_place():
    assert plugins.load(plugins.REWARDS, "format") is rewards.format.format
    assert plugins.load_typed(plugins.REWARDS, "format") is rewards.format.format
    assert plugins.load_typed(plugins.REWARDS, "rewards.format:format") is rewards.format.format


@pytest.mark.parametrize(
    ("spec", "message"),
    [
        ("lenght", "Did you mean 'length'.*Known: execution, format, length, result"),
        ("rewards.format:fromat", "cannot load.*fromat"),
        ("no.such.module:x", "No module named 'no'"),
        (":x", "not have the form"),
        (".a:b", "cannot load"),
        ("rewards.format:", "not have the form"),
    ],
)
def test_a_mistake_says_how_to_mend_it(spec, message):
    with pytest.raises(PluginError, match=message):
        plugins.load_typed(plugins.REWARDS, spec)


def test_two_claims_to_one_name_are_not_decided_by_chance(monkeypatch):
    points = tuple(
        EntryPoint("twice", f"rewards.{name}:{name}", plugins.REWARDS) for name in ("format", "result")
    )
    monkeypatch.setattr(plugins, "entry_points", lambda group: points)
    plugins._installed.cache_clear()
    try:
        with pytest.raises(
            PluginError, match=r"claimed twice.*rewards\.format:format.*rewards\.result:result"
        ):
            plugins.load(plugins.REWARDS, "twice")
    finally:
        plugins._installed.cache_clear()


@pytest.mark.parametrize("package", [False, True], ids=["module", "package"])
def test_a_users_file_that_shadows_a_package_of_ours_is_named(tmp_path, package):
    """A module hides our package; a package with the same names would even be taken for it."""
    shadow = tmp_path / "rewards" / "__init__.py" if package else tmp_path / "rewards.py"
    shadow.parent.mkdir(exist_ok=True)
    shadow.write_text("")
    if package:
        shadow.with_name("format.py").write_text("def format(rollout): return 1000.0\n")
    code = "import sql_env; sql_env.rubric('format')"
    command = [sys.executable, "-c", code]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode != 0
    assert "PluginError" in done.stderr
    assert f"{shadow} shadows the package 'rewards'" in done.stderr


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """The current folder, which is not on the path, with a module of the user and its helper."""
    (tmp_path / "mine.py").write_text("from mine_helper import short\n")
    (tmp_path / "mine_helper.py").write_text("def short(rollout): return 1.0\n")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", [entry for entry in sys.path if Path(entry).resolve() != tmp_path])
    monkeypatch.setattr(sys, "modules", sys.modules.copy())
    monkeypatch.setattr(plugins, "_typed", set())
    return tmp_path


def test_a_module_that_the_user_typed_is_found_in_the_current_folder(folder):
    before = list(sys.path)
    for _ in range(2):
        assert plugins.load_typed(plugins.REWARDS, "mine:short")(None) == 1.0
        assert sys.path == before
    with pytest.raises(PluginError, match="has no attribute 'long'"):
        plugins.load_typed(plugins.REWARDS, "mine:long")
    assert sys.path == before
    (folder / "package").mkdir()
    (folder / "package" / "inner.py").write_text("x = 5")  # a file that is new
    assert plugins.import_typed("package.inner:x") == 5
    with pytest.raises(PluginError, match=r"No module named 'yours'\. It is neither installed nor in /"):
        plugins.import_typed("yours:short")


def test_a_name_in_data_is_not_looked_up_in_the_current_folder(folder):
    for name in ("mine:short", "mine"):
        with pytest.raises(PluginError, match="is called"):
            plugins.load(plugins.REWARDS, name)
    with pytest.raises(PluginError, match="No module named 'mine'"):
        plugins.load_object("mine:short")
    assert "mine" not in sys.modules


@pytest.mark.parametrize(
    ("file", "spec"),
    [
        ("json.py", "json:short"),
        ("sys.py", "sys:short"),
        ("pytest/__init__.py", "pytest:short"),
        ("tomllib/mine.py", "tomllib.mine:short"),
    ],
)
def test_a_file_with_the_name_of_an_installed_module_is_an_error(folder, file, spec):
    (folder / file).parent.mkdir(exist_ok=True)
    (folder / file).write_text("def short(rollout): return 1.0")
    with pytest.raises(PluginError, match=rf"{file} has the name of the installed module .*: rename yours"):
        plugins.import_typed(spec)


def test_the_users_main_module_has_no_clash(folder, monkeypatch):
    (folder / "__main__.py").write_text("")
    monkeypatch.setattr(sys.modules["__main__"], "short", len, raising=False)
    assert plugins.import_typed("__main__:short") is len


@pytest.mark.slow
def test_the_command_finds_a_module_of_the_current_folder(folder):
    command = Path(sys.executable).with_name("sql-env")
    assert "keeps the contract" in run(command, "check-reward", "mine:short", cwd=folder)


def not_a_benchmark(*, split="test", data_dir=None):
    return []


def empty(*, split="test", data_dir=None):
    from sql_env import Benchmark

    return Benchmark("empty", split, (), ("everything is missing",))


def test_a_benchmark_that_is_none_is_named(monkeypatch):
    monkeypatch.setattr("sql_env.testing.none", not_a_benchmark, raising=False)
    monkeypatch.setattr("sql_env.testing.empty", empty, raising=False)
    with pytest.raises(PluginError, match="returned a list, not a Benchmark"):
        load_benchmark("sql_env.testing:none")
    with pytest.raises(DataError, match=r"no task.*everything is missing"):
        load_benchmark("sql_env.testing:empty")


def test_importing_the_library_imports_no_framework():
    code = "import sys, sql_env, rewards.presets; print(sorted({m.partition('.')[0] for m in sys.modules}))"
    loaded = run(sys.executable, "-c", code)
    for heavy in ("torch", "transformers", "trl", "verl", "ray", "datasets", "sqlglot", "duckdb", "pandas"):
        assert f"'{heavy}'" not in loaded


@pytest.mark.slow
def test_a_third_partys_distribution_adds_its_environment_reward_and_preset(tmp_path):
    """Built, installed into a clean environment beside ours, and used through gym.make."""
    python = tmp_path / "venv" / "bin" / "python"
    run(sys.executable, "-m", "venv", tmp_path / "venv")
    for source in (ROOT, ROOT / "tests" / "plugin_example"):
        run(sys.executable, "-m", "build", "--wheel", "--outdir", tmp_path / "dist", source)
    wheels = sorted((tmp_path / "dist").glob("*.whl"))
    run(python, "-m", "pip", "install", "--quiet", "-c", ROOT / "constraints.txt", *wheels)
    code = """
import gymnasium as gym, sql_env
with gym.make("SQLEnv-birds-v0", reward="birds") as env:
    env.reset(options={"task_id": "birds-0"})
    _, reward, *_, info = env.step("```sql\\nSELECT COUNT(*) FROM bird\\n```")
print(reward, info["components"])
"""
    assert run(python, "-c", code, cwd=tmp_path).strip() == "2.0 {'result': 3.0, 'no_star': -0.5}"
    listed = run(tmp_path / "venv" / "bin" / "sql-env", "list", cwd=tmp_path)
    assert "SQLEnv-birds-v0" in listed
    assert "no_star" in listed
    found = run(
        python,
        "-c",
        "import pathlib, sql_env; print(pathlib.Path(sql_env.__file__).parents[1])",
        cwd=tmp_path,
    )
    shipped = {path.name for path in Path(found.strip()).iterdir()}
    assert {"sql_env", "rewards", "trainers", "benchmarks"} <= shipped
    assert not {"tests", "docs"} & shipped

"""The documentation builds, is complete, and says what really happens."""

import doctest
import importlib
import inspect
import pkgutil
import re
import subprocess
import sys
from dataclasses import fields
from pathlib import Path

import pytest

import benchmarks
import rewards
import sql_env
from sql_env import errors, plugins
from sql_env.comparison import COMPARISONS
from sql_env.envs.registration import get_environment_id
from sql_env.limits import Limits
from sql_env.parser import FORMATS
from sql_env.prompts.template import TEMPLATES

ROOT = Path(__file__).parents[1]
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]
TEXT = "\n".join(page.read_text(encoding="utf-8") for page in PAGES)
SNIPPET = re.compile(r"^```python\n(.*?)^```\n(?:\n^```text\n(.*?)^```\n)?", re.MULTILINE | re.DOTALL)
ERRORS = [
    name for name, kind in inspect.getmembers(errors, inspect.isclass) if issubclass(kind, errors.SQLEnvError)
]


def snippets():
    for page in PAGES:
        for number, (code, printed) in enumerate(SNIPPET.findall(page.read_text(encoding="utf-8")), 1):
            yield pytest.param(code, printed, id=f"{page.stem}-{number}")


def modules():
    for package in (sql_env, rewards, benchmarks):
        for found in pkgutil.walk_packages(package.__path__, package.__name__ + "."):
            yield found.name


@pytest.mark.slow
@pytest.mark.parametrize(("code", "printed"), list(snippets()))
def test_a_snippet_runs_and_prints_what_the_page_says(code, printed, tmp_path):
    command = [sys.executable, "-W", "error", "-c", code]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    if printed:
        assert done.stdout.strip() == printed.strip()


@pytest.mark.parametrize("module", list(modules()))
def test_the_examples_of_docstrings_run(module):
    assert doctest.testmod(importlib.import_module(module)).failed == 0


@pytest.mark.parametrize("module", [name for name in modules() if not name.startswith("benchmarks.demo.")])
def test_public_names_have_docstrings(module):
    loaded = importlib.import_module(module)
    for name, thing in vars(loaded).items():
        own = getattr(thing, "__module__", None) == module and not name.startswith("_")
        if own and (inspect.isfunction(thing) or inspect.isclass(thing)):
            assert thing.__doc__, f"{module}.{name}"


@pytest.mark.parametrize(
    "name",
    [
        *plugins.list_names(plugins.REWARDS),
        *plugins.list_names(plugins.PRESETS),
        *plugins.list_names(plugins.ALGORITHMS),
        *plugins.list_names(plugins.GENERATORS),
        *(get_environment_id(name) for name in plugins.list_names(plugins.BENCHMARKS)),
        *COMPARISONS,
        *FORMATS,
        *TEMPLATES,
        *(field.name for field in fields(Limits)),
    ],
)
def test_everything_with_a_name_is_documented(name):
    assert f"`{name}`" in TEXT


@pytest.mark.parametrize("name", ERRORS)
def test_every_error_is_documented(name):
    assert re.search(rf"[`.]{name}`", TEXT)


def commands():
    from sql_env.cli import app

    for command in app.registered_commands:
        yield f"sql-env {command.name or command.callback.__name__}"
    yield from (f"sql-env {name}" for name in plugins.list_names(plugins.COMMANDS))
    for place in (ROOT / "trainers", ROOT / "benchmarks"):
        for file in sorted(place.glob("*.py")):
            if '__name__ == "__main__"' in file.read_text(encoding="utf-8"):
                yield f"python -m {place.name}.{file.stem}"


@pytest.mark.slow  # each imports what it commands
@pytest.mark.parametrize("command", list(commands()))
def test_every_command_is_documented_and_explains_itself(command):
    assert f"`{command}" in TEXT
    words = command.split()
    start = [sys.executable] if words[0] == "python" else [str(Path(sys.executable).with_name("sql-env"))]
    done = subprocess.run([*start, *words[1:], "--help"], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert "--help" in done.stdout


def test_the_file_tree_of_the_architecture_page_is_true():
    page = (ROOT / "docs" / "architecture.md").read_text(encoding="utf-8")
    tree = page.partition("## Files")[2].partition("## One batch")[0]
    named = set(re.findall(r"^  (\w+)(?:\.py|/)", tree, re.MULTILINE))
    there = {
        p.stem for p in (ROOT / "sql_env").iterdir() if p.suffix == ".py" or (p / "__init__.py").exists()
    }
    assert named == there - {"__init__"}


def test_there_are_no_paths_of_one_machine_and_no_loose_ends():
    tracked = subprocess.run(["git", "ls-files"], cwd=ROOT, capture_output=True, text=True, check=True)
    for name in tracked.stdout.split("\n"):
        if name.endswith((".py", ".md", ".toml", ".yaml", ".sh")) and name != "tests/test_docs.py":
            text = (ROOT / name).read_text(encoding="utf-8")
            assert not re.search(r"/(?:home|root|work|Users)/\w", text), name
            assert "TODO" not in text, name
            assert "FIXME" not in text, name


@pytest.mark.slow
def test_the_pages_build_without_a_warning(tmp_path):
    command = [
        sys.executable,
        "-m",
        "sphinx",
        "-W",
        "--keep-going",
        "-q",
        "-b",
        "html",
        "docs",
        str(tmp_path),
    ]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr

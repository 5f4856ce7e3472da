"""The documentation builds, is complete, runs, and is written in plain words."""

import ast
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
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]
TEXT = "\n".join(page.read_text(encoding="utf-8") for page in PAGES)
SNIPPET = re.compile(r"^```python\n(.*?)^```\n(?:\n^```text\n(.*?)^```\n)?", re.MULTILINE | re.DOTALL)
ERRORS = [
    name for name, kind in inspect.getmembers(errors, inspect.isclass) if issubclass(kind, errors.SQLEnvError)
]


def snippets():
    for page in PAGES:
        for number, (code, printed) in enumerate(SNIPPET.findall(page.read_text(encoding="utf-8")), 1):
            name = page.relative_to(ROOT).with_suffix("")
            yield pytest.param(code, printed, id=f"{name}-{number}")


def modules():
    for package in (sql_env, rewards, benchmarks):
        for found in pkgutil.walk_packages(package.__path__, package.__name__ + "."):
            yield found.name


@pytest.mark.slow
@pytest.mark.parametrize(("code", "printed"), list(snippets()))
def test_a_snippet_runs_and_prints_what_the_page_shows(code, printed, tmp_path):
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
    for package in ("trainers", "benchmarks"):
        for file in sorted((ROOT / package).rglob("*.py")):
            if file.name == "__main__.py":
                yield "python -m " + ".".join(file.parent.relative_to(ROOT).parts)
            elif '__name__ == "__main__"' in file.read_text(encoding="utf-8"):
                yield "python -m " + ".".join(file.relative_to(ROOT).with_suffix("").parts)


@pytest.mark.parametrize("command", list(commands()))
def test_every_command_is_documented(command):
    assert re.search(rf"`{re.escape(command)}[ `]", TEXT)


@pytest.mark.slow
@pytest.mark.parametrize("command", list(commands()))
def test_every_command_explains_itself(command):
    words = command.split()
    start = [sys.executable] if words[0] == "python" else [str(Path(sys.executable).with_name("sql-env"))]
    done = subprocess.run([*start, *words[1:], "--help"], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert "--help" in done.stdout


def test_every_make_target_is_documented():
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    for target in re.findall(r"^\.PHONY: (.*)$", makefile, re.MULTILINE)[0].split():
        assert f"`make {target}`" in TEXT, target


ROLE = re.compile(r"\{py:\w+\}`(?:[^`<]*<)?([\w.]+)>?`")


@pytest.mark.parametrize("name", sorted(set(ROLE.findall(TEXT))))
def test_every_name_that_a_page_links_to_exists(name):
    assert pkgutil.resolve_name(name) is not None


def test_every_path_that_a_page_names_exists():
    paths = r"`((?:sql_env|rewards|benchmarks|trainers|tests)/[\w./-]*(?:/|\.\w+))`"
    assert [path for path in re.findall(paths, TEXT) if not (ROOT / path).exists()] == []


@pytest.mark.parametrize("page", sorted((ROOT / "docs").glob("*.md")), ids=lambda page: page.stem)
def test_a_page_that_teaches_is_short(page):
    """Evidence goes to docs/results, where pages may be as long as they need."""
    if page.stem not in ("reference", "architecture"):
        assert len(page.read_text(encoding="utf-8").splitlines()) < 150


def test_the_folder_tree_of_the_architecture_page_is_true():
    """The tree is a ```text block: ``sql_env/``, and below it ``  name/`` and ``  name.py`` lines."""
    page = (ROOT / "docs" / "architecture.md").read_text(encoding="utf-8")
    [tree] = re.findall(r"^```text\n(?:[^`]*\n)?sql_env/.*\n((?: .*\n)+)", page, re.MULTILINE)
    named = re.findall(r"^  (\w+(?:/|\.py))", tree, re.MULTILINE)
    folder = ROOT / "sql_env"
    files = {file.name for file in folder.glob("*.py")} - {"__init__.py"}
    assert sorted(named) == sorted(files | {f"{path.parent.name}/" for path in folder.glob("*/__init__.py")})


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


PLAIN_WORDS = {
    # what is rejected: what to write, and why
    r"what ails": "'diagnose': a run is not ill",
    r"to the letter": "'verbatim'",
    r"g(?:o|oes|one|oing) on with": "'resumed', 'continues'",
    r"is silently": "what happens, and where it is reported",
    r"some \d[\d,.]*": "'about 7,000'",
    r"whoever|wherever": "the person or the place",
    r"be it|though it be": "'if', 'also if'",
    r"hangs? on": "'depends on'",
    r"in the place of": "'instead of'",
    r"but for": "'except'",
    r"(?:comes?|came) of": "'the result', 'returns'",
    r"as far as": "'if', 'up to'",
    r"(?:is|are|was|were) paid": "'is rewarded', 'gets': a rollout earns no money",
    r"pays": "'gives', 'rewards'",
}
"""Phrases that a reader whose third language is English must read twice."""

OLD_NAMES = (
    "dispatcher",
    "stints?",
    "tickets?",
    "leader",
    "burial",
    "hungry",
    "withheld",
    "dice",
    "moments",
    "twins",
)
"""Private words of earlier versions. The usual ones are pool, request, queue, random seed, clock, ..."""

OPENINGS = re.compile(r"(?:What|Whether|Where|Whoever|How|In (?:the )?place of)\b")
"""A docstring opens with an imperative or a noun phrase: "Return ...", "The columns of a table."."""

PACKAGES = ("sql_env", "rewards", "benchmarks", "trainers")
SOURCES = [file for package in PACKAGES for file in sorted((ROOT / package).rglob("*.py"))]
PROSE = [*PAGES, ROOT / "CONTRIBUTING.md", ROOT / "CHANGELOG.md", *SOURCES]


def occurrences(pattern, files):
    """The first occurrence in each file of a pattern of whole words, also across the end of a line."""
    for file in files:
        text = re.sub(r"\s+(?:# )?", " ", file.read_text(encoding="utf-8"))
        if found := re.search(rf"(?<![A-Za-z])(?:{pattern})(?![A-Za-z])", text, re.IGNORECASE):
            yield f"{file.relative_to(ROOT)}: ...{text[max(0, found.start() - 40) : found.end() + 40]}..."


@pytest.mark.parametrize(("pattern", "better"), PLAIN_WORDS.items(), ids=PLAIN_WORDS)
def test_the_words_are_plain(pattern, better):
    found = "\n".join(occurrences(pattern, PROSE))
    assert not found, f"write {better}:\n{found}"


@pytest.mark.parametrize("name", OLD_NAMES)
def test_old_names_are_gone(name):
    data = ROOT / "benchmarks" / "demo"  # its questions may be about tickets
    found = "\n".join(occurrences(name, [file for file in SOURCES if data not in file.parents]))
    assert not found, found


def explanations(file):
    """The docstrings of a file, and the strings below its constants and fields."""
    for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
        text = (
            node.value.value if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant) else None
        )
        if isinstance(text, str):
            yield node.lineno, text.strip()


@pytest.mark.parametrize("package", PACKAGES)
def test_docstrings_open_with_an_imperative_or_a_noun(package):
    found = [
        f"{file.relative_to(ROOT)}:{line}: {text.splitlines()[0]}"
        for file in sorted((ROOT / package).rglob("*.py"))
        for line, text in explanations(file)
        if OPENINGS.match(text)
    ]
    assert not found, "\n".join(found)


@pytest.mark.slow
def test_the_page_of_the_commands_has_every_option():
    code = """
import sys
import typer
sys.path.append("docs")
from cli_reference import make_page
from sql_env import cli
page = make_page()
def walk(found, path):
    assert f"## `{path}`" in page, path
    if not path.startswith("sql-env train "):
        for option in (name for parameter in found.params for name in parameter.opts if name[:2] == "--"):
            assert f"`{option}`" in page or option == "--help", (path, option)
    for name, child in getattr(found, "commands", {}).items():
        walk(child, f"{path} {name}")
for name, child in typer.main.get_command(cli.app).commands.items():
    walk(child, f"sql-env {name}")
assert all(word in page for word in ("`--predictions`", "--eval_split EVAL_SPLIT", "sql.benchmark=demo"))
"""
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr

"""The files that an open project has beside its code."""

import re
import tomllib
from pathlib import Path

import pytest

import sql_env

yaml = pytest.importorskip("yaml", reason="the extra trl brings PyYAML")
ROOT = Path(__file__).parents[1]
GITHUB = ROOT / ".github"


def read(path):
    return (ROOT / path).read_text(encoding="utf-8")


def test_the_version_is_the_same_everywhere():
    """The newest section of the changelog with a version is this one, and has a date."""
    cited = yaml.safe_load(read("CITATION.cff"))
    [version, date] = re.findall(r"^## ([\d.]+) \((\d{4}-\d\d-\d\d)\)$", read("CHANGELOG.md"), re.MULTILINE)[
        0
    ]
    assert sql_env.__version__ == cited["version"] == version
    assert str(cited["date-released"]) == date


def test_every_section_of_the_changelog_has_a_version_and_a_date_or_is_unreleased():
    heads = re.findall(r"^## (.*)$", read("CHANGELOG.md"), re.MULTILINE)
    assert [head for head in heads[1:] if not re.fullmatch(r"[\d.]+ \(\d{4}-\d\d-\d\d\)", head)] == []
    assert heads[0] == "Unreleased" or heads[0].startswith(sql_env.__version__)


@pytest.mark.skipif(not GITHUB.exists(), reason="only a checkout has .github")
def test_the_workflows_run_our_own_commands():
    ci = yaml.safe_load(read(".github/workflows/ci.yml"))
    steps = [step.get("run", "") for job in ci["jobs"].values() for step in job["steps"]]
    assert ".ci/run" in steps
    assert (ROOT / ".ci" / "run").stat().st_mode & 0o100
    project = tomllib.loads(read("pyproject.toml"))["project"]
    tested = ci["jobs"]["test"]["strategy"]["matrix"]["python"]
    said = [line.rpartition(" ")[2] for line in project["classifiers"] if "Python :: 3." in line]
    assert tested == said
    assert project["requires-python"] == f">={said[0]}"


@pytest.mark.skipif(not GITHUB.exists(), reason="only a checkout has .github")
def test_the_release_reads_the_version_where_it_is_written():
    release = read(".github/workflows/release.yml")
    [pattern] = re.findall(r"s/(\^__version__.*\$)/", release)
    pattern = pattern.replace(r"\(", "(").replace(r"\)", ")")
    assert re.findall(pattern, read("sql_env/__init__.py"), re.MULTILINE) == [sql_env.__version__]


@pytest.mark.skipif(not GITHUB.exists(), reason="only a checkout has .github")
@pytest.mark.parametrize("form", ["bug", "feature"])
def test_the_forms_of_issues_are_complete(form):
    found = yaml.safe_load(read(f".github/ISSUE_TEMPLATE/{form}.yml"))
    assert {"name", "description", "body"} <= set(found)
    ids = [part["id"] for part in found["body"]]
    assert len(set(ids)) == len(ids) > 1
    assert all(part["attributes"]["label"] for part in found["body"])


def test_the_image_has_all_that_the_installation_reads():
    """What hatchling and pip read is copied, and every path that is copied exists."""
    text = read("docs/docker/Dockerfile")
    copied = {name for line in re.findall(r"^COPY (.*) \S+$", text, re.MULTILINE) for name in line.split()}
    assert [name for name in copied if not (ROOT / name).exists()] == []
    build = tomllib.loads(read("pyproject.toml"))
    wanted = {*build["tool"]["hatch"]["build"]["targets"]["wheel"]["packages"], build["project"]["readme"]}
    assert wanted | {"pyproject.toml", "constraints.txt", "LICENSE"} <= copied
    [extras] = re.findall(r"^ARG EXTRAS=(.*)$", text, re.MULTILINE)
    assert set(extras.split(",")) <= set(build["project"]["optional-dependencies"])

"""The contents of the wheel and of the source distribution."""

import ast
import subprocess
import sys
import tarfile
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
LEFT_OUT = ("benchmarks/performance/", "benchmarks/hostile/", "trainers/studies/")


def imported(source: str) -> set[str]:
    """Return the full names of all modules and objects that a file imports."""
    found = set()
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            found |= {f"{node.module}.{alias.name}" for alias in node.names}
    return found


@pytest.mark.slow
def test_the_wheel_is_complete_without_the_measurements_and_studies(tmp_path):
    """The source distribution has them, docs and tests. Nothing in the wheel refers to them."""
    command = [sys.executable, "-m", "build", "--outdir", str(tmp_path), str(ROOT)]
    ran = subprocess.run(command, capture_output=True, text=True, check=False)
    assert ran.returncode == 0, ran.stderr
    [archive], [wheel] = tmp_path.glob("*.tar.gz"), tmp_path.glob("*.whl")
    with tarfile.open(archive) as files:
        names = {name.partition("/")[2] for name in files.getnames()}
    assert all(f"{folder}__init__.py" in names for folder in LEFT_OUT)
    with zipfile.ZipFile(wheel) as files:
        sources = {name: files.read(name).decode() for name in files.namelist() if name.endswith(".py")}
        entry_points = files.read(
            next(n for n in files.namelist() if n.endswith("/entry_points.txt"))
        ).decode()
    assert {"docs/index.md", "docs/conf.py", "tests/conftest.py", "tests/test_wheel.py", "Makefile"} <= names
    unpacked = (*LEFT_OUT, "docs/", "tests/")
    kept = {name for name in names if name.endswith(".py") and not name.startswith(unpacked)}
    assert kept == set(sources)
    for folder in LEFT_OUT:
        module = folder.replace("/", ".")
        assert module not in entry_points
        assert not [
            name
            for name, source in sources.items()
            if any(f"{n}.".startswith(module) for n in imported(source))
        ]

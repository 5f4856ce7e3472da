"""Generate the files of the benchmark once, check them before each use, and replace damaged ones."""

import fcntl
import hashlib
import json
import os
import random
import tempfile
from pathlib import Path

from benchmarks.demo.domains import DOMAINS
from benchmarks.demo.examples import Example, draw_examples, split_examples
from benchmarks.demo.tables import database
from sql_env.errors import DataError
from sql_env.types import Task

VERSION = 1
MANIFEST = "manifest.json"


def prepare_data_folder(data_dir: str | None, seed: int) -> Path:
    """Return the folder with the databases and tasks of a seed; generate it if it is missing or damaged.

    Raises:
        DataError: The folder cannot be written.
    """
    root = find_cache_root(data_dir)
    target = root / f"demo-{VERSION}-{hash_generator()}-seed{seed}"
    if is_intact(target):
        return target
    try:
        root.mkdir(parents=True, exist_ok=True)
        with (root / ".demo.lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)  # one process generates, the others wait and use its files
            if not is_intact(target):
                _replace(target, seed)
    except OSError as error:
        raise DataError(
            f"cannot write the demo benchmark to {root}: {error}; pass data_dir or set SQL_ENV_CACHE"
        ) from error
    return target


def find_cache_root(data_dir: str | None) -> Path:
    """Return the folder of generated files: ``data_dir``, else ``$SQL_ENV_CACHE``, else the user's cache."""
    if chosen := data_dir or os.environ.get("SQL_ENV_CACHE"):
        return Path(chosen).expanduser().absolute()
    return Path(os.environ.get("XDG_CACHE_HOME") or "~/.cache").expanduser() / "sql-env"


def hash_generator() -> str:
    """Return a short hash of the generator's source, so that a changed generator has another folder."""
    sources = sorted(Path(__file__).parent.rglob("*.py"))
    return hashlib.sha256(b"".join(source.read_bytes() for source in sources)).hexdigest()[:12]


def is_intact(target: Path) -> bool:
    """Return whether every file exists and has the bytes that were written."""
    try:
        manifest = json.loads((target / MANIFEST).read_text())
        return all(_hash(target / name) == value for name, value in manifest.items())
    except (OSError, ValueError, AttributeError):
        return False


def generate(target: Path, seed: int) -> None:
    """Write databases, tasks and manifest to an existing folder."""
    found: list[Example] = []
    for domain in DOMAINS:
        path = target / f"{domain.name}.sqlite"
        data = database.draw_rows(domain, random.Random(f"{seed}/{domain.name}"))
        database.write_database(path, domain, data)
        found += draw_examples(domain, data, path, seed)
    for name, members in split_examples(found, seed).items():
        rng = random.Random(f"{seed}/questions/{name}")
        lines = (_format_task(f"demo-{name}-{i:04d}", example, rng) for i, example in enumerate(members))
        (target / f"{name}.jsonl").write_text("".join(lines), encoding="utf-8")
    hashes = {path.name: _hash(path) for path in sorted(target.iterdir())}
    (target / MANIFEST).write_text(json.dumps(hashes, indent=1))


def _format_task(identity: str, example: Example, rng: random.Random) -> str:
    """Return one task as JSON; its database is the name of a file in the same folder."""
    sketch = example.sketch
    task = Task(
        id=identity,
        question=rng.choice(sketch.questions),
        gold_sql=sketch.sql,
        database=f"{example.domain}.sqlite",
        db_id=example.domain,
        evidence=sketch.evidence,
        difficulty=example.level,
        reasoning=sketch.reasoning,
    )
    return json.dumps(task.to_dict(), ensure_ascii=False) + "\n"


def _replace(target: Path, seed: int) -> None:
    """Generate in a temporary folder, then move it to the target in one step."""
    with tempfile.TemporaryDirectory(
        prefix=".demo-", dir=target.parent, ignore_cleanup_errors=True
    ) as scratch:
        fresh, damaged = Path(scratch, "fresh"), Path(scratch, "damaged")
        fresh.mkdir()
        generate(fresh, seed)
        if target.exists():
            target.rename(damaged)
        fresh.rename(target)


def _hash(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()

"""Golds on disk: what goes in comes out, or nothing does."""

import logging
import math
import os
import random
import shutil
import signal
import sqlite3
import subprocess
import sys
import tempfile
import threading
import time
import traceback
from dataclasses import asdict, fields, replace
from pathlib import Path

import apsw
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sql_env import ExecutionResult, Limits, Query, Scorer, Status
from sql_env.caching.disk_cache import DiskCache
from sql_env.caching.gold_store import GoldStore, StoreKey
from sql_env.caching.gold_text import decode, encode
from sql_env.comparison import Gold
from sql_env.errors import LimitError

any_text = st.text(st.characters(codec=None, exclude_categories=[]), max_size=20)
cells = (
    st.none()
    | st.integers(-(2**63), 2**63 - 1)
    | st.floats(allow_nan=False)
    | any_text
    | st.binary(max_size=20)
)
results = st.builds(
    ExecutionResult,
    st.sampled_from(Status),
    st.lists(any_text, max_size=3).map(tuple),
    st.lists(st.lists(cells, max_size=3).map(tuple), max_size=4).map(tuple),
    any_text,
)
golds = st.builds(Gold, results, st.none() | st.lists(st.integers(1, 2**40), max_size=4).map(tuple))

LINES = Limits()


def gold(number: int, size: int = 10) -> Gold:
    return Gold(ExecutionResult(Status.OK, ("n", "text"), ((number, "x" * size),)))


def settle(file: Path) -> None:
    """Wait until a file is so old that its digest may be kept."""
    while time.time_ns() - file.stat().st_ctime_ns < 2.1e9:
        time.sleep(0.05)


@pytest.fixture
def keys(concerts):
    """Make keys by number."""
    made = GoldStore(concerts.parent / "keys")

    def make(*numbers: int) -> list[StoreKey]:
        asked = [(Query(str(concerts), f"SELECT {number}"), "strict") for number in numbers]
        found = made.keys(asked, LINES)
        assert None not in found
        return found

    return make


def exact(value):
    """A value with all that equality overlooks: the sign of zero, and whether it is whole."""
    if isinstance(value, tuple):
        return tuple(map(exact, value))
    return (type(value), math.copysign(1, value), value) if isinstance(value, float) else (type(value), value)


@given(golds)
def test_any_gold_comes_back_as_it_was(gold):
    back = decode(encode(gold))
    assert back == gold
    assert exact(back.result.rows) == exact(gold.result.rows)
    assert type(back.result.status) is Status


@pytest.mark.parametrize(
    "cell",
    [
        2**63 - 1,
        -(2**63),
        10**38,
        0.1,
        -0.0,
        math.inf,
        -math.inf,
        5e-324,
        "\ud83d\ude00",
        "😀",
        "\0",
        b"\xff",
    ],
)
def test_cells_at_the_edge(cell):
    rows = decode(encode(Gold(ExecutionResult(Status.OK, ("a",), ((cell,),))))).result.rows
    assert exact(rows) == exact(((cell,),))


def test_nan_stays_nan():
    [[cell]] = decode(encode(Gold(ExecutionResult(Status.OK, ("a",), ((math.nan,),))))).result.rows
    assert math.isnan(cell)


@given(st.binary(max_size=60) | st.text('[]{}",:0123456789nulokeb ', max_size=40).map(str.encode))
def test_what_is_no_gold_is_an_error_and_nothing_else(body):
    with pytest.raises(ValueError, match="this is no gold"):
        decode(body)


@pytest.mark.parametrize(
    "body",
    [
        b'["ok",["a"],[[[1]]],"",null]',
        b'["ok",["a"],[[{"blob":"zz"}]],"",null]',
        b'["ok",["a"],[[{"b":1}]],"",null]',
        b'["ok",["a"],{"blob":"00"},"",null]',
        b'["ok","a",[],"",null]',
        b'["ok",["a"],[],"",[0.5]]',
        b'["fine",["a"],[],"",null]',
        b'["ok",["a"],[],7,null]',
        b"[" * 100_000,
    ],
)
def test_json_that_is_no_gold(body):
    with pytest.raises(ValueError, match="this is no gold"):
        decode(body)


class TestKey:
    @pytest.fixture
    def store(self, tmp_path):
        return GoldStore(tmp_path / "store")

    def test_it_changes_with_each_thing_that_a_gold_depends_on(self, store, concerts, make_concerts):
        query = Query(str(concerts), "SELECT 1")
        other = make_concerts(concerts.with_name("other.sqlite"))
        with sqlite3.connect(other) as connection:
            connection.execute("DELETE FROM concert WHERE id = 4")
        connection.close()
        found = [
            store.key(query, "strict", LINES),
            store.key(query, "bird", LINES),
            store.key(replace(query, sql="SELECT 1 "), "strict", LINES),
            store.key(replace(query, dialect="duckdb"), "strict", LINES),
            store.key(replace(query, database=str(other)), "strict", LINES),
            *(
                store.key(query, "strict", replace(LINES, **{f.name: getattr(LINES, f.name) + 1}))
                for f in fields(Limits)
            ),
        ]
        assert None not in found
        assert len(set(found)) == len(found)

    def test_it_changes_with_the_release_of_the_engine(self, store, concerts, monkeypatch):
        from sql_env.caching import gold_store

        key = store.key(Query(str(concerts), "SELECT 1"), "strict", LINES)
        releases = gold_store.releases("sqlite")
        assert apsw.sqlite_lib_version() in releases
        for place in (0, len(releases) // 2, len(releases) - 1):
            changed = (*releases[:place], releases[place] + "x", *releases[place + 1 :])
            monkeypatch.setattr(gold_store, "releases", lambda _, changed=changed: changed)
            gold_store._conditions.cache_clear()
            assert store.key(Query(str(concerts), "SELECT 1"), "strict", LINES) != key
        gold_store._conditions.cache_clear()

    def test_it_does_not_change_where_the_file_is_copied_moved_or_linked(self, store, concerts):
        def key(path: Path) -> StoreKey | None:
            found = store.key(Query(str(path), "SELECT 1"), "strict", LINES)
            assert found is not None
            return found

        first = key(concerts)
        copy = Path(shutil.copy(concerts, concerts.with_name("copy.sqlite")))
        link = concerts.with_name("link.sqlite")
        link.symlink_to(concerts)
        assert key(copy) == key(link) == first
        moved = concerts.rename(concerts.parent / "moved.sqlite")
        assert key(moved) == first

    def test_limits_that_are_equal_make_one_key(self, store, concerts):
        query = Query(str(concerts), "SELECT 1")
        whole = Limits(**{name: int(value) for name, value in asdict(LINES).items()})
        assert store.key(query, "strict", whole) == store.key(query, "strict", LINES)

    def test_the_name_of_a_duckdb_file_counts_because_sql_can_name_it(self, store, library):
        copy = Path(shutil.copy(library, library.with_name("copy.duckdb")))
        (library.parent / "below").mkdir()
        below = Path(shutil.copy(library, library.parent / "below"))
        queries = [Query(str(path), "SELECT 1", "duckdb") for path in (library, copy, below)]
        first, renamed, moved = store.keys([(query, "strict") for query in queries], LINES)
        assert first == moved != renamed

    @pytest.mark.parametrize("sql", ["SELECT now()", "SELECT current_date - 1", "SELECT RANDOM()"])
    def test_what_passes_has_no_key(self, store, library, concerts, sql):
        assert store.key(Query(str(library), sql, "duckdb"), "strict", LINES) is None
        assert (
            store.key(Query(str(concerts), sql), "strict", LINES) is not None
        )  # there the clock stands still

    def test_what_cannot_be_read_has_no_key(self, store, concerts):
        for database in ("missing.sqlite", "\0", "\ud800", str(concerts.parent)):
            assert store.key(Query(database, "SELECT 1"), "strict", LINES) is None
        Path(f"{concerts}-wal").write_bytes(b"changes")
        assert store.key(Query(str(concerts), "SELECT 1"), "strict", LINES) is None

    def test_a_file_that_is_written_over_and_keeps_its_time_has_another_key(self, store, concerts):
        query = Query(str(concerts), "SELECT 1")
        before, info = store.key(query, "strict", LINES), concerts.stat()
        content = bytearray(concerts.read_bytes())
        content[-1] ^= 1
        with concerts.open("r+b") as file:
            file.write(content)
        os.utime(concerts, ns=(info.st_atime_ns, info.st_mtime_ns))
        assert concerts.stat().st_size == info.st_size
        assert store.key(query, "strict", LINES) != before

    @pytest.mark.slow  # waits until the file has settled
    def test_a_file_is_read_once(self, store, concerts):
        settle(concerts)
        query = Query(str(concerts), "SELECT 1")
        first = store.key(query, "strict", LINES)
        concerts.chmod(0)  # changes its ctime, so that it is read again
        concerts.chmod(0o644)
        settle(concerts)
        assert store.key(query, "strict", LINES) == first
        state = first.file._replace(changed_ns=concerts.stat().st_ctime_ns)
        for fresh in (store, GoldStore(store._disk.file.parent)):
            known = fresh._digests({state})
            assert list(known) == [state]
            assert fresh._contents[state] == known[state]
        store.close()
        with apsw.Connection(str(store._disk.file)) as connection:
            assert connection.execute("SELECT count(*) FROM entry").get == 2


class TestStore:
    def test_what_was_stored_is_there_after_a_restart(self, tmp_path, keys):
        some = keys(*range(1500))
        before = GoldStore(tmp_path / "store")
        assert before.recall(some) == {}
        stored = {key: gold(number) for number, key in enumerate(some)}
        before.remember(stored)
        after = GoldStore(tmp_path / "store")
        assert after.recall([*some, *keys(1500)]) == stored
        after.close()
        assert after.recall(some[:1]) == {some[0]: gold(0)}

    def test_the_default_folder_is_in_the_cache(self, tmp_path, monkeypatch, keys):
        monkeypatch.setenv("SQL_ENV_CACHE", str(tmp_path / "cache"))
        GoldStore().remember({keys(1)[0]: gold(1)})
        assert (tmp_path / "cache" / "golds" / "golds.sqlite").exists()

    def test_what_may_pass_is_not_stored(self, tmp_path, keys):
        store = GoldStore(tmp_path / "store")
        some = dict(zip(keys(*range(len(Status))), Status, strict=True))
        store.remember({key: Gold(ExecutionResult(status, error="why")) for key, status in some.items()})
        assert {some[key] for key in store.recall(list(some))} == {Status.OK, Status.ERROR, Status.DENIED}

    def test_a_gold_of_a_database_that_has_changed_meanwhile_is_not_stored(self, tmp_path, keys, concerts):
        store, [key] = GoldStore(tmp_path / "store"), keys(1)
        with sqlite3.connect(concerts) as connection:
            connection.execute("DELETE FROM concert")
        connection.close()
        store.remember({key: gold(1)})
        assert store.recall([key]) == {}

    def test_golds_as_the_scorer_has_them(self, tmp_path, ask):
        tasks = [ask("SELECT * FROM singer"), ask("SELECT x'00ff', 1e999, -0.0, NULL"), ask("SELECT nothing")]
        store = GoldStore(tmp_path / "store")
        asked = [(Query(task.database, task.gold_sql), task.comparison) for task in tasks]
        with Scorer({"rewards": ["result"]}) as scorer:
            found = store.keys(asked, scorer.executor.limits)
            stored = {key: Gold(result) for key, result in zip(found, scorer.golds(tasks), strict=True)}
        store.remember(stored)
        assert GoldStore(tmp_path / "store").recall(found) == stored

    @pytest.mark.parametrize("size", [0, -1, 2**20 - 1, 1.5, True, None])
    def test_an_impossible_size(self, tmp_path, size):
        with pytest.raises(LimitError, match="1 MiB"):
            GoldStore(tmp_path, max_bytes=size)


class TestBound:
    def test_what_was_not_used_for_longest_goes_first(self, tmp_path, keys):
        store = GoldStore(tmp_path / "store", max_bytes=2**20)
        some = keys(*range(40))
        for number, key in enumerate(some):
            store.remember({key: gold(number, 50_000)})
            assert store.recall(some[:1])  # used time and again
        left = store.recall(some)
        assert some[0] in left
        assert some[1] not in left
        assert some[-1] in left
        assert all(found == gold(some.index(key), 50_000) for key, found in left.items())
        assert store._disk.file.stat().st_size <= 2**20

    @settings(max_examples=20)
    @given(sizes=st.lists(st.integers(0, 200_000), min_size=1, max_size=30), batch=st.integers(1, 30))
    def test_the_file_is_never_larger(self, tmp_path_factory, sizes, batch):
        cache = DiskCache(tmp_path_factory.mktemp("bound") / "c.sqlite", 2**20)
        cache.remember({b"first": b""})
        entries = {number.to_bytes(32): bytes(size) for number, size in enumerate(sizes)}
        for start in range(0, len(sizes), batch):
            some = dict(list(entries.items())[start : start + batch])
            cache.remember(some)
            assert cache.file.stat().st_size <= 2**20
            kept = [key for key, body in some.items() if len(body) <= 2**20 // 8]
            assert not kept or cache.recall(kept[-1:]) == {kept[-1]: some[kept[-1]]}
        found = cache.recall(entries)
        assert found == {key: entries[key] for key in found}
        cache.close()

    def test_a_very_large_gold_is_not_stored(self, tmp_path, keys):
        store = GoldStore(tmp_path / "store", max_bytes=2**20)
        small, large = keys(1, 2)
        store.remember({small: gold(1, 120_000), large: gold(2, 140_000)})
        assert list(store.recall([small, large])) == [small]

    def test_uses_are_written_down_in_batches(self, tmp_path, keys):
        store, some = GoldStore(tmp_path / "store"), keys(*range(1100))
        store.remember({key: gold(number) for number, key in enumerate(some)})

        def used() -> list[int]:
            with apsw.Connection(str(store._disk.file)) as connection:
                return connection.execute("SELECT max(used) FROM entry").fetchall()[0][0]

        assert used() == 1
        store.recall(some[:500])
        assert used() == 1
        store.recall(some)
        assert used() == 2
        store.recall(some[:1])
        store.close()
        assert used() == 3


@pytest.fixture
def stored(tmp_path, keys):
    """A store with thirty golds, closed."""
    store = GoldStore(tmp_path / "store")
    entries = {key: gold(number, number * 40) for number, key in enumerate(keys(*range(30)))}
    store.remember(entries)
    store.close()
    return store._disk.file, entries


def check(folder, entries, caplog, fresh):
    """Whatever is on the disk: nothing raises, no gold is wrong, at most one warning, and it works again."""
    caplog.clear()
    store = GoldStore(folder)
    found = store.recall(list(entries))
    assert found == {key: entries[key] for key in found}
    store.remember({fresh: gold(99)})
    store.recall(list(entries))
    again = store.recall([fresh])
    store.close()
    warnings = [record for record in caplog.records if record.levelno >= logging.WARNING]
    assert len(warnings) <= 1
    return len(found), again == {fresh: gold(99)}


class TestDamage:
    def test_a_file_cut_short(self, stored, keys, caplog):
        file, entries = stored
        content = file.read_bytes()
        [fresh] = keys(99)
        ends = {0, 1, 15, 16, 17, 99, 100, 101, *range(0, len(content), 2048), len(content) - 1}
        for end in sorted(ends):
            file.write_bytes(content[:end])
            count, works = check(file.parent, entries, caplog, fresh)
            assert works
            assert count <= len(entries)
        file.write_bytes(content)
        assert check(file.parent, entries, caplog, fresh) == (len(entries), True)
        assert not caplog.records

    @pytest.mark.slow
    def test_a_file_cut_short_anywhere(self, stored, keys, caplog):
        file, entries = stored
        content = file.read_bytes()
        [fresh] = keys(99)
        for end in range(0, len(content), 61):
            file.write_bytes(content[:end])
            assert check(file.parent, entries, caplog, fresh)[1]

    def flip(self, stored, keys, caplog, rounds):
        file, entries = stored
        content = file.read_bytes()
        [fresh] = keys(99)
        rng, lost = random.Random(7), 0
        for number in range(rounds):
            damaged = bytearray(content)
            for _ in range(rng.choice([1, 1, 3, 30])):
                damaged[rng.randrange(len(damaged) if number % 2 else 512)] = rng.randrange(256)
            file.write_bytes(damaged)
            count, works = check(file.parent, entries, caplog, fresh)
            assert works
            lost += count < len(entries)
        assert lost  # it did some damage

    def test_bytes_that_have_changed(self, stored, keys, caplog):
        self.flip(stored, keys, caplog, 40)

    @pytest.mark.slow
    def test_many_bytes_that_have_changed(self, stored, keys, caplog):
        self.flip(stored, keys, caplog, 3000)

    @pytest.mark.parametrize(
        "content", [b"garbage", b"SQLite format 3\0" + b"\xff" * 5000, b"\0" * 100_000, b"[" * 8192]
    )
    def test_a_file_of_something_else(self, stored, keys, caplog, content):
        file, entries = stored
        file.write_bytes(content)
        assert check(file.parent, entries, caplog, keys(99)[0]) == (0, True)

    @pytest.mark.parametrize(
        "script",
        [
            "DROP TABLE entry; CREATE TABLE entry (key, sum, body)",
            "ALTER TABLE entry ADD COLUMN more",
            "CREATE TABLE gold (key)",
            "ALTER TABLE entry RENAME TO old; CREATE VIEW entry AS SELECT * FROM old",
            "CREATE TRIGGER t AFTER INSERT ON entry BEGIN DELETE FROM entry; END",
            "PRAGMA page_size = 1024; VACUUM",
        ],
    )
    def test_tables_of_another_version(self, stored, keys, caplog, script):
        file, entries = stored
        connection = sqlite3.connect(file)
        connection.executescript(script)
        connection.close()
        assert check(file.parent, entries, caplog, keys(99)[0]) == (0, True)
        assert "starts anew" in caplog.text

    def test_entries_of_another_version_are_not_found(self, stored, keys, monkeypatch):
        from sql_env.caching import gold_store

        file, entries = stored
        monkeypatch.setattr(gold_store, "VERSION", gold_store.VERSION + 1)
        gold_store._conditions.cache_clear()
        assert GoldStore(file.parent).recall(keys(*range(30))) == {}
        monkeypatch.undo()
        gold_store._conditions.cache_clear()
        assert GoldStore(file.parent).recall(keys(*range(30))) == entries

    def test_an_entry_that_is_no_gold(self, stored, keys, caplog):
        file, entries = stored
        DiskCache(file, 2**20).remember({key.digest: b'["ok",["a"],[[[]]],"",null]' for key in entries})
        assert check(file.parent, entries, caplog, keys(99)[0]) == (0, True)
        assert "starts anew" in caplog.text

    def test_an_entry_in_the_place_of_another(self, stored, keys, caplog):
        file, entries = stored
        with apsw.Connection(str(file)) as connection:
            connection.execute("UPDATE entry SET (sum, body) = (SELECT sum, body FROM entry WHERE id = 5)")
        assert check(file.parent, entries, caplog, keys(99)[0]) == (0, True)

    def test_damage_while_the_file_is_open(self, stored, keys, caplog):
        file, entries = stored
        store = GoldStore(file.parent)
        assert store.recall(list(entries)) == entries
        file.write_bytes(b"\0" * file.stat().st_size)
        found = store.recall(list(entries))  # SQLite may not look at what it has in memory
        assert found == {key: entries[key] for key in found}
        assert check(file.parent, entries, caplog, keys(99)[0])[1]

    def test_a_folder_that_was_removed_meanwhile(self, stored, keys, caplog):
        file, entries = stored
        store, [fresh] = GoldStore(file.parent), keys(99)
        assert store.recall(list(entries)) == entries
        shutil.rmtree(file.parent)
        assert store.recall(list(entries)) == {}
        store.remember({fresh: gold(99)})
        assert store.recall([fresh]) == {fresh: gold(99)}
        assert not caplog.records


class TestWithoutDisk:
    def test_a_folder_that_cannot_be_made(self, concerts, keys, caplog):
        store, [key] = GoldStore(concerts / "store"), keys(1)
        for _ in range(3):
            store.remember({key: gold(1)})
            assert store.recall([key]) == {}
        store.close()
        assert len(caplog.records) == 1

    def test_a_file_that_can_only_be_read(self, concerts):
        folder = Path(tempfile.mkdtemp())
        try:
            copy = Path(shutil.copy(concerts, folder))
            store = GoldStore(folder)
            keys = store.keys([(Query(str(copy), f"SELECT {n}"), "strict") for n in range(5)], LINES)
            store.remember({key: gold(number) for number, key in enumerate(keys[:3])})
            store.close()
            for path in (*folder.iterdir(), folder):
                path.chmod(0o555)
            done = ran(READER.format(folder=str(folder)), keys)
            assert done.stdout.split() == ["3"]
            assert done.stderr.count("is not written any more") == 1
        finally:
            folder.chmod(0o755)
            shutil.rmtree(folder)

    def test_a_full_disk(self, tmp_path, keys):
        """A limit on the size of files, which the kernel enforces as it does the end of a disk."""
        code = (
            "import resource, sys, pickle\n"
            "resource.setrlimit(resource.RLIMIT_FSIZE, (200_000, 200_000))\n"
            "from sql_env.caching.gold_store import GoldStore\n"
            "from sql_env.comparison import Gold\n"
            "from sql_env import ExecutionResult, Status\n"
            f"store = GoldStore({str(tmp_path / 'store')!r})\n"
            "keys = pickle.load(sys.stdin.buffer)\n"
            "for n, key in enumerate(keys):\n"
            "    rows = ((n, 'x' * 30_000),)\n"
            "    store.remember({key: Gold(ExecutionResult(Status.OK, ('n', 'text'), rows))})\n"
            "print(len(store.recall(keys)))\n"
        )
        some = keys(*range(12))
        done = ran(code, some)
        assert 1 <= int(done.stdout) <= 6
        assert done.stderr.count("is not written any more") == 1
        left = GoldStore(tmp_path / "store").recall(some)
        assert left == {key: gold(number, 30_000) for number, key in enumerate(some) if key in left}
        assert len(left) == int(done.stdout)

    def test_a_file_that_another_process_keeps_locked(self, stored, monkeypatch, caplog):
        from sql_env.caching import cache_file

        file, entries = stored
        monkeypatch.setattr(cache_file, "WAIT_MS", 50)
        other = apsw.Connection(str(file))
        other.execute("BEGIN EXCLUSIVE")
        store = GoldStore(file.parent)
        assert store.recall(list(entries)) == {}
        assert store.recall(list(entries)) == {}
        other.close()
        assert len(caplog.records) == 1


READER = """
import os, pickle, sys
from sql_env.caching.gold_store import GoldStore
from sql_env.comparison import Gold
from sql_env import ExecutionResult, Status

keys = pickle.load(sys.stdin.buffer)
if not os.getuid():
    os.setuid(65534)  # no file is read-only for root
store = GoldStore({folder!r})
for key in keys[3:]:
    store.remember({{key: Gold(ExecutionResult(Status.OK))}})
print(len(store.recall(keys)))
store.close()
"""


def ran(code, keys):
    import pickle

    done = subprocess.run([sys.executable, "-c", code], input=pickle.dumps(keys), capture_output=True)
    done.stdout, done.stderr = done.stdout.decode(), done.stderr.decode()
    assert done.returncode == 0, done.stderr
    return done


WRITER = """
import pickle, sys
from sql_env.caching.gold_store import GoldStore
from sql_env.comparison import Gold
from sql_env import ExecutionResult, Status

folder, first, step = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
keys = pickle.load(sys.stdin.buffer)
store = GoldStore(folder, max_bytes=2**23)
print("ready", flush=True)
for turn in range(10**6 if step == 0 else 1):
    for place in range(first, len(keys), max(step, 1)):
        golds = {keys[n]: Gold(ExecutionResult(Status.OK, ("n", "text"), ((n, "x" * (n * 50)),)))
                 for n in range(place, min(place + 7, len(keys)))}
        store.remember(golds)
        assert store.recall(list(golds)) == golds, "lost"
"""


def writer(folder, keys, first=0, step=0):
    import pickle

    process = subprocess.Popen(
        [sys.executable, "-c", WRITER, str(folder), str(first), str(step)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    process.stdin.write(pickle.dumps(keys))
    process.stdin.close()
    process.stdin = None
    return process


@pytest.mark.slow
class TestProcesses:
    def test_two_write_at_the_same_time(self, tmp_path, keys):
        some = keys(*range(300))
        both = [writer(tmp_path / "store", some, first, 2) for first in (0, 1)]
        for process in both:
            _, errors = process.communicate()
            assert process.returncode == 0, errors
            assert not errors
        found = GoldStore(tmp_path / "store").recall(some)
        assert found == {key: gold(number, number * 50) for number, key in enumerate(some)}

    def test_killed_in_mid_write(self, tmp_path, keys, caplog):
        some = keys(*range(300))
        expected = {key: gold(number, number * 50) for number, key in enumerate(some)}
        rng, hot = random.Random(3), 0
        for _ in range(12):
            process = writer(tmp_path / "store", some)
            assert process.stdout.readline() == b"ready\n"
            time.sleep(rng.uniform(0.02, 0.3))
            process.send_signal(signal.SIGKILL)
            assert process.wait() == -signal.SIGKILL
            process.stdout.close()
            process.stderr.close()
            journal = tmp_path / "store" / "golds.sqlite-journal"
            hot += journal.exists() and journal.stat().st_size > 0
            store = GoldStore(tmp_path / "store")
            found = store.recall(some)
            assert found == {key: expected[key] for key in found}
            store.close()
            with apsw.Connection(str(store._disk.file)) as connection:
                assert connection.execute("PRAGMA integrity_check").get == "ok"
        assert hot  # some were killed in mid-transaction
        assert found
        assert not caplog.records


class TestThreads:
    def test_many_threads(self, tmp_path, keys):
        store, some, wrong = GoldStore(tmp_path / "store"), keys(*range(120)), []

        def work(first: int) -> None:
            for number in range(first, 120, 6):
                store.remember({some[number]: gold(number)})
                found = store.recall(some)
                if found != {key: gold(some.index(key)) for key in found} or some[number] not in found:
                    wrong.append(number)

        threads = [threading.Thread(target=work, args=(first,)) for first in range(6)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert not wrong
        assert len(store.recall(some)) == 120

    def test_a_fork_has_its_own_connection(self, tmp_path, keys):
        """It forks while another thread writes, and both go on."""
        store, some, done = GoldStore(tmp_path / "store"), keys(*range(40)), threading.Event()
        store.remember({some[0]: gold(0)})

        def work() -> None:
            while not done.wait(0.001):  # else the file is hardly ever free, and the fork gives up
                store.remember({some[1]: gold(1, 3000)})

        thread = threading.Thread(target=work)
        thread.start()
        try:
            for number in range(2, 8):
                child = os.fork()
                if not child:
                    code = 1
                    try:
                        store.remember({some[number]: gold(number)})
                        expected = {some[0]: gold(0), some[number]: gold(number)}
                        assert store.recall([*expected]) == expected, vars(store._disk)
                        code = 0
                    except BaseException:
                        traceback.print_exc()
                        sys.stderr.flush()
                        raise
                    finally:
                        os._exit(code)
                assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
        finally:
            done.set()
            thread.join()
        assert len(store.recall(some)) == 8
        store.close()
        with apsw.Connection(str(store._disk.file)) as connection:
            assert connection.execute("PRAGMA integrity_check").get == "ok"

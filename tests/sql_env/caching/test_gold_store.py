"""Gold results on disk: a result comes back exactly as it was stored, or not at all."""

import logging
import math
import os
import random
import shutil
import subprocess
import sys
import threading
import time
from dataclasses import asdict, fields, replace
from pathlib import Path

import apsw
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sql_env import ExecutionResult, Limits, Query, Scorer, Status
from sql_env.caching import gold_store
from sql_env.caching.gold_cache import GoldKey
from sql_env.caching.gold_codec import decode_gold, encode_gold
from sql_env.caching.gold_store import GoldStore
from sql_env.comparison import Gold
from sql_env.errors import LimitError
from sql_env.execution.engines.files import read_signature

from ...small_disk import run_on_small_disk

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
LIMITS = Limits()


def gold(number, size=10):
    return Gold(ExecutionResult(Status.OK, ("n", "text"), ((number, "x" * size),)))


def key(database, sql="SELECT 1", comparison="strict", dialect="sqlite"):
    return GoldKey(Query(str(database), sql, dialect), comparison, read_signature(str(database)))


@pytest.fixture
def keys(concerts):
    return lambda *numbers: [key(concerts, f"SELECT {number}") for number in numbers]


@pytest.fixture(autouse=True)
def files_are_old(request, monkeypatch):
    """Accept files of this moment, so that tests need not wait for two seconds."""
    if "fresh" not in request.keywords:
        monkeypatch.setattr(gold_store, "_FRESH_NS", 0)


def put(store, numbers, keys, size=10):
    store.put_many({k: gold(n, size) for n, k in zip(numbers, keys(*numbers), strict=True)}, LIMITS)


def exact(value):
    """Add to a value what equality ignores: the sign of zero, and its type."""
    if isinstance(value, tuple):
        return tuple(map(exact, value))
    return (type(value), math.copysign(1, value), value) if isinstance(value, float) else (type(value), value)


class TestCodec:
    @given(golds)
    def test_any_gold_comes_back_as_it_was(self, gold):
        back = decode_gold(encode_gold(gold))
        assert back == gold
        assert exact(back.result.rows) == exact(gold.result.rows)
        assert type(back.result.status) is Status

    @pytest.mark.parametrize(
        "cell",
        [2**63 - 1, -(2**63), 10**38, 0.1, -0.0, math.inf, "\ud83d\ude00", "😀", "\0", b"\xff"],
    )
    def test_cells_at_the_edge(self, cell):
        rows = decode_gold(encode_gold(Gold(ExecutionResult(Status.OK, ("a",), ((cell,),))))).result.rows
        assert exact(rows) == exact(((cell,),))

    def test_nan_stays_nan(self):
        nan = Gold(ExecutionResult(Status.OK, ("a",), ((math.nan,),)))
        [[cell]] = decode_gold(encode_gold(nan)).result.rows
        assert math.isnan(cell)

    @given(st.binary(max_size=60) | st.text('[]{}",:0123456789nulokeb ', max_size=40).map(str.encode))
    def test_other_bytes_are_a_value_error(self, body):
        with pytest.raises(ValueError, match="not a gold result"):
            decode_gold(body)

    @pytest.mark.parametrize(
        "body",
        [
            b'["ok",["a"],[[[1]]],"",null,null]',
            b'["ok",["a"],[[{"blob":"zz"}]],"",null,null]',
            b'["ok",["a"],[[{"b":1}]],"",null,null]',
            b'["ok",["a"],{"blob":"00"},"",null,null]',
            b'["ok","a",[],"",null,null]',
            b'["ok",["a"],[],"",[0.5],null]',
            b'["fine",["a"],[],"",null,null]',
            b'["ok",["a"],[],7,null,null]',
            b"[" * 100_000,
        ],
    )
    def test_json_that_is_no_gold(self, body):
        with pytest.raises(ValueError, match="not a gold result"):
            decode_gold(body)


class TestKey:
    def test_each_thing_that_a_gold_depends_on_changes_the_key(self, concerts, make_concerts):
        first = key(concerts)
        other = make_concerts(concerts.with_name("other.sqlite"))
        asked = [
            (first, LIMITS),
            (first._replace(comparison="bird"), LIMITS),
            (key(concerts, "SELECT 1 "), LIMITS),
            (key(concerts, dialect="duckdb"), LIMITS),
            (key(other), LIMITS),
            *((first._replace(file=(*first.file[:n], 9, *first.file[n + 1 :])), LIMITS) for n in range(4)),
            *((first, replace(LIMITS, **{f.name: getattr(LIMITS, f.name) + 1})) for f in fields(Limits)),
        ]  # fmt: skip
        digests = [gold_store._digest(*each) for each in asked]
        assert None not in digests
        assert len(set(digests)) == len(digests)

    def test_equal_limits_make_one_key(self, concerts):
        whole = Limits(**{name: int(value) for name, value in asdict(LIMITS).items()})
        assert gold_store._digest(key(concerts), whole) == gold_store._digest(key(concerts), LIMITS)

    def test_a_symbolic_link_makes_no_other_key(self, concerts):
        link = concerts.with_name("link.sqlite")
        link.symlink_to(concerts)
        assert gold_store._digest(key(link), LIMITS) == gold_store._digest(key(concerts), LIMITS)

    @pytest.mark.parametrize("sql", ["SELECT now()", "SELECT current_date - 1", "SELECT RANDOM()"])
    def test_queries_that_depend_on_more_have_no_key(self, library, concerts, sql):
        assert gold_store._digest(key(library, sql, dialect="duckdb"), LIMITS) is None
        assert gold_store._digest(key(concerts, sql), LIMITS) is not None  # SQLite's clock is frozen

    def test_files_that_cannot_be_read_have_no_key(self, concerts):
        for database in ("missing.sqlite", "\0", "\ud800"):
            assert gold_store._digest(key(database), LIMITS) is None
        Path(f"{concerts}-wal").write_bytes(b"changes")
        assert gold_store._digest(key(concerts), LIMITS) is None

    def test_a_file_that_is_written_over_and_keeps_its_time_has_another_key(self, concerts):
        before, info = key(concerts), concerts.stat()
        content = bytearray(concerts.read_bytes())
        content[-1] ^= 1
        with concerts.open("r+b") as file:
            file.write(content)
        os.utime(concerts, ns=(info.st_atime_ns, info.st_mtime_ns))
        assert key(concerts) != before

    @pytest.mark.fresh
    @pytest.mark.slow
    def test_a_file_that_has_just_changed_has_no_key(self, concerts):
        concerts.touch()
        assert gold_store._digest(key(concerts), LIMITS) is None
        time.sleep(2.1)
        assert gold_store._digest(key(concerts), LIMITS) is not None


class TestStore:
    def test_results_are_there_after_a_restart(self, tmp_path, keys):
        put(GoldStore(tmp_path), [1, 2], keys)
        one, two, three = keys(1, 2, 3)
        assert GoldStore(tmp_path).get_many([one, two, three], LIMITS) == {one: gold(1), two: gold(2)}

    def test_the_default_folder_is_in_the_cache(self, tmp_path, monkeypatch):
        monkeypatch.setenv("SQL_ENV_CACHE", str(tmp_path))
        assert GoldStore().file == tmp_path / "golds" / "golds.sqlite"

    def test_results_that_may_change_are_not_stored(self, tmp_path, keys):
        statuses = dict(zip(keys(*range(len(Status))), Status, strict=True))
        store = GoldStore(tmp_path)
        store.put_many({k: Gold(ExecutionResult(status)) for k, status in statuses.items()}, LIMITS)
        found = store.get_many(list(statuses), LIMITS)
        assert {statuses[k].value for k in found} == {"ok", "error", "denied"}

    @pytest.mark.parametrize("size", [0, -1, 2**20 - 1, 1.5e9, True, None])
    def test_an_impossible_size(self, tmp_path, size):
        with pytest.raises(LimitError, match="max_bytes"):
            GoldStore(tmp_path, max_bytes=size)

    def test_the_oldest_results_are_deleted_first(self, tmp_path, keys):
        store = GoldStore(tmp_path, max_bytes=2**20)
        for n in range(30):
            put(store, [n], keys, 100_000)
        found = [n for n in range(30) for k in keys(n) if store.get_many([k], LIMITS)]
        assert 5 <= len(found) <= 10
        assert found == list(range(30 - len(found), 30))

    @settings(max_examples=20)
    @given(st.lists(st.integers(0, 200_000), max_size=40), st.integers(1, 9))
    def test_the_file_is_never_larger(self, tmp_path_factory, sizes, batch):
        folder = tmp_path_factory.mktemp("store")
        (folder / "a.sqlite").write_bytes(b"x")
        store = GoldStore(folder, max_bytes=2**20)
        for start in range(0, len(sizes), batch):
            numbered = list(enumerate(sizes))[start : start + batch]
            made = {key(folder / "a.sqlite", f"SELECT {n}"): gold(n, size) for n, size in numbered}
            store.put_many(made, LIMITS)
            if store.file.exists():
                assert store.file.stat().st_size <= 2**20
            else:
                assert all(size > 100_000 for size in sizes[: start + batch])  # too large to be stored

    def test_a_very_large_result_is_not_stored(self, tmp_path, keys):
        store = GoldStore(tmp_path, max_bytes=2**20)
        put(store, [1], keys, 2**20 // 8)
        assert store.get_many(keys(1), LIMITS) == {}


@pytest.fixture
def stored(tmp_path, keys):
    """A folder with ten results."""
    put(GoldStore(tmp_path / "store"), range(10), keys, 3_000)
    return tmp_path / "store"


def check(folder, keys, caplog, size=3_000):
    """No read raises or gives a wrong result, and the store works afterwards."""
    caplog.set_level(logging.WARNING)
    store = GoldStore(folder)
    for n, k in enumerate(keys(*range(10))):
        assert store.get_many([k], LIMITS) in ({}, {k: gold(n, size)})
    assert len(caplog.records) <= 1
    put(store, [77], keys)
    put(store, [77], keys)  # the first may have found the damage
    assert store.get_many(keys(77), LIMITS) == {keys(77)[0]: gold(77)}


class TestDamage:
    @pytest.mark.parametrize("length", [0, 1, 15, 16, 99, 100, 511, 4_096, 5_000, 20_000])
    def test_a_file_cut_short(self, stored, keys, caplog, length):
        os.truncate(stored / "golds.sqlite", length)
        check(stored, keys, caplog)

    @pytest.mark.parametrize("rounds", [15, pytest.param(150, marks=pytest.mark.slow)])
    def test_bytes_that_have_changed(self, stored, keys, caplog, rounds):
        chance, original = random.Random(rounds), (stored / "golds.sqlite").read_bytes()
        for _ in range(rounds):
            content = bytearray(original)
            for _ in range(chance.choice([1, 3, 100])):
                content[chance.randrange(len(content))] = chance.randrange(256)
            (stored / "golds.sqlite").write_bytes(content)
            caplog.clear()
            check(stored, keys, caplog)

    @pytest.mark.parametrize(
        "script", ["DROP TABLE gold", "CREATE VIEW v AS SELECT 1", "ALTER TABLE gold ADD b"]
    )
    def test_tables_of_another_version(self, stored, keys, caplog, script):
        with apsw.Connection(str(stored / "golds.sqlite")) as connection:
            connection.execute(script)
        check(stored, keys, caplog)

    @pytest.mark.parametrize(
        "script", ["UPDATE gold SET body = '[]'", "UPDATE gold SET body = (SELECT body FROM gold LIMIT 1)"]
    )
    def test_entries_that_are_others(self, stored, keys, caplog, script):
        with apsw.Connection(str(stored / "golds.sqlite")) as connection:
            connection.execute(script)
        check(stored, keys, caplog)

    def test_a_folder_that_was_removed_meanwhile(self, stored, keys, caplog):
        store = GoldStore(stored)
        assert store.get_many(keys(1), LIMITS)
        shutil.rmtree(stored)
        assert store.get_many(keys(1), LIMITS) == {}
        check(stored, keys, caplog)


class TestWithoutDisk:
    def test_a_folder_that_cannot_be_made(self, concerts, keys, caplog):
        (concerts.parent / "file").write_text("")
        store = GoldStore(concerts.parent / "file" / "store")
        put(store, [1], keys)
        assert store.get_many(keys(1), LIMITS) == {}
        assert len(caplog.records) == 1

    def test_a_file_that_another_process_keeps_locked(self, stored, keys, monkeypatch, caplog):
        monkeypatch.setattr(gold_store, "_BUSY_MS", 50)
        code = (
            "import sqlite3, sys; other = sqlite3.connect(sys.argv[1], isolation_level=None);"
            "other.execute('BEGIN EXCLUSIVE'); print('locked', flush=True); sys.stdin.read()"
        )
        command = [sys.executable, "-c", code, str(stored / "golds.sqlite")]
        other = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        assert other.stdout.readline() == b"locked\n"
        store = GoldStore(stored)
        assert store.get_many(keys(1), LIMITS) == {}
        put(store, [50], keys)
        other.communicate(timeout=60)
        assert store.get_many(keys(1), LIMITS) == {keys(1)[0]: gold(1, 3_000)}

    def test_a_full_disk(self, stored, keys, caplog):
        """SQLite finds the disk full as it finds its largest page count reached: the oldest results go."""
        put(GoldStore(stored, max_bytes=2**20), range(10, 40), keys, 60_000)
        check(stored, keys, caplog)


ON_A_FULL_DISK = """
import logging
logging.basicConfig(stream=sys.stdout, format="%(levelname)s", level=logging.WARNING)
from sql_env import ExecutionResult, Limits, Query, Status
from sql_env.caching import gold_store
from sql_env.caching.gold_cache import GoldKey
from sql_env.comparison import Gold
from sql_env.execution.engines.files import read_signature

gold_store._FRESH_NS = 0
folder, frees, old_size, new_size, batch, max_bytes, most_lost = sys.argv[1], *map(int, sys.argv[2:])
database = f"{folder}/database"
with open(database, "w") as file:
    file.write("x")

def golds(first, count, size):
    signature = read_signature(database)
    return {
        GoldKey(Query(database, f"SELECT {n}"), "strict", signature):
        Gold(ExecutionResult(Status.OK, ("n",), ((f"{n}" * (size // 4),),)))
        for n in range(first, first + count)
    }

old = golds(1000, 20, old_size)
for free in range(frees):
    store = gold_store.GoldStore(f"{folder}/{free}", max_bytes=max_bytes)
    store.put_many(old, Limits())
    assert store.get_many(list(old), Limits()) == old
    fill(folder, free)
    for n in range(3):
        store.put_many(golds(5000 + 100 * n, batch, new_size), Limits())
    found = store.get_many(list(old), Limits())
    assert len(found) >= 20 - most_lost, (free, len(found))
    assert all(found[key] == old[key] for key in found)
    os.unlink(f"{folder}/filling")
    new = golds(9999, 1, 10)
    store.put_many(new, Limits())
    assert store.get_many(list(new), Limits()) == new
    store._reset()
"""


@pytest.mark.parametrize("frees", [7, pytest.param(20, marks=pytest.mark.slow)])
@pytest.mark.parametrize(
    ("old_size", "new_size", "batch", "max_bytes", "most_lost"),
    [
        (300, 300, 30, 2**28, 0),
        (4_000, 60_000, 1, 2**28, 0),
        (45_000, 45_000, 1, 2**20, 9),  # the store is full, too: three times an eighth may go for new ones
    ],
)
def test_a_full_disk_keeps_what_is_stored(tmp_path, frees, old_size, new_size, batch, max_bytes, most_lost):
    """SQLite rolls back by itself then, at another place for each number of free pages."""
    numbers = map(str, (frees, old_size, new_size, batch, max_bytes, most_lost))
    printed = run_on_small_disk(tmp_path, 280, ON_A_FULL_DISK, *numbers)
    assert set(printed.split()) == {"WARNING"}


WRITER = """
import random, sys
from sql_env.caching import gold_store
gold_store._FRESH_NS = 0
from sql_env import ExecutionResult, Limits, Query, Status
from sql_env.caching.gold_cache import GoldKey
from sql_env.comparison import Gold
from sql_env.execution.engines.files import read_signature
folder, database, seed = sys.argv[1:]
store, chance = gold_store.GoldStore(folder, max_bytes=2**20), random.Random(int(seed))
print("ready", flush=True)
for _ in range(150):
    numbers = [chance.randrange(60) for _ in range(3)]
    keys = {n: GoldKey(Query(database, f"SELECT {n}"), "strict", read_signature(database)) for n in numbers}
    made = {k: Gold(ExecutionResult(Status.OK, ("n", "text"), ((n, "x" * 20_000),))) for n, k in keys.items()}
    for k, found in store.get_many(list(made), Limits()).items():
        assert found == made[k]
    store.put_many(made, Limits())
"""


@pytest.mark.slow
class TestProcesses:
    def start(self, folder, concerts, seed):
        command = [sys.executable, "-c", WRITER, str(folder), str(concerts), str(seed)]
        return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)

    def test_several_write_at_the_same_time(self, tmp_path, concerts):
        writers = [self.start(tmp_path / "store", concerts, seed) for seed in range(3)]
        for writer in writers:
            _, errors = writer.communicate(timeout=120)
            assert (writer.returncode, errors) == (0, "")

    def test_killed_while_it_writes(self, tmp_path, concerts, keys, caplog):
        chance = random.Random(0)
        for seed in range(8):
            writer = self.start(tmp_path / "store", concerts, seed)
            assert writer.stdout.readline() == "ready\n"
            time.sleep(chance.random() * 0.2)
            writer.kill()
            writer.communicate()
            check(tmp_path / "store", keys, caplog, 20_000)


def test_many_threads(tmp_path, keys):
    store, wrong = GoldStore(tmp_path, max_bytes=2**20), []

    def work(number):
        for n in range(20):
            k = keys(number * 100 + n)[0]
            store.put_many({k: gold(n)}, LIMITS)
            if store.get_many([k], LIMITS) not in ({}, {k: gold(n)}):
                wrong.append(k)

    threads = [threading.Thread(target=work, args=(number,)) for number in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert not wrong


@pytest.mark.filterwarnings("ignore:.*fork.*:DeprecationWarning")
def test_a_fork_while_threads_use_the_store(tmp_path, keys):
    store, going = GoldStore(tmp_path), threading.Event()
    mine = {n: keys(n)[0] for n in range(30)}

    def work(number):
        while not going.is_set():
            store.put_many({mine[number]: gold(number)}, LIMITS)

    threads = [threading.Thread(target=work, args=(n,)) for n in range(2)]
    for thread in threads:
        thread.start()
    for n in range(10, 16):
        child = os.fork()
        if not child:
            store.put_many({mine[n]: gold(n)}, LIMITS)
            os._exit(0 if store.get_many([mine[n]], LIMITS) == {mine[n]: gold(n)} else 1)
        assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    going.set()
    for thread in threads:
        thread.join(60)


def test_golds_of_a_scorer(tmp_path, ask):
    task = ask("SELECT name FROM singer ORDER BY age")
    for stored in (0, 1):
        with Scorer(gold_store=GoldStore(tmp_path)) as scorer:
            assert scorer.golds([task])[0].ok
            assert scorer.stats.gold_stored == stored

"""The file between runs: what is saved stays, whole, whatever happens to the process, the disk or the file."""

import errno
import os
import signal
import sqlite3
import subprocess
import sys
import tempfile
import textwrap
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sensor.database import APPLICATION_ID, MIGRATIONS, Change, CountedCapture, Database, DatabaseError, today

ROOT = Path(__file__).parent.parent
CAPTURE = CountedCapture("ab" * 16, "monday.pcap", 1_000, "2026-11-22T00:00:00.000000Z")


@pytest.fixture
def path(tmp_path: Path) -> str:
    return str(tmp_path / "ledger.db")


def states(path: str, kind: str = "account") -> dict[str, bytes]:
    with Database(path, writes=False) as database:
        return dict(database.states(kind))


def python(code: str, *arguments: str) -> subprocess.Popen[str]:
    """Another process with the project at hand."""
    return subprocess.Popen(
        [sys.executable, "-c", textwrap.dedent(code), *arguments],
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def test_what_was_saved_is_there_after_reopening(path: str) -> None:
    with Database(path) as database:
        database.save([Change("account", "ann@corp.example", b"1"), Change("detector/x", "k", b"2")], [CAPTURE])
    with Database(path) as database:
        assert dict(database.states("account")) == {"ann@corp.example": b"1"}
        assert database.kinds() == ["account", "detector/x"]
        assert database.counted(CAPTURE.digest) == CAPTURE
        assert database.counted("cd" * 16) is None


def test_a_later_state_replaces_and_an_empty_one_removes(path: str) -> None:
    with Database(path) as database:
        database.save([Change("account", "a", b"1"), Change("account", "b", b"1")])
        database.save([Change("account", "a", b"2"), Change("account", "b", b"")])
    assert states(path) == {"a": b"2"}


@given(st.lists(st.tuples(st.text(max_size=8), st.binary(max_size=8)), max_size=20))
def test_any_key_and_blob_is_kept(pairs: list[tuple[str, bytes]]) -> None:
    """A mail address on the wire may hold any character, and surrogates stand for octets that are none."""
    with tempfile.TemporaryDirectory() as folder, Database(str(Path(folder) / "ledger.db")) as database:
        database.save([Change("account", key, blob) for key, blob in pairs])
        expected = {key.encode("utf-8", "backslashreplace").decode(): blob for key, blob in pairs}
        assert dict(database.states("account")) == {key: blob for key, blob in expected.items() if blob}


def test_two_processes_do_not_write_to_one_file(path: str) -> None:
    with Database(path):
        other = python("import sys\nfrom sensor.database import Database\nDatabase(sys.argv[1])", path)
        _, errors = other.communicate(timeout=30)
        assert other.returncode != 0
        assert f"another mailsensor (process {os.getpid()}) writes to this file" in errors
    with Database(path):
        pass  # free again


def test_a_file_system_without_locks_is_not_taken_for_another_process(
    path: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(_file: int, _how: int) -> None:
        raise OSError(errno.ENOLCK, os.strerror(errno.ENOLCK))

    monkeypatch.setattr("sensor.database.opening.fcntl.flock", refuse)
    with pytest.raises(DatabaseError, match=f"can't be locked: {os.strerror(errno.ENOLCK)}"):
        Database(path)


def test_a_reader_sees_the_last_save_while_another_writes(path: str) -> None:
    with Database(path) as database:
        database.save([Change("account", "a", b"1")])
        assert states(path) == {"a": b"1"}
        database.save([Change("account", "a", b"2")])
        assert states(path) == {"a": b"2"}


WRITER = """
    import sys
    from sensor.database import Change, Database
    database = Database(sys.argv[1])
    for number in range(1, 1_000_000):
        # Every save writes the same number under all keys: half a save would show.
        database.save(Change("account", str(key), str(number).encode()) for key in range(200))
        print(number, flush=True)
"""


@pytest.mark.parametrize("saves", [1, 3, 20])
def test_a_killed_writer_leaves_its_last_save_whole(path: str, saves: int) -> None:
    writer = python(WRITER, path)
    assert writer.stdout is not None
    acknowledged = 0
    for _ in range(saves):
        acknowledged = int(writer.stdout.readline())
    writer.send_signal(signal.SIGKILL)
    writer.communicate(timeout=30)
    kept = states(path)
    assert len(kept) == 200
    assert len(set(kept.values())) == 1
    assert int(kept["0"]) >= acknowledged
    with Database(path) as database:
        database.save([Change("account", "0", b"on")])


FULL_DISK = """
    import resource, signal, sys
    from sensor.database import Change, Database, DatabaseError
    signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    database = Database(sys.argv[1])
    database.save([Change("account", "small", b"1")])
    resource.setrlimit(resource.RLIMIT_FSIZE, (200_000, resource.RLIM_INFINITY))
    try:
        database.save(Change("account", str(key), bytes(1_000)) for key in range(2_000))
    except DatabaseError as error:
        print(error)
    print(sorted(key for key, _ in database.states("account")), database.unsaved)
    resource.setrlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
    database.save([Change("account", "after", b"1")])
    print(len(list(database.states("account"))), database.unsaved)
"""


def test_a_full_disk_loses_nothing_while_the_process_lives(path: str) -> None:
    """The save that failed is written with the next, once there is room."""
    other = python(FULL_DISK, path)
    output, errors = other.communicate(timeout=60)
    assert other.returncode == 0, errors
    refused, during, after = output.splitlines()
    assert refused.startswith(f"{path}: ")
    assert "The file is as it was before this save" in refused
    assert during == "['small'] 2000"
    assert after == "2002 0"


def test_changes_that_were_not_drawn_yet_are_held_too(path: str) -> None:
    def changes() -> Iterator[Change]:
        yield Change("account", "a", b"1")
        yield Change("account", "b", b"1")

    with Database(path) as database:
        database.save([Change("account", "x", b"1")])
        with sqlite3.connect(path) as other:
            other.execute("DROP TABLE state")
        with pytest.raises(DatabaseError):
            database.save(changes(), [CAPTURE])
        assert database.unsaved == 2
        other.execute(
            "CREATE TABLE state (kind TEXT, key TEXT, blob BLOB, checksum INTEGER, changed_on INTEGER, "
            "PRIMARY KEY (kind, key))"
        )
        other.commit()
        database.save([])
        assert dict(database.states("account")) == {"a": b"1", "b": b"1"}
        assert database.counted(CAPTURE.digest) == CAPTURE
        other.close()


def _add_note(connection: sqlite3.Connection) -> None:
    connection.execute("ALTER TABLE capture ADD COLUMN note TEXT NOT NULL DEFAULT ''")


def _fail(connection: sqlite3.Connection) -> None:
    connection.execute("CREATE TABLE half (x)")
    raise sqlite3.OperationalError("no such thing")


def test_a_file_of_an_older_version_is_brought_up_to_date(path: str) -> None:
    with Database(path) as database:
        database.save([Change("account", "a", b"1")])
    with Database(path, migrations=(*MIGRATIONS, _add_note)) as database:
        assert dict(database.states("account")) == {"a": b"1"}


def test_a_migration_that_fails_leaves_the_file_as_it_was(path: str) -> None:
    with Database(path) as database:
        database.save([Change("account", "a", b"1")])
    with pytest.raises(DatabaseError, match="no such thing"):
        Database(path, migrations=(*MIGRATIONS, _fail))
    with sqlite3.connect(path) as connection:
        assert connection.execute("SELECT name FROM sqlite_master WHERE name = 'half'").fetchone() is None
    connection.close()
    assert states(path) == {"a": b"1"}


NEWER = rf"newer mailsensor \(version {len(MIGRATIONS) + 1}; this one knows {len(MIGRATIONS)}\)"


def test_a_file_without_checksums_and_days_gets_them(path: str) -> None:
    with sqlite3.connect(path) as older:
        MIGRATIONS[0](older)
        older.execute("PRAGMA user_version = 1")
        older.execute(f"PRAGMA application_id = {APPLICATION_ID}")
        older.execute("INSERT INTO state (kind, key, blob) VALUES ('account', 'a', x'31')")
    older.close()
    with Database(path) as database:
        assert dict(database.states("account")) == {"a": b"1"}
        assert database.damaged == []
        assert list(database.unchanged_since(today())) == []
        assert list(database.unchanged_since(today() + 1)) == [("account", "a")]


@pytest.mark.parametrize(
    "harm",
    [
        "UPDATE state SET blob = x'32' WHERE key = 'a'",
        "UPDATE state SET blob = 'text' WHERE key = 'a'",
        "UPDATE state SET key = CAST(x'ff61' AS TEXT) WHERE key = 'a'",
        "UPDATE state SET kind = CAST(x'e163636f756e74' AS TEXT) WHERE key = 'a'",
        "UPDATE state SET checksum = 'none' WHERE key = 'a'",
    ],
)
def test_a_damaged_state_is_named_left_out_and_dropped_by_the_next_save(path: str, harm: str) -> None:
    with Database(path) as database:
        database.save([Change("account", "a", b"1"), Change("account", "b", b"2")])
    with sqlite3.connect(path) as other:
        other.execute(harm)
    other.close()
    with Database(path) as database:
        assert [state for kind in database.kinds() for state in database.states(kind)] == [("b", b"2")]
        assert len(database.damaged) == 1
        database.save([Change("account", "a", b"3")])
        assert database.damaged == []
    with Database(path) as database:
        assert [state for kind in database.kinds() for state in database.states(kind)] == [("a", b"3"), ("b", b"2")]
        assert database.damaged == []


def test_a_file_of_a_newer_version_is_refused_and_left_alone(path: str) -> None:
    with Database(path, migrations=(*MIGRATIONS, _add_note)) as database:
        database.save([Change("account", "a", b"1")])
    before = Path(path).read_bytes()
    for writes in (True, False):
        with pytest.raises(DatabaseError, match=NEWER):
            Database(path, writes=writes)
    assert Path(path).read_bytes() == before


def test_an_older_file_is_not_changed_by_a_reader(path: str) -> None:
    with Database(path):
        pass
    with pytest.raises(DatabaseError, match="older version"):
        Database(path, writes=False, migrations=(*MIGRATIONS, _add_note))


@pytest.mark.parametrize(
    ("octets", "reason"),
    [
        (b"hello, I am no database, and long enough to be looked at " * 40, "is no SQLite file"),
        (b"SQLite format 3\x00" + bytes(4_080), "is no SQLite file|is damaged"),
    ],
)
def test_what_is_no_database_is_named(path: str, octets: bytes, reason: str) -> None:
    Path(path).write_bytes(octets)
    for writes in (True, False):
        with pytest.raises(DatabaseError, match=reason):
            Database(path, writes=writes)
    assert Path(path).read_bytes() == octets


def test_another_programs_database_is_left_alone(path: str) -> None:
    with sqlite3.connect(path) as connection:
        connection.execute("CREATE TABLE theirs (x)")
    connection.close()
    with pytest.raises(DatabaseError, match="another program"):
        Database(path)


def test_a_damaged_file_gives_an_error_and_no_crash(path: str) -> None:
    with Database(path) as database:
        database.save(Change("account", str(key), bytes(range(1, 200))) for key in range(500))
    damaged = bytearray(Path(path).read_bytes())
    damaged[5_000:30_000] = b"\xff" * 25_000
    Path(path).write_bytes(damaged)
    with pytest.raises(DatabaseError, match="damaged"), Database(path) as database:
        list(database.states("account"))


def test_nobody_else_can_read_the_file(path: str) -> None:
    with Database(path) as database:
        database.save([Change("account", "a", b"1")])
        modes = {name.name: name.stat().st_mode & 0o777 for name in Path(path).parent.iterdir()}
    assert set(modes.values()) == {0o600}


@pytest.mark.parametrize("where", ["missing/ledger.db", "."])
def test_a_place_that_can_not_be_written_is_named(tmp_path: Path, where: str) -> None:
    with pytest.raises(DatabaseError, match=r"can't be opened|is a directory"):
        Database(str(tmp_path / where))


def test_a_reader_of_nothing_says_what_makes_a_file(path: str) -> None:
    with pytest.raises(DatabaseError, match="mailsensor replay --store"):
        Database(path, writes=False)
    assert not Path(path).exists()

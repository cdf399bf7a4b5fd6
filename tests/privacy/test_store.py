"""The file between runs, sealed; and what was deleted from it is gone, to the last octet."""

import sqlite3
from collections.abc import Iterator
from pathlib import Path
from zlib import crc32

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sensor.database import Change, CountedCapture, Database, DatabaseError
from sensor.pseudonym import Key, KeyRing

OLD, NEW = Key(b"old" * 16), Key(b"new" * 16)
FAY = "fay.zebra@corp.example"
BLOB = b"blob of the zebra, " * 20


def written(folder: Path) -> bytes:
    """Every octet of the file and of what SQLite keeps beside it."""
    return b"".join(each.read_bytes() for each in sorted(folder.iterdir()))


@pytest.fixture
def path(tmp_path: Path) -> str:
    return str(tmp_path / "ledger.db")


def keep(path: str, *, keys: KeyRing | None = None, sealed: bool = False, name: str = FAY, blob: bytes = BLOB) -> None:
    with Database(path, keys=keys, sealed=sealed) as database:
        database.save([Change("account", name, blob), Change("detector/x", name, blob)])


# ---- sealed


def test_a_sealed_file_tells_nothing_and_gives_all_back(path: str, tmp_path: Path) -> None:
    ring = KeyRing([OLD])
    with Database(path, keys=ring, sealed=True) as database:
        database.save([Change("account", FAY, BLOB)])
        assert b"zebra" not in written(tmp_path)
        assert dict(database.states("account")) == {FAY: BLOB}
    assert b"zebra" not in written(tmp_path)
    with Database(path, writes=False, keys=ring) as database:
        assert database.is_sealed
        assert dict(database.states("account")) == {FAY: BLOB}


@given(st.dictionaries(st.text(max_size=20), st.binary(min_size=1, max_size=50), max_size=8))
@settings(max_examples=30, deadline=None)
def test_any_state_is_sealed_and_opened(tmp_path_factory: pytest.TempPathFactory, states: dict[str, bytes]) -> None:
    path = str(tmp_path_factory.mktemp("store") / "ledger.db")
    with Database(path, keys=KeyRing([OLD]), sealed=True) as database:
        for _ in range(2):
            database.save([Change("account", key, blob) for key, blob in states.items()])
        assert dict(database.states("account")) == states
        database.save([Change("account", key, b"") for key in states])
        assert list(database.states("account")) == []


def test_a_file_that_was_clear_is_sealed_whole(path: str, tmp_path: Path) -> None:
    keep(path)
    assert b"zebra" in written(tmp_path)
    keep(path, keys=KeyRing([OLD]), sealed=True, name="kim@corp.example", blob=b"other")
    assert b"zebra" not in written(tmp_path)
    with Database(path, writes=False, keys=KeyRing([OLD])) as database:
        assert dict(database.states("account")) == {FAY: BLOB, "kim@corp.example": b"other"}


def test_a_file_is_opened_for_good_where_it_is_asked_to_be_clear(path: str) -> None:
    keep(path, keys=KeyRing([OLD]), sealed=True)
    keep(path, keys=KeyRing([OLD]))
    with Database(path, writes=False) as database:
        assert not database.is_sealed
        assert dict(database.states("account")) == {FAY: BLOB}


def test_a_rotation_seals_all_with_the_new_key(path: str) -> None:
    keep(path, keys=KeyRing([OLD]), sealed=True)
    with Database(path, keys=KeyRing([OLD, NEW]), sealed=True) as database:
        assert dict(database.states("account")) == {FAY: BLOB}
    with Database(path, writes=False, keys=KeyRing([NEW])) as database:
        assert dict(database.states("account")) == {FAY: BLOB}


def test_a_damaged_state_that_is_not_sealed_anew_is_named(path: str) -> None:
    """It is left out for good, so nobody would hear of it later."""
    with Database(path) as database:
        database.save([Change("account", "a", b"1"), Change("account", "b", b"2")])
    with sqlite3.connect(path) as other:
        other.execute("UPDATE state SET blob = x'33' WHERE key = 'a'")
    other.close()
    with Database(path, keys=KeyRing([OLD]), sealed=True) as database:
        assert dict(database.states("account")) == {"b": b"2"}
        assert database.damaged == [("account", "a")]


@pytest.mark.parametrize("writes", [True, False])
def test_without_its_key_a_sealed_file_is_refused_and_not_touched(path: str, tmp_path: Path, writes: bool) -> None:
    keep(path, keys=KeyRing([OLD]), sealed=True)
    before = Path(path).read_bytes()
    with pytest.raises(DatabaseError, match=f"sealed with key {OLD.id}: name the file that holds it"):
        Database(path, writes=writes)
    with pytest.raises(DatabaseError, match=f"sealed with key {OLD.id}; the key file holds {NEW.id}"):
        Database(path, writes=writes, keys=KeyRing([NEW]), sealed=True)
    assert Path(path).read_bytes() == before


def test_a_blob_that_was_moved_to_another_row_is_damaged(path: str) -> None:
    """Even with a checksum that fits: whoever can write the file can't make one mailbox's account another's."""
    ring = KeyRing([OLD])
    with Database(path, keys=ring, sealed=True) as database:
        database.save([Change("account", "a", b"1"), Change("account", "b", b"2")])
    with sqlite3.connect(path) as other:
        (_, blob), (two, _) = other.execute("SELECT key, blob FROM state ORDER BY key").fetchall()
        checksum = crc32(blob, crc32(f"account\0{two}\0".encode()))
        other.execute("UPDATE state SET blob = ?, checksum = ? WHERE key = ?", (blob, checksum, two))
    other.close()
    with Database(path, keys=ring, sealed=True) as database:
        assert len(dict(database.states("account"))) == 1
        assert len(database.damaged) == 1


# ---- deleting


@pytest.mark.parametrize("ring", [None, KeyRing([OLD])], ids=["clear", "sealed"])
def test_what_nothing_happened_to_is_found_and_deleted(path: str, ring: KeyRing | None) -> None:
    days = [100]
    capture = CountedCapture("ab" * 16, "monday.pcap", 1, "2026-01-01T00:00:00.000000Z")
    with Database(path, keys=ring, sealed=ring is not None, day=lambda: days[0]) as database:
        database.save([Change("account", FAY, BLOB), Change("account", "kim", b"1")], [capture])
        days[0] = 150
        # Saved as it was, it did not change; saved otherwise, it did.
        database.save([Change("account", FAY, BLOB), Change("account", "kim", b"2")])
        assert list(database.unchanged_since(101)) == [("account", FAY)]
        assert database.delete(database.unchanged_since(101), "2026-02-01") == 2
        assert dict(database.states("account")) == {"kim": b"2"}
        assert database.counted(capture.digest) is None
        assert list(database.unchanged_since(101)) == []


def test_a_state_of_a_day_to_come_counts_from_today(path: str) -> None:
    """The clock was wrong when it was saved: it is neither kept for years nor deleted at once."""
    days = [9_999]
    with Database(path, day=lambda: days[0]) as database:
        database.save([Change("account", FAY, BLOB)])
        days[0] = 100
        assert list(database.unchanged_since(100)) == []
        assert list(database.unchanged_since(101)) == [("account", FAY)]


def test_what_was_deleted_is_in_no_octet_of_the_file_or_its_log(path: str, tmp_path: Path) -> None:
    many = [Change("account", f"{number}.{FAY}", BLOB * (1 + number % 40)) for number in range(300)]
    with Database(path) as database:
        database.save(many)
        database.save([Change("account", "kim", b"stays")])
        assert b"zebra" in written(tmp_path)
        database.delete((each.kind, each.key) for each in many)
        assert b"zebra" not in written(tmp_path)
        assert dict(database.states("account")) == {"kim": b"stays"}


def test_what_was_replaced_is_gone_when_the_log_is_cut(path: str, tmp_path: Path) -> None:
    with Database(path) as database:
        database.save([Change("account", "fay", BLOB), Change("account", "kim", b"1")])
        database.save([Change("account", "fay", b"short")])
        database.delete([("account", "kim")])
        assert b"zebra" not in written(tmp_path)


def test_a_deletion_that_fails_leaves_all_as_it_was(path: str) -> None:
    def states() -> Iterator[tuple[str, str]]:
        yield "account", FAY
        raise OSError("no more")

    with Database(path) as database:
        database.save([Change("account", FAY, BLOB)])
        with pytest.raises(DatabaseError):
            database.delete(states())
        assert dict(database.states("account")) == {FAY: BLOB}

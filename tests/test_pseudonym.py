"""Pseudonyms: the same under one key, revealed by it alone; and the files that hold keys."""

import errno
import os
import re
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sensor.pseudonym import (
    MAX_PART_OCTETS,
    MAX_TEXT_OCTETS,
    Key,
    KeyFileError,
    KeyRing,
    Pseudonyms,
    RevealError,
    add_key,
    key_ring,
)
from tests.running import root_for

FAY = "fay@corp.example"


def names(*secrets: bytes) -> Pseudonyms:
    return Pseudonyms(KeyRing(Key(each * 32) for each in secrets or (b"k",)))


# ---- names

ANY_TEXT = st.text(st.characters(exclude_categories=()), max_size=400)
PARTS = st.text(st.characters(exclude_characters="@", exclude_categories=()), min_size=1, max_size=60)


@given(PARTS, PARTS)
def test_what_was_named_is_revealed_in_lower_case(local: str, domain: str) -> None:
    named = names()
    told = named.address(f"{local}@{domain}")
    assert named.reveal(told) == f"{local}@{domain}".lower()
    assert (
        named.reveal_all(f"see <{told}>, and '{told}'.")
        == f"see <{f'{local}@{domain}'.lower()}>, and '{f'{local}@{domain}'.lower()}'."
    )


@given(ANY_TEXT)
def test_any_text_gives_a_plain_bounded_name(text: str) -> None:
    """Whatever a mail says: letters, digits, hyphens and dots, and never more than twice as long."""
    named = names()
    for told in (named.address(text), named.domain(text), named.text(text)):
        assert re.fullmatch(r"[a-z0-9.@:\[\]-]*", told)
        assert len(told) < 2 * len(text.encode("utf-8", "surrogatepass")) + 200


@given(ANY_TEXT)
def test_any_text_can_be_asked_to_be_revealed(text: str) -> None:
    named = names()
    with pytest.raises(RevealError):
        named.reveal(text)
    assert named.reveal_all(text) == text


def test_a_name_follows_the_key_alone() -> None:
    assert names().address(FAY) == names().address(FAY) == names().address("FAY@Corp.Example")
    assert names(b"o").address(FAY) != names().address(FAY)
    assert names().address("kim@corp.example") != names().address(FAY)


def test_a_name_tells_the_domain_and_nothing_of_the_local_part() -> None:
    fay, kim, elsewhere = (names().address(each) for each in (FAY, "kim@corp.example", "fay@dst.example"))
    assert fay.partition("@")[2] == kim.partition("@")[2] == names().domain("corp.example")
    assert fay.partition("@")[0] != elsewhere.partition("@")[0]


@pytest.mark.parametrize(
    ("address", "told"),
    [
        ("", r""),
        ("fay", r"u-[a-z2-7]{4}-[a-z2-7]{39}"),
        (FAY, r"m-[a-z2-7]{4}-[a-z2-7]{39}@d-[a-z2-7]{4}-[a-z2-7]{48}\.[a-z2-7]{4}\.invalid"),
        ("fay@[192.0.2.1]", r"m-[a-z2-7]{4}-[a-z2-7]{39}@\[192\.0\.2\.1\]"),
        ("x" * 300 + "@corp.example", r"x-[a-z2-7]{4}-[0-9a-f]{32}@d-.*\.invalid"),
        ("fay@" + "x" * 300, r"m-.*@x-[a-z2-7]{4}-[0-9a-f]{32}\.invalid"),
    ],
)
def test_the_form_of_names(address: str, told: str) -> None:
    assert re.fullmatch(told, names().address(address))


def test_what_is_too_long_is_told_apart_and_not_revealed() -> None:
    named = names()
    for make, most in ((named.domain, MAX_PART_OCTETS), (named.text, MAX_TEXT_OCTETS)):
        assert named.reveal(make("y" * most)) == "y" * most
        assert make("y" * (most + 1)) != make("z" * (most + 1))
        with pytest.raises(RevealError, match="can't be revealed"):
            named.reveal(make("y" * (most + 1)))


def test_domains_that_are_to_stay_stay_if_they_are_domains() -> None:
    named = Pseudonyms(KeyRing([Key(b"k" * 32)]), keeps_domain=bool)
    told = named.address(FAY)
    assert told.endswith("@corp.example")
    assert named.reveal(told) == FAY
    assert named.reveal_all(f"{told}: and more.") == f"{FAY}: and more."
    assert named.domain("kim@corp.example (Kim)").startswith("d-")


def test_a_changed_name_is_not_revealed() -> None:
    told = names().address(FAY)
    at = told.index("@") - 4
    for changed in (told[:at] + ("a" if told[at] != "a" else "b") + told[at + 1 :], told[:at] + told[at + 1 :]):
        with pytest.raises(RevealError, match=r"was not made with key|is no pseudonym"):
            names().reveal(changed)


def test_the_local_part_is_bound_to_its_domain() -> None:
    local, _, domain = names().address(FAY).partition("@")
    other = names().domain("dst.example")
    with pytest.raises(RevealError, match="was not made with key"):
        names().reveal(f"{local}@{other}")
    assert names().reveal(domain) == "corp.example"


def test_the_newest_key_names_and_the_older_ones_reveal() -> None:
    old, both, new = names(b"1"), names(b"1", b"2"), names(b"2")
    assert both.address(FAY) == new.address(FAY)
    assert both.reveal(old.address(FAY)) == both.reveal(new.address(FAY)) == FAY
    with pytest.raises(RevealError, match="which is not among those at hand"):
        new.reveal(old.address(FAY))


def test_secrets_do_not_show() -> None:
    assert "kkkk" not in repr(Key(b"k" * 32))
    assert "kkkk" not in repr(KeyRing([Key(b"k" * 32)]))


# ---- key files


def test_a_key_file_is_made_for_its_owner_alone(tmp_path: Path) -> None:
    path = tmp_path / "keys"
    first = key_ring(str(path))
    assert path.stat().st_mode & 0o777 == 0o600
    assert key_ring(str(path)).newest.id == first.newest.id


def test_a_key_that_the_disk_does_not_take_is_used_for_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A store sealed with a key that a power cut takes along could never be opened again."""
    path = str(tmp_path / "key")

    def refuse(_file: int) -> None:
        raise OSError(errno.EIO, os.strerror(errno.EIO))

    with monkeypatch.context() as patched:
        patched.setattr(os, "fsync", refuse)
        with pytest.raises(KeyFileError, match=os.strerror(errno.EIO)):
            key_ring(path)
        assert not Path(path).exists()
    before = key_ring(path)
    with monkeypatch.context() as patched:
        patched.setattr(os, "fsync", refuse)
        with pytest.raises(KeyFileError, match="key file not written"):
            add_key(path)
    assert key_ring(path).keys == before.keys


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o660, 0o644, 0o610])
def test_a_key_that_others_can_read_is_refused(tmp_path: Path, mode: int) -> None:
    path = tmp_path / "keys"
    key_ring(str(path))
    path.chmod(mode)
    with pytest.raises(KeyFileError, match=f"chmod 600 {path}"):
        key_ring(str(path))
    with pytest.raises(KeyFileError, match="chmod 600"):
        add_key(str(path))


def test_adding_a_key_keeps_the_older_ones(tmp_path: Path) -> None:
    path = tmp_path / "keys"
    ids = [add_key(str(path)).newest.id for _ in range(3)]
    assert [key.id for key in key_ring(str(path)).keys] == ids
    assert path.stat().st_mode & 0o777 == 0o600
    assert list(tmp_path.iterdir()) == [path]


def test_a_key_is_added_where_another_try_was_broken_off(tmp_path: Path) -> None:
    path = tmp_path / "keys"
    first = add_key(str(path)).newest.id
    (tmp_path / "keys.new").write_text("half a ke")
    assert add_key(str(path)).keys[0].id == first
    assert list(tmp_path.iterdir()) == [path]


@root_for("a file changes hands")
def test_a_key_that_root_adds_still_belongs_to_the_sensor(tmp_path: Path) -> None:
    path = tmp_path / "keys"
    add_key(str(path))
    os.chown(path, 1234, 1234)
    add_key(str(path))
    assert (path.stat().st_uid, path.stat().st_gid, path.stat().st_mode & 0o777) == (1234, 1234, 0o600)


@pytest.mark.parametrize(
    ("octets", "words"),
    [
        (b"", "holds no key"),
        (b"# nothing\n\n", "holds no key"),
        (b"short\n", "at least 32 characters"),
        (b"k" * 32 + b"\nshort\n", "at least 32 characters"),
        (b"k" * 32 + b"\n" + b"k" * 32 + b"\n", "have one id"),
        (b"k" * 70_000, "too large"),
    ],
)
def test_a_file_that_holds_no_keys_is_refused(tmp_path: Path, octets: bytes, words: str) -> None:
    path = tmp_path / "keys"
    path.write_bytes(octets)
    path.chmod(0o600)
    with pytest.raises(KeyFileError, match=words):
        key_ring(str(path))


def test_a_file_that_is_not_there_is_told(tmp_path: Path) -> None:
    with pytest.raises(KeyFileError, match="No such file"):
        key_ring(str(tmp_path / "keys"), makes=False)


def test_without_a_file_the_key_is_of_the_moment() -> None:
    assert key_ring("").newest.id != key_ring("").newest.id

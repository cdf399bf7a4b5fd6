"""``mailsensor reveal`` and ``mailsensor key`` as whoever holds the key meets them."""

from pathlib import Path

import pytest

from sensor.app.reveal import PART_OCTETS
from sensor.pseudonym import Pseudonyms, key_ring
from tests.running import mailsensor

FAY = "fay@corp.example"


@pytest.fixture
def key(tmp_path: Path) -> Path:
    path = tmp_path / "keys"
    assert mailsensor("key", path, "--add").status == 0
    return path


def name_of(address: str, key: Path) -> str:
    return Pseudonyms(key_ring(str(key))).address(address)


def test_a_pseudonym_is_revealed_by_its_key(key: Path) -> None:
    ended = mailsensor("reveal", name_of(FAY, key), name_of("root", key), "--key", key)
    assert (ended.status, ended.out) == (0, f"{FAY}\nroot\n".encode())


def test_a_text_is_revealed_whole_and_otherwise_as_it_was(key: Path) -> None:
    text = f'{{"mailbox":"{name_of(FAY, key)}","n":1}}\n'.encode() + b"\xff\x00 m-aaaa-bbbb@x\r\nno end"
    ended = mailsensor("reveal", "-", "--key", key, stdin=text)
    assert (ended.status, ended.out) == (0, text.replace(name_of(FAY, key).encode(), FAY.encode()))


def test_names_of_an_older_key_are_revealed_after_a_rotation(key: Path) -> None:
    old = name_of(FAY, key)
    ended = mailsensor("key", key, "--add")
    assert [line.split("  ")[1] for line in ended.out.decode().splitlines()] == ["reveals", "names and reveals"]
    assert name_of(FAY, key) != old
    assert mailsensor("reveal", old, name_of(FAY, key), "--key", key).out == f"{FAY}\n{FAY}\n".encode()


def test_what_can_not_be_revealed_is_told_and_the_rest_goes_on(key: Path, tmp_path: Path) -> None:
    other = tmp_path / "other"
    mailsensor("key", other, "--add")
    ended = mailsensor("reveal", name_of(FAY, other), name_of(FAY, key), FAY, "--key", key)
    assert (ended.status, ended.out) == (3, f"{FAY}\n".encode())
    assert b"which is not among those at hand" in ended.err
    assert f"{FAY}: is no pseudonym".encode() in ended.err
    assert mailsensor("reveal", name_of(FAY, other), "--key", key).status == 1


def test_a_key_that_is_not_there_or_that_others_can_read_is_told(key: Path, tmp_path: Path) -> None:
    name = name_of(FAY, key)
    ended = mailsensor("reveal", name, "--key", tmp_path / "nowhere")
    assert (ended.status, ended.out) == (1, b"")
    assert "key file not read: No such file" in ended.words
    assert not (tmp_path / "nowhere").exists()
    key.chmod(0o644)
    ended = mailsensor("reveal", name, "--key", key)
    assert (ended.status, ended.out) == (1, b"")
    assert f"chmod 600 {key}" in ended.words


def test_a_text_of_one_endless_line_is_revealed_in_parts_and_no_name_is_cut(key: Path) -> None:
    name = name_of(FAY, key)
    for pad in (PART_OCTETS - 5, PART_OCTETS - len(name), PART_OCTETS - 1, PART_OCTETS):
        for filler in ("x ", "xx"):
            before = (filler * pad)[: pad - 1] + " "
            ended = mailsensor("reveal", "--key", key, "-", stdin=f"{before}{name} {name}".encode())
            assert ended.out.decode() == f"{before}{FAY} {FAY}"

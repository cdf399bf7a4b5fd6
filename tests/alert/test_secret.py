"""Secrets come from files that others can't read or from the environment, and show nowhere."""

import copy
import os
import pickle
from pathlib import Path

import pytest

from sensor.alert.secret import MAX_SECRET_OCTETS, Secret, check_private, read_secret
from sensor.alert.sinks.base import SinkError
from sensor.settings import SecretSource

PLANTED = "PLANTED-SECRET"


def secret_file(folder: Path, octets: bytes, mode: int = 0o600) -> str:
    path = folder / "secret"
    path.write_bytes(octets)
    path.chmod(mode)
    return str(path)


@pytest.mark.parametrize("mode", [0o400, 0o600, 0o640, 0o440])
def test_a_secret_is_read_from_a_file_of_its_owner_without_the_line_end(tmp_path: Path, mode: int) -> None:
    for written, read in ((b" a b ", b" a b "), (b"ab\n", b"ab"), (b"ab\r\n", b"ab"), (b"ab\n\n", b"ab\n")):
        assert read_secret(SecretSource(file=secret_file(tmp_path, written, mode)), {}).reveal() == read
        (tmp_path / "secret").unlink()


def test_a_secret_is_read_from_the_environment() -> None:
    assert read_secret(SecretSource(variable="S"), {"S": "ä"}).reveal() == "ä".encode()


@pytest.mark.parametrize("mode", [0o604, 0o602, 0o644, 0o666])
def test_a_file_that_everybody_may_read_or_write_is_refused_with_what_to_do(tmp_path: Path, mode: int) -> None:
    path = secret_file(tmp_path, PLANTED.encode(), mode)
    with pytest.raises(SinkError, match=f"chmod o-rw {path}") as error:
        read_secret(SecretSource(file=path), {})
    assert PLANTED not in str(error.value)
    with pytest.raises(SinkError, match="everybody may read"):
        check_private(path)


def test_what_holds_no_secret_is_named(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    for source, words in (
        (SecretSource(file=str(tmp_path / "nowhere")), "secret not read: No such file"),
        (SecretSource(file=str(tmp_path)), "no regular file"),
        (SecretSource(file=str(tmp_path / "pipe")), "no regular file"),
        (SecretSource(file="/dev/zero"), "no regular file"),
        (SecretSource(file=secret_file(tmp_path, b"\n")), "holds no secret"),
        (SecretSource(variable="S"), "variable S: holds no secret"),
    ):
        with pytest.raises(SinkError, match=words):
            read_secret(source, {"S": ""})
    with pytest.raises(SinkError, match="longer than any secret"):
        read_secret(SecretSource(file=secret_file(tmp_path, b"x" * (MAX_SECRET_OCTETS + 1))), {})


def test_a_secret_does_not_show_and_is_not_copied() -> None:
    secret = Secret(PLANTED.encode())
    assert PLANTED not in f"{secret} {secret!r} {[secret]} {vars(type(secret))}"
    for take in (pickle.dumps, copy.copy):
        with pytest.raises(TypeError):
            take(secret)

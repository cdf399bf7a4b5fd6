"""A record file holds whole lines, whatever the disk and the kernel do."""

from __future__ import annotations

import errno
import os
import stat
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sensor.app.recordfile import RecordFile


def test_lines_are_added_to_what_is_there(tmp_path: Path) -> None:
    path = tmp_path / "records.jsonl"
    for line in (b"one\n", b"two\n"):
        with RecordFile(str(path)) as file:
            file.append(line)
            file.sync()
    assert path.read_bytes() == b"one\ntwo\n"
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


@given(st.binary(max_size=30).map(lambda tail: tail.replace(b"\n", b"")))
def test_a_torn_line_is_cut_off_when_the_file_is_opened(tmp_path_factory: pytest.TempPathFactory, tail: bytes) -> None:
    path = tmp_path_factory.mktemp("torn") / "records.jsonl"
    for whole in (b"", b"one\n", b"one\ntwo\n"):
        path.write_bytes(whole + tail)
        with RecordFile(str(path)) as file:
            file.append(b"next\n")
        assert path.read_bytes() == whole + b"next\n"


def test_lines_that_do_not_fit_leave_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A full disk takes a part first and refuses the rest."""
    write, left = os.write, [7]

    def full(file: int, octets: memoryview) -> int:
        taken = write(file, octets[: left[0]]) if left[0] else 0
        if not taken:
            raise OSError(errno.ENOSPC, "No space left on device")
        left[0] -= taken
        return taken

    path = tmp_path / "records.jsonl"
    with RecordFile(str(path)) as file:
        file.append(b"one\n")
        monkeypatch.setattr(os, "write", full)
        with pytest.raises(OSError, match="No space"):
            file.append(b"two, three\n")
        assert path.read_bytes() == b"one\n"
        monkeypatch.undo()
        file.append(b"four\n")
    assert path.read_bytes() == b"one\nfour\n"


def test_a_pipe_takes_records_too(tmp_path: Path) -> None:
    path = tmp_path / "pipe"
    os.mkfifo(path)
    reader = os.open(path, os.O_RDONLY | os.O_NONBLOCK)
    with RecordFile(str(path)) as file:
        file.append(b"one\n")
        file.sync()
        file.close()
    assert os.read(reader, 10) == b"one\n"
    os.close(reader)

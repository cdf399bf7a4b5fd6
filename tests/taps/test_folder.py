"""A folder of captures: each is read once, when it has settled, and what was taken out is forgotten."""

import os
import shutil
import time
from pathlib import Path

import pytest

from sensor.classify import builtin_table
from sensor.taps.base import TapError
from sensor.taps.folder import CapturesTap, EndOfCaptures
from tests.running import ROOT

SIEVE = ROOT / "pcaps" / "lab_sieve_redirect" / "input.pcap"


def read(tap: CapturesTap, looks: int = 1) -> tuple[int, list[str]]:
    """Mails and captures of some ends of reading."""
    mails = 0
    ended: list[str] = []
    for batch in tap.batches():
        mails += len(batch)
        if isinstance(batch, EndOfCaptures):
            ended += batch.paths
            looks -= 1
            if not looks:
                tap.stop()
    return mails, ended


def tap_of(*paths: Path, **more: object) -> CapturesTap:
    return CapturesTap([str(path) for path in paths], builtin_table().interest, **more)  # type: ignore[arg-type]


def test_files_are_read_once_and_told_at_their_end() -> None:
    tap = tap_of(SIEVE)
    assert read(tap) == (4, [str(SIEVE)])
    assert tap.counters()["transactions"] == 4


def test_a_file_that_was_begun_by_another_tap_is_left_alone() -> None:
    begun: set[str] = set()
    read(tap_of(SIEVE, begun=begun))
    assert read(tap_of(SIEVE, begun=begun)) == (0, [])


def test_a_file_that_was_counted_is_passed_over() -> None:
    assert read(tap_of(SIEVE, is_counted=str(SIEVE).__eq__)) == (0, [])


def test_a_file_waits_until_it_has_settled(tmp_path: Path) -> None:
    fresh, old = tmp_path / "fresh.pcap", tmp_path / "old.pcap"
    shutil.copyfile(SIEVE, fresh)
    shutil.copyfile(SIEVE, old)
    os.utime(old, (time.time() - 60,) * 2)
    assert read(tap_of(tmp_path, watches=True, settle_s=30)) == (4, [str(old)])


def test_what_was_taken_out_of_the_folder_is_forgotten(tmp_path: Path) -> None:
    begun = {str(tmp_path / "gone.pcap"), "/elsewhere/kept.pcap"}
    shutil.copyfile(SIEVE, tmp_path / "here.pcap")
    read(tap_of(tmp_path, watches=True, settle_s=0, begun=begun))
    assert begun == {str(tmp_path / "here.pcap"), "/elsewhere/kept.pcap"}


@pytest.mark.parametrize("watches", [False, True])
def test_what_does_not_exist_is_an_error(tmp_path: Path, watches: bool) -> None:
    with pytest.raises(TapError, match="nowhere: no such file"):
        tap_of(tmp_path / "nowhere", watches=watches)


def test_a_file_is_no_folder() -> None:
    with pytest.raises(TapError, match="is no folder"):
        tap_of(SIEVE, watches=True)


def test_a_folder_that_is_gone_ends_the_reading_and_is_read_on_when_it_is_back(tmp_path: Path) -> None:
    folder, away = tmp_path / "in", tmp_path / "away"
    folder.mkdir()
    shutil.copyfile(SIEVE, folder / "a.pcap")
    begun: set[str] = set()
    batches = tap_of(folder, watches=True, settle_s=0, begun=begun).batches()
    while not isinstance(next(batches), EndOfCaptures):
        continue
    folder.rename(away)
    with pytest.raises(TapError, match="can't be read: No such file"):
        next(batches)
    away.rename(folder)
    shutil.copyfile(SIEVE, folder / "b.pcap")
    assert read(tap_of(folder, watches=True, settle_s=0, begun=begun))[1] == [str(folder / "b.pcap")]

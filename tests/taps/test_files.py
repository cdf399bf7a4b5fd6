"""Which files a replay reads, and in which order."""

from pathlib import Path

import pytest

from sensor.taps.base import TapError
from sensor.taps.files import capture_digest, find_captures
from tests.builders import Dialogue, capture


def make(directory: Path, *names: str) -> None:
    for name in names:
        path = directory / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"")


def inside(directory: Path) -> list[str]:
    return [str(Path(path).relative_to(directory)) for path in find_captures([str(directory)]).paths]


def test_a_directory_gives_its_captures_sorted_with_numbers_by_value(tmp_path: Path) -> None:
    make(tmp_path, "b.pcap10", "b.pcap2", "b.pcap", "a/z.pcapng.gz", "c_00002_20260101.cap", "README.md", "x.pcap.txt")
    assert inside(tmp_path) == ["a/z.pcapng.gz", "b.pcap", "b.pcap2", "b.pcap10", "c_00002_20260101.cap"]


def test_endings_are_known_in_any_case_and_with_compression(tmp_path: Path) -> None:
    make(tmp_path, "A.PCAP", "b.pcap.zst", "c.cap.gz", "d.ntar", "e.gz", "pcap", ".pcap")
    assert inside(tmp_path) == ["A.PCAP", "b.pcap.zst", "c.cap.gz", "d.ntar"]


def test_a_file_of_its_own_name_is_read_whatever_it_is_called(tmp_path: Path) -> None:
    make(tmp_path, "capture.bin")
    assert find_captures([str(tmp_path / "capture.bin"), "-"]).paths == [str(tmp_path / "capture.bin"), "-"]


def test_a_file_named_twice_is_read_once(tmp_path: Path) -> None:
    make(tmp_path, "a.pcap")
    found = find_captures([str(tmp_path), str(tmp_path / "a.pcap")])
    assert len(found.paths) == 1
    assert "named twice" in found.problems[0]


def test_links_to_directories_are_not_followed(tmp_path: Path) -> None:
    make(tmp_path, "real/a.pcap")
    (tmp_path / "real" / "loop").symlink_to(tmp_path)
    assert inside(tmp_path) == ["real/a.pcap"]


def test_a_missing_path_is_an_error_with_a_hint(tmp_path: Path) -> None:
    make(tmp_path, "capture.pcap")
    with pytest.raises(TapError, match=r'no such file or directory; did you mean ".*capture\.pcap"'):
        find_captures([str(tmp_path / "captur.pcap")])


def test_a_link_to_nowhere_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "a.pcap").symlink_to(tmp_path / "gone")
    with pytest.raises(TapError, match="leads nowhere"):
        find_captures([str(tmp_path / "a.pcap")])


def test_a_directory_without_captures_is_told(tmp_path: Path) -> None:
    make(tmp_path, "empty/notes.txt", "full/a.pcap")
    with pytest.raises(TapError, match="no captures inside"):
        find_captures([str(tmp_path / "empty")])
    found = find_captures([str(tmp_path / "empty"), str(tmp_path / "full")])
    assert len(found.paths) == 1
    assert "no captures inside" in found.problems[0]


def test_a_capture_of_another_name_is_known_by_its_first_octets(tmp_path: Path) -> None:
    """So that a directory of rotated files named by time alone is read."""
    make(tmp_path, "notes.txt", "2026-11-22")
    flow = Dialogue.plain().flow()
    (tmp_path / "2026-11-23").write_bytes(capture(flow).octets)
    (tmp_path / "2026-11-24.old").write_bytes(capture(flow).gzipped().octets)
    assert inside(tmp_path) == ["2026-11-23", "2026-11-24.old"]


def test_a_capture_is_known_again_under_another_name(tmp_path: Path) -> None:
    one, other, longer = tmp_path / "a.pcap", tmp_path / "b.pcap", tmp_path / "c.pcap"
    one.write_bytes(b"x" * 3_000_000)
    other.write_bytes(b"x" * 3_000_000)
    longer.write_bytes(b"x" * 3_000_001)
    assert capture_digest(str(one)) == capture_digest(str(other))
    assert capture_digest(str(one)) != capture_digest(str(longer))
    assert capture_digest(str(one))[1] == 3_000_000


def test_a_capture_that_can_not_be_read_is_named(tmp_path: Path) -> None:
    with pytest.raises(TapError, match=r"gone\.pcap: can't be read"):
        capture_digest(str(tmp_path / "gone.pcap"))

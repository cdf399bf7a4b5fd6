"""The same mail gives the same records, octet for octet, however its capture is stored, cut or handed over."""

from __future__ import annotations

import os
import random
import struct
import subprocess
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from sensor import _core
from tests.builders import Dialogue, capture, files
from tests.running import COMMAND, ROOT, environment, mailsensor
from tests.sensing import told_of
from tests.test_pcaps import CASES, capture_of

every_case = pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)

# One of each kind of file, and dialogues that pass through many states: what is slow to try is tried on these.
SOME = [
    case
    for case in CASES
    if case.name.startswith("file_")
    or case.name
    in ("lab_several_mails", "smtp_bdat_pipelined", "tcp_gap_blackout", "tcp_interleaved_flows", "smtp_starttls")
]
some_cases = pytest.mark.parametrize("case", SOME, ids=lambda case: case.name)


def lines_of(*paths: Path, batch_events: int = 4096) -> bytes:
    """The records of the captures, read in batches of at most *batch_events*."""
    replay = _core.Replay([str(path) for path in paths], _core.Interest(), batch_events=batch_events)
    lines = b""
    while (batch := replay.next_batch()) is not None:
        assert len(batch) <= batch_events
        lines += batch.to_json_lines({}, b"{}", sensor="s", tap="pcap")
    return lines


def test_all_captures_at_once_are_the_same_in_any_process(tmp_path: Path) -> None:
    """Nothing depends on the seed of Python's hashes, the directory one stands in, or chance."""
    told = []
    for seed, where in (("1", ROOT), ("2", tmp_path)):
        events = tmp_path / f"records-{seed}"
        arguments = ("replay", ROOT / "pcaps", "--events", events, "--json")
        ended = mailsensor(*arguments, changes={"PYTHONHASHSEED": seed, "TZ": f"X{seed}"}, cwd=where)
        assert ended.status == 3
        assert ended.err == b""
        told.append((events.read_bytes(), ended.out))
    assert told[0] == told[1]
    assert told[0][0].count(b"\n") > len(CASES)


@every_case
@pytest.mark.parametrize("batch_events", [1, 3])
def test_the_size_of_batches_changes_nothing(case: Path, batch_events: int) -> None:
    """Records cross the border in batches of any size."""
    assert lines_of(capture_of(case), batch_events=batch_events) == lines_of(capture_of(case))


# ---- how the file is stored


@pytest.mark.parametrize(
    "case", [case for case in CASES if capture_of(case).suffix not in (".gz", ".zst")], ids=lambda case: case.name
)
def test_compression_changes_nothing(case: Path, tmp_path: Path) -> None:
    """In gzip members and zstd frames that end anywhere."""
    path = capture_of(case)
    octets = path.read_bytes()
    for suffix, packed in ((".gz", files.gzipped(octets, members=3)), (".zst", files.zstandard(octets, 777))):
        copy = tmp_path / f"{path.name}{suffix}"
        copy.write_bytes(packed)
        assert lines_of(copy) == lines_of(path)


@some_cases
def test_the_name_changes_nothing(case: Path, tmp_path: Path) -> None:
    """What a file is, its octets say."""
    copy = tmp_path / "no ending"
    copy.write_bytes(capture_of(case).read_bytes())
    assert lines_of(copy) == lines_of(capture_of(case))


# ---- how it is handed over


def pieces(octets: bytes, seed: int) -> Iterator[bytes]:
    """*octets* in small pieces; some of one octet, so that every header is cut somewhere."""
    chance, at = random.Random(seed), 0  # noqa: S311 - repeatable
    size = max(8, len(octets) // 300)
    while at < len(octets):
        step = chance.choice((1, 2, size, 2 * size))
        yield octets[at : at + step]
        at += step


@some_cases
def test_a_pipe_in_small_pieces_changes_nothing(case: Path, tmp_path: Path) -> None:
    """Standard input that comes as it comes, and a named pipe as a shell's ``<(...)`` makes it."""
    octets, expected = capture_of(case).read_bytes(), lines_of(capture_of(case))
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    writer = threading.Thread(target=_write_slowly, args=(pipe, octets))
    writer.start()
    assert lines_of(pipe) == expected
    writer.join()


def _write_slowly(pipe: Path, octets: bytes) -> None:
    with pipe.open("wb", buffering=0) as out:
        for piece in pieces(octets, len(octets)):
            out.write(piece)


@pytest.mark.parametrize("name", ["lab_several_mails", "file_gzip", "file_zstd", "file_pcapng_two_sections"])
def test_standard_input_in_small_pieces_changes_nothing(name: str) -> None:
    """As when a program still writes what is read."""
    path = capture_of(ROOT / "pcaps" / name)
    process = subprocess.Popen(
        [*COMMAND, "replay", "-", "--events", "-", "--quiet"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env=environment(),
    )
    assert process.stdin is not None
    assert process.stdout is not None
    assert process.stderr is not None
    with process, process.stdin as pipe:
        for piece in pieces(path.read_bytes(), 7):
            pipe.write(piece)
            pipe.flush()
        pipe.close()
        assert process.stdout.read() == told_of(path).lines
        assert process.stderr.read() == b""
    assert process.returncode == 0


# ---- one capture in several files, several captures in one run


def frames_of(octets: bytes) -> tuple[bytes, list[bytes]]:
    """File header and packet records of a pcap file, as far as they are whole."""
    order = "<" if octets[:4] in (b"\xd4\xc3\xb2\xa1", b"\x4d\x3c\xb2\xa1") else ">"
    at, records = 24, []
    while at + 16 <= len(octets):
        (length,) = struct.unpack_from(f"{order}I", octets, at + 8)
        records.append(octets[at : at + 16 + length])
        at += 16 + length
    return octets[:24], records


def split(path: Path, where: Path, *at: int) -> list[Path]:
    """Rotated files ``part.pcap0``, ``part.pcap1`` ... in the new directory *where*, cut before the *at*-th frames."""
    header, records = frames_of(path.read_bytes())
    where.mkdir()
    edges = [0, *at, len(records)]
    parts = []
    for number in range(len(edges) - 1):
        parts.append(where / f"part.pcap{number}")
        parts[-1].write_bytes(header + b"".join(records[edges[number] : edges[number + 1]]))
    return parts


PLAIN = [case for case in CASES if capture_of(case).suffix == ".pcap"]
# Where rotation may change something by its nature: the clock steps, or the silence between two frames is longer than
# rotated files lie apart.
UNSTEADY = {"tcp_time_steps_back"}


@pytest.mark.parametrize("case", [case for case in PLAIN if case.name not in UNSTEADY], ids=lambda case: case.name)
def test_rotated_files_are_one_capture(case: Path, tmp_path: Path) -> None:
    """Cut in two at several places; given by name, and as the directory they lie in."""
    path = capture_of(case)
    count, expected = len(frames_of(path.read_bytes())[1]), lines_of(path)
    for at in sorted({1, count // 3, count // 2, count - 1} - {0, count}):
        assert lines_of(*split(path, tmp_path / str(at), at)) == expected, f"cut before frame {at}"


def test_many_rotated_files_of_a_directory_are_read_in_order(tmp_path: Path) -> None:
    """One frame a file, more than ten of them: ``part.pcap10`` comes after ``part.pcap9``."""
    path = capture_of(ROOT / "pcaps" / "lab_several_mails")
    count = len(frames_of(path.read_bytes())[1])
    assert count > 11
    split(path, tmp_path / "rotated", *range(1, count))
    ended = mailsensor("replay", tmp_path / "rotated", "--events", "-", "--quiet")
    assert ended.status == 0
    assert ended.out == told_of(path).lines


def test_captures_of_different_directories_do_not_mix() -> None:
    """Every crafted case uses the same addresses and ports; read together they tell what each tells alone."""
    paths = [capture_of(case) for case in CASES]
    assert lines_of(*paths) == b"".join(lines_of(path) for path in paths)


def test_the_end_of_one_dialogue_does_not_answer_the_beginning_of_another(tmp_path: Path) -> None:
    """The worst two captures to lie side by side: numbers and times fit, and only the directory tells them apart."""
    flow = Dialogue().greet().mail(1).mail(2).quit().flow()
    first, second = tmp_path / "a" / "a.pcap", tmp_path / "b" / "b.pcap"
    for path, half in ((first, flow.copy().until(b"RCPT TO:<to2")), (second, flow.copy().since(b"RCPT TO:<to2"))):
        path.parent.mkdir()
        capture(half).write(path)
    assert lines_of(first, second) == lines_of(first) + lines_of(second)
    assert lines_of(first, second) != lines_of(second, first)


def test_old_captures_of_one_directory_do_not_mix(tmp_path: Path) -> None:
    """Captures of one directory go on from each other only if their times do."""
    early = Dialogue().greet().mail(1).mail(2).flow(close=None).until(b"RCPT TO:<to2")
    late = Dialogue().greet().mail(1).mail(2).quit().flow(start_s=3600).since(b"RCPT TO:<to2")
    paths = [capture(flow).write(tmp_path / name) for name, flow in (("1.pcap", early), ("2.pcap", late))]
    assert lines_of(*paths) == b"".join(map(lines_of, paths))

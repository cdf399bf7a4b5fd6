"""The border to the Rust core: the stub tells the truth, and all that the core counts or bounds is documented."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

from docs.make_reference import LAYERS, pages
from sensor import _core

ROOT = Path(__file__).parent.parent
SLUG = re.compile(r"[a-z][a-z0-9]*(_[a-z0-9]+)*")

LISTS: dict[str, list[tuple[str, str]]] = {
    "anomalies": _core.anomalies(),
    "counters": _core.counters(),
    "limits": [(name, reason) for name, reason, _ in _core.limits()],
}

everything = pytest.mark.parametrize(
    ("name", "meaning"),
    [pytest.param(*row, id=f"{kind}-{row[0]}") for kind, rows in LISTS.items() for row in rows],
)


def test_the_stub_matches_the_module() -> None:
    """Names, parameters, defaults and what is final: as mypy's stubtest compares them."""
    command = [sys.executable, "-m", "mypy.stubtest", "--concise", "sensor._core"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize("kind", LISTS)
def test_names_are_unique(kind: str) -> None:
    names = [name for name, _ in LISTS[kind]]
    assert names
    assert len(names) == len(set(names))


@everything
def test_names_are_slugs_with_a_meaning(name: str, meaning: str) -> None:
    """Records, metrics and settings carry them, so they are plain; a meaning is a sentence."""
    assert SLUG.fullmatch(name)
    assert re.fullmatch(r"(?s)[A-Z].{10,}\.", meaning.strip()), meaning


def test_an_anomaly_begins_with_its_layer() -> None:
    assert {slug.partition("_")[0] for slug, _ in LISTS["anomalies"]} == set(LAYERS)


def test_a_limit_has_room_for_something() -> None:
    assert all(value > 0 for _, _, value in _core.limits())


@pytest.mark.parametrize("page", pages(), ids=lambda page: page.name)
def test_the_reference_is_current(page: Path) -> None:
    """If this fails: make reference."""
    assert page.read_text() == pages()[page]


def test_every_count_of_a_replay_is_listed() -> None:
    """What a replay counts is what the lists name, no more and no less."""
    replay = _core.Replay([], _core.Interest())
    while replay.next_batch() is not None:
        continue
    assert list(replay.counters().items() ^ dict.fromkeys(dict(LISTS["counters"]), 0).items()) == []
    assert list(replay.anomalies().items() ^ dict.fromkeys(dict(LISTS["anomalies"]), 0).items()) == []


@pytest.mark.parametrize("block", [b"", b"[]", b"{", b"\xff{}", b"{} {}"])
def test_a_forwarding_block_that_is_no_object_is_refused(block: bytes) -> None:
    with pytest.raises(ValueError, match="forwarding block"):
        _one_mail().to_json_lines({}, block, sensor="s", tap="pcap")


def test_a_forwarding_block_for_no_event_is_refused() -> None:
    with pytest.raises(ValueError, match="no event 1 in a batch of 1"):
        _one_mail().to_json_lines({1: b"{}"}, b"{}", sensor="s", tap="pcap")


def test_an_unknown_limit_is_refused() -> None:
    with pytest.raises(ValueError, match="nothing_of_that_name"):
        _core.Replay([], _core.Interest(), limits={"nothing_of_that_name": 1})


def _one_mail() -> _core.Batch:
    capture = ROOT / "pcaps" / "smtp_null_reverse_path" / "input.pcap"
    batch = _core.Replay([str(capture)], _core.Interest()).next_batch()
    assert batch is not None
    assert len(batch) == 1
    return batch

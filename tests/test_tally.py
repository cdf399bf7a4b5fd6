"""The core's tally of a batch against the plain one, over every capture."""

from dataclasses import fields
from pathlib import Path

import pytest

from sensor.tally import PlainTrace, tally

_core = pytest.importorskip("sensor._core")

CAPTURES = sorted((Path(__file__).parents[1] / "pcaps").glob("*/input.pcap*"))


def draw(path: Path, *, classify_all: bool) -> list[tuple[dict[str, object], dict[str, object]]]:
    """Each batch of *path* as both tell it."""
    interest = _core.Interest(fields=["X-Forwarded-To"], body_marks=["forwarded message"], subject_prefixes=["fwd"])
    replay = _core.Replay([str(path)], interest)
    told = []
    while (batch := replay.next_batch()) is not None:
        plain = tally(
            batch, transaction_type=_core.Transaction, session_type=_core.TlsSession, classify_all=classify_all
        )
        told.append((facts(batch.tally(classify_all=classify_all)), facts(plain)))
    return told


def facts(drawn: object) -> dict[str, object]:
    """What a tally says, with the id of a transaction in place of it."""
    names = (
        "events",
        "outcomes",
        "incomplete",
        "missing_octets",
        "one_sided",
        "tls_sessions",
        "tls_octets",
        "first_seen_ns",
        "last_seen_ns",
    )
    said = {name: getattr(drawn, name) for name in names}
    mails = [
        (*mail[:4], mail[4].id if mail[4] is not None else None, trace_facts(mail[5]))
        for mail in drawn.mails  # type: ignore[attr-defined]
    ]
    return said | {"mails": mails, "hours": hours(drawn)}


def hours(drawn: object) -> dict[int, tuple[int, int]]:
    """Sessions of each hour, asked for in two pieces."""
    summed: dict[int, tuple[int, int]] = {}
    for hour, clear, tls in [*drawn.sessions(0, 3), *drawn.sessions(3, 1 << 20)]:  # type: ignore[attr-defined]
        before = summed.get(hour, (0, 0))
        summed[hour] = (before[0] + clear, before[1] + tls)
    return summed


def trace_facts(trace: object) -> dict[str, object]:
    """What a trace says, as lists and plain values."""
    said = {each.name: getattr(trace, each.name) for each in fields(PlainTrace)}
    return {name: list(value) if isinstance(value, tuple) else value for name, value in said.items()}


@pytest.mark.parametrize("classify_all", [False, True])
def test_the_core_tells_what_the_plain_tally_tells(classify_all: bool) -> None:
    pairs = [pair for path in CAPTURES for pair in draw(path, classify_all=classify_all)]
    assert len(pairs) > len(CAPTURES) / 2
    for core, plain in pairs:
        assert core == plain

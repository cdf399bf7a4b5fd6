"""
Random faults of a span port, laid on the flow of a known dialogue.

``harmless`` ones change no octet and lose none: segments are cut, moved, repeated or overlapped with equal octets,
and a sensor must tell exactly what it tells of the untouched flow. ``lossy`` ones take segments away: then every record
must be true or own up to what is missing.
"""

from __future__ import annotations

from hypothesis import strategies as st

from tests.craft.flow import Flow, Segment

WINDOW = 4
"""How many places a segment is shown too late at most: merged mirror ports keep it small."""


@st.composite
def harmless(draw: st.DrawFn, flow: Flow) -> Flow:
    """A copy of *flow* with segments cut, moved by up to :data:`WINDOW` places, repeated and overlapped."""
    changed = _cut(draw, flow.copy())
    segments = _repeated(draw, changed.segments)
    if draw(st.booleans()):
        segments = _moved(draw, segments)
    if draw(st.booleans()):
        segments = [segment for segment in segments if not segment.name.endswith(".ack")]
    changed.arrange(segments)
    return changed.bad_checksums() if draw(st.booleans()) else changed


@st.composite
def lossy(draw: st.DrawFn, flow: Flow, most: int = 3) -> tuple[Flow, list[Segment]]:
    """A copy of *flow* that lost one to *most* segments with payload, and what it lost."""
    changed = _cut(draw, flow.copy())
    places = [place for place, segment in enumerate(changed.segments) if segment.payload]
    gone = draw(st.sets(st.sampled_from(places), min_size=1, max_size=most)) if places else set()
    lost = [changed.segments[place] for place in sorted(gone)]
    changed.segments = [segment for place, segment in enumerate(changed.segments) if place not in gone]
    return changed, lost


def _cut(draw: st.DrawFn, flow: Flow) -> Flow:
    size = draw(st.sampled_from([None, None, 1, 2, 3, 7, 64, 500]))
    # One octet a segment is worth it for small dialogues only.
    return flow if size is None or sum(len(s.payload) for s in flow.segments) > 800 * size else flow.cut_all(size)


def _repeated(draw: st.DrawFn, segments: list[Segment]) -> list[Segment]:
    """Some segments again, some places later; of those with payload sometimes only the end."""
    shown = list(segments)
    for place in sorted(draw(st.sets(st.integers(0, len(segments) - 1), max_size=6)), reverse=True):
        again = segments[place]
        if again.payload and draw(st.booleans()):
            start = draw(st.integers(0, len(again.payload) - 1))
            again = again._replace(seq=(again.seq + start) % (1 << 32), payload=again.payload[start:])
        shown.insert(place + 1 + draw(st.integers(0, WINDOW)), again)
    return shown


def _moved(draw: st.DrawFn, segments: list[Segment]) -> list[Segment]:
    """Each segment at most :data:`WINDOW` places late; the handshake stays in front."""
    late = draw(st.lists(st.integers(0, WINDOW), min_size=len(segments), max_size=len(segments)))
    order = sorted(range(len(segments)), key=lambda place: (place + (late[place] if place > 2 else 0), place))
    return [segments[place] for place in order]

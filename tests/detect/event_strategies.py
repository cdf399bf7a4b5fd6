"""Hostile events: texts, times and numbers that no honest mail has, under few keys so that states fill."""

from __future__ import annotations

from typing import Any

from hypothesis import strategies as st

from sensor.detect.base import DAY_MS, MAX_TIME_MS
from sensor.detect.events import (
    Attached,
    AttachmentsSent,
    Context,
    DestinationSeen,
    DetectorEvent,
    ForwardRefused,
    ForwardSeen,
    Leg,
    stable_id,
)
from sensor.model import Actor, Artifact

NOW_MS = 20_003 * DAY_MS

TIMES = st.one_of(
    st.integers(NOW_MS, NOW_MS + 20 * DAY_MS),
    st.integers(NOW_MS, NOW_MS + 60_000),
    st.sampled_from([0, -1, -(2**40), 2**45, MAX_TIME_MS, -MAX_TIME_MS]),
)

LONG = st.sampled_from(["a" * 5_000, "\U0001f4e7" * 3_000, "\u202e" * 400, "ä" * 700 + "@corp.example"])
TEXTS = st.one_of(
    st.text(max_size=30), LONG, st.sampled_from(["", "\r\nX: y", "\x00", "\x1b[2J", "|", "a\u2028b", "`x`"])
)
KEYS = st.sampled_from(["ann@corp.example", "b\r\nob@corp.example", "\U0001f4e7" * 600])
ADDRESSES = st.one_of(TEXTS, st.integers(0, 400).map(lambda number: f"drop{number}@dst{number % 7}.example"))
MANY = st.one_of(
    st.lists(ADDRESSES, min_size=1, max_size=4).map(tuple),
    st.just(tuple(f"{'x' * 200}{number}@dst.example" for number in range(300))),
    st.just(tuple("\U0001f4e7" * 300 + str(number) for number in range(100))),
)
NUMBERS = st.one_of(st.integers(0, 50_000), st.sampled_from([0, 2**31, 2**50]))
LINES = st.lists(
    st.builds(Artifact, slug=st.text("abc_", min_size=1, max_size=8), field=st.just("X-Mark"), value=TEXTS), max_size=12
).map(tuple)
CONTEXTS = st.builds(
    Context,
    received_24h=st.integers(0, 500),
    received_7d=st.integers(0, 5_000),
    sent_24h=st.integers(0, 500),
    mailbox_since_ms=st.none() | TIMES,
    sensor_since_ms=st.none() | TIMES,
    mailboxes=st.integers(0, 500),
    forwarders=st.integers(0, 700),
    clear_share=st.none() | st.floats(0, 1),
)
ACTORS = st.builds(Actor, auth_user=st.none() | TEXTS, helo=st.none() | TEXTS, client_ip=st.just("192.0.2.1"))
LEVELS = st.sampled_from(["user", "admin", "either", "unknown"])

_ANY: dict[str, Any] = {
    "id": st.integers(0, 10**6).map(lambda number: stable_id(str(number))),
    "at_ms": TIMES,
    "transaction_id": TEXTS,
    "mailbox": KEYS,
    "actor": ACTORS,
    "lines": LINES,
    "context": CONTEXTS,
}

FORWARDS = st.builds(
    ForwardSeen,
    **_ANY,
    cell=st.sampled_from(["auto_only", "auto_only", "auto_visible", "visible_only", "paired"]),
    destinations=MANY,
    outside=MANY,
    level=LEVELS,
    evidence=st.sampled_from(["conclusive", "strong", "weak"]),
    octets=st.none() | NUMBERS,
    missing_octets=NUMBERS,
    original_id=st.none() | TEXTS,
    original_at_ms=st.none() | TIMES,
)
DESTINATIONS = st.builds(
    lambda forward, destination, domain: DestinationSeen(
        id=stable_id(forward.id, destination),
        at_ms=forward.at_ms,
        destination=destination,
        domain=domain,
        forward=forward,
    ),
    st.builds(
        lambda forward, mailbox: type(forward)(
            **{name: getattr(forward, name) for name in forward.__struct_fields__} | {"mailbox": mailbox}
        ),
        FORWARDS,
        ADDRESSES,
    ),
    KEYS,
    KEYS,
)
REFUSALS = st.builds(
    ForwardRefused, **_ANY, destinations=MANY, is_policy=st.booleans(), reply=st.none() | TEXTS, level=LEVELS
)
FILES = st.builds(
    Attached,
    filename=st.none() | TEXTS | st.sampled_from(["a.pst", "m.eml", "b.7z.001", "inbox.zip", "x" * 5_000 + ".mbox"]),
    content_type=st.sampled_from(["message/rfc822", "application/zip", "application/mbox", "\r\n"]),
    octets=NUMBERS,
)
ATTACHMENTS = st.builds(
    AttachmentsSent,
    **_ANY,
    destinations=MANY,
    attachments=st.lists(FILES, max_size=30).map(tuple),
    attached_messages=st.integers(0, 10_000),
    octets=st.none() | NUMBERS,
)
LEGS = st.builds(
    Leg,
    **{name: strategy for name, strategy in _ANY.items() if name != "mailbox"},
    fingerprint=KEYS,
    basis=st.sampled_from(["message_id", "parent", "body"]),
    side=st.sampled_from(["in", "out"]),
    sender=ADDRESSES,
    recipients=MANY,
    unaddressed=MANY,
    octets=st.none() | NUMBERS,
)

EVENTS: dict[type[Any], st.SearchStrategy[Any]] = {
    ForwardSeen: FORWARDS,
    DestinationSeen: DESTINATIONS,
    ForwardRefused: REFUSALS,
    AttachmentsSent: ATTACHMENTS,
    Leg: LEGS,
}
"""Hostile events by their type: one entry for each there is."""


def any_event() -> st.SearchStrategy[DetectorEvent]:
    return st.one_of(*EVENTS.values())

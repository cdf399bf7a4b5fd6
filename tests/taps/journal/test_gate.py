"""Who is let in, how many, and for whom."""

from __future__ import annotations

from ipaddress import ip_network
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sensor.settings import JournalSettings
from sensor.settings.journal import JOURNAL
from sensor.taps.journal.gate import Gate


def gate(**options: Any) -> Gate:
    return Gate(JournalSettings(**{"addresses": ("journal@sensor.example",), **options}), 1_000)


@pytest.mark.parametrize(
    ("peer", "admitted"),
    [
        ("192.0.2.7", True),
        ("192.0.3.7", False),
        ("::ffff:192.0.2.7", True),
        ("2001:db8::1", True),
        ("2001:db9::1", False),
        ("fe80::1%eth0", False),
        ("", False),
        ("mail.example", False),
    ],
)
def test_peers_are_those_of_the_networks(peer: str, admitted: bool) -> None:
    asked = gate(peers=(ip_network("192.0.2.0/24"), ip_network("2001:db8::/32")))
    assert (asked.admit(peer) is None) is admitted


def test_by_default_only_this_machine_is_let_in() -> None:
    assert [gate().admit(peer) is None for peer in ("127.0.0.1", "::1", "192.0.2.1")] == [True, True, False]


@pytest.mark.parametrize(
    ("address", "ours"),
    [
        ("journal@sensor.example", True),
        ("JOURNAL+any=thing@Sensor.Example.", True),
        ("journa@sensor.example", False),
        ("xjournal@sensor.example", False),
        ("journal@xsensor.example", False),
        ("a@j.example", True),
        ("a@sub.j.example", False),
        ("a@sub.all.example", True),
        ("a@all.example", True),
        ("a@xall.example", False),
        ("", False),
        ("journal", False),
    ],
)
def test_addresses_of_the_journal_are_known(address: str, ours: bool) -> None:
    assert gate(addresses=("journal@sensor.example", "j.example", ".all.example")).is_ours(address) is ours


def test_recipients_are_bounded() -> None:
    asked = gate(keeps_envelope=True)
    assert asked.recipient("x@y.example", 1_000 - 1) is None
    assert asked.recipient("x@y.example", 1_000) is not None


@given(st.lists(st.tuples(st.sampled_from("ab"), st.booleans()), max_size=60))
def test_sessions_are_never_more_than_allowed(steps: list[tuple[str, bool]]) -> None:
    asked = gate(sessions=4, peer_sessions=3, peers=(ip_network("0.0.0.0/0"),))
    names = {"a": "192.0.2.1", "b": "192.0.2.2"}
    inside = {"a": 0, "b": 0}
    for name, comes in steps:
        if comes:
            room = inside[name] < 3 and sum(inside.values()) < 4
            assert (asked.admit(names[name]) is None) is room
            inside[name] += room
        elif inside[name]:
            asked.leave(names[name])
            inside[name] -= 1


def test_the_pages_name_every_key() -> None:
    pages = Path(__file__).parent.parent.parent.parent / "docs"
    settings = (pages / "settings.md").read_text()
    for key in JOURNAL.keys:
        assert f"`journal.{key}`" in settings, key

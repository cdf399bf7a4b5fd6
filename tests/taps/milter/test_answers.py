"""What is sent to an MTA says all that was meant, in one line of plain ASCII."""

from __future__ import annotations

from sensor.inline.tag import tag_value
from sensor.model import Forwarding
from sensor.settings.inline import MAX_REPLY_CHARACTERS
from sensor.taps.milter import answers

LONGEST = Forwarding(
    kind="visible",
    level="unknown",
    evidence="conclusive",
    direction="outbound",
    mailbox="m" * 64 + "@" + "d" * 255,
    look_alike="stale_marker",
)


def test_the_longest_tag_keeps_its_end() -> None:
    """The rule's name stands there, behind an address that a stranger chose."""
    value = tag_value(LONGEST, "r" * 63)
    packet = answers.insert_field(b"X-" + b"T" * 60, value, leading_space=False)
    assert packet.endswith(b"; rule=" + b"r" * 63 + b"\0")
    assert value in packet


def test_the_longest_reply_is_told_whole() -> None:
    packet = answers.reply(550, "5.7.100", "t" * MAX_REPLY_CHARACTERS)
    assert packet[4:] == b"y550 5.7.100 " + b"t" * MAX_REPLY_CHARACTERS + b"\0"


def test_line_ends_and_what_is_not_plain_become_blanks() -> None:
    assert answers.reply(550, "5.7.1", "a\r\nX: \x00b\u00e4%")[4:] == b"y550 5.7.1 a X:  b?%%\0"
    assert answers.quarantine(b"a\r\nb")[4:] == b"qa b\0"

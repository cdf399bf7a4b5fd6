"""Every bound of the milter that can be reached, with its reason. What is reached is counted."""

from __future__ import annotations

from collections.abc import Mapping

LIMITS: tuple[tuple[str, str, int], ...] = (
    (
        "milter_packet_octets",
        "The longest packet taken of an MTA. A body comes in 65,535 octets, a field in `header_size_limit`, 102,400.",
        262_144,
    ),
    (
        "milter_envelope_octets",
        "Octets of a mail's paths: three times what 1,000 recipients, Postfix's limit, take at RFC 5321's longest.",
        2_097_152,
    ),
    (
        "milter_text_octets",
        "Octets of a macro or a greeting: a name, an address or a line of a reply (RFC 5321 4.5.3.1: 512 at most).",
        1_024,
    ),
    (
        "milter_stripped_fields",
        "Copies of our own header field taken out of one mail. MTAs look for each from the top: time grows squared.",
        1_000,
    ),
    (
        "milter_queue_ids",
        "Queue ids awaited, and shown and not logged yet. The newest are in use: a minute at 1,000 mails a second.",
        100_000,
    ),
    (
        "milter_unseen_mails",
        "Mails that passed unseen whose recipients the log is still to name; newer ones push out the oldest.",
        10_000,
    ),
    (
        "milter_unseen_mailboxes",
        "Senders and recipients taken from the log for one mail that passed unseen. Few mails have more.",
        100,
    ),
    (
        "milter_unseen_waiting",
        "Mails that passed unseen and wait with their mailboxes. Of further ones only the number waits.",
        10_000,
    ),
    (
        "milter_log_line_octets",
        "Octets looked at of a line of the MTA's log. Postfix cuts its own at 2,000 (`line_length_limit`: 2,048).",
        16_384,
    ),
)


class Bounds:
    """The limits in force: the defaults, and what is set instead."""

    __slots__ = (
        "envelope_octets",
        "log_line_octets",
        "packet_octets",
        "queue_ids",
        "stripped_fields",
        "text_octets",
        "unseen_mailboxes",
        "unseen_mails",
        "unseen_waiting",
    )

    def __init__(self, limits: Mapping[str, int] | None = None) -> None:
        force = {name: default for name, _, default in LIMITS} | dict(limits or {})
        self.packet_octets = force["milter_packet_octets"]
        self.envelope_octets = force["milter_envelope_octets"]
        self.text_octets = force["milter_text_octets"]
        self.stripped_fields = force["milter_stripped_fields"]
        self.queue_ids = force["milter_queue_ids"]
        self.unseen_mails = force["milter_unseen_mails"]
        self.unseen_mailboxes = force["milter_unseen_mailboxes"]
        self.unseen_waiting = force["milter_unseen_waiting"]
        self.log_line_octets = force["milter_log_line_octets"]

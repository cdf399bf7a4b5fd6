"""Every bound of the ledger, with its reason."""

from __future__ import annotations

from collections.abc import Mapping

LIMITS: tuple[tuple[str, str, int], ...] = (
    (
        "ledger_mailboxes",
        "Mailboxes with counts of mail sent and received; 1 to 4 KB each. Those not seen longest go first.",
        1_000_000,
    ),
    (
        "ledger_forwarders",
        "Mailboxes that forward, with their destinations. Beyond it those with the fewest forwards are dropped.",
        50_000,
    ),
    (
        "ledger_destinations",
        "Destinations kept of one mailbox. A person's hand forwards go to dozens of addresses, a rule's to a few.",
        200,
    ),
    (
        "ledger_all_destinations",
        "Destinations kept of all mailboxes, addresses and domains; under 0.5 KB each. A flood fills no more.",
        1_000_000,
    ),
    (
        "ledger_recent_messages",
        "Forwards remembered so that the next hop of the same copy is not counted again; hops follow within minutes.",
        65_536,
    ),
    (
        "ledger_recent_mails",
        "Senders and recipients of mails remembered so that the next hop does not count again; some 100 octets each.",
        262_144,
    ),
    (
        "ledger_address_characters",
        "Longer addresses have no account and are no destination: RFC 5321 4.5.3.1 has 64 and 255 octets beside the @.",
        320,
    ),
)


class Bounds:
    """The limits in force: the defaults, and what is set instead."""

    __slots__ = (
        "address_characters",
        "all_destinations",
        "destinations",
        "forwarders",
        "mailboxes",
        "recent_mails",
        "recent_messages",
    )

    def __init__(self, limits: Mapping[str, int] | None = None) -> None:
        force = {name: default for name, _, default in LIMITS} | dict(limits or {})
        self.mailboxes = max(2, force["ledger_mailboxes"])
        self.forwarders = max(1, force["ledger_forwarders"])
        self.destinations = force["ledger_destinations"]
        self.all_destinations = force["ledger_all_destinations"]
        self.recent_messages = max(2, force["ledger_recent_messages"])
        self.recent_mails = max(2, force["ledger_recent_mails"])
        self.address_characters = force["ledger_address_characters"]

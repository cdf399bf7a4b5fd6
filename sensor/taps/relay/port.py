"""What a splice is given: how it is to treat its client, and a port by which it acts."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from sensor.taps.relay.identity import Identity
from sensor.taps.relay.shortcut import Rest, Shortcut


@dataclass(frozen=True, slots=True)
class Ruling:
    """What is to become of a mail: a header field put above it (whole, with its line end), or a reply to refuse it."""

    tag: bytes | None = None
    refusal: bytes | None = None


PASS = Ruling()


class Port(Protocol):
    """What a splice may do. Nothing here calls back into the splice."""

    def to_client(self, octets: bytes) -> None: ...
    def to_next_hop(self, octets: bytes) -> None: ...
    def close_client(self) -> None:
        """Once what was written is sent."""

    def close_next_hop(self, *, abort: bool) -> None:
        """At once where *abort*: what it was sent last is not to be acted upon."""

    def secure_client(self) -> None:
        """Begin TLS; ``Splice.client_secured`` is told."""

    def secure_next_hop(self) -> None:
        """Begin TLS; ``Splice.next_hop_secured`` is told."""

    def seen(self, octets: bytes, *, from_client: bool) -> None:
        """For the observer: the dialogue as the client has it, without what TLS hides and what never was a command."""

    def tell(self, trouble: str, why: str) -> None:
        """For the log: *trouble* is one of a few names, and *why* holds no word of mail."""

    def judge(self) -> Ruling:
        """The verdict on the mail whose content was seen so far."""

    def shortcut(self, rest: Rest) -> Shortcut | None:
        """A shortcut from where the dialogue is at rest, if there is one."""


@dataclass(frozen=True, slots=True)
class Conduct:
    """How sessions of one client are treated. A ``tag_name`` is for those that are judged."""

    offers_tls: bool = False
    requires_tls: bool = False
    is_trusted: bool = False
    judges: bool = False
    tag_name: bytes | None = None
    refuses_smuggling: bool = False
    xforward: Identity | None = None
    token: bytes = b""

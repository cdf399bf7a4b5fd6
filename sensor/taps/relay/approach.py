"""How the relay introduces itself to the next hop before the client hears its banner: TLS, and who the client is."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum, auto
from typing import Literal

from sensor.taps.relay.counts import Counts
from sensor.taps.relay.ehlo import offers
from sensor.taps.relay.identity import Identity, xclient
from sensor.taps.relay.replies import Reply

TlsUse = Literal["off", "may", "require"]


@dataclass(frozen=True, slots=True)
class Send:
    """A command to send; its reply comes back."""

    octets: bytes


@dataclass(frozen=True, slots=True)
class Secure:
    """TLS is to begin; ``secured`` is told when it has."""


@dataclass(frozen=True, slots=True)
class Arrived:
    """The client may hear *banner*, which may be a refusal."""

    banner: Reply


@dataclass(frozen=True, slots=True)
class Failed:
    """What is required is not to be had."""


Step = Send | Secure | Arrived | Failed


class _Awaited(Enum):
    BANNER = auto()
    HELLO = auto()
    TLS = auto()
    IDENTITY = auto()


class Approach:
    """
    The dialogue with a next hop up to the banner that the client is to hear: the first, with nothing to arrange.

    *identity* is told by XCLIENT where it is given and the next hop offers that. *hello* names this relay.
    """

    def __init__(self, hello: bytes, tls: TlsUse, identity: Identity | None, counts: Counts) -> None:
        self._hello, self._tls, self._identity, self._counts = hello, tls, identity, counts
        self._awaited = _Awaited.BANNER
        self._is_secured = False
        self._banner: Reply | None = None
        self._xclient: bytes | None = None

    def reply(self, reply: Reply) -> Step:
        """What follows from the next reply."""
        if self._awaited is _Awaited.HELLO:
            return self._after_hello(reply)
        if self._awaited is _Awaited.TLS:
            return Secure() if reply.code == 220 else self._without_tls(reply)
        if self._awaited is _Awaited.IDENTITY:
            return self._after_identity(reply)
        self._banner = reply
        if reply.code != 220 or (self._tls == "off" and self._identity is None):
            return Arrived(reply)
        return self._say_hello()

    def secured(self) -> Step:
        """TLS has begun: what the next hop said in clear counts no more (RFC 3207 4.2)."""
        self._is_secured = True
        return self._say_hello()

    def _say_hello(self) -> Step:
        self._awaited = _Awaited.HELLO
        return Send(self._hello)

    def _after_hello(self, reply: Reply) -> Step:
        offered = offers(reply)
        self._xclient = offered.get(b"XCLIENT")
        if self._tls != "off" and not self._is_secured:
            if b"STARTTLS" in offered:
                self._awaited = _Awaited.TLS
                return Send(b"STARTTLS\r\n")
            if self._tls == "require":
                return Failed()
        return self._introduce(self._xclient)

    def _without_tls(self, reply: Reply) -> Step:
        """STARTTLS was offered, and then refused."""
        return Failed() if self._tls == "require" else self._introduce(self._xclient)

    def _introduce(self, attributes: bytes | None) -> Step:
        if self._identity is None:
            return self._arrived()
        if attributes is None:
            self._counts.add("identity_not_passed")
            return self._arrived()
        self._awaited = _Awaited.IDENTITY
        return Send(xclient(self._identity, attributes))

    def _after_identity(self, reply: Reply) -> Step:
        if reply.code == 220:
            return Arrived(reply)
        self._counts.add("identity_not_passed")
        return self._arrived()

    def _arrived(self) -> Step:
        assert self._banner is not None  # noqa: S101 - the banner comes before all that leads here
        return Arrived(self._banner)

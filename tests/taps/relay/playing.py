"""A splice without sockets: what each side says goes in, what each side hears comes out."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from sensor.classify import load_table
from sensor.taps.inline import InlineCore
from sensor.taps.relay.approach import Approach, TlsUse
from sensor.taps.relay.counts import Counts
from sensor.taps.relay.data import END
from sensor.taps.relay.identity import Identity
from sensor.taps.relay.port import PASS, Conduct, Ruling
from sensor.taps.relay.shortcut import JUDGE, Rest, Shortcut, Stand
from sensor.taps.relay.splice import Splice

BANNER = b"220 mx.corp.example ESMTP\r\n"
EHLO = b"EHLO client.partner.example\r\n"
OFFERS = (
    b"250-mx.corp.example\r\n250-PIPELINING\r\n250-SIZE 10240000\r\n250-STARTTLS\r\n250-AUTH PLAIN\r\n"
    b"250-XCLIENT ADDR PORT\r\n250-CHUNKING\r\n250 SMTPUTF8\r\n"
)
ENVELOPE = b"MAIL FROM:<a@corp.example>\r\nRCPT TO:<b@corp.example>\r\nDATA\r\n"
OKS = b"250 2.1.0 Ok\r\n250 2.1.5 Ok\r\n"
GO_ON = b"354 End data with <CR><LF>.<CR><LF>\r\n"
CONTENT = b"Subject: a\r\n\r\nbody\r\n..stuffed\r\n"
TAKEN = b"250 2.0.0 Ok: queued as 4F7\r\n"
PLAIN = Conduct()
CORE = InlineCore(load_table(()).interest)


@dataclass
class Recorder:
    """The port: all that each side heard, what the observer saw, and what was done beside."""

    client: bytes = b""
    next_hop: bytes = b""
    sight: list[tuple[bool, bytes]] = field(default_factory=list)
    done: list[str] = field(default_factory=list)
    ruling: Ruling = PASS
    judged_on: list[bytes] = field(default_factory=list)
    has_shortcut: bool = False
    passed_short: int = 0
    told: list[str] = field(default_factory=list)

    def to_client(self, octets: bytes) -> None:
        assert octets
        assert "close_client" not in self.done
        self.client += octets

    def to_next_hop(self, octets: bytes) -> None:
        assert octets
        assert not self.next_hop_is_closed
        self.next_hop += octets

    @property
    def next_hop_is_closed(self) -> bool:
        return "close_next_hop" in self.done or "abort_next_hop" in self.done

    def close_client(self) -> None:
        self.done.append("close_client")

    def close_next_hop(self, *, abort: bool) -> None:
        self.done.append("abort_next_hop" if abort else "close_next_hop")

    def secure_client(self) -> None:
        self.done.append("secure_client")

    def secure_next_hop(self) -> None:
        self.done.append("secure_next_hop")

    def seen(self, octets: bytes, *, from_client: bool) -> None:
        self.sight.append((from_client, octets))

    def tell(self, trouble: str, why: str) -> None:
        self.told.append(f"{trouble}: {why}")

    def judge(self) -> Ruling:
        self.judged_on.append(self.saw(from_client=True))
        return self.ruling

    def shortcut(self, rest: Rest) -> Shortcut | None:
        return SeenByRecorder(self, rest) if self.has_shortcut else None

    def saw(self, *, from_client: bool) -> bytes:
        return b"".join(octets for client, octets in self.sight if client == from_client)


class SeenByRecorder:
    """The core's shortcut, which tells the recorder of what it lets pass."""

    def __init__(self, recorder: Recorder, rest: Rest) -> None:
        self._recorder = recorder
        self._core = CORE.shortcut(
            None,
            judges=rest.judges,
            lmtp=rest.is_lmtp,
            passes_content=rest.passes_content,
            content=rest.content,
            in_mail=rest.in_mail,
            recipients=rest.recipients,
        )

    @property
    def is_answered(self) -> bool:
        return self._core.is_answered

    def from_client(self, octets: bytes, /) -> int:
        passage = self._core.client(octets, 0)
        return self._passed(octets[: -len(END)] if passage == JUDGE else octets, passage, from_client=True)

    def from_next_hop(self, octets: bytes, /) -> int:
        return self._passed(octets, self._core.server(octets, 0), from_client=False)

    def end(self) -> None:
        self._passed(END, self._core.end(0), from_client=True)

    def stand(self) -> Stand:
        return self._core.stand()

    def _passed(self, octets: bytes, passage: int, *, from_client: bool) -> int:
        if passage:
            self._recorder.passed_short += 1
            self._recorder.seen(octets, from_client=from_client)
        return passage


class Play:
    """
    A session: ``client`` and ``server`` say something, whole or octet by octet where ``by_octets``. Where
    ``has_shortcut``, what is plain goes by that.
    """

    has_shortcut = True

    def __init__(
        self,
        conduct: Conduct = PLAIN,
        *,
        tls: TlsUse = "off",
        identity: Identity | None = None,
        ruling: Ruling = PASS,
        by_octets: bool = False,
        has_shortcut: bool | None = None,
    ) -> None:
        if has_shortcut is None:
            has_shortcut = self.has_shortcut
        self.port, self.counts = Recorder(ruling=ruling, has_shortcut=has_shortcut), Counts()
        approach = Approach(b"EHLO relay.corp.example\r\n", tls, identity, self.counts)
        self.splice = Splice(self.port, conduct, approach, self.counts)
        self._by_octets = by_octets

    def client(self, octets: bytes) -> Play:
        self._say(self.splice.from_client, octets)
        return self

    def server(self, octets: bytes) -> Play:
        self._say(self.splice.from_next_hop, octets)
        return self

    def greet(self, offers: bytes = OFFERS, hello: bytes = EHLO) -> Play:
        return self.server(BANNER).client(hello).server(offers)

    def envelope(self, envelope: bytes = ENVELOPE, replies: bytes = OKS + GO_ON) -> Play:
        return self.client(envelope).server(replies)

    def heard(self) -> bytes:
        """What the client heard since the last call."""
        heard, self.port.client = self.port.client, b""
        return heard

    def codes(self) -> list[int]:
        """Of the replies that the client heard since the last call."""
        return [int(line[:3]) for line in self.heard().splitlines() if line[3:4] != b"-"]

    def passed(self) -> bytes:
        """What the next hop heard since the last call."""
        passed, self.port.next_hop = self.port.next_hop, b""
        return passed

    def _say(self, tell: Callable[[bytes], Any], octets: bytes) -> None:
        if not self._by_octets:
            tell(octets)
            return
        for at in range(len(octets)):
            tell(octets[at : at + 1])

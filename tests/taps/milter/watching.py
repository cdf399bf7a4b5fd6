"""An observer that writes down what it is given, and a judge that says what it is told to."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from sensor.model import Outcome, Transaction
from sensor.settings import Action
from sensor.taps.milter.counts import Counts
from sensor.taps.milter.deed import Reply
from sensor.taps.milter.envelope import Envelope
from sensor.taps.milter.message import Conduct
from sensor.taps.milter.protocol import Reader
from sensor.taps.milter.session import Session


@dataclass(slots=True)
class Seen:
    """A mail as it was handed on."""

    envelope: Envelope
    content: bytes = b""
    outcome: Outcome | None = None
    reply: Reply | None = None
    truncated: bool | None = None
    ended_at_ns: int | None = None

    @property
    def recipients(self) -> list[tuple[str, bool]]:
        return [(path.address, path.accepted) for path in self.envelope.forward_paths]


@dataclass(slots=True)
class Watcher:
    """What sessions hand on. ``reads`` false: it takes no mail."""

    mails: list[Seen] = field(default_factory=list)
    reads: bool = True

    def begin(self, envelope: Envelope) -> int | None:
        if not self.reads:
            return None
        self.mails.append(Seen(envelope))
        return len(self.mails) - 1

    def content(self, mail: int, octets: bytes) -> None:
        assert self.mails[mail].outcome is None
        self.mails[mail].content += octets

    def drafted(self, mail: int) -> Transaction | None:
        drafted: Any = self.mails[mail]
        return drafted  # type: ignore[no-any-return]

    def end(self, mail: int, *, at_ns: int, outcome: Outcome, reply: Reply | None, truncated: bool) -> None:
        seen = self.mails[mail]
        assert seen.outcome is None
        seen.outcome, seen.reply, seen.truncated, seen.ended_at_ns = outcome, reply, truncated, at_ns


@dataclass(frozen=True, slots=True)
class Verdict:
    action: str = "observe"
    rule: str | None = None
    reply: tuple[int, str, str] | None = None
    dry_run: bool = False
    tag: tuple[bytes, bytes] | None = None


@dataclass(slots=True)
class Saying:
    """Judges each mail by *verdict_of* what was seen of it."""

    verdict_of: Callable[[Seen], Verdict] = lambda _: Verdict()

    def judge(self, transaction: Transaction) -> Verdict:
        seen: Any = transaction
        return self.verdict_of(seen)

    def counters(self) -> Mapping[str, int]:
        return {}

    def counts(self) -> Mapping[tuple[Action, str, bool], int]:
        return {}


@dataclass(slots=True)
class Talk:
    """A session that tests speak with in octets. Time is the number of octets fed so far."""

    watcher: Watcher = field(default_factory=Watcher)
    judge: Saying = field(default_factory=Saying)
    conduct: Conduct = field(default_factory=Conduct)
    counts: Counts = field(default_factory=Counts)
    session: Session = field(init=False)
    reader: Reader = field(default_factory=lambda: Reader(262_144))
    at_ns: int = 0

    def __post_init__(self) -> None:
        self.session = Session(self.watcher, self.judge, self.conduct, self.counts)

    def say(self, *packets: bytes) -> bytes:
        answer = b""
        for each in packets:
            self.at_ns += len(each)
            for event in self.reader.feed(each):
                answer += self.session.take(event, self.at_ns)
        return answer

    @property
    def mails(self) -> list[Seen]:
        return self.watcher.mails

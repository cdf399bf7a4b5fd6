"""What passes by the shortcut is observed as what goes the long way is, and passes whatever becomes of the observer."""

from __future__ import annotations

import io

import pytest

from sensor._core import Transaction
from sensor.classify import load_table
from sensor.inline import Verdict
from sensor.log import Log
from sensor.taps.inline import CoreShortcut, InlineCore
from sensor.taps.relay.counts import Counts
from sensor.taps.relay.observer import Observer, SeenShortcut, View
from sensor.taps.relay.shortcut import DOT, JUDGE, PASSED, TAKEN, UNSEEN, Rest, state_of
from sensor.taps.relay.state import State

CLIENT, SERVER = ("192.0.2.1", 1), ("192.0.2.2", 25)
AT_REST = Rest(judges=True, passes_content=True, content=None, is_lmtp=False, in_mail=False, recipients=0)
CONTENT = b"Subject: a\r\n\r\nbody\r\n"


class Passing:
    """A judge who lets all mail pass."""

    def judge(self, _mail: object) -> Verdict:
        return Verdict()


def core() -> InlineCore:
    return InlineCore(load_table(()).interest)


def watching(core: InlineCore, *, judged: bool = True, told: io.StringIO | None = None) -> tuple[Observer, View]:
    judge = Passing() if judged else None
    observer = Observer(core, judge, Counts(), log=Log(told or io.StringIO()), clock=lambda: 7)
    view = observer.open(CLIENT, SERVER)
    view.seen(b"220 mx\r\n", from_client=False)
    view.seen(b"EHLO a\r\n", from_client=True)
    view.seen(b"250-mx\r\n250 PIPELINING\r\n", from_client=False)
    return observer, view


def shortcut_of(view: View, rest: Rest = AT_REST) -> SeenShortcut:
    shortcut = view.shortcut(rest)
    assert isinstance(shortcut, SeenShortcut)
    return shortcut


def to_content(shortcut: SeenShortcut) -> None:
    assert shortcut.from_client(b"MAIL FROM:<a@corp.example>\r\nRCPT TO:<b@corp.example>\r\nDATA\r\n") == PASSED
    assert not shortcut.is_answered
    assert shortcut.from_next_hop(b"250 2.1.0 Ok\r\n250 2.1.5 Ok\r\n354 Go on\r\n") == PASSED
    assert shortcut.is_answered


@pytest.mark.parametrize("judged", [True, False])
def test_a_mail_that_passes_is_recorded(judged: bool) -> None:
    inline = core()
    shortcut = shortcut_of(watching(inline, judged=judged)[1])
    to_content(shortcut)
    if judged:
        assert shortcut.from_client(CONTENT + b".\r\n") == JUDGE
        drafted = inline.provisional(0)
        assert drafted is not None
        assert drafted.size_octets == len(CONTENT)
        shortcut.end()
    else:
        assert shortcut.from_client(CONTENT + b".\r\n") == PASSED | DOT
    assert shortcut.from_next_hop(b"250 2.0.0 Ok: queued\r\n") == PASSED + TAKEN
    [mail] = inline.take()
    assert isinstance(mail, Transaction)
    assert mail.reverse_path == "a@corp.example"
    assert mail.outcome == "delivered"
    assert mail.size_octets == len(CONTENT)
    assert not mail.anomalies


def test_where_content_is_open_it_says_behind_what() -> None:
    shortcut = shortcut_of(watching(core())[1])
    assert state_of(shortcut.stand()) is State.COMMANDS
    shortcut.from_client(b"DATA\r\n")
    assert shortcut.stand() == (None, ["data"], False, 0)
    assert state_of(shortcut.stand()) is State.DATA_ASKED
    shortcut.from_next_hop(b"354 Go on\r\n")
    for piece, before in ((b"", b"\r\n"), (b"a", b""), (b"b\n", b"\n"), (b"c\r\n", b"\r\n")):
        assert shortcut.from_client(piece) == PASSED
        assert shortcut.stand() == (before, [], False, 0)
    assert state_of(shortcut.stand()) is State.CONTENT


def test_a_session_that_nobody_observes_has_a_shortcut_all_the_same() -> None:
    inline = InlineCore(load_table(()).interest, limits={"inline_sessions": 0})
    shortcut = shortcut_of(watching(inline)[1])
    to_content(shortcut)
    assert len(inline.take()) == 0


def test_an_observation_that_has_ended_is_no_failure() -> None:
    observer, view = watching(core())
    shortcut = shortcut_of(view)
    view.close(reset=True)
    to_content(shortcut)
    assert observer.counts["observer_failures"] == 0


class FailingOnce:
    """A core's shortcut that lets all pass, and fails to see the first piece."""

    is_answered = True

    def __init__(self) -> None:
        self._fails = UNSEEN

    def client(self, _data: bytes, _at_ns: int, /) -> int:
        failed, self._fails = self._fails, 0
        return PASSED | failed

    def server(self, data: bytes, at_ns: int, /) -> int:
        return self.client(data, at_ns) + TAKEN

    def end(self, at_ns: int, /) -> int:
        return self.client(b"", at_ns)


@pytest.mark.parametrize("first", ["from_client", "from_next_hop", "end"])
def test_what_passes_goes_on_where_the_observer_fails(first: str) -> None:
    told = io.StringIO()
    observer, view = watching(core(), told=told)
    shortcut = SeenShortcut(FailingOnce(), view, lambda: 7)  # type: ignore[arg-type]
    if first == "end":
        shortcut.end()
    elif first == "from_client":
        assert shortcut.from_client(b"NOOP\r\n") == PASSED
    assert shortcut.from_next_hop(b"250 Ok\r\n") == PASSED + TAKEN
    assert observer.counts["observer_failures"] == 1
    assert told.getvalue().count("relay_observer_failed") == 1


def test_pieces_may_be_any_buffer() -> None:
    inline = core()
    shortcut: CoreShortcut = inline.shortcut(
        None, judges=False, lmtp=False, passes_content=True, content=None, in_mail=False, recipients=0
    )
    assert shortcut.client(bytearray(b"NOOP\r\n"), 0) == PASSED
    assert shortcut.server(memoryview(b"250 Ok\r\n"), 0) == PASSED

"""Mail in line goes through the core that captures meet: the same mail gives the same record by every road."""

from __future__ import annotations

import json
import queue
import random
import re
import threading
from collections.abc import Callable, Iterator
from functools import cache
from ipaddress import IPv4Address
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sensor.app.worker import Inbox, Worker
from sensor.classify import builtin_table
from sensor.log import Log
from sensor.model import TapName
from sensor.taps.base import Batch, Tap
from sensor.taps.capture import CaptureTap
from sensor.taps.inline import Envelope, InlineCore, InlineTap, KnownPath
from tests.builders import capture
from tests.oracle.turns import Talk, Turn, talks_of
from tests.strategies import Scripted, dialogues

Record = dict[str, Any]

PCAPS = Path(__file__).parent.parent / "pcaps"
INTEREST = builtin_table().interest
CLIENT, SERVER = ("192.0.2.1", 40_000), ("198.51.100.2", 25)

NOT_AS_BETWEEN = {
    "file_corrupt_record_length": "the second opinion reads on where the sensor doesn't",
    "file_truncated_gzip": "the second opinion can't read it",
    "lab_pcapng_two_interfaces": "the second opinion rounds its times",
    "lab_tls_from_the_start": "who stands between holds the keys and says so",
    "other_http_8080": "who stands between knows that it is mail",
    "smtp_implicit_tls_465": "who stands between holds the keys and says so",
    "tcp_data_after_fin": "no socket gives what comes behind a FIN",
    "tcp_rst_forged": "a socket knows that the RST is forged",
}
"""Captures in which who stands between sees other than who looks on."""

FOOLED = {"lab_smuggled_mail", "smtp_smuggling_swallowed"}
"""Captures in which the server ends a mail elsewhere than RFC 5321 does."""

OF_CONTENT = ("header_", "mime_")


def _talks(case: Path) -> list[Talk]:
    (path,) = case.glob("input.*")
    try:
        return talks_of(path.read_bytes())
    except ValueError:
        return []


CASES = {
    case.name: case
    for case in sorted(path.parent for path in PCAPS.glob("*/case.toml"))
    if case.name not in NOT_AS_BETWEEN and _talks(case)
}
cases = pytest.mark.parametrize("case", CASES.values(), ids=CASES.keys())


def records_in(*batches: Batch) -> list[Record]:
    lines = b"".join(batch.to_json_lines({}, b"{}", sensor="s", tap="relay") for batch in batches)
    return [json.loads(line) for line in lines.splitlines()]


def records_of_capture(path: Path) -> list[Record]:
    return records_in(*CaptureTap([str(path)], INTEREST).batches())


@cache
def expected(case: Path) -> list[Record]:
    (path,) = case.glob("input.*")
    return records_of_capture(path)


def expected_of(case: Path, talk: Talk) -> list[Record]:
    return [
        record for record in expected(case) if (record["flow"]["src_ip"], record["flow"]["src_port"]) == talk.client
    ]


Cut = Callable[[bytes], Iterator[bytes]]


def whole(octets: bytes) -> Iterator[bytes]:
    yield octets


def by_octet(octets: bytes) -> Iterator[bytes]:
    return (octets[at : at + 1] for at in range(len(octets)))


def at_random(seed: str) -> Cut:
    chance = random.Random(seed)  # noqa: S311 - repeatable

    def cut(octets: bytes) -> Iterator[bytes]:
        while octets:
            size = chance.choice((1, 2, 7, 100, 1460, 9000))
            yield octets[:size]
            octets = octets[size:]

    return cut


def relayed(talk: Talk, cut: Cut = whole) -> list[Record]:
    """What a relay between the two ends tells."""
    core = InlineCore(INTEREST)
    session = core.open(client=talk.client, server=talk.server, at_ns=talk.began_ns)
    for turn in talk.turns:
        for piece in cut(turn.octets):
            core.feed(session, piece, from_client=turn.from_client, at_ns=turn.at_ns)
    core.close(session, at_ns=talk.ended_ns)
    return records_in(core.take())


def test_most_captures_are_compared() -> None:
    """A reader that leaves connections out must not leave out all."""
    assert len(CASES) > 200


@cases
def test_a_relay_tells_what_a_capture_tells(case: Path) -> None:
    """Byte for byte the same records, ids and times among them, however the octets are cut."""
    for talk in _talks(case):
        wanted = expected_of(case, talk)
        assert relayed(talk) == wanted
        assert relayed(talk, at_random(case.name)) == wanted
        if sum(len(turn.octets) for turn in talk.turns) < 10_000:
            assert relayed(talk, by_octet) == wanted


@given(scripted=dialogues(), data=st.data())
@settings(deadline=None, max_examples=60)
def test_random_dialogues_are_told_alike(
    tmp_path_factory: pytest.TempPathFactory, scripted: Scripted, data: Any
) -> None:
    """Capture and relay agree on dialogues that nobody thought of, and no secret comes out."""
    made = capture(scripted.dialogue.flow())
    path = tmp_path_factory.mktemp("dialogue") / f"input{made.suffix}"
    path.write_bytes(made.octets)
    (talk,) = talks_of(made.octets)
    told = relayed(talk, at_random(data.draw(st.text(max_size=3))))
    assert told == records_of_capture(path)
    assert not any(secret in json.dumps(told) for secret in scripted.secrets)


# ---- mails whose envelope is known

_CONTENT = re.compile(rb"(?i)\r\nDATA\r\n(.*?)(?<=\r\n)\.\r\n", re.DOTALL)


def unstuffed(content: bytes) -> bytes:
    return re.sub(rb"(?:(?<=\r\n)|\A)\.", b"", content)


def xtext(text: str) -> str:
    return text.replace("+", "+2B").replace("=", "+3D")


def envelope_of(record: Record, at_ns: int, session_at_ns: int, talk: Talk) -> Envelope:
    def path(told: Record) -> KnownPath:
        orcpt = told["orcpt"] and xtext(told["orcpt"])
        return (f"<{told['address']}>", told["reply_code"], None, told["accepted"], orcpt)

    said = record["session"]
    params = {name: value if value is None else xtext(value) for name, value in record["reverse_path_params"].items()}
    return Envelope(
        at_ns=at_ns,
        client=talk.client,
        server=talk.server,
        session_at_ns=session_at_ns,
        protocol=said["protocol"],
        helo=said["helo"],
        auth_user=said["auth_user"],
        tls=said["tls"],
        client_ip=said["client_ip"],
        transaction_index=said["transaction_index"],
        reverse_path=record["reverse_path"] and f"<{record['reverse_path']}>",
        reverse_path_params=list(params.items()),
        forward_paths=[path(told) for told in record["forward_paths"]],
    )


def comparable(record: Record) -> Record:
    """Without the times, which are the caller's own here, and without what only the dialogue shows."""
    odd = [slug for slug in record["anomalies"] if slug.startswith(OF_CONTENT)]
    return {**record, "anomalies": odd, "completeness": None, "started_at": None, "ended_at": None}


@cases
def test_a_mail_begun_with_its_envelope_is_told_as_on_the_wire(case: Path) -> None:
    """Header, size, digest, recipients, outcome, id: all but times and what was odd in the dialogue."""
    for talk in _talks(case):
        wanted = [
            record for record in expected_of(case, talk) if record["record"] == "transaction" and record["header"]
        ]
        contents = _CONTENT.findall(talk.client_octets)
        commands = talk.client_octets.upper().count(b"\r\nDATA\r\n")
        if not commands == len(contents) == len(wanted) == talk.server_octets.count(b"354 "):
            continue
        for content, record in zip(contents, wanted, strict=True):
            core = InlineCore(INTEREST)
            mail = core.begin(**envelope_of(record, talk.began_ns, talk.began_ns, talk))
            for piece in (b"", *at_random(case.name)(unstuffed(content))):
                core.content(mail, piece)
            reply = record["reply"] and (record["reply"]["code"], record["reply"]["enhanced"], record["reply"]["text"])
            core.end(mail, at_ns=talk.ended_ns, outcome=record["outcome"], reply=reply)
            (told,) = records_in(core.take())
            assert comparable(told) == comparable(record)


# ---- before the final dot


@cases
def test_a_mail_can_be_seen_before_its_final_dot(case: Path) -> None:
    """What is provisional is the record to come, but for what the final reply decides; and asking changes nothing."""
    for talk in _talks(case):
        if (
            sum(len(turn.octets) for turn in talk.turns) > 20_000
            or case.name in FOOLED
            or b"BDAT" in talk.client_octets
        ):
            continue
        core = InlineCore(INTEREST)
        session = core.open(client=talk.client, server=talk.server, at_ns=talk.began_ns)
        foreseen: dict[str, Record] = {}
        for turn in talk.turns:
            for piece in _up_to_final_dots(turn):
                if piece == b".\r\n" and (mail := core.provisional(session)) is not None:
                    foreseen[mail.id] = facts_of(mail)
                core.feed(session, piece, from_client=turn.from_client, at_ns=turn.at_ns)
        core.close(session, at_ns=talk.ended_ns)
        batch = core.take()
        assert records_in(batch) == expected_of(case, talk)
        for told in batch:
            if getattr(told, "outcome", None) == "delivered" and told.id in foreseen:
                assert foreseen.pop(told.id) == facts_of(told)


def _up_to_final_dots(turn: Turn) -> list[bytes]:
    if not turn.from_client:
        return [turn.octets]
    return [piece for piece in re.split(rb"(?:(?<=\r\n)|\A)(\.\r\n)", turn.octets) if piece]


def facts_of(mail: Any) -> Record:
    header = mail.header
    return {
        "outcome": mail.outcome,
        "header": (header.message_id, header.subject, header.from_, header.to, header.received_count),
        "fields": [(field.name, field.value) for field in mail.fields],
        "touched": mail.touched,
        "digest": mail.body_digest,
        "marks": mail.body_marks,
        "size": mail.size_octets,
        "anomalies": mail.anomalies,
        "recipients": [(path.address, path.orcpt) for path in mail.forward_paths],
        "session": (mail.session.helo, mail.session.tls, mail.session.transaction_index, mail.session.client_ip),
    }


def dialogue(core: InlineCore, *turns: str, session: int | None = None, at_ns: int = 0) -> int:
    """A session in which client (``C: ``) and server (``S: ``) said this."""
    if session is None:
        session = core.open(client=CLIENT, server=SERVER, at_ns=at_ns)
    for turn in turns:
        core.feed(session, turn[3:].encode() + b"\r\n", from_client=turn[:3] == "C: ", at_ns=at_ns)
    return session


GREETING = ("S: 220 mx.example ESMTP", "C: EHLO a.example", "S: 250-mx.example\r\n250 STARTTLS")
ENVELOPE = ("C: MAIL FROM:<ann@a.example>", "S: 250 Ok", "C: RCPT TO:<bob@b.example>", "S: 250 Ok")
CONTENT = ("C: DATA", "S: 354 Go on", "C: Subject: hello\r\nFrom: ann@a.example\r\n\r\ntext")
END = ("C: .", "S: 250 2.0.0 Queued")


def test_nothing_is_provisional_but_a_mail_whose_content_is_open() -> None:
    core = InlineCore(INTEREST)
    session = dialogue(core, *GREETING, *ENVELOPE)
    assert core.provisional(session) is None
    dialogue(core, *CONTENT, session=session)
    mail = core.provisional(session)
    assert mail is not None
    assert mail.outcome == "delivered"
    dialogue(core, *END, session=session)
    assert core.provisional(session) is None


def test_chunks_can_be_seen_before_they_are_answered() -> None:
    """Content by BDAT (RFC 3030) is open from its first chunk to its last."""
    core = InlineCore(INTEREST)
    session = dialogue(core, *GREETING, *ENVELOPE, "C: BDAT 13\r\nSubject: a", "S: 250 Ok")
    mail = core.provisional(session)
    assert mail is not None
    assert mail.header is not None
    assert (mail.header.subject, mail.size_octets) == ("a", 12)


# ---- TLS


def test_what_was_inside_tls_is_read_as_a_session_begun_anew() -> None:
    """RFC 3207 4.2: what the client said before counts no more; the session is not one that nobody can read."""
    core = InlineCore(INTEREST)
    session = dialogue(core, *GREETING, "C: STARTTLS", "S: 220 Go ahead")
    core.secured(session, at_ns=1)
    dialogue(core, "C: EHLO inside.example", "S: 250 mx.example", *ENVELOPE, *CONTENT, *END, session=session)
    core.close(session, at_ns=2)
    (record,) = records_in(core.take())
    assert record["record"] == "transaction"
    assert (record["session"]["tls"], record["session"]["helo"]) == (True, "inside.example")
    assert (record["outcome"], record["anomalies"]) == ("delivered", [])
    assert core.counters()["sessions_tls"] == 1


def test_without_keys_a_session_in_tls_is_told_as_one() -> None:
    core = InlineCore(INTEREST)
    session = dialogue(core, *GREETING, "C: STARTTLS", "S: 220 Go ahead", "C: \x16\x03\x01")
    core.close(session, at_ns=2)
    (record,) = records_in(core.take())
    assert (record["record"], record["session"]["tls"]) == ("session", True)


def test_tls_from_the_start_is_told() -> None:
    core = InlineCore(INTEREST)
    session = dialogue(core)
    core.secured(session, at_ns=0)
    dialogue(core, *GREETING, *ENVELOPE, *CONTENT, *END, session=session)
    (record,) = records_in(core.take())
    assert (record["session"]["tls"], record["session"]["helo"]) == (True, "a.example")
    assert core.counters()["sessions_tls"] == 1


def test_what_was_smuggled_in_before_tls_is_not_read_inside() -> None:
    """Clear text behind STARTTLS in the same write (CVE-2011-0411) is odd, and no command."""
    core = InlineCore(INTEREST)
    session = dialogue(core, *GREETING, "C: STARTTLS\r\nMAIL FROM:<evil@a.example>", "S: 220 Go ahead")
    core.secured(session, at_ns=1)
    dialogue(core, "C: EHLO b.example", "S: 250 mx.example", *ENVELOPE, *CONTENT, *END, session=session)
    (record,) = records_in(core.take())
    assert record["reverse_path"] == "ann@a.example"
    assert "smtp_data_before_starttls" in record["anomalies"]


# ---- known envelopes


def mail_with(core: InlineCore, **envelope: Any) -> Record:
    mail = core.begin(at_ns=1, **envelope)
    core.content(mail, b"Subject: x\r\n\r\nbody\r\n")
    core.end(mail, at_ns=2, outcome="delivered")
    (record,) = records_in(core.take())
    return record


def test_what_is_unknown_is_null() -> None:
    record = mail_with(InlineCore(INTEREST))
    assert record["reverse_path"] is None
    assert record["session"]["protocol"] is None
    assert record["session"]["client_ip"] is None
    assert record["flow"]["src_ip"] == str(IPv4Address(0))
    assert record["flow"]["src_port"] == 0


def test_addresses_of_sockets_are_those_of_the_wire() -> None:
    """A socket for both families shows IPv4 inside IPv6, and a zone behind a link-local address."""
    record = mail_with(InlineCore(INTEREST), client=("::ffff:192.0.2.1", 1), server=("fe80::1%eth0", None))
    assert (record["flow"]["src_ip"], record["flow"]["dst_ip"], record["flow"]["dst_port"]) == (
        "192.0.2.1",
        "fe80::1",
        0,
    )
    assert record["session"]["client_ip"] == "192.0.2.1"


def test_mails_of_one_connection_have_ids_of_their_own_and_the_same_every_time() -> None:
    core = InlineCore(INTEREST)
    ids = [mail_with(core, client=CLIENT, server=SERVER, transaction_index=index)["id"] for index in (0, 1, 0)]
    assert ids[0] != ids[1]
    assert ids[0] == ids[2]


def test_text_that_was_no_utf8_is_readable() -> None:
    """A milter's octets come as lone surrogates (PEP 383)."""
    record = mail_with(InlineCore(INTEREST), reverse_path="<j\udcfcrgen@a.example>", helo="\udcff b")
    assert (record["reverse_path"], record["session"]["helo"]) == ("j\ufffdrgen@a.example", "\ufffd")


def test_content_that_was_not_handed_in_whole_has_no_size_and_no_digest() -> None:
    core = InlineCore(INTEREST)
    mail = core.begin(at_ns=1)
    core.content(mail, b"Subject: x\r\nContent-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\n\r\ntext\r\n")
    core.end(mail, at_ns=2, outcome="delivered", truncated=True)
    (record,) = records_in(core.take())
    assert (record["header"]["subject"], record["size_octets"], record["body_digest"]) == ("x", None, None)
    assert (record["completeness"]["truncated"], record["anomalies"]) == (True, [])


def test_a_mail_without_content_has_no_header() -> None:
    core = InlineCore(INTEREST)
    mail = core.begin(at_ns=1, reverse_path="ann@a.example")
    assert core.drafted(mail).header is None
    core.end(mail, at_ns=2, outcome="aborted")
    (record,) = records_in(core.take())
    assert (record["header"], record["size_octets"], record["outcome"]) == (None, None, "aborted")


def test_where_every_recipient_was_refused_the_last_refusal_decided() -> None:
    """As on the wire, unless the caller knows better."""
    core = InlineCore(INTEREST)
    refused: list[KnownPath] = [
        ("a@b.example", 450, "4.2.0", False, None),
        ("c@d.example", 550, "5.1.1", False, None),
    ]
    core.end(core.begin(at_ns=1, forward_paths=refused), at_ns=2, outcome="deferred")
    core.end(core.begin(at_ns=1, forward_paths=refused), at_ns=2, outcome="deferred", reply=(451, None, "later"))
    replies = [record["reply"] for record in records_in(core.take())]
    assert replies == [
        {"code": 550, "enhanced": "5.1.1", "text": ""},
        {"code": 451, "enhanced": None, "text": "later"},
    ]


@given(content=st.binary(max_size=300), sizes=st.lists(st.integers(1, 50), min_size=1))
@settings(deadline=None, max_examples=60)
def test_a_draft_is_the_record_to_come_and_asking_changes_nothing(content: bytes, sizes: list[int]) -> None:
    """Asked after every piece, of any octets."""
    asked, unasked = InlineCore(INTEREST), InlineCore(INTEREST)
    mails = [core.begin(at_ns=1, reverse_path="a@b.example") for core in (asked, unasked)]
    unasked.content(mails[1], content)
    draft = None
    while content or draft is None:
        asked.content(mails[0], content[: sizes[0]])
        content, sizes = content[sizes[0] :], [*sizes[1:], sizes[0]]
        draft = facts_of(asked.drafted(mails[0]))
    for core, mail in zip((asked, unasked), mails, strict=True):
        core.end(mail, at_ns=1, outcome="delivered")
    first, second = asked.take(), unasked.take()
    assert records_in(first) == records_in(second)
    (told,) = first
    assert facts_of(told) == draft
    assert asked.counters() == unasked.counters()


# ---- what can't be


def test_a_number_that_is_not_open_is_an_error() -> None:
    """None is ever used again, and a session's is no mail's."""
    core = InlineCore(INTEREST)
    session, mail = dialogue(core), core.begin(at_ns=0)
    core.close(session, at_ns=0)
    core.end(mail, at_ns=0, outcome="aborted")
    other = dialogue(core)
    assert len({session, mail, other}) == 3
    for number in (session, mail, 99):
        with pytest.raises(ValueError, match=f"no session {number} is open"):
            core.feed(number, b"", from_client=True, at_ns=0)
        with pytest.raises(ValueError, match=f"no session {number} is open"):
            core.close(number, at_ns=0)
    for number in (session, mail, other):
        with pytest.raises(ValueError, match=f"no mail {number} is open"):
            core.content(number, b"")
        with pytest.raises(ValueError, match=f"no mail {number} is open"):
            core.drafted(number)


@pytest.mark.parametrize(
    "wrong",
    [{"client": ("mail.example", 25)}, {"server": ("", 25)}, {"client_ip": "[192.0.2.1]"}, {"protocol": "http"}],
)
def test_an_envelope_that_can_not_be_is_an_error(wrong: Any) -> None:
    with pytest.raises(ValueError, match="is no"):
        InlineCore(INTEREST).begin(at_ns=0, **wrong)


def test_an_end_that_can_not_be_is_an_error_and_the_mail_stays_open() -> None:
    core = InlineCore(INTEREST)
    mail = core.begin(at_ns=0)
    wrong: Any = {"outcome": "lost"}
    with pytest.raises(ValueError, match="no outcome"):
        core.end(mail, at_ns=0, **wrong)
    with pytest.raises(ValueError, match="no reply code"):
        core.end(mail, at_ns=0, outcome="rejected", reply=(99, None, ""))
    core.end(mail, at_ns=0, outcome="rejected")


def test_an_unknown_limit_is_refused() -> None:
    with pytest.raises(ValueError, match="nothing_of_that_name"):
        InlineCore(INTEREST, limits={"nothing_of_that_name": 1})


# ---- bounds


def test_more_than_the_limit_is_not_opened() -> None:
    core = InlineCore(INTEREST, limits={"inline_sessions": 2})
    session = dialogue(core)
    core.begin(at_ns=0)
    with pytest.raises(OverflowError, match="inline_sessions"):
        dialogue(core)
    with pytest.raises(OverflowError, match="inline_sessions"):
        core.begin(at_ns=0)
    assert core.counters()["inline_refused"] == 2
    core.close(session, at_ns=0)
    dialogue(core)


def test_events_that_nobody_takes_are_dropped_and_counted() -> None:
    """The oldest stay: they were told first."""
    core = InlineCore(INTEREST, limits={"inline_events": 2})
    for index in range(5):
        core.end(core.begin(at_ns=0, transaction_index=index), at_ns=0, outcome="delivered")
    assert [record["session"]["transaction_index"] for record in records_in(core.take())] == [0, 1]
    assert core.counters()["inline_events_dropped"] == 3
    assert core.counters()["transactions"] == 5
    assert len(core.take()) == 0


def test_an_envelope_is_bounded_and_says_so() -> None:
    core = InlineCore(INTEREST, limits={"recipients": 2, "line_octets": 40})
    paths: list[KnownPath] = [(f"{number}@b.example", None, None, True, None) for number in range(5)]
    record = mail_with(core, reverse_path="x" * 100 + "@a.example", forward_paths=paths)
    assert len(record["forward_paths"]) == 2
    assert record["reverse_path"] == "x" * 40
    assert {"smtp_too_many_recipients", "smtp_line_too_long"} <= set(record["anomalies"])
    assert core.counters()["recipients_dropped"] == 3
    assert core.counters()["line_octets_dropped"] == 70


def begin_many(core: InlineCore) -> None:
    for _ in range(100):
        core.content(core.begin(at_ns=0), b"X: y\r\n" * 30)


def test_mails_that_hold_too_much_together_shed_content() -> None:
    """A mail whose header section does not end is read as far as it came, and says that it is not whole."""
    core = InlineCore(INTEREST, limits={"session_octets": 20_000})
    mails = [core.begin(at_ns=0), core.begin(at_ns=0)]
    for mail in mails:
        core.content(mail, b"Subject: kept\r\n" + b"X: y\r\n" * 2_500)
    with pytest.raises(OverflowError, match="session_octets"):
        begin_many(core)
    for mail in mails:
        core.end(mail, at_ns=0, outcome="delivered")
    first, second = records_in(core.take())
    assert second["header"]["subject"] == "kept"
    assert second["completeness"]["truncated"]
    assert "smtp_session_shed" in second["anomalies"]
    assert not first["completeness"]["truncated"]
    assert core.counters()["session_octets_shed"] > 10_000


@given(
    octets=st.lists(st.tuples(st.booleans(), st.binary(max_size=80)), max_size=30),
    secured_at=st.integers(0, 30),
)
@settings(deadline=None, max_examples=60)
def test_any_octets_are_survived(octets: list[tuple[bool, bytes]], secured_at: int) -> None:
    """Whatever both sides say, asked for at any time: no error, and the end tells what is open."""
    core = InlineCore(INTEREST, limits={"held_octets": 64, "line_octets": 64})
    session = dialogue(core, *GREETING, *ENVELOPE, *CONTENT)
    for number, (from_client, piece) in enumerate(octets):
        if number == secured_at:
            core.secured(session, at_ns=number)
        core.feed(session, piece, from_client=from_client, at_ns=-number)
        core.provisional(session)
    core.close(session, at_ns=0)
    assert len(records_in(core.take())) >= 1


@pytest.mark.parametrize("kind", [bytes, bytearray, memoryview])
def test_octets_may_come_in_any_buffer(kind: Callable[[bytes], bytes | bytearray | memoryview]) -> None:
    core = InlineCore(INTEREST)
    mail = core.begin(at_ns=0)
    core.content(mail, kind(b"Subject: x\r\n\r\n"))
    assert facts_of(core.drafted(mail))["header"][1] == "x"


# ---- the tap


class Bystander(InlineTap):
    """A tap whose loop lets through as many mails as it is told, then waits until it is stopped."""

    def __init__(self, mails: int, *, fails: bool = False) -> None:
        super().__init__(InlineCore(INTEREST))
        self.stopping = threading.Event()
        self._mails, self._fails = mails, fails

    @property
    def name(self) -> TapName:
        return "relay"

    def stop(self) -> None:
        self.stopping.set()

    def loop(self) -> None:
        for index in range(self._mails):
            self.core.end(self.core.begin(at_ns=0, transaction_index=index), at_ns=0, outcome="delivered")
        if self._fails:
            raise OSError("the port is gone")
        assert self.stopping.wait(10)
        self.core.end(self.core.begin(at_ns=0, transaction_index=99), at_ns=0, outcome="delivered")


def read_all(tap: Tap) -> list[int]:
    indices: list[int] = []
    for batch in tap.batches():
        indices += [record["session"]["transaction_index"] for record in records_in(batch)]
        if len(indices) >= 3:
            tap.stop()
    return indices


def test_a_tap_gives_what_its_loop_tells_until_the_loop_has_ended() -> None:
    """What is told while it stops is given out too."""
    tap = Bystander(3)
    tap.run(tap.loop)
    assert read_all(tap) == [0, 1, 2, 99]
    assert tap.counters()["transactions"] == 4
    assert tap.progress() == (0, 0, "4 mails")
    assert (sum(tap.anomalies().values()), list(tap.damage())) == (0, [])


def test_a_loop_that_fails_is_told_behind_what_it_told() -> None:
    tap = Bystander(2, fails=True)
    tap.run(tap.loop)
    batches = tap.batches()
    with pytest.raises(OSError, match="the port is gone"):
        list(batches)
    assert tap.counters()["transactions"] == 2
    assert len(tap.core.take()) == 0


def test_a_worker_reads_a_tap_in_line_and_stops_it() -> None:
    """As ``mailsensor run`` does: nothing that was told before the end is lost."""
    inbox: Inbox = queue.Queue()

    def open_tap() -> Bystander:
        tap = Bystander(5)
        tap.run(tap.loop)
        return tap

    worker = Worker("relay", open_tap, inbox, goes_on=True, log=Log(level="error"))
    worker.start()
    worker.stop()
    mails = 0
    while mails < 6:
        mails += len(inbox.get(timeout=10).batch)
    assert worker.totals().counters["transactions"] == 6

"""
The typed face of the Rust module ``sensor._core``: bytes go in, frozen records come out, in batches.

Nothing here calls back into Python, and every call that works on packets releases the GIL. Only ``sensor.taps`` imports
it.
"""

from collections.abc import Mapping, Sequence
from typing import Literal, Self, final

__all__ = [
    "Attachment",
    "Batch",
    "CaptureError",
    "Completeness",
    "Damage",
    "Events",
    "Flow",
    "ForwardPath",
    "Header",
    "Inline",
    "Interest",
    "InterfaceStatus",
    "KeptField",
    "Live",
    "Received",
    "Replay",
    "Reply",
    "Session",
    "Shortcut",
    "Tally",
    "TlsSession",
    "Trace",
    "Traffic",
    "Transaction",
    "__version__",
    "anomalies",
    "counters",
    "is_probably_capture",
    "limits",
    "mail_ports",
    "parse_message",
]

class CaptureError(Exception):
    """A capture could not be opened or is not one; the message says what was found and what would work."""

@final
class Interest:
    """
    What the artifact table wants kept, made ready for searching.

    Raises ValueError for patterns that can't be compiled.
    """

    def __new__(
        cls,
        *,
        fields: Sequence[str] = (),
        reverse_path_marks: Sequence[str] = (),
        subject_prefixes: Sequence[str] = (),
        body_marks: Sequence[str] = (),
        context_fields: Sequence[str] = (),
        reply_prefixes: Sequence[str] = (),
        labels: Sequence[tuple[int, int, str]] = (),
        reply_marks: Sequence[str] = (),
    ) -> Interest: ...

@final
class Flow:
    """Client and server of a session."""

    community_id: str
    src_ip: str
    src_port: int
    dst_ip: str
    dst_port: int

@final
class Session:
    """What is known of the session a transaction belongs to."""

    protocol: Literal["smtp", "esmtp", "lmtp"] | None
    helo: str | None
    auth_user: str | None
    tls: bool
    client_ip: str | None
    transaction_index: int

@final
class ForwardPath:
    """One RCPT with its own verdict."""

    address: str
    reply_code: int | None
    accepted: bool
    orcpt: str | None

@final
class Reply:
    """The reply that decided a transaction."""

    code: int
    enhanced: str | None
    text: str

@final
class Header:
    """The common header fields; bare addresses, decoded text."""

    message_id: str | None
    sender: str | None
    to: list[str]
    cc: list[str]
    reply_to: list[str]
    subject: str | None
    date: str | None
    in_reply_to: str | None
    references: list[str]
    resent_from: list[str]
    delivered_to: list[str]
    list_id: str | None
    auto_submitted: str | None
    received_count: int
    thread_topic: str | None
    from_: list[str]

@final
class KeptField:
    """A header field kept raw because the artifact table names it; position 0 is the topmost field."""

    name: str
    value: str
    position: int
    received_above: int

@final
class Received:
    """One Received line, topmost first."""

    from_: str | None
    from_ip: str | None
    by: str | None
    with_: str | None
    id: str | None
    for_address: str | None
    date: str | None
    position: int

@final
class Attachment:
    """One attachment: name, type and decoded size."""

    filename: str | None
    content_type: str
    size_octets: int

@final
class Completeness:
    """What was not seen of a record."""

    missing_octets: int
    one_sided: bool
    midstream: bool
    truncated: bool

@final
class Transaction:
    """One mail transaction. Attributes are made on access, so ordinary mail costs little."""

    id: str
    started_at_ns: int
    ended_at_ns: int
    flow: Flow
    session: Session
    reverse_path: str | None
    reverse_path_params: dict[str, str | None]
    forward_paths: list[ForwardPath]
    outcome: Literal["delivered", "rejected", "deferred", "aborted", "unknown"]
    reply: Reply | None
    size_octets: int | None
    header: Header | None
    fields: list[KeptField]
    received: list[Received]
    """The Received chain, topmost first; empty for mail that the artifact table does not touch."""
    attachments: list[Attachment]
    attached_messages: int
    content_type: str | None
    report_type: str | None
    calendar_method: str | None
    body_digest: str | None
    body_octets: int
    """Octets of the body seen, dots unstuffed."""
    body_marks: list[int]
    labelled_marks: list[int]
    """Those of ``body_marks`` that a quoted header block follows."""
    label_languages: list[int]
    """Languages of the quoted header blocks found; looked for only in mail that is touched otherwise."""
    reported_addresses: list[str]
    """Addresses named by a report that holds a body mark."""
    touched: bool
    """True if anything the artifact table names occurs at all; false means that no row can match."""
    completeness: Completeness
    anomalies: list[str]

@final
class TlsSession:
    """A session that turned to TLS: what stayed visible."""

    id: str
    started_at_ns: int
    ended_at_ns: int
    flow: Flow
    session: Session
    tls_start: Literal["starttls", "x-anonymoustls", "implicit"]
    sni: str | None
    client_octets: int
    server_octets: int
    completeness: Completeness
    anomalies: list[str]

@final
class Damage:
    """One thing that was wrong with a capture file: what could be read was read."""

    path: str
    kind: Literal["truncated", "corrupt", "unreadable", "empty", "not_a_capture"]
    detail: str
    offset: int | None
    """Octet offset in the uncompressed file where it was found."""

@final
class Trace:
    """What pairing needs of a mail: see ``sensor.tally``. It does not keep its batch alive."""

    transaction_id: str
    at_ms: int
    octets: int | None
    missing_octets: int
    sender: str | None
    recipients: list[str]
    has_attachments: bool
    message_id: int
    body: int
    parents: list[int]
    author: str | None
    unaddressed: list[str]
    named: list[str]

@final
class Traffic:
    """
    Accounts of mail sent and received, as ``sensor.ledger.traffic`` has them in plain Python and says what each call
    does. Addresses are in lower case, and valid Unicode as those of records are.
    """

    def __new__(cls, *, mailboxes: int, recent_mails: int, address_characters: int, changed: int) -> Self: ...
    @property
    def evicted(self) -> int: ...
    @property
    def addresses_too_long(self) -> int: ...
    def count(self, sender: str | None, recipients: list[str], at_ms: int, octets: int, message: int) -> None: ...
    def open(self, mailbox: str, at_ms: int) -> bool: ...
    def account(self, mailbox: str) -> tuple[int, bytes | None, bytes | None] | None: ...
    def put(self, mailbox: str, since_ms: int, received: bytes | None, sent: bytes | None) -> None:
        """Raises ValueError for octets that are no log's words."""
    def hold(self, mailbox: str) -> None: ...
    def let_go(self, mailbox: str) -> None: ...
    def forget(self, mailbox: str) -> None: ...
    def active(self, at_ms: int) -> int: ...
    def names(self) -> list[str]: ...
    def note(self, mailbox: str) -> None: ...
    def take_changed(self) -> list[str] | None: ...
    def __len__(self) -> int: ...

@final
class Tally:
    """What the pipeline needs to know of a batch: see ``sensor.tally``."""

    events: int
    outcomes: dict[Literal["delivered", "rejected", "deferred", "aborted", "unknown"], int]
    incomplete: int
    missing_octets: int
    one_sided: int
    tls_sessions: int
    tls_octets: int
    first_seen_ns: int | None
    last_seen_ns: int | None
    mails: list[tuple[int, bool, str | None, list[str], Transaction | None, Trace]]
    def transaction(self, index: int) -> Transaction:
        """The transaction at *index* of the batch. Raises IndexError where there is none."""
    def sessions(self, start: int, stop: int) -> list[tuple[int, int, int]]:
        """Mail sessions among the events from *start* to *stop*: hour since the epoch, in clear, in TLS."""

@final
class Events:
    """Iterates over a batch."""

    def __iter__(self) -> Self: ...
    def __next__(self) -> Transaction | TlsSession: ...

@final
class Batch:
    """Events in the order in which they became known."""

    def __len__(self) -> int: ...
    def __iter__(self) -> Events: ...
    def tally(self, *, classify_all: bool) -> Tally:
        """Counts, and the mails in order: those to be classified (touched, or all), of the others those taken."""
    def to_json_lines(
        self, forwardings: Mapping[int, bytes], default_forwarding: bytes, *, sensor: str, tap: str
    ) -> bytes:
        """
        The whole batch as JSON Lines (design 3.1), one record a line, in order.

        *forwardings* maps an event's index in the batch to its ``forwarding`` block as JSON; every other transaction
        gets *default_forwarding*. Raises ValueError for an index out of range or a block that is not a JSON object.
        """

@final
class Replay:
    """
    Reads capture files (pcap, pcapng, plain, gzip or zstd; ``-`` is standard input) on threads of its own.

    A file that can't be read becomes a Damage and the rest go on. Flows go on from one file into the next where its
    packet time follows on (rotated captures); otherwise they are closed between the files.
    """

    def __new__(
        cls,
        paths: Sequence[str],
        interest: Interest,
        *,
        limits: Mapping[str, int] | None = None,
        batch_events: int = 4096,
    ) -> Replay: ...
    def next_batch(self, timeout_s: float | None = None) -> Batch | None:
        """
        The next events; None at the end. With a timeout, an empty batch when it passes.

        The GIL is released while waiting.
        """
    def stop(self) -> None:
        """Stop reading. What was read so far is finished: further batches come until None."""
    def progress(self) -> tuple[int, int, str]:
        """Octets read of the files as stored, their total (0: unknown), and the path being read."""
    def counters(self) -> dict[str, int]: ...
    def anomalies(self) -> dict[str, int]:
        """How often each anomaly was seen; every slug is present."""
    def damage(self) -> list[Damage]: ...

@final
class InterfaceStatus:
    """How an interface is, and what was read of it so far by all workers. Counts only grow."""

    name: str
    state: Literal["up", "down", "gone"]
    problem: str | None
    """Why an interface that is gone can't be opened."""
    frames: int
    octets: int
    tagged: int
    """Frames that the kernel or the network card took a VLAN tag off."""
    dropped: int
    """Frames that the kernel dropped since the ring was full."""
    freezes: int
    """Times the ring was full."""
    outages: int
    """Times the interface went down or away."""

@final
class Live:
    """
    Captures network interfaces on threads of its own, until told to stop. Linux alone.

    The kernel lets frames pass that hold mail by their TCP port, or may hold it (fragments, tunnels). *ports* None:
    those of ``mail_ports()``; none named: every frame passes. Each worker has a ring of *ring_octets* for each
    interface, and an engine; flows are shared out among workers. A ring shows frames after *block_timeout_ms* at the
    latest.

    Raises CaptureError for an interface that can't be captured, and says what would help; ValueError for a number out
    of range. An interface that goes down or away later is waited for; one that was removed is opened anew only if
    the threads keep the right to (*reopens*). Every other right they give up at once.
    """

    def __new__(
        cls,
        interfaces: Sequence[str],
        interest: Interest,
        *,
        limits: Mapping[str, int] | None = None,
        ports: Sequence[int] | None = None,
        ring_octets: int = 67108864,
        snap_octets: int = 262144,
        promiscuous: bool = True,
        workers: int = 1,
        block_timeout_ms: int = 50,
        batch_events: int = 4096,
        reopens: bool = True,
    ) -> Live: ...
    def next_batch(self, timeout_s: float | None = None) -> Batch | None:
        """
        The next events; None at the end. With a timeout, an empty batch when it passes.

        Events not taken hold the workers up; then the rings fill, and the kernel drops frames and counts them. The GIL
        is released while waiting.
        """
    def stop(self) -> None:
        """Let nothing more in. What is in the rings is read and what is open is told: batches come until None."""
    def counters(self) -> dict[str, int]: ...
    def anomalies(self) -> dict[str, int]:
        """How often each anomaly was seen; every slug is present."""
    def interfaces(self) -> list[InterfaceStatus]:
        """How each interface is, in the order in which they were named."""

@final
class Inline:
    """
    Mail that passes through somebody's hands: sessions fed with octets, or mails begun with their envelope.

    Both have numbers, each used once. Events gather until they are taken; beyond the limit ``inline_events`` the newest
    are dropped and counted. Time is the caller's. Any thread may call; each call is short and keeps the GIL.

    Raises ValueError for a number that is not open, and for an address, protocol, outcome or reply code that is none;
    OverflowError where as much is open as the limits ``inline_sessions`` and ``session_octets`` allow; RuntimeError
    for a defect of the core.
    """

    def __new__(cls, interest: Interest, *, limits: Mapping[str, int] | None = None) -> Inline: ...
    def open(self, *, client: tuple[str, int | None], server: tuple[str, int | None], at_ns: int) -> int:
        """A session, before its first octet; its number. What is spoken in it is recognised as on the wire."""
    def feed(self, session: int, data: bytes | bytearray | memoryview, *, from_client: bool, at_ns: int) -> None:
        """Octets of one side, cut anywhere; a reply behind the command that it answers. ``bytes`` are not copied."""
    def secured(self, session: int, *, at_ns: int) -> None:
        """
        A TLS handshake is done: what is fed from now on was inside, and records say ``session.tls``.

        Behind a 220 to STARTTLS both sides begin anew (RFC 3207 4.2); else TLS began before the session did. Without
        this call, what follows such a 220 is not read, and the session is told as one in TLS.
        """
    def provisional(self, session: int) -> Transaction | None:
        """
        The mail whose content is being fed, as it would be recorded if that ended here and it were delivered.

        None if no content is open. Its id is that of the record to come. The session stays as it was.
        """
    def close(self, session: int, *, at_ns: int, reset: bool = False) -> None:
        """The connection ended: what is open is told. As on the wire, a *reset* is recorded like an end in order."""
    def begin(
        self,
        *,
        at_ns: int,
        client: tuple[str, int | None] | None = None,
        server: tuple[str, int | None] | None = None,
        session_at_ns: int | None = None,
        protocol: Literal["smtp", "esmtp", "lmtp"] | None = None,
        helo: str | None = None,
        auth_user: str | None = None,
        tls: bool = False,
        client_ip: str | None = None,
        transaction_index: int = 0,
        reverse_path: str | None = None,
        reverse_path_params: Sequence[tuple[str, str | None]] = (),
        forward_paths: Sequence[tuple[str, int | None, str | None, bool, str | None]] = (),
    ) -> int:
        """
        A mail whose envelope is known; its number.

        *at_ns* is the time of MAIL, *session_at_ns* (by default the same) that of the connection: with client, server
        and *transaction_index* it makes the record's id. A forward-path is (address, code and enhanced code of the
        reply to RCPT, accepted, ORCPT). Addresses may stand in angle brackets; ORCPT and parameters are as the command
        has them, in xtext where that is defined. ``client_ip`` is the client's address unless another is named.
        """
    def content(self, mail: int, data: bytes | bytearray | memoryview) -> None:
        """
        The next octets of a mail's header section and body, cut anywhere, dots unstuffed.

        Lines end in CRLF or LF. A digest is that of the octets given: it equals that of other taps for CRLF alone.
        """
    def drafted(self, mail: int) -> Transaction:
        """The mail as it would be recorded if its content ended here and it were delivered. It stays as it was."""
    def end(
        self,
        mail: int,
        *,
        at_ns: int,
        outcome: Literal["delivered", "rejected", "deferred", "aborted", "unknown"],
        reply: tuple[int, str | None, str] | None = None,
        truncated: bool = False,
    ) -> None:
        """
        The mail is over, and is told.

        *reply* is (code, enhanced code, text); where it is not known and every recipient was refused, the last of those
        refusals stands in its place. *truncated*: not all of the content was handed in, so that its size and digest
        are not known.
        """
    def take(self) -> Batch:
        """The events that became known since the last call, in order."""
    def counters(self) -> dict[str, int]: ...
    def anomalies(self) -> dict[str, int]:
        """How often each anomaly was seen; every slug is present."""

@final
class Shortcut:
    """
    Follows the plain part of a relayed dialogue: what the relay neither changes nor answers, and may pass as it came.

    Each piece passes whole or not at all. What passes is fed to *session* of *core*, if that is open. A piece that does
    not pass left no trace: go on from ``stand`` by other means. One is begun where no reply is awaited: at commands, or
    in content behind what *content* says; in a mail or not, with so many of its recipients accepted, for each of which
    *lmtp* has a reply to the dot. Where not *passes_content*, no content passes; where *judges*, its dot waits.

    What became of a piece: 0 refused; else the sum of 1 it passes; 2 it passes up to the dot that ends it, which waits
    for ``end``; 4 that dot passes, too; 8 the core failed on it, and sees no more of the session; 16 for each dot that
    was answered with a positive reply.
    """

    def __new__(
        cls,
        core: Inline,
        session: int | None,
        *,
        judges: bool,
        lmtp: bool,
        passes_content: bool,
        content: bytes | None,
        in_mail: bool,
        recipients: int,
    ) -> Shortcut: ...
    def client(self, data: bytes | bytearray | memoryview, at_ns: int, /) -> int:
        """Octets of the client."""
    def server(self, data: bytes | bytearray | memoryview, at_ns: int, /) -> int:
        """Octets of the server."""
    def end(self, at_ns: int, /) -> int:
        """The dot that waited passes."""
    @property
    def is_answered(self) -> bool:
        """True if no reply is awaited."""
    def stand(self) -> tuple[bytes | None, list[str], bool, int]:
        """
        Where content is open, what stands before its next octet: CR LF, LF, or no line end. What replies are awaited
        to: mail, rcpt, reset, data, dot, other. Whether a mail has begun; its accepted recipients.
        """

def mail_ports() -> list[int]:
    """The TCP ports that the kernel lets through where no others are named."""

def parse_message(
    content: bytes,
    interest: Interest,
    *,
    reverse_path: str | None = None,
    forward_paths: Sequence[str] = (),
    orcpts: Sequence[str | None] = (),
    helo: str | None = None,
    client_ip: str | None = None,
    limits: Mapping[str, int] | None = None,
) -> Transaction:
    """
    A mail as a Transaction of outcome "delivered", by the same header code that captured mail meets.

    Lines end in LF or CRLF.
    """

def is_probably_capture(path: str) -> bool:
    """True if the file at *path* starts as a capture does. Raises CaptureError if it can't be read."""

def limits() -> list[tuple[str, str, int]]:
    """Every bound of the core: name, reason, default."""

def counters() -> list[tuple[str, str]]:
    """Every counter of the core: name, meaning."""

def anomalies() -> list[tuple[str, str]]:
    """Every anomaly of the core: slug, meaning."""

__version__: str

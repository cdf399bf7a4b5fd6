"""
What a tap hands over: mail transactions, and sessions whose mail is hidden in TLS, as read-only views.

They are protocols. The core's classes satisfy them and make an attribute when it is asked for, so ordinary mail costs
little; records that were read back (``sensor.model.record``) satisfy them too. A fact that the wire did not show is
None or empty, never invented. Times are nanoseconds of packet time since the epoch, sizes are octets.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from sensor.model.terms import Outcome, SessionProtocol, TlsStart


class FlowView(Protocol):
    """Client and server of a session. ``src`` is the SMTP client; ``community_id`` is version 1."""

    @property
    def community_id(self) -> str: ...
    @property
    def src_ip(self) -> str: ...
    @property
    def src_port(self) -> int: ...
    @property
    def dst_ip(self) -> str: ...
    @property
    def dst_port(self) -> int: ...


class SessionView(Protocol):
    """
    What is known of the session a transaction belongs to.

    ``protocol`` is None where no sign of it was seen. ``helo`` is the client's name from HELO, EHLO or LHLO.
    ``auth_user`` is the user of a successful AUTH, never a secret. ``tls`` is true where the mail was read inside TLS
    (by relay or milter). ``client_ip`` is the client that XCLIENT, XFORWARD or PROXY names, else that of the flow.
    ``transaction_index`` counts from 0.
    """

    @property
    def protocol(self) -> SessionProtocol | None: ...
    @property
    def helo(self) -> str | None: ...
    @property
    def auth_user(self) -> str | None: ...
    @property
    def tls(self) -> bool: ...
    @property
    def client_ip(self) -> str | None: ...
    @property
    def transaction_index(self) -> int: ...


class ForwardPathView(Protocol):
    """
    One RCPT with its own verdict: accepted by the server, and over LMTP (RFC 2033) also delivered.

    ``address`` is bare, its domain in lower case. ``reply_code`` is None where the reply was not seen. ``orcpt`` is
    decoded (RFC 3461 4.2).
    """

    @property
    def address(self) -> str: ...
    @property
    def reply_code(self) -> int | None: ...
    @property
    def accepted(self) -> bool: ...
    @property
    def orcpt(self) -> str | None: ...


class ReplyView(Protocol):
    """The reply that decided a transaction: three digits (RFC 5321 4.2), and an enhanced status code (RFC 2034)."""

    @property
    def code(self) -> int: ...
    @property
    def enhanced(self) -> str | None: ...
    @property
    def text(self) -> str: ...


class HeaderView(Protocol):
    """
    The common header fields (RFC 5322 3.6).

    Addresses are bare, their domains in lower case; text is decoded (RFC 2047); ids have no angle brackets. ``date``
    is RFC 3339 with the sender's own offset.
    """

    @property
    def message_id(self) -> str | None: ...
    @property
    def from_(self) -> Sequence[str]: ...
    @property
    def sender(self) -> str | None: ...
    @property
    def to(self) -> Sequence[str]: ...
    @property
    def cc(self) -> Sequence[str]: ...
    @property
    def reply_to(self) -> Sequence[str]: ...
    @property
    def subject(self) -> str | None: ...
    @property
    def date(self) -> str | None: ...
    @property
    def in_reply_to(self) -> str | None: ...
    @property
    def references(self) -> Sequence[str]: ...
    @property
    def resent_from(self) -> Sequence[str]: ...
    @property
    def delivered_to(self) -> Sequence[str]: ...
    @property
    def list_id(self) -> str | None: ...
    @property
    def auto_submitted(self) -> str | None: ...
    @property
    def received_count(self) -> int: ...
    @property
    def thread_topic(self) -> str | None: ...


class FieldView(Protocol):
    """
    A header field that the artifact table names: unfolded, its encoded-words left as they are.

    ``position`` is its place among all fields, 0 the topmost. ``received_above`` counts the Received lines above it:
    with 0 it was added after the last hop stamped the mail.
    """

    @property
    def name(self) -> str: ...
    @property
    def value(self) -> str: ...
    @property
    def position(self) -> int: ...
    @property
    def received_above(self) -> int: ...


class ReceivedView(Protocol):
    """
    One Received line (RFC 5321 4.4); a clause that is absent or unreadable is None.

    ``from_`` is the name that the client gave, ``from_ip`` its address, ``by`` the host that wrote the line, ``with_``
    the protocol. ``position`` is the line's place among all fields, 0 the topmost.
    """

    @property
    def from_(self) -> str | None: ...
    @property
    def from_ip(self) -> str | None: ...
    @property
    def by(self) -> str | None: ...
    @property
    def with_(self) -> str | None: ...
    @property
    def for_address(self) -> str | None: ...
    @property
    def position(self) -> int: ...


class AttachmentView(Protocol):
    """One attachment: its decoded name, ``type/subtype`` in lower case, and octets without the transfer encoding."""

    @property
    def filename(self) -> str | None: ...
    @property
    def content_type(self) -> str: ...
    @property
    def size_octets(self) -> int: ...


class CompletenessView(Protocol):
    """
    What was not seen of a transaction or session.

    ``missing_octets`` are those of both directions. ``one_sided``: only one direction was captured. ``midstream``:
    the capture began, or resumed after a loss, inside the session. ``truncated``: the capture or the flow ended
    first, or a limit made the sensor let go of what it held.
    """

    @property
    def missing_octets(self) -> int: ...
    @property
    def one_sided(self) -> bool: ...
    @property
    def midstream(self) -> bool: ...
    @property
    def truncated(self) -> bool: ...


class Transaction(Protocol):
    """
    One mail transaction (RFC 5321 3.3), whatever became of it.

    ``reverse_path`` is "" for the null reverse-path and None where MAIL was lost. ``header`` is None where no content
    was transferred. ``size_octets`` is the size of the message as transferred, dots unstuffed, octets known to be lost
    included; ``body_octets`` are those of the body that were seen. ``body_digest`` is of the unstuffed body, None where
    octets of it are missing. ``fields`` and ``received`` stand topmost first; mail that is not ``touched`` has no
    ``received``.

    ``body_marks`` are indices into ``InterestSpec.body_marks``, each once and ascending; ``labelled_marks`` are those
    of them that a quoted header block follows, ``label_languages`` the languages of such blocks.
    ``reported_addresses`` are those named by a report that holds a mark, in lower case.

    ``touched`` false means that nothing the artifact table names occurs, so that no row can match.
    """

    @property
    def id(self) -> str: ...
    @property
    def started_at_ns(self) -> int: ...
    @property
    def ended_at_ns(self) -> int: ...
    @property
    def flow(self) -> FlowView: ...
    @property
    def session(self) -> SessionView: ...
    @property
    def reverse_path(self) -> str | None: ...
    @property
    def forward_paths(self) -> Sequence[ForwardPathView]: ...
    @property
    def outcome(self) -> Outcome: ...
    @property
    def reply(self) -> ReplyView | None: ...
    @property
    def size_octets(self) -> int | None: ...
    @property
    def header(self) -> HeaderView | None: ...
    @property
    def fields(self) -> Sequence[FieldView]: ...
    @property
    def received(self) -> Sequence[ReceivedView]: ...
    @property
    def attachments(self) -> Sequence[AttachmentView]: ...
    @property
    def attached_messages(self) -> int: ...
    @property
    def content_type(self) -> str | None: ...
    @property
    def report_type(self) -> str | None: ...
    @property
    def calendar_method(self) -> str | None: ...
    @property
    def body_digest(self) -> str | None: ...
    @property
    def body_octets(self) -> int: ...
    @property
    def body_marks(self) -> Sequence[int]: ...
    @property
    def labelled_marks(self) -> Sequence[int]: ...
    @property
    def label_languages(self) -> Sequence[int]: ...
    @property
    def reported_addresses(self) -> Sequence[str]: ...
    @property
    def touched(self) -> bool: ...
    @property
    def completeness(self) -> CompletenessView: ...
    @property
    def anomalies(self) -> Sequence[str]: ...


class TlsSession(Protocol):
    """
    A session that turned to TLS: what stayed visible.

    ``sni`` is the server name of the ClientHello (RFC 6066 3). ``client_octets`` and ``server_octets`` are those that
    each side sent, before TLS and in it.
    """

    @property
    def id(self) -> str: ...
    @property
    def started_at_ns(self) -> int: ...
    @property
    def ended_at_ns(self) -> int: ...
    @property
    def flow(self) -> FlowView: ...
    @property
    def session(self) -> SessionView: ...
    @property
    def tls_start(self) -> TlsStart: ...
    @property
    def sni(self) -> str | None: ...
    @property
    def client_octets(self) -> int: ...
    @property
    def server_octets(self) -> int: ...
    @property
    def completeness(self) -> CompletenessView: ...
    @property
    def anomalies(self) -> Sequence[str]: ...


Event = Transaction | TlsSession

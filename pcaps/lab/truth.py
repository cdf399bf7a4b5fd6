"""
The truth of a capture: what was sent, and what the servers answered and logged.

Its form as a file is described in `pcaps/README.md`.

None of it comes from reading the capture. A field that is not set claims nothing.
"""

import json
from collections.abc import Iterator
from dataclasses import dataclass, field, fields
from typing import Any

from network import Host


@dataclass(frozen=True, kw_only=True)
class Recipient:
    """One RCPT: its verdict (over LMTP the recipient's own final one) and its ORCPT, decoded."""

    address: str
    code: int = 250
    accepted: bool = True
    orcpt: str | None = None


@dataclass(frozen=True, kw_only=True)
class Attachment:
    """One attachment as it was put in; octets after decoding."""

    filename: str | None
    content_type: str
    size_octets: int | None = None


@dataclass(frozen=True, kw_only=True)
class Forwarding:
    """Whether this mail is a forward: `mechanism` is what was really set up, `traces` what of it the wire shows."""

    kind: str = "none"
    mechanism: str | None = None
    level: str | None = None
    mailbox: str | None = None
    destinations: tuple[str, ...] = ()
    look_alike: str | None = None
    traces: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True)
class Transaction:
    """One transaction on one hop."""

    client: Host
    server: Host
    port: int = 25
    protocol: str = "esmtp"
    helo: str | None = None
    reverse_path: str
    recipients: tuple[Recipient, ...] = ()
    outcome: str = "delivered"
    reply_code: int | None = 250
    src_ip: str | None = None
    dst_ip: str | None = None
    auth_user: str | None = None
    client_ip: str | None = None
    reverse_path_params: dict[str, str | bool] = field(default_factory=dict)
    transaction_index: int | None = None
    size_octets: int | None = None
    subject: str | None = None
    message_id: str | None = None
    from_: tuple[str, ...] = ()
    to: tuple[str, ...] = ()
    attachments: tuple[Attachment, ...] | None = None
    forwarding: Forwarding | None = None
    incomplete: bool = False

    def tables(self) -> Iterator[tuple[str, Any]]:
        """The members of the TOML table, in order, unset ones left out."""
        yield "src_ip", self.src_ip or self.client.ipv4
        yield "dst_ip", self.dst_ip or self.server.ipv4
        yield "dst_port", self.port
        yield "helo", self.helo or self.client.name
        skipped = {"client", "server", "port", "src_ip", "dst_ip", "helo"}
        for member in fields(self):
            value = getattr(self, member.name)
            if member.name not in skipped and value not in (None, (), {}, False):
                yield member.name.rstrip("_"), value
        if self.attachments == ():
            yield "attachments", ()


@dataclass(frozen=True, kw_only=True)
class TlsSession:
    """A session that turned to TLS, and so hides its transactions. An empty `helo` claims nothing."""

    client: Host
    server: Host
    port: int = 25
    helo: str | None = None
    tls_start: str = "starttls"
    sni: str | None = None

    def tables(self) -> Iterator[tuple[str, Any]]:
        """The members of the TOML table."""
        yield "src_ip", self.client.ipv4
        yield "dst_ip", self.server.ipv4
        yield "dst_port", self.port
        if self.helo != "":
            yield "helo", self.helo or self.client.name
        yield "tls_start", self.tls_start
        if self.sni:
            yield "sni", self.sni


@dataclass(frozen=True, kw_only=True)
class Truth:
    """
    All of one capture, in order of MAIL (of the first segment, for sessions in TLS).

    Where a server works on several mails at once, nobody decides their order: `ordered` is false then.
    """

    transactions: tuple[Transaction, ...] = ()
    tls_sessions: tuple[TlsSession, ...] = ()
    secrets: tuple[str, ...] = ()
    ordered: bool = True


def to_toml(name: str, summary: str, input_name: str, truth: Truth) -> str:
    """The text of a case's `case.toml`."""
    lines = [
        "schema = 1",
        f"case = {_value(name)}",
        f"summary = {_value(summary)}",
        f"input = {_value(input_name)}",
        'source = "real servers"',
        'internal_domains = ["corp.example"]',
        f"secrets = {_value(truth.secrets)}",
        f"ordered = {_value(truth.ordered)}",
    ]
    for table, entries in (("transactions", truth.transactions), ("tls_sessions", truth.tls_sessions)):
        for entry in entries:
            lines += ["", f"[[{table}]]"]
            lines += [f"{key} = {_value(value)}" for key, value in entry.tables()]
    return "\n".join(lines) + "\n"


def _value(value: Any) -> str:
    match value:
        case bool() | int():
            return json.dumps(value)
        case str():
            return json.dumps(value, ensure_ascii=False)
        case dict():
            return "{ " + ", ".join(f"{key} = {_value(item)}" for key, item in value.items()) + " }"
        case tuple() if value and not isinstance(value[0], str):
            return "[\n" + "".join(f"  {_value(item)},\n" for item in value) + "]"
        case tuple():
            return "[" + ", ".join(_value(item) for item in value) + "]"
    pairs = {member.name: getattr(value, member.name) for member in fields(value)}
    return _value({name: item for name, item in pairs.items() if item not in (None, ())})

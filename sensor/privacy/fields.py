"""
What becomes of each field of a record or an alert: the one table. A test finds every field in it.

A field that nobody thought of is a leak, so there is no default: a type's fields are all here, and a type that is not
here can't be told.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, TypeVar

import msgspec

from sensor.alert.alert import Cut
from sensor.model import (
    Actor,
    Artifact,
    AttachmentRecord,
    CompletenessRecord,
    Exhibit,
    Finding,
    FlowRecord,
    Forwarding,
    ForwardPathRecord,
    HeaderRecord,
    Measured,
    ReplyRecord,
    Seen,
    SessionFacts,
    SessionRecord,
    TransactionRecord,
)
from sensor.privacy.names import Names

S = TypeVar("S", bound=msgspec.Struct)
Treatment = Callable[[Names, Any], Any]
Fields = Mapping[str, Treatment]


# ---- treatments


def keep(names: Names, value: Any) -> Any:
    """Told as it is: times, counts, slugs, IP addresses, ids that are drawn from none but these."""
    return value


def address(names: Names, value: str) -> str:
    """A mail address, or the name of a user."""
    return names.address(value)


def domain(names: Names, value: str) -> str:
    """A domain or the name of a host."""
    return names.domain(value)


def text(names: Names, value: str) -> str:
    """An id that others made, as a Message-ID: its pseudonym can be looked for, and revealed."""
    return names.text(value)


def digest(names: Names, value: str) -> str:
    """A digest of something, digested again under the key: who has the thing can't look it up."""
    return names.digest(value)


def drop(names: Names, value: str) -> None:
    """Not told at all."""


def empty(names: Names, value: str) -> str:
    """Not told, where there must be a text."""
    return ""


def sentence(names: Names, value: str) -> str:
    """A text of our own, addresses in it as pseudonyms."""
    return names.sentence(value)


def allowed(names: Names, value: str) -> str:
    """The title of an entry of the allow-list."""
    return names.allowed(value)


def addresses_in(names: Names, value: str) -> str:
    """Of a text that anybody wrote, the addresses alone, as pseudonyms."""
    return names.addresses_in(value)


def content_type(names: Names, value: str) -> str:
    """Type and subtype, if they read like ones that are in use."""
    return names.content_type(value)


def auto_submitted(names: Names, value: str) -> str | None:
    """The keyword, without parameters."""
    return names.auto_submitted(value)


def original_recipient(names: Names, value: str) -> str:
    """ORCPT: its address as a pseudonym."""
    return names.original_recipient(value)


def parameters(names: Names, value: Mapping[str, str | None]) -> dict[str, str | None]:
    """Parameters of MAIL that hold nothing but numbers and keywords."""
    return names.parameters(value)


def each(treatment: Treatment) -> Treatment:
    """Each member of a list or tuple."""
    return lambda names, value: type(value)(treatment(names, one) for one in value)


def told(names: Names, value: Any) -> Any:
    """A structure with a row of its own here."""
    return None if value is None else veiled(value, names)


_PATH = each(each(address))

FIELDS: Mapping[type, Fields] = {
    TransactionRecord: {
        "record": keep,
        "schema": keep,
        "id": keep,
        "started_at": keep,
        "ended_at": keep,
        "sensor": keep,
        "tap": keep,
        "flow": told,
        "session": told,
        "reverse_path": address,
        "reverse_path_params": parameters,
        "forward_paths": each(told),
        "outcome": keep,
        "reply": told,
        "size_octets": keep,
        "header": told,
        "attachments": each(told),
        "body_digest": digest,
        "forwarding": told,
        "completeness": told,
        "anomalies": keep,
    },
    SessionRecord: {
        "record": keep,
        "schema": keep,
        "id": keep,
        "started_at": keep,
        "ended_at": keep,
        "sensor": keep,
        "tap": keep,
        "flow": told,
        "session": told,
        "tls_start": keep,
        "sni": domain,
        "octets_client": keep,
        "octets_server": keep,
        "completeness": told,
        "anomalies": keep,
    },
    FlowRecord: dict.fromkeys(("community_id", "src_ip", "src_port", "dst_ip", "dst_port"), keep),
    SessionFacts: {
        "protocol": keep,
        "helo": domain,
        "auth_user": address,
        "tls": keep,
        "client_ip": keep,
        "transaction_index": keep,
    },
    ForwardPathRecord: {
        "address": address,
        "reply_code": keep,
        "accepted": keep,
        "orcpt": original_recipient,
    },
    ReplyRecord: {"code": keep, "enhanced": keep, "text": empty},
    HeaderRecord: {
        "message_id": text,
        "from_": each(address),
        "sender": address,
        "to": each(address),
        "cc": each(address),
        "reply_to": each(address),
        "subject": drop,
        "date": keep,
        "in_reply_to": text,
        "references": each(text),
        "resent_from": each(address),
        "delivered_to": each(address),
        "list_id": domain,
        "auto_submitted": auto_submitted,
        "received_count": keep,
        "thread_topic": drop,
    },
    AttachmentRecord: {
        "filename": drop,
        "content_type": content_type,
        "size_octets": keep,
    },
    CompletenessRecord: dict.fromkeys(("missing_octets", "one_sided", "midstream", "truncated"), keep),
    Forwarding: {
        "kind": keep,
        "level": keep,
        "evidence": keep,
        "mailbox": address,
        "destinations": each(address),
        "direction": keep,
        "look_alike": keep,
        "artifacts": each(told),
    },
    Artifact: {"slug": keep, "field": keep, "value": addresses_in},
    # ---- alerts
    Finding: {
        "id": digest,
        "detector": keep,
        "mailbox": address,
        "mailboxes": each(address),
        "destinations": each(address),
        "summary": sentence,
        "first_seen_ms": keep,
        "last_seen_ms": keep,
        "counts": keep,
        "observed": told,
        "baseline": told,
        "level": keep,
        "level_reason": sentence,
        "severity": keep,
        "confidence": keep,
        "confidence_reason": sentence,
        "coverage": told,
        "assumptions": each(sentence),
        "gaps": each(sentence),
        "actor": told,
        "exhibits": each(told),
        "technique": keep,
        "pairs": _PATH,
    },
    Measured: {"what": sentence, "value": keep, "low": keep, "high": keep, "unit": keep},
    Seen: dict.fromkeys(("clear_share", "missing_octets", "unseen_mails", "unseen_of_mailbox"), keep),
    Actor: {"auth_user": address, "helo": domain, "client_ip": keep, "server_ip": keep},
    Exhibit: {"transaction_id": keep, "at_ms": keep, "lines": each(told)},
    Cut: {"mailbox": address, "destination": address, "entry": allowed, "reason": empty, "expires": keep},
}
"""By type, then field, what becomes of it."""


def veiled(value: S, names: Names) -> S:
    """*value* as it may be told. Raises ``KeyError`` for a type that is not in the table."""
    changed = {}
    for name, treatment in _changing(type(value)):
        before = getattr(value, name)
        if before is not None:
            after = treatment(names, before)
            if after is not before:
                changed[name] = after
    return msgspec.structs.replace(value, **changed) if changed else value


_CHANGING: dict[type, tuple[tuple[str, Treatment], ...]] = {}


def _changing(kind: type) -> tuple[tuple[str, Treatment], ...]:
    """The fields of a type that do not stay as they are."""
    fields = _CHANGING.get(kind)
    if fields is None:
        fields = _CHANGING[kind] = tuple(
            (name, treatment) for name, treatment in FIELDS[kind].items() if treatment is not keep
        )
    return fields


def named_in(finding: Finding) -> tuple[str, ...]:
    """The addresses that the sentences of *finding* may be about."""
    mailbox = () if finding.mailbox is None else (finding.mailbox,)
    paired = (address for pair in finding.pairs for address in pair)
    return tuple(dict.fromkeys((*mailbox, *finding.mailboxes, *finding.destinations, *paired)))

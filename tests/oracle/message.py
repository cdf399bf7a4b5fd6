"""The facts of a mail by the standard ``email`` package."""

from __future__ import annotations

import email
import email.policy
from email.message import Message
from email.utils import getaddresses


def read_message(content: bytes) -> dict[str, object]:
    """
    Subject, Message-ID, From, To and attachments of *content*.

    An attachment is a part with a file name, one that is declared an attachment, or an attached message; what is inside
    an attached message is its own affair.
    """
    modern = email.message_from_bytes(content, policy=email.policy.default)
    parsed = email.message_from_bytes(content, policy=email.policy.compat32)
    message_id = parsed.get("Message-ID")
    return {
        "subject": _text(modern, "Subject"),
        "message_id": None if message_id is None else str(message_id).strip().removeprefix("<").removesuffix(">"),
        "from": _addresses(parsed, "From"),
        "to": _addresses(parsed, "To"),
        "attachments": list(_attachments(modern, parsed)),
    }


def _text(parsed: Message, name: str) -> str | None:
    value = parsed.get(name)
    return None if value is None else str(value).strip()


def _addresses(parsed: Message, name: str) -> list[str]:
    found = [address for _, address in getaddresses([str(value) for value in parsed.get_all(name, [])]) if address]
    return [local + at + domain.lower() for local, at, domain in (address.rpartition("@") for address in found)]


def _attachments(modern: Message, parsed: Message) -> list[dict[str, object]]:
    found: list[dict[str, object]] = []
    if parsed.get_content_type() in ("message/rfc822", "message/global") or not parsed.is_multipart():
        name, declared = modern.get_filename(), modern.get_content_disposition() == "attachment"
        if name is not None or declared or parsed.get_content_maintype() == "message":
            size = _octets(parsed)
            found.append({"filename": name, "content_type": parsed.get_content_type(), "size_octets": size})
        return found
    for one, other in zip(_parts(modern), _parts(parsed), strict=True):
        found += _attachments(one, other)
    return found


def _parts(parsed: Message) -> list[Message]:
    payload = parsed.get_payload()
    assert isinstance(payload, list)
    return [part for part in payload if isinstance(part, Message)]


def _octets(part: Message) -> int:
    """Decoded size; of an attached message, its octets as they stand."""
    if part.is_multipart():
        return len(_parts(part)[0].as_bytes(policy=email.policy.compat32.clone(linesep="\r\n")))
    decoded = part.get_payload(decode=True)
    assert isinstance(decoded, bytes)
    return len(decoded)

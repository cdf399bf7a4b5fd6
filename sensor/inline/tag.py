"""
The value of the header field that tagged mail bears: what the mail shows of forwarding, in one line.

    auto; level=user; evidence=strong; direction=outbound; mailbox=ann@corp.example; rule=tag-forwards

It is made of words of our own, of the rule's name and of one address. The address may hold anything that a stranger
wrote, so whatever is not plain in it is percent-encoded (RFC 3986 2.1): no line end, no semicolon and no letter beyond
ASCII gets into the header section by it.
"""

from __future__ import annotations

from urllib.parse import quote

from sensor.model import Forwarding

MAX_ADDRESS_OCTETS = 320
"""
Encoded octets of the mailbox: 64 and 255 of RFC 5321 4.5.3.1 and the @. A longer one is left out, since a cut address
is another's. So a field never passes the 998 octets of RFC 5322 2.1.1 and needs no folding.
"""


def tag_value(forwarding: Forwarding, rule: str) -> bytes:
    """What a tag says of a mail that *rule* is about: printable ASCII, at most 800 octets."""
    parts = [forwarding.kind, f"level={forwarding.level}"]
    if forwarding.evidence is not None:
        parts.append(f"evidence={forwarding.evidence}")
    parts.append(f"direction={forwarding.direction}")
    mailbox = _plain(forwarding.mailbox or "")
    if mailbox:
        parts.append(f"mailbox={mailbox}")
    if forwarding.look_alike is not None:
        parts.append(f"look-alike={_plain(forwarding.look_alike)}")
    parts.append(f"rule={_plain(rule)}")
    return "; ".join(parts).encode("ascii")


def _plain(text: str) -> str:
    # Before encoding, too: what is that long is no address, and encoding it would take time.
    if len(text) > MAX_ADDRESS_OCTETS:
        return ""
    encoded = quote(text, safe="@!#$&'*+-/=?^_`{|}~.", errors="backslashreplace")
    return encoded if len(encoded) <= MAX_ADDRESS_OCTETS else ""

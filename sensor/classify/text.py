"""Small readings of addresses and subjects that the parts of the classifier share."""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import lru_cache

from sensor.model import ForwardPathView

# RFC 5321 4.5.3.1.3 bounds a path at 256 octets and RFC 5322 2.1.1 a line at 998. Nothing longer is a marker that a
# known program wrote, and it bounds the work that a hostile value can cause in a pattern.
MAX_VALUE_CHARS = 1_024
# The core looks for tags and for the colon of a prefix within these bounds; here they must be the same.
SUBJECT_PREFIX_CHARS = 24
SUBJECT_TAGS = 3
SUBJECT_TAG_CHARS = 32
# Clients of Mozilla's up to 2009, SquirrelMail and Evolution wrote it so in every language.
_IN_BRACKETS = re.compile(r"\[(fwd|fw):", re.IGNORECASE)
# "Re[2]:", "RE(2):", "Re^2:" count how often.
_COUNTER = re.compile(r"(?:\[[0-9]{1,3}\]|\([0-9]{1,3}\)|\^[0-9]{1,3})$")
_QUOTED_LOCAL_PART = re.compile(r'"[^"]+"@')
_UNSEEN = re.compile("[\\s\u200b-\u200f\u202a-\u202e\u2066-\u2069\ufeff]+")


@lru_cache(64)
def split_subject(subject: str | None) -> tuple[str, str]:
    """
    The subject's prefix in lower case, without its colon, and the rest; ``("", subject)`` where there is none.

    Tags in brackets before the prefix, as gateways put them (``[EXT]``), are passed over. Older clients wrote the whole
    subject of a forward into brackets, ``[Fwd: Offer]``.
    """
    whole = _seen(subject or "")
    text = whole
    for _ in range(SUBJECT_TAGS):
        in_brackets = _IN_BRACKETS.match(text)
        if in_brackets is not None:
            return in_brackets[1].lower(), text[in_brackets.end() :].strip().removesuffix("]")
        end = text.find("]", 1, SUBJECT_TAG_CHARS + 1) if text.startswith("[") else -1
        if end < 0:
            break
        text = _seen(text[end + 1 :])
    head = text[:SUBJECT_PREFIX_CHARS]
    ends = [at for at in (head.find(":"), head.find("：")) if at >= 0]
    if not ends:
        return "", whole
    prefix = _COUNTER.sub("", text[: min(ends)].rstrip())
    return prefix.lower(), text[min(ends) + 1 :].strip()


def _seen(text: str) -> str:
    """*text* without blanks before it, and without the marks of direction that some clients put there."""
    unseen = _UNSEEN.match(text)
    return text[unseen.end() :] if unseen is not None else text


def recipients(paths: Sequence[ForwardPathView]) -> list[str]:
    """
    The forward-paths as addresses that compare.

    RFC 5321 2.4 leaves the local part's case to its host; every mail system met in practice ignores it, and relays that
    lower it are real, so both parts are folded.
    """
    return [path.address.lower() for path in paths]


def bare_address(text: str) -> str | None:
    """An address without brackets, quotes and blanks around it, in lower case; none where there is no ``@`` in it."""
    address = text.strip().strip("<>")
    # Quotation marks around a local part alone belong to it (RFC 5321 4.1.2).
    if not address.startswith('"') or _QUOTED_LOCAL_PART.match(address) is None:
        address = address.strip("\"'")
    address = address.rstrip(".").lower()
    if "@" not in address.strip("@"):
        return None
    # qmail delivers a virtual domain's mail to "corp.example-ann@corp.example".
    local, _, domain = address.rpartition("@")
    return f"{local.removeprefix(f'{domain}-') or local}@{domain}"


def domain_of(address: str) -> str:
    """The part after the last ``@``."""
    return address[address.rfind("@") + 1 :]


def original_recipient(orcpt: str | None) -> str | None:
    """The address in an ORCPT parameter, which RFC 3461 4.2 writes as ``rfc822;address``."""
    return bare_address(orcpt.partition(";")[2] or orcpt) if orcpt else None

"""Words and numbers as every report writes them."""

from __future__ import annotations

import re
import unicodedata

LOOK_ALIKES = {
    "journal": "journal reports",
    "delivery_report": "delivery reports",
    "moderation": "moderation requests",
    "policy_notice": "policy notices",
    "auto_reply": "automatic replies",
    "list": "mailing lists",
    "ticket": "ticket systems",
    "group_expansion": "group members",
    "receipt": "read receipts",
    "abuse_report": "abuse reports",
    "digest": "digests",
    "admin_copy": "copies of sent mail",
    "shared_mailbox": "shared mailboxes",
    "phish_report": "phishing reports",
    "wrapped_message": "signed or wrapped mail",
    "tenant_relay": "mail relayed by a tenant",
    "gateway_hop": "hops inside a house",
    "stale_marker": "stale or forged marks",
    "alias_service": "alias services",
    "meeting_forward": "meeting invitations",
    "foreign_forward": "forwards of mailboxes elsewhere",
}
"""What a look-alike is, for people."""

DAMAGE = {
    "truncated": "ends in the middle of a packet",
    "corrupt": "is damaged",
    "dropped": "lost frames",
    "outage": "was not captured all the time",
    "unseen": "shows that not all was seen",
    "unreadable": "could not be read",
    "empty": "was not read",
    "not_a_capture": "was not read",
}
"""What is wrong with a source, after its name."""

LEVELS = {
    "user": "It was set up by the user, or by whoever holds the user's account.",
    "admin": "Only an administrator can set it up.",
    "either": "Whether the user or an administrator set it up, the mail does not tell.",
    "unknown": "At which level it was set up, the mail does not tell.",
}
"""Who can have set up a forward of that level."""


# The longest local part and domain that are named so that they can be revealed, in base 32.
_PSEUDONYM_CHARACTERS = 1_000
_PSEUDONYM = re.compile(r"(?:[mu]-[a-z2-7]{4}-[a-z2-7]+(?:@[\w.-]+)?|d-[a-z2-7]{4}-[a-z2-7.]+\.invalid)")


def is_pseudonym(text: str) -> bool:
    """Whether *text* reads like a name that ``privacy.mode`` gives. With its middle cut out, no key would reveal it."""
    return len(text) <= _PSEUDONYM_CHARACTERS and _PSEUDONYM.fullmatch(text) is not None


def counted(number: int, noun: str) -> str:
    """A number and its noun: "1 mail", "2,000 mailboxes"."""
    if number == 1:
        return f"1 {noun}"
    return f"{number:,} {noun}{'es' if noun.endswith('x') else 's'}"


def octets(number: float) -> str:
    """A number of octets, in steps of a thousand."""
    size = float(number)
    for unit in ("octets", "kB", "MB", "GB"):
        if size < 1000:
            return counted(round(size), "octet") if unit == "octets" else f"{size:.1f} {unit}"
        size /= 1000
    return f"{size:.1f} TB"


def percent(share: float) -> str:
    """Whole percent. 0 and 100 are written only for exactly that, never for what rounding makes of it."""
    if 0 < share < 0.01:
        return "<1"
    if 0.99 < share < 1:
        return ">99"
    return f"{share * 100:.0f}"


def columns_of(text: str) -> int:
    """Columns that a terminal draws *text* in: wide characters take two, combining ones none (UAX 11)."""
    if text.isascii():
        return len(text)
    return sum(
        0 if unicodedata.combining(each) else 2 if unicodedata.east_asian_width(each) in "WF" else 1 for each in text
    )

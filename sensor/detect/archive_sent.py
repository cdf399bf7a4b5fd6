"""
``archive_sent``: a mail archive leaves the organisation as an attachment.

**Idea.** Whoever has collected mail carries it off in one piece: an Outlook store, an mbox, an export in a zip, or a
mail with dozens of mails attached. Mail itself is one of the ways out (ATT&CK T1114.001 for local stores, T1560 for
what is packed).

**Crosses** when one mail to outside carries

- an attachment that is a mail store by its name or type (pst, ost, mbox, olm, nsf and their like, packed or not),
- an archive whose name says that it holds mail (``maildir``, ``mailbox``, ``inbox``, ``takeout`` ..., or an address),
- ``min_messages`` attached messages (eml, msg, message/rfc822 parts) or more,
- a volume of a split archive, of ``split_mb`` or more: one splits to get past a server's limit on size.

It is told again while it goes on; after ``quiet_days`` without one, the next begins anew. Severity grows with what was
sent: from ``large_mb`` on, and for any store, it is high; a split archive alone is low, since it may hold anything.

**Cannot see** what is inside an archive with a harmless name, or behind a renamed extension; files that go out by
web; and mail hidden in TLS. A zip is no archive of mail on its name alone, or every invoice would be.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Literal

import msgspec

from sensor.detect.base import DAY_MS, BaseDetector, Option, State, Told
from sensor.detect.claim import MAX_DESTINATIONS, Exhibits, address, claim, cut, quoted
from sensor.detect.events import Attached, AttachmentsSent
from sensor.detect.forwards import Names, number
from sensor.model import Confidence, Finding, Severity

Kind = Literal["store", "export", "messages", "split"]

MEGABYTE = 1_000_000

MAX_NAME_CHARS = 256
"""Of a file's name, from its end, where the extensions are."""

_PACKED = r"(?:zip|7z|rar|gz|bz2|xz|zst|tar|tgz|tbz2?|txz|cab)"
_VOLUME = r"(?:\.(?:\d{2,3}|z\d{2}|part\d+))?"
_STORE = re.compile(rf"\.(?:pst|ost|nst|oab|olm|mbox|mbx|mbs|dbx|nsf|edb|tbb|emlx|maildir)(?:\.{_PACKED})*{_VOLUME}$")
_ARCHIVE = re.compile(rf"\.{_PACKED}{_VOLUME}$")
# Words with nothing but a mailbox to mean. "email", "exchange" and "outlook" name templates, rates and forecasts.
_OF_MAIL = re.compile(
    r"(?:^|[^a-z])(?:mail[ _-]?(?:box(?:es)?|dir|store|backup|archive|export|dump)|e-?mails|inbox|sent[ _-]?items"
    r"|takeout|postfach|posteingang)(?:[^a-z]|$)"
    r"|[\w.+-]@[\w-]+\.\w+"
)
_SPLIT = re.compile(r"\.(?:(?:zip|7z|rar|tar|gz|tgz)\.\d{3}|z\d{2}|r\d{2}|part\d+\.rar)$")
_MESSAGE = re.compile(r"\.(?:eml|msg)$")
_STORE_TYPES = frozenset(
    {"application/mbox", "application/x-mbox", "application/vnd.ms-outlook-pst", "application/x-pst"}
)
_MESSAGE_TYPES = frozenset({"message/rfc822", "message/global", "application/vnd.ms-outlook"})


@dataclass(slots=True)
class _Haul:
    """What one mail carries off: how many of each kind, their octets, and the names of the files."""

    counts: Counter[Kind]
    octets: int
    names: list[str]


class ArchiveSentState(State, kw_only=True):
    """How much of what went out, and to whom."""

    mails: int = 0
    stores: int = 0
    exports: int = 0
    messages: int = 0
    splits: int = 0
    octets: int = 0
    names: Names = msgspec.field(default_factory=Names)
    destinations: Names = msgspec.field(default_factory=Names)
    exhibits: Exhibits = msgspec.field(default_factory=Exhibits)
    told: Told = msgspec.field(default_factory=Told)


class ArchiveSent(BaseDetector[ArchiveSentState, AttachmentsSent]):
    """One of ours sends an archive of mail outside."""

    name = "archive_sent"
    event_type = AttachmentsSent
    state_type = ArchiveSentState
    OPTIONS = (
        Option(
            "min_messages",
            10,
            2,
            10_000,
            "Messages attached to one mail before it counts as an archive. People attach one or a few to pass a case "
            "on; ten is a collection.",
        ),
        Option(
            "large_mb",
            10,
            0.001,
            10_000,
            "Megabytes (of 1,000,000 octets, decoded) sent in all from which the severity is high: thousands of mails.",
        ),
        Option(
            "split_mb",
            1,
            0,
            10_000,
            "Smallest volume of a split archive that counts. One splits to get past a limit, and those are megabytes.",
        ),
        Option(
            "quiet_days",
            7,
            0.05,
            90,
            "After this long without one the next is a new case; volumes of one archive follow within hours or days.",
        ),
    )

    def __init__(self, options: Mapping[str, float] | None = None) -> None:
        super().__init__(options)
        self.ttl_ms = int(self.options["quiet_days"] * DAY_MS)

    def key_of(self, event: AttachmentsSent) -> str | None:
        return event.mailbox if event.destinations and self._haul(event) is not None else None

    def observe(self, state: ArchiveSentState, event: AttachmentsSent) -> Iterable[Finding]:
        haul = self._haul(event)
        if haul is None:
            return
        _count(state, haul)
        state.destinations.add(event.destinations, MAX_DESTINATIONS)
        state.exhibits.add(event.transaction_id, event.at_ms, event.lines)
        if state.told.is_due(state.mails, event.at_ms):
            yield self._claim(state, event)

    def _haul(self, event: AttachmentsSent) -> _Haul | None:
        """What *event* carries off; none if that is nothing that counts."""
        haul, listed = _Haul(Counter(), 0, []), 0
        for each in event.attachments:
            kind = _kind(each)
            if kind is None or (kind == "split" and each.octets < self.options["split_mb"] * MEGABYTE):
                continue
            listed += max(0, each.octets)
            haul.counts[kind] += 1
            if kind != "messages":
                haul.octets += max(0, each.octets)
                haul.names.append(each.filename or each.content_type)
        messages = max(haul.counts.pop("messages", 0), event.attached_messages)
        if messages >= self.options["min_messages"]:
            haul.counts["messages"] = messages
            # Attached messages need not be listed as attachments; then the mail's own size is what there is.
            haul.octets = max(listed, event.octets or 0)
        return haul if haul.counts else None

    def _claim(self, state: ArchiveSentState, event: AttachmentsSent) -> Finding:
        confidence, why = _confidence(state)
        return claim(
            detector=self.name,
            key=event.mailbox,
            episode=state.first_id,
            summary=_summary(state, event),
            mailbox=event.mailbox,
            destinations=state.destinations.names,
            first_seen_ms=state.first_ms,
            last_seen_ms=state.last_ms,
            counts={
                "mails": state.mails,
                "stores": state.stores,
                "exports": state.exports,
                "messages": state.messages,
                "split_volumes": state.splits,
                "octets": state.octets,
            },
            level_reason="An archive is sent by whoever uses the mailbox; no rule is involved.",
            severity=self._severity(state),
            confidence=confidence,
            confidence_reason=why,
            assumptions=("The attachments are what their names and types say; their content was not looked into.",),
            context=event.context,
            actor=event.actor,
            exhibits=state.exhibits.all(),
            technique=_technique(state),
        )

    def _severity(self, state: ArchiveSentState) -> Severity:
        if state.stores or state.octets >= self.options["large_mb"] * MEGABYTE:
            return "high"
        return "medium" if state.exports or state.messages else "low"


def _kind(attached: Attached) -> Kind | None:
    name = (attached.filename or "")[-MAX_NAME_CHARS:].lower().rstrip(". ")
    content_type = attached.content_type.lower()
    if _STORE.search(name) or content_type in _STORE_TYPES:
        return "store"
    if _ARCHIVE.search(name) and _OF_MAIL.search(name):
        return "export"
    if _SPLIT.search(name):
        return "split"
    return "messages" if _MESSAGE.search(name) or content_type in _MESSAGE_TYPES else None


def _count(state: ArchiveSentState, haul: _Haul) -> None:
    state.mails += 1
    state.stores += haul.counts["store"]
    state.exports += haul.counts["export"]
    state.messages += haul.counts["messages"]
    state.splits += haul.counts["split"]
    state.octets += haul.octets
    state.names.add((cut(name, 100) for name in haul.names), 8)


def _summary(state: ArchiveSentState, event: AttachmentsSent) -> str:
    parts = [
        number(state.stores, "mail store") if state.stores else "",
        number(state.exports, "packed mail export") if state.exports else "",
        number(state.messages, "attached message") if state.messages else "",
        number(state.splits, "volume") + " of a split archive" if state.splits else "",
    ]
    what = ", ".join(part for part in parts if part)
    named = f" ({', '.join(map(quoted, state.names.names[:3]))})" if state.names.names else ""
    size = f"{state.octets / MEGABYTE:,.1f} MB"
    return f"{address(event.mailbox)} sent {what}{named} of {size} to {_to(state)}"


def _to(state: ArchiveSentState) -> str:
    names = state.destinations.names
    if not names:
        return "outside"
    return names[0] if len(names) == 1 else f"{names[0]} and {len(names) - 1} more"


def _confidence(state: ArchiveSentState) -> tuple[Confidence, str]:
    if state.stores:
        return "high", "Name or type is that of a mail store, which has no other use."
    if state.messages:
        return "medium", "So many messages in one mail are a collection, though perhaps a harmless one."
    if state.exports:
        return "medium", "An archive's name says that it holds mail."
    return "low", "A split archive may hold anything."


def _technique(state: ArchiveSentState) -> str:
    if state.stores:
        return "T1114.001"
    return "T1114" if state.exports or state.messages else "T1560"

"""
Look-alikes: mail that shows some marks of forwarding and is something else.

Each is one test, named as records name it. Which rows it speaks against stands in the artifact table
(``contradicted_by``): a mailing list explains a rewritten reverse-path, but not a marker that names the mailbox which
sent the copy on. Some are named only where no forward is found, to say what the marks came from.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence

from sensor.classify.context import Context, delivered_to, taken_for
from sensor.classify.road import related
from sensor.classify.text import MAX_VALUE_CHARS, domain_of, split_subject
from sensor.classify.trust import Weighed

# These say what the forward is, not that there was none: the verdict keeps its kind, and the ledger leaves it out.
STILL_A_FORWARD = frozenset(("alias_service", "meeting_forward", "foreign_forward"))

# What each is, and what tells it; docs/artifacts.md shows the table.
MEANINGS: Mapping[str, str] = {
    "journal": "a journal's copy: X-MS-Journal-Report, or made by the Journal Agent",
    "delivery_report": "a DSN (RFC 3464): what is inside is quoted, not forwarded",
    "receipt": "an MDN (RFC 8098)",
    "abuse_report": "ARF (RFC 5965)",
    "moderation": "a request for approval: X-MS-Exchange-Moderation-Loop",
    "policy_notice": "a notice or report of a mail flow rule or a filter: X-MS-Exchange-Transport-Rules-Notification, "
    "or made by one of Exchange's other agents",
    "auto_reply": "an automatic reply: Auto-Submitted: auto-replied (RFC 3834), X-Autoreply, X-Sieve-Action: vacation, "
    "the subject, or a rule's mail in the mailbox's own name that looks like no forward",
    "list": "a mailing list on the side that sends: List-Id (RFC 2919), the list manager's fields, or its form of "
    "reverse-path",
    "bulk_mail": "mail that a program sends to many: List-Unsubscribe (RFC 2369), and written to its recipient",
    "digest": "a list's digest: multipart/digest",
    "ticket": "a ticket system's mail: fields of RT, OTRS, Znuny, Zendesk, Jira, Redmine, or a number in front of "
    "the subject",
    "group_expansion": "a rewritten reverse-path, several recipients at once, and no marker that proves a mailbox",
    "admin_copy": "a mail flow rule's copy of what our side wrote: a record, archive or blind copy",
    "shared_mailbox": "a shared mailbox's copy of a sent mail, or a delegate's copy of meeting mail",
    "phish_report": "a mail attached for those who look into abuse",
    "wrapped_message": "a mail inside a signature (RFC 8551 3.1), or wrapped by a spam filter",
    "tenant_relay": "mail that a tenant of Exchange Online relays: bounces+SRS= without a mailbox",
    "gateway_hop": "a hop inside a house: rewritten or aliased on the way to a recipient of the same side",
    "stale_marker": "a marker of another journey of this mail, or of its sender's hand",
    "alias_service": "an alias or a domain's forwarding at a service: no mailbox stands behind it",
    "meeting_forward": "an invitation that is passed on, by somebody else than its organiser or with no mail in it",
    "foreign_forward": "a forward by somebody else's mailbox, often into ours",
}

# How the local part of a list's own reverse-path looks: owner-x, x-owner, x-bounces, x-bounces+member=domain,
# x-request, and Google Groups' x+bncTOKEN.
_LIST_SENDER = re.compile(
    r"owner-.+|.+-(?:owner|request|bounces?)|.+-bounces?[+-].*=.*|.+\+bnc[a-z0-9]{5,}.*",
    re.IGNORECASE,
)
# Subjects of automatic replies, by what Exchange, Gmail and others put before the colon.
_AUTO_REPLY_PREFIXES = frozenset(
    (
        "automatic reply",
        "auto-reply",
        "autoreply",
        "out of office",
        "automatische antwort",
        "abwesenheitsnotiz",
        "réponse automatique",
        "respuesta automática",
        "resposta automática",
        "risposta automatica",
        "automatisch antwoord",
        "autosvar",
        "automaattinen vastaus",
        "automatická odpověď",
        "odpowiedź automatyczna",
        "automatisk svar",
        "automatická odpoveď",
        "automatikus válasz",
        "răspuns automat",
        "automatski odgovor",
        "samodejni odgovor",
        "otomatik yan\u0131t",
        "автоматический ответ",
        "автоматична відповідь",
        "αυτόματη απάντηση",
        "תשובה אוטומטית",
        "رد تلقائي",
        "자동 회신",
        "自动答复",
        "自動回覆",
        "自動応答",
    )
)
_LIST_FIELDS = ("x-beenthere", "x-mailman-version", "mailing-list")
_ADDRESS_IN_TEXT = re.compile(r"[^\s<>:;,@]@([\w.-]+)")
_TICKET_FIELDS = (
    "x-rt-loop-prevention",
    "rt-ticket",
    "rt-originator",
    "managed-by",
    "x-otrs-loop",
    "x-znuny-loop",
    "x-zendesk-from-account-id",
    "x-jira-fingerprint",
    "x-redmine-issue-id",
)
# "[corp #1234]", "[Ticket#2026112210000017]", "[#4711]": as RT, OTRS and others begin a subject.
_TICKET_NUMBER = re.compile(r"\s*\[[^\]#]{0,40}#\s?\d+\]")
_SECURITY_DESKS = frozenset(
    (
        "abuse",
        "phish",
        "phishing",
        "reportphishing",
        "report-phishing",
        "phishalert",
        "phish-alert",
        "phishreport",
        "phish-report",
        "reportspam",
        "report-spam",
        "spamreport",
        "spam-report",
        "spam",
        "junk",
        "not_junk",
        "suspicious",
    )
)


def look_alikes(context: Context, weighed: Sequence[Weighed]) -> list[str]:
    """The names of all look-alikes that the mail shows, in the order in which they explain it best."""
    shown = [name for name, test in _TESTS if test(context, weighed)]
    named_by_rows = [each.match.row.look_alike for each in weighed if each.match.row.look_alike is not None]
    return list(dict.fromkeys([*shown, *named_by_rows]))


def explanation_of_marks(context: Context, weighed: Sequence[Weighed]) -> str | None:
    """For mail that is no forward and no look-alike above: what its marks of forwarding came from, if that shows."""
    for name, test in _LEFTOVERS:
        if test(context, weighed):
            return name
    return None


# ---- not a forward, whatever marks it


def _journal(context: Context, weighed: Sequence[Weighed]) -> bool:
    source = context.value_of("x-ms-exchange-generated-message-source") or ""
    return context.has_field("x-ms-journal-report") or source.lower().startswith("journal agent")


def _passed_on(context: Context) -> bool:
    """
    True if the mail was written to somebody else than its one recipient.

    A report or an automatic reply goes to whom it answers. One that a mailbox has received and sends on with all its
    other mail is that mailbox's forward.
    """
    header = context.header
    if header is None or len(context.recipients) != 1:
        return False
    written_to = {address.lower() for address in (*header.to, *header.cc)}
    return bool(written_to) and context.recipients[0] not in written_to


def _delivery_report(context: Context, weighed: Sequence[Weighed]) -> bool:
    """DSN (RFC 3464), or a report that says no more of itself: the mail inside it is quoted, not forwarded."""
    transaction = context.transaction
    if _passed_on(context):
        return False
    return transaction.content_type == "multipart/report" and transaction.report_type not in (
        "disposition-notification",
        "feedback-report",
    )


def _receipt(context: Context, weighed: Sequence[Weighed]) -> bool:
    """MDN (RFC 8098)."""
    return context.transaction.report_type == "disposition-notification" and not _passed_on(context)


def _abuse_report(context: Context, weighed: Sequence[Weighed]) -> bool:
    """ARF (RFC 5965)."""
    return context.transaction.report_type == "feedback-report"


def _moderation(context: Context, weighed: Sequence[Weighed]) -> bool:
    return context.has_field("x-ms-exchange-moderation-loop")


def _policy_notice(context: Context, weighed: Sequence[Weighed]) -> bool:
    """What Exchange's agents, mail flow rules and filters, write themselves."""
    if context.has_field("x-ms-exchange-transport-rules-notification"):
        return True
    by_agent = any(each.match.row.slug == "exchange_other_agent" for each in weighed)
    return by_agent and not _passed_on(context)


def _auto_reply(context: Context, weighed: Sequence[Weighed]) -> bool:
    """Declared a reply (RFC 3834 5), or mail that a rule sent in the mailbox's own name and that shows no forward."""
    if any("forward_shape" in each.failed for each in weighed):
        return True
    return _is_declared_reply(context) and not _passed_on(context)


def _is_declared_reply(context: Context) -> bool:
    header = context.header
    if header is not None and (
        header.auto_submitted == "auto-replied" or split_subject(header.subject)[0] in _AUTO_REPLY_PREFIXES
    ):
        return True
    if context.has_any(("x-autoreply", "x-autorespond")):
        return True
    if (context.value_of("x-autogenerated") or "").strip().lower() == "reply":
        return True
    if (context.value_of("x-sieve-action") or "").lower() in ("reject", "vacation"):
        return True
    return (context.value_of("precedence") or "").lower() == "auto_reply"


# ---- forwards of another kind


def _ticket(context: Context, weighed: Sequence[Weighed]) -> bool:
    """
    Says so, or begins with a ticket's number: a person's forward of it begins with his client's prefix.

    One from a system elsewhere that a mailbox of ours sends on is that mailbox's forward.
    """
    header = context.header
    subject = (header.subject or "") if header is not None else ""
    is_told = context.has_any(_TICKET_FIELDS)
    if not is_told and _TICKET_NUMBER.match(subject) is None:
        return False
    return not _left_by_a_member(context, weighed, _ticket_domain(context, weighed))


def _ticket_domain(context: Context, weighed: Sequence[Weighed]) -> str:
    """Whose ticket system it is: that of who sends, unless the reverse-path is a mailbox' that the mail reached."""
    reverse_path = context.reverse_path
    rewritten = any(each.match.row.place == "reverse_path" for each in weighed)
    if reverse_path and not rewritten and reverse_path not in context.addressees:
        return domain_of(reverse_path)
    header = context.header
    return domain_of(header.from_[0].lower()) if header is not None and header.from_ else ""


def _list(context: Context, weighed: Sequence[Weighed]) -> bool:
    """List-Id (RFC 2919) or what list managers wrote before it, of a list on the side that is sending now."""
    header = context.header
    reverse_path = context.transaction.reverse_path or ""
    authors = [address.lower() for address in header.from_] if header is not None else []
    # The form that a forwarder writes ends in the sender that it was, who may be a list.
    forms = [each.match for each in weighed if each.match.row.place == "reverse_path"]
    rewritten = any(match.mailbox is not None and match.row.look_alike is None for match in forms)
    is_list_sender = _LIST_SENDER.fullmatch(reverse_path.rpartition("@")[0]) is not None
    if is_list_sender and not rewritten and reverse_path.lower() not in authors:
        return not _left_by_a_member(context, weighed, domain_of(reverse_path))
    if header is not None and header.list_id is not None:
        return not _left_by_a_member(context, weighed, header.list_id)
    if not context.has_any(_LIST_FIELDS) and (context.value_of("precedence") or "").lower() != "list":
        return False
    return not _left_by_a_member(context, weighed, _list_domain(context))


def _list_domain(context: Context) -> str:
    """Whose list it is where no List-Id says so: the first address that a list manager's field names."""
    for name in ("x-beenthere", "list-post", "mailing-list"):
        named = _ADDRESS_IN_TEXT.search((context.value_of(name) or "")[:MAX_VALUE_CHARS])
        if named is not None:
            return named[1].lower()
    return domain_of(context.reverse_path)


def _left_by_a_member(context: Context, weighed: Sequence[Weighed], list_domain: str) -> bool:
    """True if the mail of a list or ticket system elsewhere reached a mailbox of ours and now leaves it: a forward."""
    organisation = context.organisation
    if not organisation.known or len(context.recipients) != 1:
        return False
    if organisation.owns_host(list_domain) or organisation.owns(context.recipients[0]):
        return False
    proved = [each.match.mailbox for each in weighed if each.evidence != "weak" and each.match.row.kind == "auto"]
    reached = [*delivered_to(context), *taken_for(context), *filter(None, proved)]
    return any(organisation.owns(address) for address in reached)


def _bulk_mail(context: Context, weighed: Sequence[Weighed]) -> bool:
    """Says how to be rid of it (RFC 2369 3.2), as no person's client does; sent on by a mailbox it is a forward."""
    return context.has_field("list-unsubscribe") and not _passed_on(context)


def _digest(context: Context, weighed: Sequence[Weighed]) -> bool:
    return context.transaction.content_type == "multipart/digest"


def _wrapped_message(context: Context, weighed: Sequence[Weighed]) -> bool:
    """A mail inside a signature (RFC 8551 3.1), one that is nothing but another mail, or what a spam filter wraps."""
    transaction = context.transaction
    if transaction.content_type in ("message/rfc822", "message/global", "multipart/signed"):
        return True
    return transaction.attached_messages > 0 and (context.value_of("x-spam-flag") or "").lower() == "yes"


def _phish_report(context: Context, weighed: Sequence[Weighed]) -> bool:
    """A mail attached for those who look into abuse."""
    desks = all(recipient.rpartition("@")[0] in _SECURITY_DESKS for recipient in context.recipients)
    return desks and bool(context.recipients) and context.transaction.attached_messages > 0


def _admin_copy(context: Context, weighed: Sequence[Weighed]) -> bool:
    """A mail flow rule's copy of mail that our side wrote: a record of what was sent, not somebody's mail sent on."""
    header = context.header
    if header is None or not any(each.match.row.slug == "exchange_transport_rules_loop" for each in weighed):
        return False
    author = header.from_[0] if header.from_ else ""
    if context.organisation.known:
        return context.organisation.owns(author)
    return bool(author) and author.lower() == context.reverse_path


def _shared_mailbox(context: Context, weighed: Sequence[Weighed]) -> bool:
    return context.has_any(
        ("x-ms-exchange-sharedmailbox-routingagent-processed", "x-ms-exchange-sharedmailbox-sentitem-message")
    )


def _meeting(context: Context, weighed: Sequence[Weighed]) -> bool:
    """An invitation under a forward's subject: by somebody else than its organiser, or with no mail sent on in it."""
    header = context.header
    if header is None or context.transaction.calendar_method != "request":
        return False
    visible = [each.match.row.place for each in weighed if each.match.row.kind == "visible" and not each.failed]
    by_another = header.sender is not None and header.sender.lower() not in [each.lower() for each in header.from_]
    return "subject" in visible and (by_another or set(visible) <= {"subject", "structure"})


def _group_expansion(context: Context, weighed: Sequence[Weighed]) -> bool:
    """
    A rewritten reverse-path and several recipients at once, and no marker that proves a mailbox: a group's members.
    """
    rewritten = any("group_expansion" in each.match.row.spoken_against_by for each in weighed)
    return rewritten and len(context.recipients) > 1 and all(each.evidence != "conclusive" for each in weighed)


# ---- where no forward is found


def _tenant_relay(context: Context, weighed: Sequence[Weighed]) -> bool:
    return any(each.match.row.slug == "exchange_srs_bounces" for each in weighed)


def _stale_marker(context: Context, weighed: Sequence[Weighed]) -> bool:
    """A marker that would prove a forward, of another journey of this mail or by its sender's hand."""
    tells = {
        "destination_is_recipient",
        "forwarder_is_sending",
        "out_of_senders_reach",
        "mailbox_is_not_recipient",
        "anothers_mail",
        "recipient_unaddressed",
    }
    markers = [each for each in weighed if each.match.row.kind == "auto" and each.match.row.evidence == "conclusive"]
    return any(not tells.isdisjoint(each.failed) for each in markers)


def _gateway_hop(context: Context, weighed: Sequence[Weighed]) -> bool:
    """A hop inside a house: rewritten or aliased on the way to a recipient of the same side."""
    if not context.recipients:
        return False
    inside = [each for each in weighed if "recipient_elsewhere" in each.failed and each.match.mailbox is not None]
    if any("mailbox_is_not_recipient" not in each.failed for each in inside):
        return True
    rewritten = any(each.match.row.slug in ("srs0", "srs1") for each in weighed)
    sender = domain_of(context.transaction.reverse_path or "")
    return rewritten and all(related(domain_of(recipient), sender) for recipient in context.recipients)


Test = Callable[[Context, Sequence[Weighed]], bool]
_TESTS: tuple[tuple[str, Test], ...] = (
    ("journal", _journal),
    ("delivery_report", _delivery_report),
    ("receipt", _receipt),
    ("abuse_report", _abuse_report),
    ("moderation", _moderation),
    ("policy_notice", _policy_notice),
    ("auto_reply", _auto_reply),
    ("list", _list),
    ("bulk_mail", _bulk_mail),
    ("digest", _digest),
    ("ticket", _ticket),
    ("group_expansion", _group_expansion),
    ("admin_copy", _admin_copy),
    ("shared_mailbox", _shared_mailbox),
    ("phish_report", _phish_report),
    ("wrapped_message", _wrapped_message),
    ("meeting_forward", _meeting),
)
_LEFTOVERS: tuple[tuple[str, Test], ...] = (
    ("tenant_relay", _tenant_relay),
    ("stale_marker", _stale_marker),
    ("gateway_hop", _gateway_hop),
)

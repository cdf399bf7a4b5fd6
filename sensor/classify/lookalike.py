"""
Look-alikes: mail that shows some marks of forwarding and is something else.

Each is one test, named as records name it. Which rows it speaks against stands in the artifact table
(``contradicted_by``): a mailing list explains a rewritten reverse-path, but not a marker that names the mailbox which
sent the copy on.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from sensor.classify.trust import Context, Weighed

# These say what the forward is, not that there was none: the verdict keeps its kind, and the ledger leaves it out.
STILL_A_FORWARD = frozenset(("alias_service", "meeting_forward", "foreign_forward"))


def look_alikes(context: Context, weighed: Sequence[Weighed]) -> list[str]:
    """The names of all look-alikes that the mail shows, in the order in which they explain it best."""
    shown = [name for name, test in _TESTS if test(context, weighed)]
    named_by_rows = [each.match.row.look_alike for each in weighed if each.match.row.look_alike is not None]
    return list(dict.fromkeys([*shown, *named_by_rows]))


def _journal(context: Context, weighed: Sequence[Weighed]) -> bool:
    if context.has_field("x-ms-journal-report"):
        return True
    return any(
        field.name.lower() == "x-ms-exchange-generated-message-source"
        and field.value.lower().startswith("journal agent")
        for field in context.transaction.fields
    )


def _delivery_report(context: Context, weighed: Sequence[Weighed]) -> bool:
    """DSN (RFC 3464), MDN (RFC 8098), abuse report (RFC 5965): the mail inside it is quoted, not forwarded."""
    return context.transaction.content_type == "multipart/report"


def _moderation(context: Context, weighed: Sequence[Weighed]) -> bool:
    return context.has_field("x-ms-exchange-moderation-loop")


def _policy_notice(context: Context, weighed: Sequence[Weighed]) -> bool:
    return context.has_field("x-ms-exchange-transport-rules-notification")


def _auto_reply(context: Context, weighed: Sequence[Weighed]) -> bool:
    """Declared a reply (RFC 3834 5), or mail that a rule sent in the mailbox's own name and that shows no forward."""
    header = context.header
    if header is not None and header.auto_submitted == "auto-replied":
        return True
    return any("forward_shape" in each.failed for each in weighed)


def _ticket(context: Context, weighed: Sequence[Weighed]) -> bool:
    return context.has_field("x-rt-loop-prevention") or context.has_field("rt-ticket")


def _list(context: Context, weighed: Sequence[Weighed]) -> bool:
    """List-Id (RFC 2919), or what list managers wrote before it."""
    if context.header is not None and context.header.list_id is not None:
        return True
    return context.has_field("x-beenthere") or context.has_field("x-mailman-version")


def _group_expansion(context: Context, weighed: Sequence[Weighed]) -> bool:
    """
    A rewritten reverse-path and several recipients at once, and no marker that proves a mailbox: a group's members.
    """
    rewritten = any("group_expansion" in each.match.row.contradicted_by for each in weighed)
    return rewritten and len(context.recipients) > 1 and all(each.evidence != "conclusive" for each in weighed)


_TESTS: tuple[tuple[str, Callable[[Context, Sequence[Weighed]], bool]], ...] = (
    ("journal", _journal),
    ("delivery_report", _delivery_report),
    ("moderation", _moderation),
    ("policy_notice", _policy_notice),
    ("auto_reply", _auto_reply),
    ("list", _list),
    ("ticket", _ticket),
    ("group_expansion", _group_expansion),
)

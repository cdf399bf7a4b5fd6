"""
The summary for a terminal: which mailboxes forward and how, which look auto-forwarded and why, and what went unseen.

Plain text that reads the same in a terminal of 80 columns, in a pipe and in a file. Whatever comes from mail is
escaped; addresses are cut only where they are longer than a line, and the cut is shown.
"""

from __future__ import annotations

import textwrap
from collections.abc import Iterator, Sequence
from shlex import join

from sensor.log import printable
from sensor.report.summary import (
    AlertsSummary,
    AllowedSummary,
    CoverageSummary,
    DamageSummary,
    MailboxSummary,
    PairingSummary,
    Summary,
)
from sensor.report.words import DAMAGE, LEVELS, LOOK_ALIKES, columns_of, counted, is_pseudonym, octets, percent

WIDTH = 80
_LABEL = 13
# Enough of an alert's id to find it by.
ID_SHOWN = 12
INFERRED_SHOWN = 5
COUNTED_SHOWN = 5
_MAILBOX = 20
_TIE = "\0"
"""A blank at which no line is broken. Nothing that is printed holds it: control characters are escaped."""
_HEADINGS = ("LEVEL", "AUTO", "BOTH", "HAND", "PAIRED", "AUTO SHARE", "SINCE")
_COLUMNS = (7, 5, 5, 5, 6, 15, 10)


def render(summary: Summary, *, alerts_in: Sequence[str] = ()) -> str:
    """
    The summary as text, ending in a line end. *alerts_in* is what ``mailsensor alerts`` is to be given to read its
    alerts, nothing where no file holds them.
    """
    blocks = [_opening(summary), list(_alerts(summary.alerts)), list(_next(summary.alerts, alerts_in))]
    if summary.mailboxes:
        blocks += [list(_table(summary)), list(_sentences(summary.mailboxes))]
    blocks.append(list(_account(summary)))
    return "\n\n".join("\n".join(block) for block in blocks if block) + "\n"


# ---- what was found


def _opening(summary: Summary) -> list[str]:
    mails = summary.coverage.mails
    lines = ["Interrupted: this is what was read so far."] if summary.interrupted else []
    if not mails:
        return [*lines, *_wrap("No mail was found. " + _seen_instead(summary))]
    total = len(summary.mailboxes) + summary.mailboxes_not_shown
    automatic = sum(_is_automatic(each) for each in summary.mailboxes)
    if not total:
        return [*lines, f"No mailbox was seen to forward, in {counted(mails, 'mail')}."]
    # Sorted by automatic forwards: where the last one shown has any, those not shown may have some too.
    more = " or more" if summary.mailboxes_not_shown and _is_automatic(summary.mailboxes[-1]) else ""
    verb = "forwards" if total == 1 else "forward"
    looks = "looks" if automatic == 1 else "look"
    return [*lines, f"{counted(total, 'mailbox')} {verb} mail; {automatic}{more} {looks} auto-forwarded."]


def _seen_instead(summary: Summary) -> str:
    """What was seen where no mail was, and what to try."""
    seen = summary.counters
    if summary.coverage.tls_sessions:
        return (
            f"{counted(summary.coverage.tls_sessions, 'mail session')} turned to TLS and can't be read on the wire. "
            "Capture where TLS has ended: between gateway and mailbox server, or behind the proxy that ends it."
        )
    if seen.get("sessions"):
        return f"{counted(seen['sessions'], 'SMTP session')} carried no mail: no MAIL command was seen in them."
    hint = (
        "Capture where mail passes, for example: tcpdump -i IFACE -s 0 -w mail.pcap 'tcp port 25 or tcp port 587 or "
        "tcp port 24'."
    )
    if seen.get("flows"):
        frames = counted(seen.get("frames", 0), "frame")
        return f"{counted(seen['flows'], 'TCP flow')} in {frames}, none of them SMTP. {hint}"
    if seen.get("segments"):
        return f"{counted(seen['segments'], 'TCP segment')}, none of them with SMTP in it. {hint}"
    if seen.get("frames_unsupported_link"):
        return (
            f"{counted(seen['frames_unsupported_link'], 'frame')} of a link type that is not supported. "
            "Capture Ethernet, Linux cooked, raw IP or loopback frames."
        )
    if seen.get("frames"):
        return f"{counted(seen['frames'], 'frame')}, none of them TCP. {hint}"
    return "There was nothing to read." if not summary.damage else "Nothing could be read."


def _is_automatic(mailbox: MailboxSummary) -> bool:
    return mailbox.auto_only + mailbox.auto_visible + mailbox.paired > 0


# ---- the table


def _table(summary: Summary) -> Iterator[str]:
    yield _row("MAILBOX", _HEADINGS)
    for mailbox in summary.mailboxes:
        yield from _mailbox(mailbox)
    if summary.mailboxes_not_shown:
        yield f"and {summary.mailboxes_not_shown:,} more"


def _mailbox(mailbox: MailboxSummary) -> Iterator[str]:
    cells = (
        mailbox.level,
        f"{mailbox.auto_only:,}",
        f"{mailbox.auto_visible:,}",
        f"{mailbox.visible_only:,}",
        f"{mailbox.paired:,}",
        _share(mailbox),
        mailbox.first_seen[:10],
    )
    name = _shown(mailbox.mailbox, WIDTH)
    if columns_of(name) > _MAILBOX:
        yield name
        name = ""
    yield _row(name, cells)
    for each in mailbox.destinations:
        yield f"  -> {_shown(each.address, WIDTH - 20)} ({each.count:,})"
    if mailbox.destinations_not_shown:
        yield f"  -> and {mailbox.destinations_not_shown:,} more"
    if mailbox.attempts:
        yield f"  {counted(mailbox.attempts, 'attempt')} refused or given up"
    # A count stays on the line of its mark.
    slugs = ", ".join(f"{slug}{_TIE}{count:,}" for slug, count in mailbox.artifacts.items())
    yield from _wrap(f"{mailbox.evidence}: {slugs}", indent="  ")


def _row(first: str, cells: Sequence[str]) -> str:
    texts = [_pad(first, _MAILBOX)]
    for number, (cell, width) in enumerate(zip(cells, _COLUMNS, strict=True)):
        texts.append(cell.rjust(width) if 0 < number < 5 else cell.ljust(width))
    return " ".join(texts).rstrip()


def _share(mailbox: MailboxSummary) -> str:
    share = mailbox.auto_share
    if share is None:
        return "-"
    return f"{percent(share.value)}% ({percent(share.low)}-{percent(share.high)}%)"


# ---- why


def _sentences(mailboxes: Sequence[MailboxSummary]) -> Iterator[str]:
    automatic = [each for each in mailboxes if _is_automatic(each)]
    if not automatic:
        return
    yield "Looks auto-forwarded:"
    for mailbox in automatic:
        yield from _wrap(_why(mailbox), indent="  ")


def _why(mailbox: MailboxSummary) -> str:
    total = mailbox.auto_only + mailbox.auto_visible + mailbox.visible_only
    by_rule = mailbox.auto_only + mailbox.auto_visible
    named = [_shown(each.address, WIDTH - 4) for each in mailbox.destinations[:1]]
    others = len(mailbox.destinations) + mailbox.destinations_not_shown - len(named)
    to = " to " + named[0] if named else ""
    if others:
        to += f" and {counted(others, 'other')}"
    if not by_rule:
        return (
            f"{_shown(mailbox.mailbox, WIDTH - 4)}{to}: {counted(mailbox.paired, 'mail')} that came in went out again, "
            f"and no mark says so. {LEVELS[mailbox.level]}"
        )
    unmarked = f", and {mailbox.paired:,} more went out again without a mark" if mailbox.paired else ""
    hand = "" if mailbox.auto_visible else ", with no sign of a person's hand"
    also = f"; {mailbox.auto_visible:,} of them look forwarded by hand as well" if mailbox.auto_visible else ""
    sure = "its marks prove it" if mailbox.evidence == "conclusive" else "strong signs, no proof"
    return (
        f"{_shown(mailbox.mailbox, WIDTH - 4)}{to}: a rule made {by_rule:,} of {counted(total, 'forward')}{hand}{also} "
        f"({sure}){unmarked}. {LEVELS[mailbox.level]}"
    )


# ---- what it calls for


def _alerts(alerts: AlertsSummary) -> Iterator[str]:
    total = sum(alerts.by_severity.values())
    if total:
        by_severity = ", ".join(f"{count:,} {severity}" for severity, count in alerts.by_severity.items())
        in_cases = f" in {counted(alerts.cases, 'case')}" if 0 < alerts.cases < total else ""
        yield f"{counted(total, 'alert')}{in_cases} ({by_severity}):"
    case = 1
    for each in alerts.shown:
        if each.case != case and alerts.cases < total:
            yield ""
        case = each.case
        over = ", resolved" if each.status == "resolved" else ""
        yield f"  {each.severity}: {each.detector}, confidence {each.confidence}, id {each.id[:ID_SHOWN]}{over}"
        yield from _wrap(printable(each.summary), indent="    ")
    if alerts.not_shown:
        yield f"  and {alerts.not_shown:,} more"
    if alerts.not_remembered:
        yield f"  and {counted(alerts.not_remembered, 'alert')} told earlier that no longer fit memory"
    held_back = [
        f"{alerts.suppressed:,} allowed by the settings" if alerts.suppressed else "",
        f"{alerts.below_minimum:,} below alerts.min_severity" if alerts.below_minimum else "",
    ]
    if any(held_back):
        yield from _wrap("Findings held back: " + ", ".join(part for part in held_back if part))
    for allowed in alerts.allowed:
        yield from _wrap(_allowed(allowed), indent="  ")
    for name, count in alerts.detector_failures.items():
        yield f"Detector {name} failed on {counted(count, 'event')}; the other detectors saw them."


def _next(alerts: AlertsSummary, kept_in: Sequence[str]) -> Iterator[str]:
    """How to go on from an alert. Commands are not wrapped: a line of the terminal is not a line of the shell."""
    if not alerts.shown:
        return
    keeping = "" if kept_in else ", where --alerts FILE keeps them"
    yield f"Evidence and next steps of each{keeping}:"
    yield f"  mailsensor alerts {printable(join(kept_in or ('FILE',)))} --show {alerts.shown[0].id[:ID_SHOWN]}"


def _allowed(allowed: AllowedSummary) -> str:
    if allowed.expired:
        return f"expired on {allowed.expires}, allows nothing: {printable(allowed.entry)} ({printable(allowed.reason)})"
    covered = f"; latest: {printable(allowed.findings[-1])}" if allowed.findings else ""
    return f"allowed until {allowed.expires}: {printable(allowed.entry)} ({printable(allowed.reason)}){covered}"


# ---- how well it was seen


def _account(summary: Summary) -> Iterator[str]:
    coverage = summary.coverage
    yield from coverage_lines(coverage)
    unpaired = _unpaired(summary.pairing)
    if unpaired:
        yield from _labelled("Not paired", unpaired)
    if coverage.mailboxes_evicted or coverage.forwarders_evicted:
        lost = coverage.mailboxes_evicted + coverage.forwarders_evicted
        yield from _labelled("Dropped", f"accounts of {counted(lost, 'mailbox')}, as limits.ledger_* were reached")
    if coverage.mails and not summary.direction_known:
        yield from _labelled("Direction", "not told: no --internal-domain is set, so every mailbox counts as ours")
    if summary.inferred_domains:
        yield from _labelled("Direction", _inferred(summary.inferred_domains))
    yield from _captures(summary)


def coverage_lines(coverage: CoverageSummary) -> Iterator[str]:
    """What was seen, what could not be, and what was not counted, under labels."""
    if coverage.mails or coverage.tls_sessions:
        yield from _labelled("Seen", _seen(coverage))
        yield from _labelled("In TLS", _in_tls(coverage))
        yield from _labelled("Not seen", _not_seen(coverage))
    left_out = _left_out(coverage)
    if left_out:
        yield from _labelled("Not counted", left_out)


def _captures(summary: Summary) -> Iterator[str]:
    """What was not read, or not well."""
    for text in summary.counted_before[:COUNTED_SHOWN]:
        yield from _labelled("Counted", printable(text))
    if len(summary.counted_before) > COUNTED_SHOWN:
        yield from _labelled("Counted", f"and {len(summary.counted_before) - COUNTED_SHOWN:,} more captures before")
    for text in summary.passed_over:
        yield from _labelled("Passed over", printable(text))
    for damage in summary.damage:
        yield from _labelled("Damage", _damage(damage))


def _inferred(domains: Sequence[str]) -> str:
    """What was taken for ours, and how to put it right: the command line that says the same."""
    shown = [_shown(domain, WIDTH - _LABEL - 20) for domain in domains[:INFERRED_SHOWN]]
    more = f" and {len(domains) - len(shown):,} more" if len(domains) > len(shown) else ""
    options = " ".join(f"--internal-domain {domain}" for domain in shown)
    return (
        f"worked out from the traffic: {', '.join(shown)}{more} {'are' if len(domains) > 1 else 'is'} taken for yours. "
        f"To fix that, right or wrong, name your domains: {options}"
    )


def _seen(coverage: CoverageSummary) -> str:
    parts = [
        f"{coverage.delivered:,} delivered" if coverage.delivered else "",
        f"{coverage.rejected:,} rejected" if coverage.rejected else "",
        f"{coverage.deferred:,} deferred" if coverage.deferred else "",
        f"{coverage.aborted:,} given up" if coverage.aborted else "",
        f"{coverage.unknown:,} of unknown outcome" if coverage.unknown else "",
    ]
    outcomes = ", ".join(part for part in parts if part)
    text = f"{counted(coverage.mails, 'mail')} in clear" + (f": {outcomes}" if outcomes else "")
    if coverage.first_seen is not None and coverage.last_seen is not None:
        text += f"; {_when(coverage.first_seen)} to {_when(coverage.last_seen)} UTC"
    return text


def _in_tls(coverage: CoverageSummary) -> str:
    if not coverage.tls_sessions:
        return "no session"
    return f"{counted(coverage.tls_sessions, 'session')}, {octets(coverage.tls_octets)}: the mail in them can't be read"


def _not_seen(coverage: CoverageSummary) -> str:
    text = f"{octets(coverage.missing_octets)} missing"
    if coverage.incomplete:
        text += f", {counted(coverage.incomplete, 'mail')} incomplete"
    if coverage.one_sided:
        text += f", {counted(coverage.one_sided, 'mail')} seen in one direction only"
    return text


def _left_out(coverage: CoverageSummary) -> str:
    parts = [f"{LOOK_ALIKES.get(slug, slug)} {count:,}" for slug, count in coverage.look_alikes.items()]
    if coverage.unattributed_forwards:
        parts.append(f"forwards that name no mailbox {coverage.unattributed_forwards:,}")
    if coverage.duplicate_hops:
        parts.append(f"further hops of the same copy {coverage.duplicate_hops:,}")
    if coverage.untold_destinations:
        parts.append(f"destinations beyond those that one mail names {coverage.untold_destinations:,}")
    return ", ".join(parts)


def _unpaired(pairing: PairingSummary) -> str:
    """Where pairing was short of room or misled, copies may have gone unseen."""
    parts = [
        f"{pairing.forgotten:,} fingerprints of incoming mail forgotten early" if pairing.forgotten else "",
        f"{pairing.ambiguous:,} fingerprints that too many mails share" if pairing.ambiguous else "",
        f"{pairing.judged_early:,} copies judged early" if pairing.judged_early else "",
    ]
    told = ", ".join(part for part in parts if part)
    return f"{told}: copies may have gone unseen, as limits.pairing_* were reached" if told else ""


def _damage(damage: DamageSummary) -> str:
    at = f" at octet {damage.offset:,}" if damage.offset else ""
    detail = f": {printable(damage.detail)}" if damage.detail else ""
    return f"{printable(damage.path)} {DAMAGE.get(damage.kind, damage.kind)}{at}{detail}"


# ---- text


def _labelled(label: str, text: str) -> list[str]:
    return textwrap.wrap(
        text,
        WIDTH,
        initial_indent=label.ljust(_LABEL),
        subsequent_indent=" " * _LABEL,
        break_long_words=False,
        break_on_hyphens=False,
    )


def _wrap(text: str, indent: str = "") -> list[str]:
    lines = textwrap.wrap(
        text,
        WIDTH,
        initial_indent=indent,
        subsequent_indent=indent + ("  " if indent else ""),
        break_long_words=False,
        break_on_hyphens=False,
    )
    return [line.replace(_TIE, " ") for line in lines]


def _when(rfc3339: str) -> str:
    return rfc3339[:16].replace("T", " ")


def _shown(text: str, width: int) -> str:
    """Text of a mail: escaped, with its middle cut out where it has more than *width* columns and is no pseudonym."""
    text = printable(text)
    if columns_of(text) <= width or is_pseudonym(text):
        return text
    half = (width - 3) // 4
    return f"{text[:half]}...{text[-half:]}"


def _pad(text: str, width: int) -> str:
    return text + " " * (width - columns_of(text))

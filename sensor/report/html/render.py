"""
The incident report as one HTML page that needs nothing else: no script, no font, no picture, no request.

Its policy (Content-Security-Policy) forbids all of them, and names the page's own style sheet by its digest, so that
nothing a mail could smuggle in would do anything. The same report gives the same octets.
"""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Iterator
from functools import cache
from hashlib import sha256
from importlib.resources import files

from sensor.ledger import CELLS
from sensor.report.html import chart
from sensor.report.html.alert import NAME, alert_card, anchor, severity_badge
from sensor.report.html.markup import Child, Markup, element, joined, lines, quoted, raw, spread
from sensor.report.html.page import MAX_SOURCES, MAX_TIMELINES, MailboxFacts, Page, RunFacts
from sensor.report.html.reading import how_to_read
from sensor.report.html.sentences import duration, implications, moment, second, seen, verdict
from sensor.report.html.table import Column, table
from sensor.report.words import DAMAGE, LOOK_ALIKES, counted, octets, percent

DOMAINS_SHOWN = 5
"""Domains named in the title."""

CAPTURES_NAMED = 4
"""So many captures are named at the top; more are counted there."""

_SECTIONS = (
    ("verdict", "Verdict"),
    ("coverage", "What was seen"),
    ("alerts", "Alerts"),
    ("allowed", "Held back by the allow-list"),
    ("mailboxes", "Mailboxes"),
    ("flows", "Who forwards to whom"),
    ("times", "When"),
    ("sources", "Sources"),
    ("reading", "How to read this"),
)


def render(page: Page) -> bytes:
    """The page in UTF-8."""
    style = style_sheet()
    policy = (
        f"default-src 'none'; style-src 'sha256-{b64encode(sha256(style.encode()).digest()).decode()}'; "
        "base-uri 'none'; form-action 'none'"
    )
    bodies = (_verdict, _coverage, _alerts, _allowed, _mailboxes, _flows, _times, _sources, how_to_read)
    sections = [
        element("section", element("h2", title), joined(body(page)), id=name)
        for (name, title), body in zip(_SECTIONS, bodies, strict=True)
    ]
    head = lines(
        (
            element("meta", charset="utf-8"),
            element("meta", http_equiv="Content-Security-Policy", content=policy),
            element("meta", name="viewport", content="width=device-width, initial-scale=1"),
            element("meta", name="color-scheme", content="light dark"),
            element("meta", name="referrer", content="no-referrer"),
            element("title", f"Mail forwarding report: {_subject(page.facts)}"),
            element("style", raw(style)),
        )
    )
    body = lines((chart.patterns(), _header(page), _contents(), element("main", lines(sections))))
    document = element("html", element("head", head), element("body", body), lang="en")
    return f"<!DOCTYPE html>\n{document}\n".encode()


@cache
def style_sheet() -> str:
    """The page's style sheet, as it is shipped."""
    return files("sensor.report.html").joinpath("style.css").read_text(encoding="utf-8")


# ---- what it is about


def _subject(facts: RunFacts) -> str:
    if not facts.domains:
        return "all mailboxes"
    more = len(facts.domains) - DOMAINS_SHOWN
    return ", ".join(facts.domains[:DOMAINS_SHOWN]) + (f" and {more:,} more" if more > 0 else "")


def _header(page: Page) -> Markup:
    facts, coverage = page.facts, page.coverage
    period = (
        f"{second(coverage.first_seen)} to {second(coverage.last_seen)} UTC"
        if coverage.first_seen is not None and coverage.last_seen is not None
        else "no mail was seen"
    )
    rows = (
        ("Period", period),
        ("Sensor", facts.sensor),
        ("Captures", _captures_line(facts)),
    )
    return element(
        "header",
        element("p", "Mail forwarding report", class_="kind"),
        element("h1", quoted(_subject(facts))),
        element("dl", *(part for name, value in rows for part in (element("dt", name), element("dd", value)))),
    )


def _captures_line(facts: RunFacts) -> Child:
    if not facts.captures:
        return "none: what was seen was seen as it passed"
    total = octets(sum(each.octets or 0 for each in facts.captures))
    named = len(facts.captures) <= CAPTURES_NAMED
    names = spread(quoted(each.name) for each in facts.captures) if named else counted(len(facts.captures), "file")
    more = "; counts go on from earlier runs" if facts.continued else None
    return joined((names, f", {total}; digests under ", element("a", "Sources", href="#sources"), more))


def _contents() -> Markup:
    links = (element("a", title, href=f"#{name}") for name, title in _SECTIONS)
    return element("nav", element("ul", lines(element("li", link) for link in links)), aria_label="Contents")


# ---- verdict and coverage


def _verdict(page: Page) -> Iterator[Child]:
    yield element("p", " ".join(verdict(page)), class_="verdict")


def _coverage(page: Page) -> Iterator[Child]:
    rows = [(name, value) for name, value in seen(page.coverage)]
    yield table("Coverage", (Column("What"), Column("Seen")), rows)
    yield element("h3", "What this means for the claims")
    yield element("ul", lines(element("li", each) for each in implications(page)))
    yield from _look_alikes(page)


def _look_alikes(page: Page) -> Iterator[Child]:
    alike = page.coverage.look_alikes
    if alike or page.coverage.duplicate_hops:
        named = [f"{LOOK_ALIKES.get(slug, slug)} {count:,}" for slug, count in alike.items()]
        if page.coverage.duplicate_hops:
            named.append(f"further hops of the same copy {page.coverage.duplicate_hops:,}")
        yield element("p", f"Looked like forwards and were not counted: {', '.join(named)}.")


# ---- alerts


def _alerts(page: Page) -> Iterator[Child]:
    facts = page.facts
    if not page.alerts:
        yield element("p", "No alert was raised.")
    else:
        rows = [
            (
                joined((f"{number}. ", element("a", quoted(each.summary), href=f"#{anchor(number)}"))),
                severity_badge(each.severity),
                each.confidence,
                element("code", each.detector),
                each.status,
                element("span", second(each.first_seen)[:16], class_="time"),
            )
            for number, each in enumerate(page.alerts, 1)
        ]
        columns = ("Alert", "Severity", "Confidence", "Detector", "Status", "First seen (UTC)")
        yield table("Alerts, the gravest first", [Column(each) for each in columns], rows, stacks=True)
    yield _more(page.alerts_not_shown, "alerts")
    yield _more(facts.alerts_dropped, "alerts, told earlier, that no longer fitted memory")
    if facts.below_minimum:
        yield element("p", f"{counted(facts.below_minimum, 'finding')} below alerts.min_severity are not told.")
    told = zip(page.alerts, page.scopes, strict=True)
    yield from (alert_card(number, each, scope) for number, (each, scope) in enumerate(told, 1))


def _allowed(page: Page) -> Iterator[Child]:
    if page.facts.from_store:
        yield element("p", "Not kept between runs: the summary of each run tells it.")
        return
    if not page.allowed:
        yield element("p", "Nothing: no entry of the allow-list held anything back.")
        return
    rows = [
        (
            quoted(each.entry),
            quoted(each.reason),
            f"{each.expires}, no longer holds" if each.expired else each.expires,
            f"{each.tellings:,}",
            lines(element("div", quoted(finding)) for finding in each.findings),
        )
        for each in page.allowed
    ]
    columns = (
        Column("Entry"),
        Column("Reason"),
        Column("Until"),
        Column("Findings", is_number=True),
        Column("The latest"),
    )
    yield table("Known and allowed: no alert was raised for these", columns, rows, stacks=True)
    yield _more(page.allowed_not_shown, "entries")


# ---- mailboxes


def _mailboxes(page: Page) -> Iterator[Child]:
    if not page.mailboxes:
        yield element("p", "No mailbox was seen to forward.")
        return
    yield _legend()
    columns = (
        Column("Mailbox"),
        Column("Destinations"),
        *(Column(name, is_number=True) for name in ("By a rule", "Both", "By hand", "Unmarked", "Refused")),
        Column("Auto share, 95 % interval"),
        Column("Level"),
        Column("First, last (UTC)"),
    )
    yield table(
        "Mailboxes by gravest alert, then by automatic forwards to outside",
        columns,
        [_mailbox_row(each) for each in page.mailboxes],
        style="mailboxes",
        stacks=True,
    )
    yield _more(page.mailboxes_not_shown, "mailboxes")


def _legend() -> Markup:
    items = (element("li", chart.swatch(number), f" {chart.CELL_NAMES[number]}") for number in range(len(CELLS)))
    return element("ul", lines(items), class_="legend", aria_label="Kinds of forwards")


def _mailbox_row(mailbox: MailboxFacts) -> tuple[Child, ...]:
    marks = ", ".join(f"{slug} {count:,}" for slug, count in mailbox.marks.items())
    evidence = f"{mailbox.evidence}: {marks}" if marks else mailbox.evidence
    return (
        joined(
            (
                quoted(mailbox.name, NAME),
                element("div", *_alert_links(mailbox)) if mailbox.severity is not None else None,
                element("div", evidence, class_="marks"),
            )
        ),
        _destinations(mailbox),
        *(f"{count:,}" for count in mailbox.cells),
        f"{mailbox.attempts:,}",
        _share(mailbox),
        mailbox.level,
        joined(element("div", moment(at_ms), class_="time") for at_ms in (mailbox.first_seen_ms, mailbox.last_seen_ms)),
    )


def _alert_links(mailbox: MailboxFacts) -> Iterator[Child]:
    if mailbox.severity is not None:
        yield severity_badge(mailbox.severity)
    links = [element("a", f"{number}", href=f"#{anchor(number)}") for number in mailbox.alerts]
    if links:
        yield joined((" alert " if len(links) == 1 else " alerts ", spread(links)))


def _share(mailbox: MailboxFacts) -> Child:
    share = mailbox.share
    if share is None:
        return "none"
    told = f"{percent(share.value)} % ({percent(share.low)} to {percent(share.high)} %)"
    return joined((chart.bar(chart.Interval(share.value, share.low, share.high), told), element("div", told)))


def _destinations(mailbox: MailboxFacts) -> Child:
    named = [element("div", quoted(each, NAME)) for each in mailbox.destinations]
    more = mailbox.destinations_not_shown
    return joined(
        (
            *named,
            element("div", f"and {more:,} more", class_="more") if more else None,
            element("div", f"and {counted(mailbox.nameless, 'forward')} to others", class_="more")
            if mailbox.nameless
            else None,
        )
    )


def _flows(page: Page) -> Iterator[Child]:
    if not page.pairs:
        yield element("p", "No forward was counted.")
        return
    drawn = chart.picture(page.mailboxes, page.pairs)
    left_out = spread(
        Markup(counted(number, noun))
        for number, noun in (
            (drawn.mailboxes_left_out, "more mailbox"),
            (drawn.destinations_left_out, "more destination"),
        )
        if number
    )
    caption = joined(
        (
            (
                "A band is as wide as what was forwarded; it has the colour and pattern of the kind that most forwards "
                "of its mailbox are of. Destinations with a dashed outline are the organisation's own."
            ),
            joined((" Not drawn one by one: ", left_out, ".")) if left_out else None,
        )
    )
    scrolled = element(
        "div", drawn.drawing, class_="scroll", role="region", tabindex=0, aria_label="Picture of forwards"
    )
    yield element("figure", scrolled, element("figcaption", caption))
    rows = [
        (
            quoted(each.mailbox),
            quoted(each.destination),
            "outside" if each.is_outside else "inside",
            f"{each.count:,}",
            octets(each.octets),
            *(element("span", moment(at_ms), class_="time") for at_ms in (each.first_seen_ms, each.last_seen_ms)),
        )
        for each in page.pairs
    ]
    columns = (
        Column("Mailbox"),
        Column("Destination"),
        Column("Where"),
        Column("Forwards", is_number=True),
        Column("Size", is_number=True),
        Column("First (UTC)"),
        Column("Last (UTC)"),
    )
    yield table("Who forwards to whom", columns, rows, style="pairs", stacks=True)
    yield _more(page.pairs_not_shown, "rows")


# ---- when


def _times(page: Page) -> Iterator[Child]:
    shown = [each for each in page.mailboxes[:MAX_TIMELINES] if each.timeline]
    if not shown:
        yield element("p", "No forward was counted.")
        return
    period = chart.period_of(shown)
    yield element(
        "p",
        "Above the line what a rule forwarded, below it what a person forwarded or what no mark explains. A rule's "
        "picture is one-sided and knows no night. Faint lines are midnights, or Mondays where the time is long (UTC).",
    )
    yield _legend()
    yield lines(_timeline(each, period) for each in shown)
    yield _more(
        sum(bool(each.timeline) for each in page.mailboxes) - len(shown) + page.mailboxes_not_shown, "mailboxes"
    )


def _timeline(mailbox: MailboxFacts, period: chart.Period | None) -> Markup:
    most = max(sum(each[1:]) for each in mailbox.timeline)
    told = ", ".join(f"{count:,} {chart.CELL_NAMES[cell]}" for cell, count in enumerate(mailbox.cells) if count)
    axis = period or chart.own_period(mailbox.timeline, mailbox.bucket_ms)
    note = f"{told}; a bar is {duration(mailbox.bucket_ms)}, the highest {counted(most, 'forward')}"
    return element(
        "figure",
        element("figcaption", element("strong", quoted(mailbox.name, NAME)), f" {note}"),
        chart.timeline(mailbox, period, note),
        element("div", element("span", moment(axis.start_ms)), element("span", moment(axis.end_ms)), class_="ends"),
        class_="when",
    )


# ---- what it was made from


def _sources(page: Page) -> Iterator[Child]:
    facts = page.facts
    if facts.captures:
        rows = [
            (
                quoted(each.name),
                "" if each.octets is None else f"{each.octets:,}",
                element("code", each.digest) if each.digest is not None else "not read twice",
            )
            for each in facts.captures[:MAX_SOURCES]
        ]
        columns = (Column("Capture"), Column("Octets", is_number=True), Column("BLAKE2b-128"))
        yield table("Captures read, with digests as b2sum --length 128 prints them", columns, rows, style="digests")
        yield _more(len(facts.captures) - MAX_SOURCES, "captures")
    else:
        yield element("p", "No capture is named.")
    problems = [
        joined((quoted(each.path), f" {DAMAGE.get(each.kind, each.kind)}", _at(each.offset), quoted(each.detail)))
        for each in facts.damage[:MAX_SOURCES]
    ] + [quoted(each) for each in facts.passed_over[:MAX_SOURCES]]
    if problems:
        yield element("h3", "Damaged or passed over")
        yield element("ul", lines(element("li", each) for each in problems))
        yield _more(max(0, len(facts.damage) - MAX_SOURCES) + max(0, len(facts.passed_over) - MAX_SOURCES), "places")


def _at(offset: int | None) -> str:
    return ": " if offset is None else f" at octet {offset:,}: "


def _more(number: int, what: str) -> Markup | None:
    """That something is left out, if it is."""
    return element("p", f"and {number:,} more {what} that are not named here", class_="more") if number > 0 else None

"""The artifact table as text, as JSON lines, and as the page in the docs."""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterator
from importlib import resources

import msgspec

from sensor.classify import Table
from sensor.classify.lookalike import MEANINGS, STILL_A_FORWARD
from sensor.classify.rows import PLACES, Row, languages
from sensor.classify.rules import RULES

_COLUMNS = ("SLUG", "KIND", "LEVEL", "EVIDENCE", "WHERE")
_PLACE_TITLES = {
    "reverse_path": "Reverse-path",
    "recipient": "Parameters of RCPT",
    "reply": "Replies that refuse",
    "report": "Reports of a refusal",
    "field": "Header fields",
    "structure": "Envelope against header",
    "subject": "Subject",
    "body": "Body",
    "attached_message": "Attached mail",
}

_INTRODUCTION = """\
# Artifacts

What in an envelope, a header section or a body tells of forwarding. This page is made from the table the sensor
works by: `python -m sensor.report.artifacts > docs/artifacts.md`. `mailsensor artifacts` prints that in force, with
your own rows.

A row says what it proves **when every rule of trust holds**; where one fails it is a weak hint, and a weak hint alone
never makes a forward. Rows marked *unconfirmed* have no sample and no primary source behind them and are weak always.
"""

_ORDER = """\
The first six are asked of every marker that names what they are about, the others of rows that require them.

A mark is worth something only where the sender of the mail had no hand on it. A field on top of the header section
shows that by its place: it stands above the topmost Received line whose client is foreign, the one by which the mail
came to the mailbox's side. Where our networks are known, a client is ours by its address; without them by the name it
gave, which anybody can give, so set `internal_networks`.

**Where the order of fields cannot decide:** Exchange writes its hops and `Resent-From` on top, but
`X-MS-Exchange-Inbox-Rules-Loop`, `-ForwardingLoop`, `-Transport-Rules-Loop` and its other fields at the foot of the
header section, below every Received line and beside what the sender wrote; Exim's transports (cPanel) do the same.
There a genuine field and a forged one stand in one place. Such a mark is a weak hint alone. It counts where evidence
that the sender could not write shows a forward by the same mailbox: a reverse-path with `+SRS=` of a mailbox that the
mail was written to, the mailbox itself as reverse-path, `Resent-From` on top, ORCPT, a Received line for the mailbox.
Then it may make that evidence conclusive and say the level; it never makes a forward, and never names another
mailbox. What this costs: a mail flow rule's redirect of mail from outside leaves only such a mark, and stays a hint.
The same rule's redirect of mail from inside, which no foreign hop stands above, counts.
"""

_ATTACK = """\
## The names that ATT&CK gives

T1114.003 names these. What they show, and where they are stripped:

- `X-MS-Exchange-Organization-AutoForwarded` (`exchange_auto_forwarded`): an inbox rule forwarded or redirected. A
  mailbox's forwarding property does not set it. The header firewall strips it, with all `X-MS-Exchange-Organization-*`,
  toward every destination that is not trusted: it is seen inside, on hybrid links and on trusted connectors only.
- `X-MailFwdBy` (`mail_fwd_by`): by its name, whose mailbox forwards. No product, document or sample with it was found.
- `X-Forwarded-To` (`google_forwarded_to`, with `google_forwarded_for`): where Gmail, or a server that follows Google's
  advice, forwards to. Nothing strips it: an old one says nothing of the mail of now.
- `forwardingSMTPAddress` is a property of the mailbox; nothing in a mail bears that name. What it writes:
  `exchange_forwarding_loop`, `exchange_srs`, `resent_from_alone`, before August 2023 `sent_by_addressee`. Users set it
  in Outlook on the web, administrators anywhere.
- Mail flow rules: `exchange_transport_rules_loop`, which survives the way out.
- Hidden inbox rules write what any inbox rule writes.

Mail with marks of automatic forwarding and hardly any that looks forwarded points to an administrator's setting, says
ATT&CK. A user's rule that redirects looks the same: the share is a hint, and marks of either level outweigh it.
"""

_OWN_ROWS = """\
## Rows of your own

In the settings file, with the same keys. A bad row is an error that names row, key and reason.

```toml
[[artifacts.row]]
slug = "our_gateway"
place = "field"
field = "X-Corp-Redirected-By"
pattern = '(?P<mailbox>\\S+@\\S+)'    # over the whole value, without case
mailbox = "{mailbox}"
kind = "auto"
level = "admin"
evidence = "strong"
prepended = true                       # the gateway puts it on top of the header section
source = "our own gateway"
```
"""


_SOURCES = {
    "AJX": "ajaxtower.jp, Gmail's auto-forwarding shown step by step",
    "ATT": "MITRE ATT&CK, T1114.003",
    "CHQ": "chasquid, its queue and tests",
    "CPN": "a public sample of a cPanel forwarder's mail",
    "CR": "crisp-oss/email-forward-parser, tested against clients and locales",
    "CYR": "cyrusimap/cyrus-imapd, imap/lmtp_sieve.c and imap/lmtpd.c",
    "DMD": "a mail of February 2022 on the dm-devel list with the whole header of an Exchange Online forward",
    "ENRON": "the mail of Enron's staff, published in 2003, written with Notes",
    "EXIM": "Exim, src/expand.c and its specification",
    "G175365": "Google's help page 175365, advice to forwarders",
    "GH-AR": "public test fixtures with automatic replies of Exchange",
    "GH-JR": "journal reports in public test fixtures",
    "GH-PM": "public code that reads Proton's fields",
    "GH-SL": "simple-login/app, email_handler.py",
    "HMS": "hMailServer, SMTPForwarding.cpp and RuleApplier.cpp",
    "KER": "aplawrence.com, the fields of a forwarding rule of Kerio's shown",
    "KOP": "Kopano, spooler/rules.cpp",
    "MIMEKIT": "jstedfast/MimeKit, a header in its benchmarks",
    "MS-FWD": "Microsoft, outbound spam policies and external forwarding",
    "MS-HFW": "Microsoft, header firewall",
    "MS-LOOP": "Microsoft, loop prevention in Exchange Online demystified",
    "MS-OXCMAIL": "Microsoft, [MS-OXCMAIL] 2.1.3.2.21",
    "MS-OXOMSG": "Microsoft, [MS-OXOMSG] 2.2.1.3",
    "MS-PA": "Microsoft, email exfiltration controls for connectors",
    "MS-RD": "Microsoft, remote domains",
    "MS-RR": "Microsoft, recipient resolution",
    "MS-SRS": "Microsoft, Sender Rewriting Scheme in Exchange Online",
    "OLC": "a delivery report of outlook.com with the header of a rule's redirect",
    "OXB": "University of Oxford, email loops: what happens when and why",
    "PFX": "Postfix, src/local and src/cleanup",
    "PIG": "dovecot/pigeonhole, cmd-redirect.c",
    "PP": "rf-peixoto/phishing_pot, thousands of real mails",
    "PSRSD": "roehling/postsrsd, README and srs2.c",
    "QM": "notqmail, qmail-local.c and dot-qmail(5)",
    "RC": "Roundcube, bounce.php",
    "RS1": "rspamd, rules/forwarding.lua",
    "RS2": "rspamd, its aliases plugin",
    "TB": "Thunderbird, mailnews/compose",
    "WP": "Wikipedia, list of email subject abbreviations",
    "ZIM": "Zimbra, FilterUtil.java and zimbra-attrs.xml",
}


def render_artifacts(table: Table) -> str:
    """One line a row, aligned, in the table's order, ending in a line end."""
    rows = [_COLUMNS] + [
        (row.slug, row.kind, row.level, row.evidence + ("?" if row.unconfirmed else ""), row.field or row.place)
        for row in table.rows
    ]
    widths = [max(len(row[column]) for row in rows) for column in range(len(_COLUMNS))]
    lines = ["  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows]
    if any(row.unconfirmed for row in table.rows):
        lines.append("? no sample and no primary source was found")
    return "\n".join(lines) + "\n"


def rows_as_json(table: Table) -> str:
    """One JSON object a line, each a row with all its keys."""
    return "".join(msgspec.json.encode(row).decode() + "\n" for row in table.rows)


def artifacts_page(table: Table) -> str:
    """The page ``docs/artifacts.md``."""
    return "\n".join(_page(table)) + "\n"


def _page(table: Table) -> Iterator[str]:
    yield _INTRODUCTION
    for place in _PLACE_TITLES:
        rows = [row for row in table.rows if row.place == place]
        if rows:
            yield from _section(place, rows)
    yield from _rules()
    yield from _look_alikes()
    yield _ATTACK
    yield from _languages()
    yield _OWN_ROWS
    yield from _keys()


def key_explanations() -> list[str]:
    """The lines at the head of ``artifacts.toml`` that say what each key means."""
    text = resources.files("sensor.classify").joinpath("artifacts.toml").read_text(encoding="utf-8")
    head = itertools.takewhile(lambda line: line.startswith("#"), text.splitlines())
    return [line.removeprefix("#   ") for line in head if line.startswith("#   ")]


def _section(place: str, rows: list[Row]) -> Iterator[str]:
    yield f"## {_PLACE_TITLES[place]}\n"
    yield "| slug | what | kind | level | evidence | mailbox, destination | source |"
    yield "|---|---|---|---|---|---|---|"
    for row in rows:
        drawn = ", ".join(_code(each) for each in (row.mailbox, row.destination) if each is not None)
        unconfirmed = ", *unconfirmed*" if row.unconfirmed else ""
        cells = (f"`{row.slug}`", _what(row), row.kind, row.level, row.evidence + unconfirmed, drawn, row.source)
        yield f"| {' | '.join(cells)} |"
    yield ""


def _what(row: Row) -> str:
    """What is looked for, and the row's note."""
    if row.field is not None:
        what = f"`{row.field}`"
    elif row.shape is not None:
        what = row.shape.replace("_", " ")
    else:
        what = ", ".join(_code(each) for each in (row.marks or row.prefixes)) or _code(row.pattern or "")
    return f"{what}. {row.note}" if row.note is not None else what


def _code(text: str) -> str:
    return "`" + text.replace("|", "\\|") + "`"


def _rules() -> Iterator[str]:
    yield "## Rules of trust\n"
    yield _ORDER
    yield "| rule | it holds if |"
    yield "|---|---|"
    for name, rule in RULES.items():
        yield f"| `{name}` | {rule.passed} |"
    yield ""


def _look_alikes() -> Iterator[str]:
    yield "## Look-alikes\n"
    yield "Mail that shows marks of forwarding and is something else. A record names it in `look_alike`; the last three"
    yield "are forwards, of another kind than those by a mailbox of ours, and are not counted.\n"
    yield "| look-alike | what it is, and what tells it |"
    yield "|---|---|"
    for name in sorted(MEANINGS, key=lambda name: name in STILL_A_FORWARD):
        yield f"| `{name}` | {MEANINGS[name]} |"
    yield ""


def _languages() -> Iterator[str]:
    yield "## Languages\n"
    yield "Labels of the header block that clients quote, and prefixes of replies, which are no forwards.\n"
    yield "| language | labels | replies |"
    yield "|---|---|---|"
    for language in languages():
        labels = ", ".join(text for texts in language.labels for text in texts)
        yield f"| {language.code} | {labels} | {', '.join(language.reply)} |"
    yield ""


def _keys() -> Iterator[str]:
    yield "The keys, as the head of the built-in table explains them:\n"
    yield "```"
    yield from key_explanations()
    yield "```\n"
    yield "| place | needs |"
    yield "|---|---|"
    for place, keys in PLACES.items():
        yield f"| `{place}` | {', '.join(f'`{key}`' for key in keys)} |"
    yield "\n## Sources\n"
    yield "| key | source |"
    yield "|---|---|"
    for key, source in _SOURCES.items():
        yield f"| {key} | {source} |"


def unexplained_sources(table: Table) -> set[str]:
    """Source keys of the table's rows, words in capitals, that the page does not explain."""
    named = {each.strip() for row in table.rows for each in row.source.split(",")}
    return {each for each in named if re.fullmatch(r"[A-Z0-9-]+", each)} - _SOURCES.keys()


if __name__ == "__main__":
    import sys

    from sensor.classify import builtin_table

    sys.stdout.write(artifacts_page(builtin_table()))

"""The summary: aligned at 80 columns, honest about doubt, and safe whatever mail put into it."""

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sensor.pseudonym import Key, KeyRing, Pseudonyms
from sensor.report.summary import (
    AlertsSummary,
    AlertSummary,
    CoverageSummary,
    DamageSummary,
    DestinationSummary,
    MailboxSummary,
    PairingSummary,
    ShareSummary,
    Summary,
)
from sensor.report.terminal import WIDTH, render
from sensor.report.words import octets

COVERAGE = CoverageSummary(
    mails=1_234,
    delivered=1_200,
    rejected=20,
    deferred=0,
    aborted=4,
    unknown=10,
    incomplete=3,
    one_sided=0,
    missing_octets=2_920,
    tls_sessions=12,
    tls_octets=34_500_000,
    first_seen="2026-11-20T10:00:00Z",
    last_seen="2026-11-21T10:00:00Z",
    look_alikes={"list": 7},
    unattributed_forwards=0,
    duplicate_hops=1,
    mailboxes_evicted=0,
    forwarders_evicted=0,
)
NOTHING = msgspec.structs.replace(
    COVERAGE, mails=0, delivered=0, tls_sessions=0, first_seen=None, last_seen=None, look_alikes={}, duplicate_hops=0
)

NO_ALERTS = AlertsSummary(
    by_severity={},
    shown=[],
    not_shown=0,
    not_remembered=0,
    suppressed=0,
    below_minimum=0,
    allowed=[],
    detector_failures={},
)


def mailbox(
    name: str = "ann@corp.example", destination: str = "x.y@dst.example", auto_only: int = 12
) -> MailboxSummary:
    return MailboxSummary(
        mailbox=name,
        level="user",
        auto_only=auto_only,
        auto_visible=0,
        visible_only=0 if auto_only else 3,
        attempts=0,
        sent=20,
        received=30,
        auto_share=ShareSummary(value=1.0, low=0.8161, high=1.0)
        if auto_only
        else ShareSummary(value=0, low=0, high=0.5),
        evidence="conclusive",
        artifacts={"google_caf": 12},
        destinations=[
            DestinationSummary(
                address=destination, count=12, first_seen="2026-11-20T10:00:00Z", last_seen="2026-11-21T10:00:00Z"
            )
        ],
        destinations_not_shown=0,
        first_seen="2026-11-20T10:00:00Z",
        last_seen="2026-11-21T10:00:00Z",
    )


def summary(*mailboxes: MailboxSummary, **changes: object) -> Summary:
    plain = Summary(
        interrupted=False,
        direction_known=True,
        mailboxes=list(mailboxes),
        mailboxes_not_shown=0,
        alerts=NO_ALERTS,
        coverage=COVERAGE,
        damage=[],
        passed_over=[],
        counters={},
        anomalies={},
    )
    return msgspec.structs.replace(plain, **changes)


def test_the_whole_picture() -> None:
    assert (
        render(summary(mailbox(), mailbox("dora@corp.example", "x@dst.example", auto_only=0), mailboxes_not_shown=2))
        == """\
4 mailboxes forward mail; 1 looks auto-forwarded.

MAILBOX              LEVEL    AUTO  BOTH  HAND PAIRED AUTO SHARE      SINCE
ann@corp.example     user       12     0     0      0 100% (82-100%)  2026-11-20
  -> x.y@dst.example (12)
  conclusive: google_caf 12
dora@corp.example    user        0     0     3      0 0% (0-50%)      2026-11-20
  -> x@dst.example (12)
  conclusive: google_caf 12
and 2 more

Looks auto-forwarded:
  ann@corp.example to x.y@dst.example: a rule made 12 of 12 forwards, with no
    sign of a person's hand (its marks prove it). It was set up by the user, or
    by whoever holds the user's account.

Seen         1,234 mails in clear: 1,200 delivered, 20 rejected, 4 given up, 10
             of unknown outcome; 2026-11-20 10:00 to 2026-11-21 10:00 UTC
In TLS       12 sessions, 34.5 MB: the mail in them can't be read
Not seen     2.9 kB missing, 3 mails incomplete
Not counted  mailing lists 7, further hops of the same copy 1
"""
    )


def test_a_long_address_stands_on_a_line_of_its_own_and_keeps_the_columns() -> None:
    text = render(summary(mailbox("a.very.long.local.part@a.very.long.domain.corp.example")))
    lines = text.splitlines()
    at = lines.index("a.very.long.local.part@a.very.long.domain.corp.example")
    assert lines[at + 1] == " " * 21 + "user       12     0     0      0 100% (82-100%)  2026-11-20"


def test_wide_characters_keep_the_columns() -> None:
    [line] = [
        line for line in render(summary(mailbox("用户@corp.example"))).splitlines() if "user" in line and "2026" in line
    ]
    assert line.startswith("用户@corp.example    user")


HOSTILE = st.text(alphabet=st.characters(), min_size=1, max_size=400)


@given(HOSTILE, HOSTILE)
def test_whatever_mail_holds_moves_no_cursor_and_breaks_no_line(name: str, destination: str) -> None:
    text = render(summary(mailbox(name, destination)))
    allowed_lines = render(summary(mailbox("x" * len(name), destination)))
    assert "\x1b" not in text
    assert all(character == "\n" or character.isprintable() or character.isspace() for character in text)
    assert not set(text) & set("\r\u202a\u202b\u202d\u202e\u2066\u2067\u2068\u2028\u2029\x85")
    assert allowed_lines.endswith("\n")
    table = [line for line in text.splitlines() if line.endswith("2026-11-20")]
    assert len(table) == 1


def test_copies_without_a_mark_are_told_of() -> None:
    silent = msgspec.structs.replace(
        mailbox(auto_only=0), visible_only=0, paired=36, auto_share=None, level="unknown", evidence="strong"
    )
    text = render(summary(silent))
    assert "1 looks auto-forwarded" in text
    assert "unknown     0     0     0     36 -               2026-11-20" in text
    words = " ".join(text.split())
    assert "ann@corp.example to x.y@dst.example: 36 mails that came in went out again, and no mark says so." in words


def test_alerts_of_one_case_stand_together() -> None:
    shown = [alert(), alert("the same, from another side"), msgspec.structs.replace(alert("another"), case=2)]
    alerts = msgspec.structs.replace(NO_ALERTS, by_severity={"high": 3}, cases=2, shown=shown)
    lines = render(summary(alerts=alerts)).splitlines()
    at = lines.index("3 alerts in 2 cases (3 high):")
    assert [line == "" for line in lines[at : at + 8]].count(True) == 1
    assert lines[lines.index("    another") - 2] == ""


def test_how_to_go_on_from_an_alert_is_one_line_of_the_shell() -> None:
    alerts = msgspec.structs.replace(NO_ALERTS, by_severity={"high": 1}, cases=1, shown=[alert()])
    place = "/srv/alerts of " + "x" * 80 + "\x1b.jsonl"
    lines = render(summary(alerts=alerts), alerts_in=(place,)).splitlines()
    command = lines[lines.index("Evidence and next steps of each:") + 1]
    assert command.startswith("  mailsensor alerts '/srv/alerts of xxx")
    assert command.endswith(f"--show {alert().id[:12]}")
    assert "\x1b" not in command
    sealed = render(summary(alerts=alerts), alerts_in=("ledger.db", "--key", "my key"))
    assert "  mailsensor alerts ledger.db --key 'my key' --show " in sealed
    unkept = render(summary(alerts=alerts))
    assert "where --alerts FILE keeps them" in unkept
    assert f"  mailsensor alerts FILE --show {alert().id[:12]}\n" in unkept
    assert "next steps" not in render(summary())


def test_a_count_stands_beside_its_mark() -> None:
    box = msgspec.structs.replace(mailbox(), artifacts={f"mark_number_{each}": 1 for each in range(40)})
    text = render(summary(box))
    assert all(f"mark_number_{each} 1" in text for each in range(40))


def test_what_pairing_could_not_see_is_told() -> None:
    pairing = PairingSummary(forgotten=1_200, ambiguous=3)
    words = " ".join(render(summary(mailbox(), pairing=pairing)).split())
    assert "Not paired 1,200 fingerprints of incoming mail forgotten early, 3 fingerprints that too many" in words


@pytest.mark.parametrize(
    ("number", "text"), [(0, "0 octets"), (1, "1 octet"), (999, "999 octets"), (1_000, "1.0 kB"), (10**13, "10.0 TB")]
)
def test_octets_are_told_in_the_largest_unit(number: int, text: str) -> None:
    assert octets(number) == text


def test_markup_is_text() -> None:
    assert "[red]ann[/red]@corp.example" in render(summary(mailbox("[red]ann[/red]@corp.example")))


def test_no_line_is_wider_than_the_screen() -> None:
    boxes = [mailbox("a" * 500 + "@corp.example", "b" * 500 + "@dst.example"), mailbox()]
    passed = ["/a/directory: no captures inside (looked for names)"]
    damage = [DamageSummary(path="a.pcap", kind="truncated", detail="3 of 100 octets", offset=123_456)]
    for line in render(summary(*boxes, passed_over=passed, damage=damage)).splitlines():
        assert len(line) <= WIDTH


@pytest.mark.parametrize(
    ("counters", "tls_sessions", "words"),
    [
        ({}, 0, ["There was nothing to read."]),
        ({"frames": 9}, 0, ["9 frames, none of them TCP", "tcpdump"]),
        ({"frames": 9, "frames_unsupported_link": 9}, 0, ["link type that is not supported"]),
        ({"frames": 9, "segments": 9, "flows": 1}, 0, ["1 TCP flow in 9 frames, none of them SMTP", "tcpdump"]),
        ({"frames": 9, "segments": 9, "flows": 1, "sessions": 1}, 0, ["1 SMTP session carried no mail"]),
        (
            {"frames": 9, "sessions": 2, "sessions_tls": 2},
            2,
            ["2 mail sessions turned to TLS", "Capture where TLS has ended"],
        ),
    ],
)
def test_where_no_mail_was_found_it_says_what_was(
    counters: dict[str, int], tls_sessions: int, words: list[str]
) -> None:
    coverage = msgspec.structs.replace(NOTHING, tls_sessions=tls_sessions)
    text = " ".join(render(summary(coverage=coverage, counters=counters)).split())
    assert text.startswith("No mail was found.")
    for word in words:
        assert word in text


def test_mail_without_forwards_is_said_to_be_so() -> None:
    assert render(summary()).startswith("No mailbox was seen to forward, in 1,234 mails.\n")


def test_an_interrupted_run_says_so_first() -> None:
    assert render(summary(interrupted=True)).startswith("Interrupted: this is what was read so far.\n")


@pytest.mark.parametrize(
    ("value", "low", "high", "shown"),
    [
        (1.0, 0.995, 1.0, "100% (>99-100%)"),
        (0.001, 0.0, 0.004, "<1% (0-<1%)"),
        (0.999, 0.99, 0.9999, ">99% (99->99%)"),
        (0.5, 0.25, 0.75, "50% (25-75%)"),
    ],
)
def test_rounding_never_claims_all_or_none(value: float, low: float, high: float, shown: str) -> None:
    box = msgspec.structs.replace(mailbox(), auto_share=ShareSummary(value=value, low=low, high=high))
    assert shown in render(summary(box))


def test_evictions_and_missing_domains_are_told() -> None:
    text = render(summary(coverage=msgspec.structs.replace(COVERAGE, mailboxes_evicted=3), direction_known=False))
    assert "accounts of 3 mailboxes" in text
    assert "no --internal-domain is set" in text


def alert(summary: str = "ann@corp.example began to forward mail by a rule to x.y@dst.example") -> AlertSummary:
    return AlertSummary(
        id="0123456789abcdef" * 2,
        status="firing",
        severity="high",
        confidence="medium",
        detector="new_forwarder",
        mailbox="ann@corp.example",
        destinations=["x.y@dst.example"],
        summary=summary,
        first_seen="2026-11-20T10:00:00Z",
        last_seen="2026-11-21T10:00:00Z",
    )


def test_alerts_come_before_the_table() -> None:
    alerts = msgspec.structs.replace(
        NO_ALERTS, by_severity={"high": 1, "low": 2}, shown=[alert()], not_shown=2, suppressed=4, below_minimum=5
    )
    text = render(summary(mailbox(), alerts=alerts))
    expected = """\
3 alerts (1 high, 2 low):
  high: new_forwarder, confidence medium, id 0123456789ab
    ann@corp.example began to forward mail by a rule to x.y@dst.example
  and 2 more
Findings held back: 4 allowed by the settings, 5 below alerts.min_severity
"""
    assert expected in text
    assert text.index(expected) < text.index("MAILBOX")


def test_an_alert_can_not_draw_on_the_terminal() -> None:
    alerts = msgspec.structs.replace(NO_ALERTS, by_severity={"high": 1}, shown=[alert("\x1b[2J\u202eevil")])
    text = render(summary(alerts=alerts))
    assert "\x1b" not in text
    assert "\u202e" not in text


def test_a_detector_that_fails_is_named() -> None:
    alerts = msgspec.structs.replace(NO_ALERTS, detector_failures={"silent_copy": 2})
    assert "Detector silent_copy failed on 2 events" in render(summary(alerts=alerts))


def test_pseudonyms_are_shown_whole_so_that_a_key_can_reveal_them() -> None:
    names = Pseudonyms(KeyRing([Key(b"0" * 64)]))
    box, to = names.address("fay@corp.example"), names.address("x" * 64 + "@" + "y" * 60 + ".example")
    text = render(summary(mailbox(box, to)))
    assert box in text
    assert to in text
    assert names.reveal_all(text).count("fay@corp.example") == text.count(box)

"""Mail that passes through the sensor's hands: the relay, the milter, and the verdicts on it."""

from __future__ import annotations

from grafana.board import BAD_ABOVE_0, WARN_ABOVE_0, Board, Panel, Query, Row
from grafana.promql import increase, rate

VERDICTS = Row(
    "Verdicts",
    (
        Panel(
            "Passed without a verdict", "short",
            "In the time shown: the verdict failed or came late, and mail passed unjudged (inline.on_failure "
            "open). Runbook: MailsensorInlineFailOpen.",
            (Query(increase("inline_failed_open_total"), now=True),),
            kind="stat", width=6, height=5, steps=BAD_ABOVE_0,
        ),
        Panel(
            "Deferred without a verdict", "short",
            "In the time shown: the verdict failed or came late, and mail was deferred (inline.on_failure closed). "
            "Runbook: MailsensorInlineFailClosed.",
            (Query(increase("inline_failed_closed_total"), now=True),),
            kind="stat", width=6, height=5, steps=BAD_ABOVE_0,
        ),
        Panel(
            "Not seen, or not whole", "short",
            "In the time shown: mails that passed and are in no record. unshown: the MTA queued them and did not show "
            "them; unread: they could not be read, or more was open than the limits allow; dropped: no room for their "
            "records. In pieces: could not be read whole. Runbook: MailsensorInlineUnseen.",
            (
                Query(increase("unseen_mails_total", by="why"), "{{why}}", now=True),
                Query(increase("milter_mails_unread_total"), "in pieces", now=True),
            ),
            kind="stat", width=12, height=5, steps=BAD_ABOVE_0,
        ),
        Panel(
            "Verdicts", "cps",
            "Asked for, and those that failed or came late, a second. Late ones: inline.verdict_timeout_ms is short, "
            "or the processor is taken.",
            (
                Query(rate("inline_verdicts_total"), "asked for"),
                Query(rate("inline_verdicts_failed_total"), "failed"),
                Query(rate("inline_verdicts_late_total"), "late"),
            ),
            width=12,
        ),
        Panel(
            "What verdicts came to", "short",
            "In the time shown. Refused and tagged mails follow the rules of [inline]; a step up after a change of "
            "them is the change. too late: a rule about bodies wants to tag, and the header had gone. not done: the "
            "MTA does not let a milter do that.",
            (
                Query(increase("relay_mails_refused_total"), "relay: refused or deferred", now=True),
                Query(increase("relay_mails_quarantine_deferred_total"), "relay: deferred, not held", now=True),
                Query(increase("relay_mails_tagged_total"), "relay: tagged", now=True),
                Query(increase("relay_mails_tag_too_late_total"), "relay: too late to tag", now=True),
                Query(increase("milter_verdicts_not_done_total"), "milter: not done", now=True),
            ),
            kind="bargauge", width=12,
        ),
    ),
)  # fmt: skip

RELAY = Row(
    "Relay",
    (
        Panel(
            "Mail through the relay", "cps",
            "Final dots sent to the next hop, and those that it took, a second. A gap between the two: the next hop "
            "refuses; its log says why.",
            (
                Query(rate("relay_mails_passed_total", by="instance"), "{{instance}} sent on"),
                Query(rate("relay_mails_taken_total", by="instance"), "{{instance}} taken"),
            ),
        ),
        Panel(
            "Mail that did not get through", "short",
            "In the time shown. ambiguous: the next hop's answer never came, so that a mail may come twice. failed: "
            "the next hop was gone; aborted: the client was. No mail is lost by any of them: clients try again.",
            (
                Query(increase("relay_mails_ambiguous_total"), "ambiguous", now=True),
                Query(increase("relay_mails_failed_total"), "failed", now=True),
                Query(increase("relay_mails_aborted_total"), "aborted", now=True),
            ),
            kind="stat", steps=WARN_ABOVE_0,
        ),
        Panel(
            "Next hop", "cps",
            "Connections that failed or were lost, a second. Mail is deferred meanwhile. Runbook: "
            "MailsensorRelayNextHop.",
            (
                Query(rate("relay_next_hop_failed_total"), "not reached"),
                Query(rate("relay_next_hop_lost_total"), "lost"),
                Query(rate("relay_next_hop_timeouts_total"), "silent"),
                Query(rate("relay_next_hop_nonsense_total"), "nonsense"),
                Query(rate("relay_tls_next_hop_failures_total"), "TLS not to be had"),
            ),
        ),
        Panel(
            "Clients", "cps",
            "Connections a second, and those turned away: beyond relay.max_sessions, silent, or the relay itself "
            "(a loop).",
            (
                Query(rate("relay_sessions_total"), "accepted"),
                Query(rate("relay_sessions_refused_total"), "refused"),
                Query(rate("relay_client_timeouts_total"), "silent"),
                Query(rate("relay_loops_refused_total"), "loops"),
            ),
            width=12,
        ),
        Panel(
            "Attempts at its protocol", "short",
            "In the time shown: ends of data that a lenient server might see, commands in clear behind STARTTLS, "
            "tags that a stranger wrote, PROXY headers that are wrong. Many from one client: see the records of that "
            "time.",
            (
                Query(increase("relay_smuggled_dots_total"), "smuggled dots", now=True),
                Query(increase("relay_tls_injections_total"), "injected before TLS", now=True),
                Query(increase("relay_strange_tags_removed_total"), "strange tags", now=True),
                Query(increase("relay_proxy_headers_refused_total"), "PROXY headers", now=True),
                Query(increase("relay_bare_newlines_refused_total"), "bare newlines", now=True),
            ),
            kind="bargauge", width=12,
        ),
    ),
)  # fmt: skip

MILTER = Row(
    "Milter",
    (
        Panel(
            "Mail through the milter", "cps",
            "Mails shown to their end, and those whose connection was lost before, a second. Nothing while the MTA "
            "takes mail: its smtpd_milters does not name us, or it goes on without (milter_default_action).",
            (
                Query(rate("milter_mails_total", by="instance"), "{{instance}} whole"),
                Query(rate("milter_mails_lost_total", by="instance"), "{{instance}} lost"),
            ),
        ),
        Panel(
            "Connections of MTAs", "cps",
            "Opened, refused beyond milter.connections, and closed for silence, a second.",
            (
                Query(rate("milter_connections_total"), "opened"),
                Query(rate("milter_connections_refused_total"), "refused"),
                Query(rate("milter_connections_silent_total"), "silent"),
            ),
        ),
        Panel(
            "Connections given up", "short",
            "In the time shown. faults: of the sensor, runbook MailsensorMilterFailures; violations: what came is not "
            "the milter protocol; out of order: steps where it has no place for them.",
            (
                Query(increase("milter_failures_total"), "faults", now=True),
                Query(increase("milter_violations_total"), "violations", now=True),
                Query(increase("milter_out_of_order_total"), "out of order", now=True),
            ),
            kind="stat", steps=WARN_ABOVE_0,
        ),
    ),
)  # fmt: skip

BOARD = Board(
    "inline",
    "mail in line",
    "Mail that the relay and the milter hold in their hands: does it pass, is it judged, is any unseen.",
    (VERDICTS, RELAY, MILTER),
)

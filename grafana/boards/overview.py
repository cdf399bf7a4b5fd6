"""What an analyst looks at first: mail, forwards, what could not be seen, alerts."""

from __future__ import annotations

from grafana.board import AMBER, BAD_ABOVE_0, RED, WARN_ABOVE_0, Board, Panel, Query, Row
from grafana.promql import HOUR, RANGE, increase, of, or_zero, part_of_both, rate, share, summed

TLS, CLEAR = 'privacy="tls"', 'privacy="clear"'
HIDDEN = f"({rate('sessions_total', TLS, over=RANGE)} + {rate('unseen_mails_total', over=RANGE)})"
BY_RULE = 'kind=~"auto_only|auto_visible"'
MARKED = 'kind!="paired"'

NOW = Row(
    "Now",
    (
        Panel(
            "Alerts firing", "short",
            "Mailboxes and destinations that the detectors warn of, by severity. Begin with critical and high: "
            "`mailsensor alerts` or the API (/api/v1/alerts?status=firing) has the evidence and next steps of each.",
            (Query(summed(of("alerts_firing"), "severity"), "{{severity}}", now=True),),
            kind="stat", width=8, height=5, steps=WARN_ABOVE_0,
        ),
        Panel(
            "Mailboxes forwarding outside by a rule", "short",
            "Mailboxes that a rule forwarded mail of to outside, in the last 7 days of packet time. A jump in a day "
            "is a campaign or a migration: see the mailbox dashboard for who is new. Sensors that see the same mail "
            "count it each.",
            (Query(summed(of("active_forwarders")), now=True),),
            kind="stat", width=4, height=5,
        ),
        Panel(
            "Mailboxes with mail", "short",
            "Mailboxes of the organisation that had mail in the last 7 days. Far fewer than there are: the sensor "
            "does not see all mail (span port, internal_domains); far more: internal_domains is missing or too wide.",
            (Query(summed(of("active_mailboxes")), now=True),),
            kind="stat", width=4, height=5,
        ),
        Panel(
            "Sessions hidden", "percentunit",
            "Share of mail sessions, over the time shown, that turned to TLS and could not be read; mails that passed "
            "a tap in line unseen count with them. What the other panels say is true of the rest alone. Where it is "
            "high, tap behind the gateway that ends TLS, or see the dashboard of mail in line.",
            (Query(part_of_both(HIDDEN, rate("sessions_total", CLEAR, over=RANGE)), now=True),),
            kind="stat", width=4, height=5, steps=((0.5, AMBER), (0.9, RED)), decimals=1,
        ),
        Panel(
            "Sources that do not read", "short",
            "Taps that died and wait for their next try. Not zero: mail passes unseen. The sensor's /-/ready says "
            "which and why; see the health dashboard.",
            (Query(f"count({of('worker_up')} == 0) or vector(0)", now=True),),
            kind="stat", width=4, height=5, steps=BAD_ABOVE_0,
        ),
    ),
)  # fmt: skip

MAIL = Row(
    "Mail",
    (
        Panel(
            "Mail by direction", "cps",
            "Transactions a second. Outbound and inbound should follow the day. Much of `unknown` or `transit`: set "
            "organisation.internal_domains and internal_networks. Nothing while mail flows: look at the health "
            "dashboard's packets.",
            (Query(rate("transactions_total", by="direction"), "{{direction}}"),),
            stacked=True,
        ),
        Panel(
            "Mail by outcome", "cps",
            "Transactions a second, by what became of them. `deferred` and `rejected` rise when a next hop refuses "
            "(a blocklist, a full disk); `aborted` when connections break; `unknown` when the replies are not seen: "
            "check that the tap shows both directions.",
            (Query(rate("transactions_total", by="outcome"), "{{outcome}}"),),
            stacked=True,
        ),
        Panel(
            "Share of mail refused", "percentunit",
            "Rejected and deferred transactions among all. A step up is usually the mail system's own trouble, not "
            "the sensor's; with it, forwards that were refused (below) show who tried.",
            (
                Query(share(rate("transactions_total", 'outcome="rejected"'), rate("transactions_total")), "rejected"),
                Query(share(rate("transactions_total", 'outcome="deferred"'), rate("transactions_total")), "deferred"),
            ),
        ),
    ),
)  # fmt: skip

FORWARDS = Row(
    "Forwards",
    (
        Panel(
            "Forwards in an hour, by kind", "short",
            "Mails that mailboxes forwarded, in the hour before. auto_only: a rule, and nothing to see in the mail; "
            "auto_visible: a rule, and it looks forwarded; visible_only: by hand, as it seems; paired: the same mail "
            "in and out with no mark. More auto_only without more visible_only is what T1114.003 looks like: go to "
            "the mailbox dashboard.",
            (Query(increase("forwards_total", over=HOUR, by="kind"), "{{kind}}"),),
            stacked=True,
        ),
        Panel(
            "Forwards by a rule in an hour, by level", "short",
            "Who set the rule up, as the marks tell: the user, an administrator, or either. Administrator-level "
            "forwards that nobody ordered point at forwardingSMTPAddress or a transport rule: check the audit log of "
            "the mail system.",
            (Query(increase("forwards_total", BY_RULE, over=HOUR, by="level"), "{{level}}"),),
            stacked=True,
        ),
        Panel(
            "Forwards in an hour, inside and to outside", "short",
            "Where forwards go. Only those to outside leave the organisation; a rise there is worth a look at new "
            "destinations (/api/v1/destinations?outside=true).",
            (Query(increase("forwards_total", over=HOUR, by="scope"), "{{scope}}"),),
            stacked=True,
        ),
        Panel(
            "Share of forwards that only a rule shows", "percentunit",
            "auto_only among all forwards that carry a mark. Near one means rules do the forwarding; a rise in a "
            "steady organisation means new rules. Of a single mailbox take the interval on the mailbox dashboard, "
            "never this.",
            (
                Query(
                    share(
                        rate("forwards_total", 'kind="auto_only"', over=HOUR),
                        rate("forwards_total", MARKED, over=HOUR),
                    ),
                    "over an hour",
                ),
            ),
        ),
        Panel(
            "Forwards refused", "short",
            "Forwards that a next hop refused, in the time shown; policy `yes`: because forwarding itself is "
            "forbidden there. Someone tried: the alerts of forwarding_blocked name the mailbox.",
            (Query(increase("forwards_refused_total", by="policy"), "policy: {{policy}}", now=True),),
            kind="stat", width=4,
        ),
        Panel(
            "What only looks like a forward", "short",
            "Lists, automatic replies, reports, tickets and the like, in the time shown: recognised and not counted "
            "as forwards. A kind that you know to be forwards here is a case for a row of your own in "
            "[artifacts].",
            (Query(f"topk(10, {increase('look_alikes_total', by='look_alike')})", "{{look_alike}}", now=True),),
            kind="bargauge", width=12,
        ),
    ),
)  # fmt: skip

COVERAGE = Row(
    "What could be seen",
    (
        Panel(
            "Sessions, in clear and in TLS", "cps",
            "Mail sessions that ended, a second. If clear sessions turn to TLS, the sensor goes blind without an "
            "error: move the tap, or read the mail inline.",
            (Query(rate("sessions_total", by="privacy"), "{{privacy}}"),),
            stacked=True,
        ),
        Panel(
            "Share of sessions in TLS", "percentunit",
            "As above, as a share. A sudden change has a cause: a gateway's new setting, a moved tap, a certificate "
            "that ran out (then it falls).",
            (Query(share(rate("sessions_total", TLS, over=HOUR), rate("sessions_total", over=HOUR)), "over an hour"),),
        ),
        Panel(
            "Share of octets missing", "percentunit",
            "Octets of mail that were never seen, among those that should have been. Above a thousandth: the span "
            "port or the sensor drops. See drops and gaps on the health dashboard.",
            (
                Query(
                    part_of_both(rate("missing_octets_total"), rate("capture_content_octets_total")),
                    "missing",
                ),
            ),
            decimals=2,
        ),
        Panel(
            "Share of transactions seen in part", "percentunit",
            "Incomplete: some octets are missing. One-sided: only one direction was seen, so the verdict of the "
            "next hop is unknown; the mirror then lacks a direction, or routes are asymmetric.",
            (
                Query(share(rate("incomplete_transactions_total"), rate("transactions_total")), "incomplete"),
                Query(share(rate("one_sided_transactions_total"), rate("transactions_total")), "one-sided"),
            ),
            width=12,
        ),
        Panel(
            "Traffic in TLS", "Bps",
            "Octets a second inside TLS sessions: how much mail is not read.",
            (Query(rate("tls_octets_total"), "in TLS"),),
            width=12,
        ),
    ),
)  # fmt: skip

ALERTS = Row(
    "Alerts",
    (
        Panel(
            "Alerts firing over time", "short",
            "By severity. A slow rise that nobody works down hides the next real one: resolve, or allow with a "
            "reason and a last day (`mailsensor allow`).",
            (Query(summed(of("alerts_firing"), "severity"), "{{severity}}"),),
            stacked=True,
        ),
        Panel(
            "Alerts told, by detector", "short",
            "Tellings in the time shown, repeats and resolutions included. One detector that tells far more than "
            "the others may need its thresholds set: docs/detectors.md.",
            (Query(increase("alerts_total", by="detector"), "{{detector}}", now=True),),
            kind="bargauge",
        ),
        Panel(
            "Findings, by what became of them", "short",
            "What policy made of findings in the time shown. Much under `suppressed`: see whether the allow-list is "
            "too "
            "wide. Any under `closed_early`: too many alerts at once (alerts.max_alerts).",
            (Query(increase("findings_total", by="result"), "{{result}}", now=True),),
            kind="bargauge",
        ),
        Panel(
            "Trouble of the sensors themselves", "short",
            "Alerts of Prometheus about the sensors (deploy/prometheus). Each has a page in docs/runbooks.",
            (Query(or_zero('count(ALERTS{alertname=~"Mailsensor.*",alertstate="firing"})'), "firing", now=True),),
            kind="stat", width=24, height=4, steps=BAD_ABOVE_0,
        ),
    ),
)  # fmt: skip

BOARD = Board(
    "overview",
    "overview",
    "Mail flow, who forwards, what could not be seen, and what is alerted.",
    (NOW, MAIL, FORWARDS, COVERAGE, ALERTS),
    since="now-24h",
)

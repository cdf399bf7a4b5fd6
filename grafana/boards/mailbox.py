"""The mailboxes with most automatic forwards: how much, by which means, how sure, to how many addresses."""

from __future__ import annotations

from grafana.board import Board, Panel, Query, Row, Variable
from grafana.promql import HOUR, RANGE, increase, of, rate, share, summed

CHOSEN = 'mailbox=~"$mailbox"'
BY_RULE = 'kind=~"auto_only|auto_visible"'


def cell(kind: str) -> Query:
    """A column with one of the four cells, since the mailbox was first seen."""
    return Query(summed(of("mailbox_forwards_total", f'{CHOSEN},kind="{kind}"'), "mailbox"), column=kind)


TOP = Row(
    "Mailboxes with most automatic forwards",
    (
        Panel(
            "The four cells, since each mailbox was first seen", "short",
            "auto_only: by a rule, nothing to see; auto_visible: by a rule, looks forwarded; visible_only: by hand; "
            "paired: in and out again, no mark. The share of auto_only comes as an interval (95 %, Jeffreys): low end "
            "near one and high counts mean a rule and no person; it is worked out every 15 seconds. Mailboxes are "
            "pseudonyms: `mailsensor report "
            "mailboxes` and the API name them to who may know.",
            (
                cell("auto_only"),
                cell("auto_visible"),
                cell("visible_only"),
                cell("paired"),
                Query(
                    summed(of("mailbox_auto_share_low_ratio", CHOSEN), "mailbox"),
                    column="auto share, low", unit="percentunit",
                ),
                Query(
                    summed(of("mailbox_auto_share_high_ratio", CHOSEN), "mailbox"),
                    column="auto share, high", unit="percentunit",
                ),
                Query(
                    summed(of("mailbox_destinations", f'{CHOSEN},scope="external"'), "mailbox"),
                    column="outside destinations",
                ),
                Query(
                    f"max by (mailbox) ({of('mailbox_last_forward_timestamp_seconds', CHOSEN)}) * 1000",
                    column="latest forward", unit="dateTimeFromNow",
                ),
            ),
            kind="table", width=24, height=12,
        ),
    ),
)  # fmt: skip

RECENT = Row(
    "In the time shown",
    (
        Panel(
            "Most automatic forwards", "short",
            "Forwards by a rule in the time shown. A mailbox that leads here and not in the table began lately: look "
            "at its alerts.",
            (
                Query(
                    f"topk(10, {increase('mailbox_forwards_total', f'{CHOSEN},{BY_RULE}', by='mailbox')})",
                    "{{mailbox}}", now=True,
                ),
            ),
            kind="bargauge", width=12,
        ),
        Panel(
            "Forwards of the chosen mailboxes in an hour", "short",
            "In the hour before, by kind. A rule forwards day and night and follows the mail that comes in; a person "
            "works in "
            "office hours. Steady auto_only from one hour on is the hour to look for in the audit log.",
            (Query(increase("mailbox_forwards_total", CHOSEN, over=HOUR, by="kind"), "{{kind}}"),),
            width=12, stacked=True,
        ),
        Panel(
            "Share of auto_only, with its interval", "percentunit",
            "Since each mailbox was first seen: the ends of the 95 % interval; between them, how sure it is. Choose "
            "one mailbox. Wide: too few forwards to say. A low end that climbs to one: a rule. The alert "
            "auto_forward_ratio fires on the low end.",
            (
                Query(f"max by (mailbox) ({of('mailbox_auto_share_low_ratio', CHOSEN)})", "{{mailbox}} low"),
                Query(f"max by (mailbox) ({of('mailbox_auto_share_high_ratio', CHOSEN)})", "{{mailbox}} high"),
            ),
            width=12,
        ),
        Panel(
            "Share of auto_only in the time shown", "percentunit",
            "Of the chosen mailboxes together, of forwards with a mark. Against the interval beside it: has the way "
            "of forwarding changed? With few forwards this says little; it has no interval.",
            (
                Query(
                    share(
                        rate("mailbox_forwards_total", f'{CHOSEN},kind="auto_only"', over=RANGE),
                        rate("mailbox_forwards_total", f'{CHOSEN},kind!="paired"', over=RANGE),
                    ),
                    "auto_only",
                ),
            ),
            width=12,
        ),
        Panel(
            "Addresses forwarded to", "short",
            "How many addresses the chosen mailboxes forward to, inside and outside, as far as accounts hold them. "
            "One outside address is the usual rule; several, or a new one, deserve a look: /api/v1/destinations "
            "names them.",
            (Query(summed(of("mailbox_destinations", CHOSEN), "scope"), "{{scope}}"),),
            width=12,
        ),
        Panel(
            "Forwards in an hour of mailboxes that are not shown", "short",
            "In the hour before, by kind. Only the web.top_mailboxes (50) mailboxes with most automatic forwards have "
            "series. Much here: "
            "raise it, or ask the API, which knows every mailbox.",
            (Query(increase("mailbox_overflow_forwards_total", over=HOUR, by="kind"), "{{kind}}"),),
            width=12, stacked=True,
        ),
    ),
)  # fmt: skip

BOARD = Board(
    "mailbox",
    "mailboxes",
    "Which mailboxes forward, how, how sure that is, and to how many addresses.",
    (TOP, RECENT),
    variables=(
        Variable(
            "mailbox", "Mailbox", 'mailsensor_mailbox_forwards_total{job=~"$job",instance=~"$instance"}', "mailbox"
        ),
    ),
    since="now-7d",
)

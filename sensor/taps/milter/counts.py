"""Everything that the milter counts, each with its meaning."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(slots=True)
class Counts:
    """Plain counts, which ``COUNTERS`` explains. One thread counts; any may read."""

    connections: int = 0
    connections_refused: int = 0
    connections_silent: int = 0
    violations: int = 0
    failures: int = 0
    out_of_order: int = 0
    mails: int = 0
    mails_lost: int = 0
    mails_unread: int = 0
    mails_unjudged: int = 0
    mails_unseen: int = 0
    mails_unrecorded: int = 0
    unseen_mailboxes_dropped: int = 0
    queue_ids_forgotten: int = 0
    log_lines_cut: int = 0
    verdicts_not_done: int = 0
    fields_stripped: int = 0
    fields_left: int = 0
    envelopes_cut: int = 0
    texts_cut: int = 0


COUNTERS: Mapping[str, str] = {
    "connections": "Connections of MTAs.",
    "connections_refused": "Connections closed at once, since there were `milter.connections` of them.",
    "connections_silent": "Connections closed after `milter.idle_timeout_s` of silence.",
    "violations": "Connections closed since what came is not the milter protocol.",
    "failures": "Connections closed for a fault of the sensor. The MTA went on by its default action.",
    "out_of_order": "Steps that came where the protocol has no place for them.",
    "mails": "Mails shown to their end.",
    "mails_lost": "Mails whose connection was lost before their end: what became of them is not known.",
    "mails_unread": "Times that a mail, or a piece of it, could not be read. It passed.",
    "mails_unjudged": "Mails without a verdict, since they could not be read.",
    "mails_unseen": "Mails that the MTA queued, as its log says, and did not show: they passed unseen.",
    "mails_unrecorded": "Mails that are in no record, since they could not be read at all.",
    "unseen_mailboxes_dropped": "Times that it was not kept whose a mail was that passed unseen. The mail is counted.",
    "queue_ids_forgotten": "Queue ids pushed out by newer ones: of their mail no more is known.",
    "log_lines_cut": "Lines of the MTA's log that were looked at in part.",
    "verdicts_not_done": "Verdicts that the MTA does not let a milter carry out.",
    "fields_stripped": "Header fields with the name of our own that came with mail and were taken out.",
    "fields_left": "Mails that brought more such fields than are taken out of one.",
    "envelopes_cut": "Forward-paths that were left out of a record, since the envelope was too long.",
    "texts_cut": "Macros left out and greetings cut, since they were too long.",
}
"""By name, what ``Counts`` holds."""

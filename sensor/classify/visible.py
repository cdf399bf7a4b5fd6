"""Forwards that a person can see: which of their signs belong to the mailbox in question."""

from __future__ import annotations

from collections.abc import Sequence

from sensor.classify.trust import Weighed


def visible_signs(weighed: Sequence[Weighed], auto_mailbox: str | None) -> list[Weighed]:
    """
    The signs of a visible forward by the mailbox that sends now, best first.

    Beside an automatic forward only signs of the same mailbox count: mail that a stranger forwarded by hand and a
    rule then sent on still begins with "Fwd:", and that prefix is the stranger's.
    """
    signs = [each for each in weighed if each.match.row.kind == "visible" and each.match.mailbox is not None]
    if auto_mailbox is not None:
        signs = [each for each in signs if each.match.mailbox == auto_mailbox]
    return signs

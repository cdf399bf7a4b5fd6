"""
An alert: a finding that policy let out, from its first telling until it is resolved.

An alert is told whole each time, so its latest telling is all that anybody needs; ``updates`` numbers the tellings,
so a missing one shows.
"""

from __future__ import annotations

from datetime import date
from typing import Literal

import msgspec

from sensor.alert.chain import Chain
from sensor.model import Finding, Severity

Status = Literal["firing", "resolved"]


class Cut(msgspec.Struct, frozen=True, kw_only=True):
    """What the allow-list left out of an alert: one mailbox or destination, and the entry that did it."""

    mailbox: str | None
    destination: str | None
    entry: str
    reason: str
    expires: date


class Alert(msgspec.Struct, frozen=True, kw_only=True):
    """
    One claim about one mailbox or destination, deduplicated. Times are milliseconds of packet time.

    ``finding`` is what all ``finding_ids`` come to, cut to what is not allowed; its exhibits are the first and the
    latest of ``chain``. ``severity`` is what policy makes of the finding's own. ``updates`` counts the tellings after
    the first.
    """

    id: str
    status: Status
    severity: Severity
    finding: Finding
    finding_ids: tuple[str, ...]
    chain: Chain
    first_fired_ms: int
    last_updated_ms: int
    resolved_at_ms: int | None = None
    updates: int = 0
    cuts: tuple[Cut, ...] = ()

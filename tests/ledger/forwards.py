"""Forwards and attempts as the tests of the ledger make them."""

from sensor.detect.events import ForwardRefused, ForwardSeen
from sensor.ledger import Cell
from sensor.model import Evidence, Level


def forward(
    mailbox: str = "ann@corp.example",
    cell: Cell = "auto_only",
    to: tuple[str, ...] = ("x@dst.example",),
    level: Level = "user",
    at_ms: int = 1,
    evidence: Evidence = "strong",
    octets: int = 1_000,
) -> ForwardSeen:
    """A forward; what is not at corp.example is outside."""
    return ForwardSeen(
        id="f",
        at_ms=at_ms,
        transaction_id="t",
        mailbox=mailbox,
        cell=cell,
        destinations=to,
        outside=tuple(each for each in to if not each.endswith("@corp.example")),
        level=level,
        evidence=evidence,
        octets=octets,
    )


def attempt(mailbox: str = "ann@corp.example", level: Level = "user") -> ForwardRefused:
    """A forward that was refused."""
    return ForwardRefused(
        id="r",
        at_ms=1,
        transaction_id="t",
        mailbox=mailbox,
        destinations=("x@dst.example",),
        is_policy=True,
        level=level,
    )

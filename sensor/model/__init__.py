"""
The nouns: what a tap hands over, what it shows of forwarding, what detectors claim, and the records of all that.

Nothing here does I/O or keeps state.
"""

from sensor.model.finding import Actor, Exhibit, Finding, Measured, Seen
from sensor.model.forwarding import Artifact, Forwarding, InterestSpec
from sensor.model.missed import Missed, MissedWhy
from sensor.model.record import (
    AttachmentRecord,
    CompletenessRecord,
    FlowRecord,
    ForwardPathRecord,
    HeaderRecord,
    ReplyRecord,
    SessionFacts,
    SessionRecord,
    TransactionRecord,
    ns_of,
    read_record,
)
from sensor.model.terms import (
    Confidence,
    Direction,
    Evidence,
    Kind,
    Level,
    Outcome,
    SessionProtocol,
    Severity,
    TapName,
    TlsStart,
)
from sensor.model.transaction import (
    AttachmentView,
    CompletenessView,
    Event,
    FieldView,
    FlowView,
    ForwardPathView,
    HeaderView,
    ReceivedView,
    ReplyView,
    SessionView,
    TlsSession,
    Transaction,
)

__all__ = [
    "Actor",
    "Artifact",
    "AttachmentRecord",
    "AttachmentView",
    "CompletenessRecord",
    "CompletenessView",
    "Confidence",
    "Direction",
    "Event",
    "Evidence",
    "Exhibit",
    "FieldView",
    "Finding",
    "FlowRecord",
    "FlowView",
    "ForwardPathRecord",
    "ForwardPathView",
    "Forwarding",
    "HeaderRecord",
    "HeaderView",
    "InterestSpec",
    "Kind",
    "Level",
    "Measured",
    "Missed",
    "MissedWhy",
    "Outcome",
    "ReceivedView",
    "ReplyRecord",
    "ReplyView",
    "Seen",
    "SessionFacts",
    "SessionProtocol",
    "SessionRecord",
    "SessionView",
    "Severity",
    "TapName",
    "TlsSession",
    "TlsStart",
    "Transaction",
    "TransactionRecord",
    "ns_of",
    "read_record",
]

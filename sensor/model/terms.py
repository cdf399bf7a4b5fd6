"""The words of the model: each a closed list, so that a new one is a change that every reader of it sees."""

from __future__ import annotations

from typing import Literal

Kind = Literal["none", "auto", "visible", "both"]
Level = Literal["user", "admin", "either", "unknown"]
Evidence = Literal["conclusive", "strong", "weak"]
Direction = Literal["outbound", "inbound", "internal", "transit", "unknown"]
Outcome = Literal["delivered", "rejected", "deferred", "aborted", "unknown"]
SessionProtocol = Literal["smtp", "esmtp", "lmtp"]
TlsStart = Literal["starttls", "x-anonymoustls", "implicit"]
TapName = Literal["pcap", "live", "relay", "milter", "journal"]

Severity = Literal["informational", "low", "medium", "high", "critical"]
Confidence = Literal["low", "medium", "high"]

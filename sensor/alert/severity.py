"""How grave a finding is: what its detector says, the organisation's own map, then its rules in their order."""

from __future__ import annotations

from sensor.alert.merge import SEVERITIES
from sensor.model import Finding, Severity
from sensor.settings import AlertSettings, SeverityRule


def severity_of(finding: Finding, settings: AlertSettings) -> Severity:
    """The severity of *finding* in force. A rule for one of several mailboxes or destinations holds for the whole."""
    severity = settings.severity.get(finding.detector, finding.severity)
    for rule in settings.rules:
        if _applies(rule, finding):
            severity = rule.severity if rule.severity is not None else _moved(severity, rule.steps)
    return severity


def _applies(rule: SeverityRule, finding: Finding) -> bool:
    return (
        (rule.detector is None or rule.detector == finding.detector)
        and (rule.level is None or rule.level == finding.level)
        and (rule.confidence is None or rule.confidence == finding.confidence)
        and (rule.mailbox is None or rule.mailbox.lower() in _mailboxes(finding))
        and (rule.destination is None or rule.destination.lower() in map(str.lower, finding.destinations))
        and (rule.domain is None or any(within(each, rule.domain) for each in finding.destinations))
    )


def within(address: str, domain: str) -> bool:
    """True if *address* is of *domain*: itself alone, or with a leading dot all below it too."""
    wanted, actual = domain.lower().rstrip("."), address.lower().rpartition("@")[2].rstrip(".")
    return actual == wanted.removeprefix(".") or (wanted.startswith(".") and actual.endswith(wanted))


def _mailboxes(finding: Finding) -> set[str]:
    named = (*finding.mailboxes, finding.mailbox) if finding.mailbox is not None else finding.mailboxes
    return {each.lower() for each in named}


def _moved(severity: Severity, steps: int) -> Severity:
    return SEVERITIES[min(max(SEVERITIES.index(severity) + steps, 0), len(SEVERITIES) - 1)]

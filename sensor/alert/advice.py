"""
What to do about a finding: steps for its level, detector and mail system, as commands that can be run.

The table is ``advice.toml``. Every command only reads: nothing here changes a mailbox, so a wrong or forged name costs
an analyst a look and nothing else. The mail system is told from the marks in the evidence.
"""

from __future__ import annotations

import re
import tomllib
from collections import Counter
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from functools import cache
from importlib.resources import files

import msgspec

from sensor.alert.quoting import Shell, command, names_in
from sensor.model import Finding, Level

ANY = "any"
UNKNOWN = "unknown"

_HOST_NAME = re.compile(r"[a-z0-9]([a-z0-9-]*[a-z0-9])?(\.[a-z0-9]([a-z0-9-]*[a-z0-9])?)*", re.IGNORECASE)

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
# Audit searches begin this long before the first forward: the rule was made before it sent anything.
_LOOK_BACK = timedelta(days=7)


class Step(msgspec.Struct, frozen=True, kw_only=True):
    """One step: what to look at, on which mail system, with which commands (``shell`` says for which shell)."""

    title: str
    platform: str
    shell: Shell
    commands: tuple[str, ...]
    unconfirmed: bool


class Mitigation(msgspec.Struct, frozen=True, kw_only=True):
    """A mitigation of MITRE ATT&CK, and what it means here."""

    id: str
    name: str
    text: str


class PlatformRow(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A mail system and the rows of the artifact table that tell it."""

    slug: str
    title: str
    artifacts: tuple[str, ...]


class StepRow(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A row of the table; without ``levels`` or ``detectors`` it is for all. ``source`` is the vendor's page."""

    platform: str
    title: str
    shell: Shell
    commands: tuple[str, ...]
    levels: tuple[Level, ...] = ()
    detectors: tuple[str, ...] = ()
    source: str = ""
    unconfirmed: bool = False


class MitigationRow(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A mitigation and the detectors it is named for; without any it is for all."""

    id: str
    name: str
    text: str
    detectors: tuple[str, ...] = ()


class AdviceTable(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The whole table."""

    platform: tuple[PlatformRow, ...]
    step: tuple[StepRow, ...]
    mitigation: tuple[MitigationRow, ...]


@cache
def table() -> AdviceTable:
    """The table as it is shipped; a test reads every row."""
    text = files("sensor.alert").joinpath("advice.toml").read_text(encoding="utf-8")
    return msgspec.convert(tomllib.loads(text), AdviceTable)


def platform_of(finding: Finding) -> str:
    """The mail system that most of the evidence's marks are of; ``unknown`` where none tells."""
    by_artifact = {slug: row.slug for row in table().platform for slug in row.artifacts}
    votes = Counter(
        by_artifact[line.slug] for exhibit in finding.exhibits for line in exhibit.lines if line.slug in by_artifact
    )
    # In the order of the table where two are even, so that the answer does not depend on the order of evidence.
    order = [row.slug for row in table().platform]
    return max(votes, key=lambda slug: (votes[slug], -order.index(slug)), default=UNKNOWN)


def steps_for(finding: Finding, alert_id: str) -> tuple[Step, ...]:
    """The steps for *finding*, in the order of the table: what is known of the mail first, then its mail system."""
    platform = platform_of(finding)
    values = _values(finding, alert_id)
    return tuple(
        Step(
            title=row.title,
            platform=row.platform,
            shell=row.shell,
            commands=tuple(command(each, values, row.shell) for each in row.commands if _known(each, values)),
            unconfirmed=row.unconfirmed,
        )
        for row in table().step
        if _is_for(row, platform, finding) and (not row.commands or any(_known(each, values) for each in row.commands))
    )


def mitigations_for(finding: Finding) -> tuple[Mitigation, ...]:
    """The mitigations for *finding*."""
    return tuple(
        Mitigation(id=row.id, name=row.name, text=row.text)
        for row in table().mitigation
        if not row.detectors or finding.detector in row.detectors
    )


def platform_title(slug: str) -> str:
    """The name of a mail system, for people."""
    return next((row.title for row in table().platform if row.slug == slug), "any mail system")


def _is_for(row: StepRow, platform: str, finding: Finding) -> bool:
    return (
        row.platform in (ANY, platform)
        and (not row.levels or finding.level in row.levels)
        and (not row.detectors or finding.detector in row.detectors)
    )


def _values(finding: Finding, alert_id: str) -> dict[str, str]:
    """What commands may name. What is not known is not there, and neither are the commands that need it."""
    mailbox = finding.mailbox or next(iter(finding.mailboxes), "")
    destination = next(iter(finding.destinations), "")
    domain = mailbox.rpartition("@")[2]
    exhibit = finding.exhibits[-1] if finding.exhibits else None
    values = {
        "alert": alert_id,
        "mailbox": mailbox,
        "mailbox_local": mailbox.rpartition("@")[0],
        # It becomes part of a path, so it has to be a name of hosts and nothing else.
        "mailbox_domain": domain if _HOST_NAME.fullmatch(domain) else "",
        "destination": destination,
        "transaction": exhibit.transaction_id if exhibit is not None else "",
        "since": _day(finding.first_seen_ms, -_LOOK_BACK),
        "until": _day(finding.last_seen_ms, timedelta(days=1)),
    }
    return {name: value for name, value in values.items() if value}


def _known(template: str, values: Mapping[str, str]) -> bool:
    return all(name in values for name in names_in(template))


NAMES = ("alert", "mailbox", "mailbox_local", "mailbox_domain", "destination", "transaction", "since", "until")
"""The names that a command of the table may use."""


def _day(at_ms: int, offset: timedelta) -> str:
    try:
        return f"{_EPOCH + timedelta(milliseconds=at_ms) + offset:%Y-%m-%d}"
    except OverflowError:
        return ""

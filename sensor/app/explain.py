"""Explains mails, and transactions of captures, on the terminal."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from ipaddress import ip_address
from typing import TYPE_CHECKING

from sensor.app.common import (
    READ_NOTHING,
    READ_WHOLE,
    READ_WITH_DAMAGE,
    inferred_from,
    organisation_of,
    settings_of,
    split_limits,
    table_in_force,
)
from sensor.app.console import print_text
from sensor.classify import Organisation, Table
from sensor.log import printable
from sensor.model import Event
from sensor.settings import Settings, SettingsError
from sensor.taps.base import Batch, Tap

if TYPE_CHECKING:
    from sensor.taps.mailfiles import MailEnvelope

ALONE = """\
  note: this is what the mail says by itself. A copy without marks shows only beside its original, whose transaction
    stands in the alert's evidence.

"""
"""Told under a mail of a capture that is no forward: an alert may rest on it all the same."""

# RFC 5321 4.1.2, but that a part may be of any length and hold what is seen in the wild: a quoted string, or no blank.
_MAILBOX = re.compile(r'(?:"(?:[^"\\]|\\.)*"|[^\s<>"@]+)@[^\s<>@]+')


@dataclass(frozen=True, slots=True)
class ExplainOptions:
    """What the command line asks of an explanation."""

    paths: Sequence[str]
    mail_from: str | None = None
    rcpt_to: Sequence[str] = ()
    helo: str | None = None
    client_ip: str | None = None
    transactions: Sequence[str] = ()
    settings_path: str | None = None
    internal_domains: Sequence[str] = ()
    json: bool = False

    @property
    def gives_envelope(self) -> bool:
        """True if any part of the envelope is given."""
        return bool(self.rcpt_to) or any(each is not None for each in (self.mail_from, self.helo, self.client_ip))


def explain(options: ExplainOptions, environment: Mapping[str, str]) -> int:
    """
    Print why each mail is, or is not, a forward; what is no mail is told on standard error, and the rest go on.

    Raises ``SettingsError``, ``TapError`` and ``ArtifactError`` for what the caller must put right.
    """
    settings = settings_of(options.settings_path, environment, options.internal_domains)
    table = table_in_force(settings, options.settings_path)
    if options.transactions:
        return _explain_transactions(options, settings, table)
    return _explain_files(options, settings, table)


def _explain_files(options: ExplainOptions, settings: Settings, table: Table) -> int:
    from sensor.explain import Explainer
    from sensor.report.explain import as_json_line, render_explanation
    from sensor.taps.mailfiles import find_mails

    explainer = Explainer(
        table,
        organisation_of(settings),
        _envelope(options),
    )
    render = as_json_line if options.json else render_explanation
    read = problems = 0
    for found in find_mails(options.paths):
        if found.problem is not None:
            problems += 1
            print_text(f"mailsensor: {printable(found.name)}: {found.problem}\n", to_stderr=True)
            continue
        read += 1
        print_text(render(explainer.explain(found.name, found.octets)))
    if not read:
        return READ_NOTHING
    return READ_WITH_DAMAGE if problems else READ_WHOLE


def _envelope(options: ExplainOptions) -> MailEnvelope:
    """The envelope as it is given. Raises ``SettingsError`` for what no client could have said."""
    from sensor.taps.mailfiles import MailEnvelope

    sender = None if options.mail_from is None else _mailbox("--mail-from", options.mail_from)
    if options.helo is not None and not re.fullmatch(r"\S+", options.helo):
        raise SettingsError(f'--helo: "{options.helo}" is no name of a host')
    return MailEnvelope(
        sender,
        tuple(_mailbox("--rcpt-to", each) for each in options.rcpt_to),
        options.helo,
        _address(options.client_ip),
    )


def _mailbox(option: str, text: str) -> str:
    """An address as in MAIL or RCPT, with or without its angle brackets; "" for the null reverse-path."""
    bare = text[1:-1] if text.startswith("<") and text.endswith(">") else text
    if _MAILBOX.fullmatch(bare) or (option == "--mail-from" and not bare) or bare.lower() == "postmaster":
        return bare
    null = ', or "<>" for the null reverse-path' if option == "--mail-from" else ""
    raise SettingsError(f'{option}: "{text}" is no address; write it as ann@corp.example{null}')


def _address(client_ip: str | None) -> str | None:
    try:
        return str(ip_address(client_ip)) if client_ip is not None else None
    except ValueError:
        raise SettingsError(f'--client-ip: "{client_ip}" is no IP address') from None


def _explain_transactions(options: ExplainOptions, settings: Settings, table: Table) -> int:
    """Explain mails of captures by the ids that records and alerts name them by, as a replay judges them."""
    from sensor.explain import explain_transaction
    from sensor.report.explain import as_json_line, render_explanation
    from sensor.taps.capture import CaptureTap, core_limits
    from sensor.taps.files import find_captures

    if options.gives_envelope:
        raise SettingsError(
            "--transaction: a capture holds the envelope; leave --mail-from, --rcpt-to, --helo and --client-ip out"
        )
    found = find_captures(options.paths)
    core_settings, _ = split_limits(settings.limits, core_limits())
    tap = CaptureTap(found.paths, table.interest, limits=core_settings)
    organisation, batches = _organisation_of(settings, tap)
    missing, explained, problems = set(options.transactions), 0, list(found.problems)
    for event in _events_by_id(tap, batches, missing):
        if not isinstance(event, tap.transaction_type):
            problems.append(f"{event.id}: a session that turned to TLS: its mail could not be read")
            continue
        explained += 1
        explanation = explain_transaction(event, organisation, table)
        print_text(as_json_line(explanation, "transaction") if options.json else render_explanation(explanation))
        if explanation.judgement.forwarding.kind == "none" and not options.json:
            print_text(ALONE)
    problems += [f"{each.path}: {each.detail}" for each in tap.damage()]
    problems += [f"{each}: no transaction of this id was found" for each in sorted(missing)]
    for problem in problems:
        print_text(f"mailsensor: {printable(problem)}\n", to_stderr=True)
    if not explained:
        return READ_NOTHING
    return READ_WITH_DAMAGE if problems else READ_WHOLE


def _organisation_of(settings: Settings, tap: Tap) -> tuple[Organisation, Iterator[Batch]]:
    """Who we are, by the settings or, as in a replay, by the traffic; and all of the tap's batches."""
    domains, batches = settings.organisation.internal_domains, tap.batches()
    if not domains:
        domains, batches = inferred_from(batches, tap.transaction_type)
        if domains:
            told = ", ".join(map(printable, domains))
            print_text(
                f"mailsensor: taken for yours: {told} (by the traffic; --internal-domain says it)\n", to_stderr=True
            )
    return organisation_of(settings, domains), batches


def _events_by_id(tap: Tap, batches: Iterator[Batch], wanted: set[str]) -> Iterator[Event]:
    """The events that are *wanted*, each taken out of it; the reading ends when none is left."""
    for batch in batches:
        for event in batch:
            if event.id in wanted:
                wanted.discard(event.id)
                yield event
        if not wanted:
            tap.stop()
            return

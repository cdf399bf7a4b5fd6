"""
The veil: all that leaves the sensor passes it, and where ``privacy.mode`` is "pseudonym" no address gets through.

Inside, all is clear: detectors compare addresses, and the allow-list names them. These are the places where the veil
hangs, and there are no others:

    records           the lines of a batch, and the record of a single mail
    alerts            what policy lets out; ids and exhibits on the way in, so that the chain of evidence is whole
    ledger            what reports, summary and API ask of it
    logs              every line
    metrics           the label of a mailbox
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Protocol, TypeVar

import msgspec

from sensor.alert.alert import Cut
from sensor.alert.veiling import AlertVeil, Unveiled
from sensor.ledger import LedgerView
from sensor.model import Finding, SessionRecord, TransactionRecord, read_record
from sensor.privacy.fields import named_in, veiled
from sensor.privacy.ledger import VeiledLedger
from sensor.privacy.names import Names, keeping_domains
from sensor.pseudonym import KeyRing, Pseudonyms, key_ring
from sensor.settings import AllowEntry, PrivacySettings, SettingsError

R = TypeVar("R", TransactionRecord, SessionRecord)


class Veil(AlertVeil, Protocol):
    """How what leaves is told; ``hides`` if not as it is."""

    def lines(self, lines: bytes) -> bytes:
        """Record lines, each ending in a line end."""
        ...

    def record(self, record: R) -> R:
        """One record."""
        ...

    def ledger(self, ledger: LedgerView) -> LedgerView:
        """The ledger as reports and API see it."""
        ...

    def domains(self, domains: Sequence[str]) -> list[str]:
        """The organisation's own, as reports name them."""
        ...

    def log(self, text: str) -> str:
        """A value in a line of the log."""
        ...

    def label(self, mailbox: str) -> str:
        """A mailbox as a label of metrics."""
        ...


class ClearVeil(Unveiled):
    """Nothing is veiled, but for the labels of metrics where *labels* names them."""

    def __init__(self, labels: Names | None = None) -> None:
        self._labels = labels

    def lines(self, lines: bytes) -> bytes:
        return lines

    def record(self, record: R) -> R:
        return record

    def ledger(self, ledger: LedgerView) -> LedgerView:
        return ledger

    def domains(self, domains: Sequence[str]) -> list[str]:
        return list(domains)

    def log(self, text: str) -> str:
        return text

    def label(self, mailbox: str) -> str:
        return mailbox if self._labels is None else self._labels.address(mailbox)


CLEAR = ClearVeil()


class PseudonymVeil:
    """Every address under its pseudonym."""

    hides = True

    def __init__(self, names: Names) -> None:
        self._names = names
        self._encode = msgspec.json.Encoder().encode

    def lines(self, lines: bytes) -> bytes:
        told = bytearray()
        for line in lines.splitlines():
            told += self._encode(veiled(read_record(line), self._names))
            told += b"\n"
        return bytes(told)

    def record(self, record: R) -> R:
        return veiled(record, self._names)

    def entering(self, finding: Finding) -> Finding:
        return msgspec.structs.replace(
            finding,
            # An id is drawn from names: without the key nobody is to try names against it.
            id=self._names.digest(finding.id),
            exhibits=tuple(veiled(each, self._names) for each in finding.exhibits),
        )

    def leaving(self, finding: Finding) -> Finding:
        told = veiled(finding, self._names.naming(named_in(finding)))
        return msgspec.structs.replace(told, id=finding.id, exhibits=finding.exhibits)

    def cut(self, cut: Cut) -> Cut:
        return veiled(cut, self._names)

    def entry(self, entry: AllowEntry) -> AllowEntry:
        names = self._names
        return replace(
            entry,
            reason="",
            mailbox=None if entry.mailbox is None else names.address(entry.mailbox),
            destination=None if entry.destination is None else names.address(entry.destination),
            domain=None if entry.domain is None else names.allowed_domain(entry.domain),
        )

    def ledger(self, ledger: LedgerView) -> LedgerView:
        return VeiledLedger(ledger, self._names)

    def domains(self, domains: Sequence[str]) -> list[str]:
        return [self._names.allowed_domain(each) for each in domains]

    def log(self, text: str) -> str:
        return self._names.in_log(text)

    def label(self, mailbox: str) -> str:
        return self._names.address(mailbox)


def told_as(settings: PrivacySettings) -> str:
    """How *settings* have names told, in a word or two: what a store is to remember of it."""
    return "clear" if settings.mode == "clear" else f"pseudonym {settings.clear_domains}"


def veil_like(told: str, internal_domains: Sequence[str], keys: KeyRing) -> Veil:
    """The veil under which a store was kept, as ``told_as`` put it."""
    mode, _, domains = told.partition(" ")
    if mode == "clear":
        return CLEAR
    return PseudonymVeil(Names(Pseudonyms(keys, keeps_domain=keeping_domains(domains, internal_domains))))


def keys_of(settings: PrivacySettings) -> KeyRing | None:
    """The keys that *settings* name a file of, if they do. Raises ``KeyFileError``."""
    return key_ring(settings.key_file) if settings.key_file else None


def veil_of(settings: PrivacySettings, internal_domains: Sequence[str], keys: KeyRing | None = None) -> Veil:
    """
    The veil that *settings* ask for, with the *keys* of its key file unless others are given.

    Raises ``SettingsError`` and ``KeyFileError``.
    """
    if settings.mode == "pseudonym" and not settings.key_file:
        raise SettingsError(
            'privacy.mode = "pseudonym": name a privacy.key_file; without it nobody could reveal a name'
        )
    if settings.mode == "pseudonym" and settings.clear_labels:
        raise SettingsError('privacy.mode = "pseudonym": leave privacy.clear_labels out, which would tell addresses')
    if settings.mode == "clear" and settings.clear_labels:
        return CLEAR
    keeps = keeping_domains(settings.clear_domains, internal_domains)
    names = Names(Pseudonyms(keys or keys_of(settings) or key_ring(""), keeps_domain=keeps))
    return PseudonymVeil(names) if settings.mode == "pseudonym" else ClearVeil(names)

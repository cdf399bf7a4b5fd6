"""What is allowed: ``[[alerts.allow]]``."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import date, datetime

from sensor.settings.checks import ADDRESS, DOMAIN, Check, shaped
from sensor.settings.errors import RowError, SettingsError
from sensor.settings.rows import checked_row, naming, rows_of

MAX_REASON_CHARACTERS = 500


@dataclass(frozen=True, slots=True)
class AllowEntry:
    """
    A forward that the organisation knows about: all parts given must hold, and it holds through the day ``expires``.
    """

    reason: str
    expires: date
    mailbox: str | None = None
    destination: str | None = None
    domain: str | None = None
    detector: str | None = None


def _reason(value: object) -> str:
    text = value.strip() if isinstance(value, str) else ""
    if not text or len(text) > MAX_REASON_CHARACTERS or not text.isprintable():
        raise ValueError(f"must say why, in one line of 1 to {MAX_REASON_CHARACTERS} characters")
    return text


def _day(value: object) -> date:
    if isinstance(value, str):
        try:
            return date.fromisoformat(value)
        except ValueError:
            raise ValueError("must be a day such as 2027-01-31") from None
    if not isinstance(value, date) or isinstance(value, datetime) or value.year < 1970:
        raise ValueError("must be a day such as 2027-01-31, the last one on which the entry holds")
    return value


DETECTOR = shaped(r"[a-z][a-z0-9_]{0,62}", "must be the name of a detector such as new_forwarder")
MATCHES: Mapping[str, Check] = {
    "mailbox": shaped(ADDRESS, "must be an address such as ann@corp.example"),
    "destination": shaped(ADDRESS, "must be an address such as ann@partner.example"),
    "domain": shaped(DOMAIN, "must be a domain such as partner.example (.partner.example takes in all below it)"),
    "detector": DETECTOR,
}
_ALLOW_KEYS = {**MATCHES, "reason": _reason, "expires": _day}


def allow(value: object) -> tuple[AllowEntry, ...]:
    """The rows of ``[[alerts.allow]]``."""
    rows = rows_of(value, "alerts.allow")
    return tuple(_allow_entry(index, row) for index, row in enumerate(rows))


def allow_entry(row: Mapping[str, object], known_detectors: Collection[str] = ()) -> AllowEntry:
    """One entry of the allow-list from its keys, checked as in a file. Raises ``SettingsError``."""
    try:
        entries: tuple[AllowEntry, ...] = naming(known_detectors, allow)([dict(row)])
    except RowError as error:
        raise SettingsError(f"the entry {error}") from None
    return entries[0]


def _allow_entry(index: int, row: Mapping[str, object]) -> AllowEntry:
    checked = checked_row(index, row, _ALLOW_KEYS)
    for key in ("reason", "expires"):
        if key not in checked:
            raise RowError(index, f'lacks "{key}": nothing is allowed without a reason and a last day')
    if not checked.keys() & MATCHES.keys():
        raise RowError(index, f"must name one of {', '.join(MATCHES)}")
    if "destination" in checked and "domain" in checked:
        raise RowError(index, "must not name both a destination and a domain: the address says its domain")
    return AllowEntry(**checked)

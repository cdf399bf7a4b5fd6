"""Cases: alerts that are one story, told from the sides of several detectors: they share a mailbox or a destination."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol, TypeVar


class About(Protocol):
    """What an alert is about, as finding or as record."""

    @property
    def mailbox(self) -> str | None: ...
    @property
    def mailboxes(self) -> Sequence[str]: ...
    @property
    def destinations(self) -> Sequence[str]: ...


AboutT = TypeVar("AboutT", bound=About)


def cases_of(alerts: Sequence[AboutT]) -> list[list[AboutT]]:
    """
    *alerts* by case, each case and all of them in the order of the first of theirs. Takes time linear in all names.

    An alert about a domain names whoever forwards there, to whatever address. It is put to a case, but makes none of
    two: at a provider's domain those it names have nothing else in common.
    """
    groups = _Groups()
    for alert in alerts:
        names = _names(alert)
        groups.join(names if not _is_about_domain(alert) else names[:1])
    cases: dict[str, list[AboutT]] = {}
    for alert in alerts:
        cases.setdefault(groups.first(_names(alert)[0]), []).append(alert)
    return list(cases.values())


def _is_about_domain(alert: About) -> bool:
    return alert.mailbox is None and len(alert.destinations) > 1


def _names(alert: About) -> list[str]:
    """Destinations first: a claim about a domain belongs to the first address there."""
    mailboxes = alert.mailboxes if alert.mailbox is None else (alert.mailbox, *alert.mailboxes)
    names = [f"to {each.lower()}" for each in alert.destinations] + [f"of {each.lower()}" for each in mailboxes]
    return names or ["nobody"]


class _Groups:
    """Names that belong together, each group known by one of them (union by path halving)."""

    def __init__(self) -> None:
        self._above: dict[str, str] = {}

    def first(self, name: str) -> str:
        above = self._above
        above.setdefault(name, name)
        while above[name] != name:
            above[name] = name = above[above[name]]
        return name

    def join(self, names: Sequence[str]) -> None:
        top = self.first(names[0])
        for name in names[1:]:
            self._above[self.first(name)] = top

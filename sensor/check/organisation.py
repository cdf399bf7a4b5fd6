"""Whose mail it is: without that no direction is told."""

from __future__ import annotations

from collections.abc import Iterator

from sensor.check.base import Check, Line, Subject, ok, warn


def _look(subject: Subject) -> Iterator[Line]:
    domains = subject.settings.organisation.internal_domains
    if domains:
        yield ok("internal_domains", ", ".join(domains))
    else:
        yield warn(
            "internal_domains",
            "none: no direction is told, and every mailbox counts as yours",
            'set organisation.internal_domains = ["your.domain", ".your.domain"]',
        )


ORGANISATION = Check("organisation", "the domains whose mail is watched", _look)

"""Whose mail is protected: ``[organisation]``."""

from __future__ import annotations

from dataclasses import dataclass

from sensor.settings.checks import Network, domains, networks
from sensor.settings.section import Section


@dataclass(frozen=True, slots=True)
class OrganisationSettings:
    """The protected organisation. Without domains, no direction can be told."""

    internal_domains: tuple[str, ...] = ()
    internal_networks: tuple[Network, ...] = ()


ORGANISATION = Section(
    "organisation", OrganisationSettings, {"internal_domains": domains, "internal_networks": networks}
)

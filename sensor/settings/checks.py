"""
Checks of single values: each returns the value in force, or raises ``ValueError`` with the rule.

A check marked by ``of_list`` takes a list, which an environment variable writes with commas.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from ipaddress import IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network
from typing import TypeVar
from urllib.parse import urlsplit

ENVIRONMENT_PREFIX = "MAILSENSOR_"
"""Of the variables that are settings."""

Network = IPv4Network | IPv6Network
Check = Callable[[object], object]
C = TypeVar("C", bound=Check)

# A star would be a wildcard that is none: matching is exact, and no mailbox in use has one.
ADDRESS = r"[^\s@*]+@[^\s@/:*]+"
DOMAIN = r"\.?[^\s@./:\[\]*]+(\.[^\s@./:\[\]*]+)*\.?"

MAX_LISTED = 10_000
"""Addresses of one list. They are looked up, not searched, and a longer list belongs in a directory."""

LISTS: set[Check] = set()
"""Checks of lists."""


def of_list(check: C) -> C:
    """Mark *check* as one of a list."""
    LISTS.add(check)
    return check


def whole(least: int, most: int) -> Callable[[object], int]:
    """A whole number from *least* to *most*."""

    def check(value: object) -> int:
        if not isinstance(value, int) or isinstance(value, bool) or not least <= value <= most:
            raise ValueError(f"must be a whole number from {least:,} to {most:,}".replace(",", "_"))
        return value

    return check


def number(least: float, most: float) -> Callable[[object], float]:
    """A number from *least* to *most*."""

    def check(value: object) -> float:
        if not isinstance(value, int | float) or isinstance(value, bool) or not least <= value <= most:
            raise ValueError(f"must be a number from {least:,} to {most:,}".replace(",", "_"))
        return value

    return check


def one_of(*allowed: str) -> Callable[[object], object]:
    """One of the words *allowed*."""

    def check(value: object) -> object:
        if value not in allowed:
            raise ValueError(f"must be one of {', '.join(allowed)}")
        return value

    return check


def true_or_false(value: object) -> bool:
    """A TOML boolean."""
    if value is not True and value is not False:
        raise ValueError("must be true or false")
    return value is True


def shaped(pattern: str, rule: str) -> Callable[[object], str]:
    """One line of text that *pattern* fits as a whole; *rule* says what it is to be."""

    def check(value: object) -> str:
        if not isinstance(value, str) or not value.isprintable() or not re.fullmatch(pattern, value):
            raise ValueError(rule)
        return value

    return check


def name(value: object) -> str:
    """A short name of something: letters, digits, dots, hyphens, underscores."""
    if not isinstance(value, str) or not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9._-]{0,62}", value):
        raise ValueError("must be 1 to 63 letters, digits, dots, hyphens and underscores")
    return value


@of_list
def domains(value: object) -> tuple[str, ...]:
    """Domains in lower case; a leading dot takes in all below."""
    rule = (
        'must be a list of domains such as ["corp.example", ".eu.corp.example"] (a leading dot takes in all below it)'
    )
    if not isinstance(value, list) or not all(isinstance(each, str) for each in value):
        raise ValueError(rule)
    for each in value:
        if not re.fullmatch(DOMAIN, each):
            raise ValueError(f'{rule}; "{each}" is not one')
    return tuple(each.lower() for each in value)


@of_list
def addresses(value: object) -> tuple[str, ...]:
    """Addresses and domains in lower case, at least one; a leading dot takes in all below a domain."""
    rule = 'must be a list of addresses and domains such as ["ann@corp.example", "partner.example", ".corp.example"]'
    if not isinstance(value, list) or not value or not all(isinstance(each, str) for each in value):
        raise ValueError(rule)
    if len(value) > MAX_LISTED:
        raise ValueError(f"must have at most {MAX_LISTED:_} entries")
    for each in value:
        if not each.isprintable() or not re.fullmatch(f"{ADDRESS}|{DOMAIN}", each):
            raise ValueError(f'{rule}; "{each}" is neither')
    return tuple(dict.fromkeys(each.lower().rstrip(".") for each in value))


@of_list
def networks(value: object) -> tuple[Network, ...]:
    """Networks of addresses."""
    rule = 'must be a list of networks such as ["192.0.2.0/24", "2001:db8::/32"]'
    if not isinstance(value, list) or not all(isinstance(each, str) for each in value):
        raise ValueError(rule)
    try:
        return tuple(ip_network(each) for each in value)
    except ValueError as error:
        raise ValueError(f"{rule}; {error}") from None


@of_list
def interfaces(value: object) -> tuple[str, ...]:
    """Names of network interfaces, each once."""
    if not isinstance(value, list) or not all(
        isinstance(each, str) and re.fullmatch(r"[^\s/]{1,15}", each) for each in value
    ):
        raise ValueError('must be a list of interfaces such as ["eth1", "eth2"]')
    return tuple(dict.fromkeys(value))


@of_list
def ports(value: object) -> tuple[int, ...]:
    """TCP ports."""
    rule = "must be a list of up to 256 TCP ports such as [25, 587]; an empty list lets every frame through"
    if not isinstance(value, list) or len(value) > 256:
        raise ValueError(rule)
    try:
        return tuple(whole(1, 65_535)(int(each) if isinstance(each, str) else each) for each in value)
    except ValueError:
        raise ValueError(rule) from None


@of_list
def files(value: object) -> tuple[str, ...]:
    """Paths of files."""
    if not isinstance(value, list) or not all(isinstance(each, str) and each and "\0" not in each for each in value):
        raise ValueError('must be a list of paths such as ["/srv/captures/monday.pcap"]')
    return tuple(value)


def tables(value: object) -> tuple[Mapping[str, object], ...]:
    """Tables whose keys others check."""
    if not isinstance(value, list) or not all(isinstance(each, dict) for each in value):
        raise ValueError("must be tables, each written as [[artifacts.row]] with the keys of docs/artifacts.md")
    return tuple(value)


def folder(value: object) -> str:
    """The path of a folder, "" for none."""
    if not isinstance(value, str) or "\0" in value:
        raise ValueError('must be the path of a folder, or "" for none')
    return value


def file(value: object) -> str:
    """The path of a file, "" for none."""
    if not isinstance(value, str) or "\0" in value:
        raise ValueError('must be the path of a file, or "" for none')
    return value


def path(value: object) -> str:
    """The path of a file that must be named."""
    if not isinstance(value, str) or not value or "\0" in value:
        raise ValueError("must be the path of a file")
    return value


def host(value: object) -> str:
    """A host name or address without a port."""
    if isinstance(value, str) and re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9._-]{0,252}", value):
        return value
    try:
        return str(IPv6Address(str(value)))
    except ValueError:
        raise ValueError("must be a host name or an address, without a port") from None


def url(value: object) -> str:
    """An address of the web. A password in it would stand in the settings, so none may."""
    rule = "must be a URL such as https://alerts.corp.example:9093/, without a name, a password or a fragment in it"
    if not isinstance(value, str) or not value.isascii() or not value.isprintable() or " " in value:
        raise ValueError(rule)
    try:
        parts = urlsplit(value)
        known = parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
    except ValueError:
        raise ValueError(rule) from None
    if not known or "@" in parts.netloc or parts.fragment:
        raise ValueError(rule)
    return value


def split_listen(listen: str) -> tuple[str, int]:
    """Host and port of ``host:port``; an IPv6 address stands in brackets."""
    host, _, port = listen.rpartition(":")
    return host.strip("[]"), int(port)


def listen(value: object) -> str:
    """An address and port to listen on, "" for none."""
    rule = 'must be an address and port such as "127.0.0.1:9465" or "[::1]:9465", or "" for none'
    if value == "":
        return ""
    if not isinstance(value, str) or not re.fullmatch(r"(\[[0-9a-fA-F:.]+\]|[0-9.]+|localhost):[0-9]{1,5}", value):
        raise ValueError(rule)
    host, port = split_listen(value)
    try:
        ip_address("127.0.0.1" if host == "localhost" else host)
    except ValueError:
        raise ValueError(rule) from None
    if port > 65_535:
        raise ValueError(f"{rule}; ports end at 65535")
    return value

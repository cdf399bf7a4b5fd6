"""Which way a mail goes, and what ordinary mail gets."""

from ipaddress import ip_network

import pytest

from sensor.classify import NONE, Organisation, classify
from sensor.classify.road import related
from sensor.model import Direction
from tests.mails import Header, Mail, Path, Session

CORP = Organisation(["corp.example", ".eu.corp.example"])


@pytest.mark.parametrize(
    ("address", "inside"),
    [
        ("ann@corp.example", True),
        ("ann@CORP.example", True),
        ("ann@mail.corp.example", False),
        ("ann@eu.corp.example", True),
        ("ann@de.eu.corp.example", True),
        ("ann@notcorp.example", False),
        ("ann@noteu.corp.example", False),
        ("ann", False),
        ("", False),
    ],
)
def test_a_domain_is_exact_and_a_leading_dot_takes_in_all_below(address: str, inside: bool) -> None:
    assert CORP.owns(address) is inside


@pytest.mark.parametrize("ours", ["m\u00fcnchen.example", "xn--mnchen-3ya.example", ".m\u00fcnchen.example"])
def test_a_domain_is_ours_in_letters_and_as_it_stands_in_the_dns(ours: str) -> None:
    organisation = Organisation([ours])
    assert organisation.owns("ann@xn--mnchen-3ya.example")
    assert organisation.owns("ann@M\u00fcnchen.example")
    assert organisation.owns_host("mx1.XN--mnchen-3ya.example")
    assert not organisation.owns("ann@munchen.example")
    assert organisation.domains == (ours,)


@pytest.mark.parametrize(
    ("sender", "recipients", "expected"),
    [
        ("ann@corp.example", ["x@dst.example"], "outbound"),
        ("ann@corp.example", ["bob@corp.example"], "internal"),
        ("ann@corp.example", ["bob@corp.example", "x@dst.example"], "outbound"),
        ("x@dst.example", ["ann@corp.example"], "inbound"),
        ("x@dst.example", ["y@other.example", "ann@corp.example"], "inbound"),
        ("x@dst.example", ["y@other.example"], "transit"),
        ("x@dst.example", [], "unknown"),
    ],
)
def test_direction_of_ordinary_mail(sender: str, recipients: list[str], expected: Direction) -> None:
    transaction = Mail(reverse_path=sender, forward_paths=tuple(map(Path, recipients)))
    assert classify(transaction, CORP).direction == expected


def test_without_domains_ordinary_mail_gets_the_one_shared_object() -> None:
    assert classify(Mail(), Organisation()) is NONE


@pytest.mark.parametrize(
    ("helo", "author", "expected"),
    [
        ("mx.corp.example", None, "outbound"),
        ("mx.google.com", "postmaster@corp.example", "outbound"),
        ("mx.google.com", "postmaster@google.com", "transit"),
        (None, None, "transit"),
    ],
)
def test_mail_from_nobody_goes_by_the_clients_name_or_the_author(
    helo: str | None, author: str | None, expected: str
) -> None:
    transaction = Mail(
        reverse_path="",
        session=Session(helo=helo),
        forward_paths=(Path("x@dst.example"),),
        header=Header(from_=(author,) if author else ()),
    )
    assert classify(transaction, CORP).direction == expected


def test_known_networks_outrank_a_reverse_path_that_anybody_can_write() -> None:
    organisation = Organisation(["corp.example"], [ip_network("192.0.2.0/24")])
    inside = Mail(reverse_path="ann@corp.example", forward_paths=(Path("bob@corp.example"),))
    outside = Mail(
        reverse_path="ann@corp.example",
        forward_paths=(Path("bob@corp.example"),),
        session=Session(client_ip="203.0.113.1"),
    )
    assert classify(inside, organisation).direction == "internal"
    assert classify(outside, organisation).direction == "inbound"


@pytest.mark.parametrize(
    ("one", "other", "expected"),
    [
        ("mail.corp.example", "corp.example", True),
        ("corp.example", "eu.corp.example", True),
        ("corp.example", "notcorp.example", False),
        ("example", "corp.example", False),
        ("", "corp.example", False),
        ("CORP.example.", "corp.EXAMPLE", True),
    ],
)
def test_related_hosts(one: str, other: str, expected: bool) -> None:
    assert related(one, other) is expected

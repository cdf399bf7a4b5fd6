"""The tag says what a mail shows, and nothing that a stranger writes gets out of its place."""

from __future__ import annotations

import re
from typing import get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sensor.inline.tag import tag_value
from sensor.model import Direction, Evidence, Forwarding, Kind, Level

FORM = re.compile(
    rb"(auto|visible|both|none); level=[a-z]+(; evidence=[a-z]+)?; direction=[a-z]+(; mailbox=([^ ;]+))?"
    rb"(; look-alike=[^ ;]+)?; rule=[^ ;]*"
)


def mailbox_of(address: str) -> bytes | None:
    found = FORM.fullmatch(tag_value(Forwarding(kind="auto", evidence="strong", mailbox=address), "r"))
    assert found is not None
    return found[4]


def test_a_tag_says_what_the_mail_shows() -> None:
    forward = Forwarding(
        kind="auto", level="user", evidence="strong", mailbox="ann.o'neil+x@corp.example", direction="outbound"
    )
    assert tag_value(forward, "tag-all") == (
        b"auto; level=user; evidence=strong; direction=outbound; mailbox=ann.o'neil+x@corp.example; rule=tag-all"
    )


def test_what_is_unknown_is_left_out() -> None:
    assert tag_value(Forwarding(), "r") == b"none; level=unknown; direction=unknown; rule=r"


@pytest.mark.parametrize(
    ("address", "written"),
    [
        ("a\r\nBcc: x@evil.example", b"a%0D%0ABcc%3A%20x@evil.example"),
        ("a; rule=none@x", b"a%3B%20rule=none@x"),
        ("j\xf6rg@b\xfccher.example", b"j%C3%B6rg@b%C3%BCcher.example"),
        ('"a b"@x', b"%22a%20b%22@x"),
        ("100%25@x", b"100%2525@x"),
        ("\udcff@x", b"%5Cudcff@x"),
        ("a" * 400 + "@x", None),
        ("\u20ac" * 300, None),
        ("", None),
    ],
)
def test_an_address_stays_in_its_place(address: str, written: bytes | None) -> None:
    assert mailbox_of(address) == written


@given(
    st.builds(
        Forwarding,
        kind=st.sampled_from(get_args(Kind)),
        level=st.sampled_from(get_args(Level)),
        evidence=st.one_of(st.none(), st.sampled_from(get_args(Evidence))),
        direction=st.sampled_from(get_args(Direction)),
        mailbox=st.one_of(
            st.none(), st.text(), st.binary().map(lambda octets: octets.decode("utf-8", "surrogateescape"))
        ),
        look_alike=st.one_of(st.none(), st.text()),
    )
)
def test_any_mailbox_gives_one_short_line_of_plain_ascii(forwarding: Forwarding) -> None:
    value = tag_value(forwarding, "r" * 63)
    assert re.fullmatch(rb"[!-~]+( [!-~]+)*", value)
    assert len(value) <= 800
    assert FORM.fullmatch(value) or forwarding.look_alike is not None

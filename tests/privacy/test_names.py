"""How texts are told under pseudonyms."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sensor.detect.claim import quoted, sentence
from sensor.privacy import Names, keeping_domains
from sensor.pseudonym import Key, KeyRing, Pseudonyms

PSEUDONYMS = Pseudonyms(KeyRing([Key(b"k" * 32)]))
NAMES = Names(PSEUDONYMS)
FAY, KIM = "fay@corp.example", "kim.home@dst.example"


def test_a_sentence_keeps_its_words() -> None:
    told = NAMES.naming((FAY, KIM)).sentence(f"{FAY} began to forward mail by a rule to {KIM}, perhaps long ago.")
    assert told == (f"{NAMES.address(FAY)} began to forward mail by a rule to {NAMES.address(KIM)}, perhaps long ago.")
    assert PSEUDONYMS.reveal_all(told) == f"{FAY} began to forward mail by a rule to {KIM}, perhaps long ago."


def test_a_domain_that_a_sentence_is_about_is_named_too() -> None:
    told = NAMES.naming((KIM,)).sentence(
        "Rules began to forward mail to dst.example, not to mydst.example or dst.example.org"
    )
    assert told == (
        f"Rules began to forward mail to {NAMES.domain('dst.example')}, not to mydst.example or dst.example.org"
    )


def test_what_a_sentence_quotes_is_dropped() -> None:
    reply = '550 no "such" user Fay Smith'
    assert NAMES.sentence(f"It was refused: {quoted(reply)} twice") == 'It was refused: "..." twice'
    assert NAMES.sentence('It was refused: "550 Fay Smi…') == 'It was refused: "..."'


@given(st.text(min_size=1, max_size=60), st.integers(1, 300))
def test_a_sentence_that_was_cut_tells_no_part_of_an_address(filler: str, size: int) -> None:
    address = "zebra" * (1 + size % 8) + "@zebra.example"
    text = sentence(f"{'word ' * size}{filler.replace('@', '')} {address} and {address}")
    assert "zebra" not in NAMES.naming((address,)).sentence(text)


ODD = st.text(st.sampled_from("zebra\"' ()<>[],;:\\@.-+=!…"), max_size=30)


@given(ODD, ODD)
def test_an_odd_address_that_is_named_is_hidden_whole(left: str, right: str) -> None:
    """Quoted local parts may hold anything (RFC 5321 4.1.2)."""
    address = f"zebra{left}a@b{right}.zebra"
    assert "zebra" not in NAMES.naming((address,)).sentence(f"{address} forwards to {address}")


@given(st.text(max_size=60), st.text(max_size=60))
def test_of_a_foreign_text_only_pseudonyms_are_told(before: str, after: str) -> None:
    told = NAMES.addresses_in(f"{before} <{FAY}> {after}")
    assert NAMES.address(FAY) in told or "@" in before
    for each in told.split():
        assert each[0] + each[-1] == "<>"
        assert "@" in PSEUDONYMS.reveal(each[1:-1])


@pytest.mark.parametrize(
    ("value", "told"),
    [
        ("for <fay@corp.example>; Sun", ("fay@corp.example",)),
        ("SRS0=x=tt=corp.example=fay@fwd.example", ("srs0=x=tt=corp.example=fay@fwd.example",)),
        ("FW: Fay's salary", ()),
        ("Pigeonhole Sieve 0.5.19", ()),
    ],
)
def test_addresses_in_evidence(value: str, told: tuple[str, ...]) -> None:
    assert PSEUDONYMS.reveal_all(NAMES.addresses_in(value)) == " ".join(f"<{each}>" for each in told)


@pytest.mark.parametrize(
    ("which", "kept"),
    [
        ("none", []),
        ("internal", ["corp.example", "mx.corp.example"]),
        ("all", ["corp.example", "mx.corp.example", "evilcorp.example", "dst.example"]),
    ],
)
def test_domains_that_stay_clear(which: str, kept: list[str]) -> None:
    keeps = keeping_domains(which, ("corp.example",))
    assert [
        each for each in ("corp.example", "mx.corp.example", "evilcorp.example", "dst.example") if keeps(each)
    ] == kept


def test_entries_of_the_allow_list_are_named() -> None:
    told = NAMES.allowed(f"mailbox {FAY}, domain .dst.example, detector new_forwarder")
    assert PSEUDONYMS.reveal_all(told) == f"mailbox {FAY}, domain .dst.example, detector new_forwarder"
    assert "example" not in told


def test_original_recipients_keep_their_type() -> None:
    assert NAMES.original_recipient(f"rfc822;{FAY}") == f"rfc822;{NAMES.address(FAY)}"
    assert "fay" not in NAMES.original_recipient("Fay Smith;fay@corp.example")


def test_parameters_that_may_hold_anything_are_dropped() -> None:
    given_ = {"SIZE": "100", "SMTPUTF8": None, "BODY": "8BITMIME", "ENVID": "x", "AUTH": FAY, "RET": "fay@x", FAY: None}
    assert NAMES.parameters(given_) == {"SIZE": "100", "SMTPUTF8": None, "BODY": "8BITMIME"}


def test_keywords_lose_their_parameters() -> None:
    assert NAMES.auto_submitted('Auto-Replied; owner-email="fay@corp.example"') == "auto-replied"
    assert NAMES.auto_submitted("fay@corp.example") is None
    assert NAMES.content_type("text/plain") == "text/plain"
    assert NAMES.content_type("fay@corp.example/x") == "application/octet-stream"

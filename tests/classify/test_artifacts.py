"""The table: bad rows are named, good ones are found again by what the core is asked to look for."""

import json
import time
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sensor.classify import (
    ArtifactError,
    Organisation,
    builtin_table,
    classify,
    load_table,
)
from sensor.classify.artifacts import (
    LOOK_ALIKES,
    REQUIREMENTS,
    check_rows,
    split_subject,
)
from sensor.classify.lookalike import MEANINGS
from sensor.classify.rows import languages
from sensor.classify.rules import RULE_NAMES
from sensor.model import InterestSpec
from sensor.report.artifacts import artifacts_page, rows_as_json, unexplained_sources
from tests.mails import Field, Header, Mail, core_mail, mail

GOOD = {
    "slug": "mine",
    "place": "field",
    "field": "X-Mine",
    "pattern": "(?P<mailbox>[^@]+@.+)",
    "mailbox": "{mailbox}",
    "kind": "auto",
    "level": "admin",
    "evidence": "strong",
    "source": "our own gateway",
}


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"kind": "automatic"}, ["kind", "auto, visible"]),
        ({"kind": "none"}, ["kind", "auto or visible"]),
        ({"levle": "user"}, ["levle", "level"]),
        ({"evidence": 3}, ["evidence"]),
        ({"place": "header"}, ["place", "header", "reverse_path"]),
        ({"pattern": "("}, ["pattern", "not a regular expression"]),
        ({"mailbox": "{sender}"}, ["mailbox", "no group named sender"]),
        ({"mailbox": "@author"}, ["mailbox", "@from"]),
        ({"requires": ["magic"]}, ["requires", "magic", "one_recipient"]),
        ({"contradicted_by": ["spam"]}, ["contradicted_by", "spam", "journal"]),
        ({"unconfirmed": True}, ["evidence", "unconfirmed is weak"]),
        ({"place": "structure"}, ["shape", "needs it"]),
        ({"place": "structure", "shape": "odd"}, ["shape", "odd", "sent_by_addressee"]),
        ({"languages": ["xx"]}, ["languages", "xx", "de"]),
        ({"mailbox": "{mailbox"}, ["mailbox", "braces"]),
        ({"field": "X Mine"}, ["field", "RFC 5322"]),
        ({"place": "body", "marks": [""]}, ["marks", "everywhere"]),
        ({"slug": "My Row"}, ["slug", "lower case"]),
        ({"field": None}, ["field", "needs it"]),
        ({"place": "subject"}, ["prefixes", "needs it"]),
        ({"place": "reverse_path", "marks": ["+X="]}, ["marks", "lower case"]),
    ],
)
def test_a_bad_row_is_an_error_that_names_row_key_and_reason(change: dict[str, object], words: list[str]) -> None:
    with pytest.raises(ArtifactError) as raised:
        check_rows([GOOD | change])
    assert "artifact row 1" in str(raised.value)
    for word in words:
        assert word in str(raised.value)


def test_a_slug_may_stand_only_once() -> None:
    with pytest.raises(ArtifactError, match="another row"):
        check_rows([GOOD, GOOD])


def test_a_row_of_the_users_own_classifies_like_the_others() -> None:
    table = load_table([GOOD])
    transaction = mail(
        "X-Mine: ann@corp.example\nFrom: bill@shop.example\nTo: ann@corp.example\n\nHi.",
        interest=table.interest,
        forward_paths=["ext@dst.example"],
        helo="mx.corp.example",
    )
    verdict = classify(transaction, Organisation(["corp.example"]), table)
    assert (verdict.kind, verdict.level, verdict.mailbox) == (
        "auto",
        "admin",
        "ann@corp.example",
    )


def test_every_rule_and_look_alike_of_the_table_exists_in_code() -> None:
    rows = builtin_table().rows
    assert {name for row in rows for name in row.requires} <= set(RULE_NAMES)
    assert set(RULE_NAMES) == set(REQUIREMENTS)
    assert {name for row in rows for name in row.spoken_against_by} <= set(LOOK_ALIKES)


def test_every_look_alike_is_explained() -> None:
    assert MEANINGS.keys() == set(LOOK_ALIKES)


def test_what_the_core_is_asked_to_find_is_folded() -> None:
    interest = builtin_table().interest
    assert all(prefix == prefix.lower() for prefix in interest.subject_prefixes)
    assert all(mark == mark.lower() and mark.isascii() for mark in interest.reverse_path_marks)
    for texts in (
        interest.fields,
        interest.reverse_path_marks,
        interest.subject_prefixes,
        interest.body_marks,
    ):
        folded = [text.lower() for text in texts]
        assert len(set(folded)) == len(folded)


@pytest.mark.parametrize(
    ("subject", "expected"),
    [
        ("FW: hello", ("fw", "hello")),
        ("  Fwd :  hello", ("fwd", "hello")),
        ("转发：你好", ("转发", "你好")),
        ("İLT: merhaba", ("i̇lt", "merhaba")),
        ("Fwd: Re: x", ("fwd", "Re: x")),
        ("Re[2]: x", ("re", "x")),
        ("FW(12) : x", ("fw", "x")),
        ("Fwd^3: x", ("fwd", "x")),
        ("Fw[2): x", ("fw[2)", "x")),
        ("Fw[2345]: x", ("fw[2345]", "x")),
        ("[Fwd: Offer 12]", ("fwd", "Offer 12")),
        ("[EXT] [FW: a subject longer than any tag can be]", ("fw", "a subject longer than any tag can be")),
        ("[fwd-list: x] y", ("", "[fwd-list: x] y")),
        ("Re: [Fwd: x]", ("re", "[Fwd: x]")),
        ("\u200f\u202bFW: x", ("fw", "x")),
        ("no prefix", ("", "no prefix")),
        ("x" * 40 + ": y", ("", "x" * 40 + ": y")),
        ("", ("", "")),
        (None, ("", "")),
    ],
)
def test_split_subject(subject: str | None, expected: tuple[str, str]) -> None:
    assert split_subject(subject) == expected


# What prefixes are made of, and what may stand around them.
WORDS = ("fw", "Fwd", "re", "ext", "转发", "x" * 30)
SIGNS = ("[", "]", "(", ")", "^", "2", "12", ":", "：", " ", "\u00a0", "\u200f")


@given(st.lists(st.sampled_from(WORDS + SIGNS), max_size=9).map("".join))
def test_the_core_finds_a_subjects_prefix_where_the_classifier_does(subject: str) -> None:
    prefixes = ("fw", "fwd", "转发")
    only_subjects = InterestSpec(fields=(), reverse_path_marks=(), subject_prefixes=prefixes, body_marks=())
    read = core_mail(f"From: a@b.example\nSubject: {subject}\n\nx\n", interest=only_subjects)
    assert read.header is not None
    assert read.touched is (split_subject(read.header.subject)[0] in prefixes)


@given(
    st.text(),
    st.text(),
    st.lists(st.tuples(st.sampled_from(builtin_table().interest.fields), st.text())),
)
def test_no_text_makes_the_classifier_raise(reverse_path: str, subject: str, fields: list[tuple[str, str]]) -> None:
    transaction = Mail(
        touched=True,
        reverse_path=reverse_path,
        header=Header(subject=subject, from_=(reverse_path,)),
        fields=tuple(Field(name, value, at, at) for at, (name, value) in enumerate(fields)),
        body_marks=(0, 10_000),
    )
    verdict = classify(transaction, Organisation([".corp.example"]))
    assert (verdict.evidence is None) == (verdict.kind == "none")
    assert verdict.evidence != "weak"


@pytest.mark.parametrize("piece", ["+caf_=", "+srs=", "a=", "@", "<", "a@", " ", "srs0=", "+fwd_from=a"])
def test_a_hostile_value_costs_no_time(piece: str) -> None:
    value = piece * 3_000
    fields = tuple(Field(name, value[:length]) for name in builtin_table().interest.fields for length in (1_000, 9_000))
    transaction = Mail(
        touched=True,
        reverse_path=value[:1_024],
        header=Header(subject=value),
        fields=fields,
    )
    started = time.process_time()
    classify(transaction, Organisation())
    assert time.process_time() - started < 0.5


def test_a_row_that_is_no_table_is_named() -> None:
    with pytest.raises(ArtifactError, match=r"artifact row 1 \(.no table.\)"):
        check_rows([3])


def test_a_slug_of_the_built_in_table_is_taken() -> None:
    with pytest.raises(ArtifactError, match="another row"):
        load_table([GOOD | {"slug": "google_caf"}])


def test_the_page_in_the_docs_is_that_of_the_table() -> None:
    page = Path(__file__).parent.parent.parent / "docs" / "artifacts.md"
    assert page.read_text(encoding="utf-8") == artifacts_page(builtin_table())


def test_every_row_of_every_place_is_printed_once_on_the_page() -> None:
    page, _, _ = artifacts_page(builtin_table()).partition("## Rules of trust")
    for row in builtin_table().rows:
        assert page.count(f"| `{row.slug}` |") == 1


def test_all_keys_of_all_rows_are_told_as_json() -> None:
    rows = [json.loads(line) for line in rows_as_json(builtin_table()).splitlines()]
    assert [row["slug"] for row in rows] == [row.slug for row in builtin_table().rows]
    assert all(row["evidence"] == "weak" for row in rows if row["unconfirmed"])


def test_labels_and_prefixes_of_languages_are_as_the_core_compares_them() -> None:
    for language in languages():
        assert all(prefix == prefix.lower() for prefix in language.reply)
        texts = [text for texts in language.labels for text in texts]
        assert all(texts)
        assert all(text == text.strip() for text in texts)
    assert len({language.code for language in languages()}) == len(languages())


def test_every_source_key_is_explained_on_the_page() -> None:
    assert unexplained_sources(builtin_table()) == set()

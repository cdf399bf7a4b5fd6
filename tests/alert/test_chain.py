"""The evidence chain: whatever is changed, removed, put elsewhere or taken from another alert shows."""

import copy
import json
from hashlib import sha256
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sensor.alert import chain
from sensor.alert.alert import Alert
from sensor.alert.chain import FIRST_LINKS, LAST_LINKS
from sensor.alert.policy import Policy
from sensor.alert.record import record_of, to_line
from tests.alert.findings import NOW_MS, exhibit, finding, settings

LONG = FIRST_LINKS + LAST_LINKS + 30


def told(exhibits: int) -> list[dict[str, Any]]:
    """The records of an alert that got one exhibit at a time, told at each doubling."""
    policy, records = Policy(settings()), []
    for count in range(1, exhibits + 1):
        one = finding(forwards=count, at_ms=NOW_MS, exhibits=(exhibit(count - 1),))
        records += [plain(alert) for alert in policy.take([one], NOW_MS + count)]
    records += [plain(alert) for alert in policy.advance(NOW_MS + 10**10)]
    return records


def plain(alert: Alert) -> dict[str, Any]:
    record: dict[str, Any] = json.loads(to_line(record_of(alert, sensor="test")))
    return record


@pytest.mark.parametrize("exhibits", [1, 2, FIRST_LINKS + LAST_LINKS, FIRST_LINKS + LAST_LINKS + 1, LONG])
def test_what_was_written_is_whole(exhibits: int) -> None:
    records = told(exhibits)
    assert [chain.verify(record) for record in records] == [[]] * len(records)
    assert chain.verify_history(records) == []
    assert records[-1]["evidence"]["length"] == exhibits
    assert len(records[-1]["evidence"]["links"]) == min(exhibits, FIRST_LINKS + LAST_LINKS)


def test_a_claim_without_exhibits_has_an_empty_chain() -> None:
    (alert,) = Policy(settings()).take([finding(exhibits=())], NOW_MS)
    record = plain(alert)
    assert record["evidence"]["head"] == chain.anchor(record["id"])
    assert chain.verify(record) == []


def test_digests_are_what_the_documentation_says() -> None:
    """So that anybody can recompute them with nothing but SHA-256 and JSON."""
    record = told(1)[0]
    (link,) = record["evidence"]["links"]
    anchor = sha256(b"mailsensor alert\0\0" + record["id"].encode()).hexdigest()
    content = json.dumps([0, link["exhibit"]], sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    assert link["previous"] == anchor
    assert link["digest"] == sha256(b"\0".join([b"mailsensor exhibit", anchor.encode(), content.encode()])).hexdigest()


def links(record: dict[str, Any]) -> list[dict[str, Any]]:
    held: list[dict[str, Any]] = record["evidence"]["links"]
    return held


def broken(change: Any) -> dict[str, Any]:
    record = copy.deepcopy(told(LONG)[-1])
    change(record)
    return record


def resealed(record: dict[str, Any]) -> dict[str, Any]:
    """The record as somebody leaves it who knows of the seal and not of the chain."""
    record["evidence"]["seal"] = chain.seal(record)
    return record


@pytest.mark.parametrize(
    ("change", "word"),
    [
        (
            lambda r: links(r)[3]["exhibit"]["lines"][0].update(value="mallory@corp.example"),
            "exhibit 3 was changed",
        ),
        (lambda r: links(r)[0]["exhibit"].update(at_ms=0), "exhibit 0 was changed"),
        (lambda r: links(r)[-1]["exhibit"].update(transaction_id="x"), "was changed"),
        (lambda r: links(r).pop(5), "missing or out of place"),
        (lambda r: links(r).pop(0), "missing or out of place"),
        (lambda r: links(r).pop(), "last exhibits are missing"),
        (lambda r: links(r).pop(FIRST_LINKS), "missing or out of place"),
        (lambda r: links(r).pop(FIRST_LINKS - 1), "missing or out of place"),
        (lambda r: links(r).clear(), "last exhibits are missing"),
        (lambda r: links(r).insert(2, links(r).pop(9)), "out of place"),
        (lambda r: r["evidence"].update(head="0" * 64), "head was changed"),
        (lambda r: r["evidence"].update(length=LONG - 1), "missing"),
        (lambda r: r.update(id="f" * 32), "does not follow"),
    ],
)
def test_a_change_of_the_chain_shows_even_under_a_new_seal(change: Any, word: str) -> None:
    problems = chain.verify(resealed(broken(change)))
    assert any(word in problem for problem in problems), problems


@pytest.mark.parametrize(
    "change",
    [
        lambda r: r.update(severity="low"),
        lambda r: r["counts"].update(forwards=1),
        lambda r: r["destinations"].append("b@dst.example"),
        lambda r: r["assumptions"].clear(),
        lambda r: r["next_steps"][0].update(commands=["rm -rf /"]),
        lambda r: r.update(status="resolved", updates=9),
    ],
)
def test_a_change_of_the_claim_shows_by_its_seal(change: Any) -> None:
    assert chain.verify(broken(change)) == ["the record was changed after it was written: its seal does not fit"]


def test_the_mark_of_a_repeated_delivery_breaks_no_seal() -> None:
    assert chain.verify(broken(lambda r: r.update(redelivered=True))) == []


@pytest.mark.parametrize("missing", [1, 3, -1])
def test_a_missing_telling_shows(missing: int) -> None:
    records = told(20)
    del records[missing]
    assert (chain.verify_history(records) == []) is (missing == -1), "the latest one is not missed by those before it"


def test_a_history_that_does_not_begin_at_its_beginning_shows() -> None:
    problems = chain.verify_history(told(4)[1:])
    assert problems == ["the first is update 1: a record is missing or out of place"]


def test_tellings_of_two_pasts_do_not_fit_together() -> None:
    other = told(2)
    policy = Policy(settings())
    policy.take([finding(exhibits=(exhibit(7),))], NOW_MS)
    (update,) = policy.take([finding(forwards=2, exhibits=())], NOW_MS)
    problems = chain.verify_history([other[0], plain(update)])
    assert problems == ["update 1 has another exhibit 0 than the records before it"]


@given(st.lists(st.lists(st.integers(0, 150), max_size=30), max_size=12))
def test_a_chain_holds_each_mail_once_and_extends_itself(batches: list[list[int]]) -> None:
    """However exhibits come, a chain in steps is that in one go, and both verify."""
    in_steps = chain.begin("a")
    for batch in batches:
        in_steps = chain.extend(in_steps, [exhibit(number) for number in batch])
    once = list(dict.fromkeys(number for batch in batches for number in batch))
    if len(once) <= FIRST_LINKS + LAST_LINKS:
        assert [link.exhibit for link in in_steps.links] == [exhibit(number) for number in once]
        assert in_steps == chain.extend(chain.begin("a"), [exhibit(number) for number in once])
    evidence = msgspec.to_builtins(in_steps) | {"algorithm": "sha256"}
    record: dict[str, Any] = {"id": "a", "evidence": evidence}
    assert chain.verify(resealed(record)) == []

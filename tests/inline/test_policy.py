"""Which rule a mail meets, and what follows."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import replace
from typing import Any, get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sensor.inline import OBSERVE, Policy, Verdict
from sensor.model import Direction, Evidence, Forwarding, Kind, Level
from sensor.settings import Action, InlineRule, InlineSettings

FORWARD = Forwarding(
    kind="auto",
    level="user",
    evidence="strong",
    mailbox="ann@corp.example",
    destinations=("drop@evil.example",),
    direction="outbound",
)


def policy(*rules: InlineRule, dry_run: bool = False) -> Policy:
    return Policy(InlineSettings(rules=rules, dry_run=dry_run))


def rule(action: Action = "reject", name: str = "r", **parts: Any) -> InlineRule:
    reply = {"reject": (550, "5.7.1", "no"), "defer": (451, "4.7.1", "later")}.get(action)
    return InlineRule(name=name, action=action, reply=reply, **parts)


def action(forwarding: Forwarding, *rules: InlineRule) -> Action:
    return policy(*rules).verdict(forwarding).action


def test_without_a_rule_mail_is_observed() -> None:
    assert policy().verdict(FORWARD) is OBSERVE
    assert Verdict() == OBSERVE


def test_the_first_rule_that_fits_is_followed() -> None:
    rules = (rule("tag", "a", mailboxes=("bob@corp.example",)), rule("defer", "b"), rule("reject", "c"))
    assert policy(*rules).verdict(FORWARD) == Verdict("defer", "b", (451, "4.7.1", "later"), would="defer")


@pytest.mark.parametrize(
    ("parts", "fits"),
    [
        ({"kinds": ("auto",)}, True),
        ({"kinds": ("visible", "both")}, False),
        ({"levels": ("user", "either")}, True),
        ({"levels": ("admin",)}, False),
        ({"evidence": ("conclusive", "strong")}, True),
        ({"evidence": ("conclusive",)}, False),
        ({"directions": ("outbound",)}, True),
        ({"directions": ("internal",)}, False),
        ({"mailboxes": ("Ann@Corp.example",)}, True),
        ({"mailboxes": ("corp.example",)}, True),
        ({"mailboxes": (".example",)}, True),
        ({"mailboxes": ("example",)}, False),
        ({"mailboxes": ("nn@corp.example",)}, False),
        ({"destinations": ("evil.example",)}, True),
        ({"destinations": ("vil.example",)}, False),
        ({"destinations": (".evil.example",)}, True),
        ({"destinations": ("sub.evil.example", "x@evil.example")}, False),
        ({"destinations": ("evil.example",), "mailboxes": ("bob@corp.example",)}, False),
    ],
)
def test_every_part_of_a_rule_must_hold(parts: dict[str, Any], fits: bool) -> None:
    assert action(FORWARD, rule(**parts)) == ("reject" if fits else "observe")


def test_mail_that_is_no_forward_meets_only_rules_that_name_it() -> None:
    assert action(Forwarding(direction="outbound"), rule(directions=("outbound",))) == "observe"
    assert action(Forwarding(direction="outbound"), rule(kinds=("none",), directions=("outbound",))) == "reject"


def test_a_look_alike_meets_only_rules_that_ask_for_it() -> None:
    alike = Forwarding(kind="auto", evidence="strong", mailbox="ann@corp.example", look_alike="mailing_list")
    assert action(alike, rule()) == "observe"
    assert action(alike, rule(look_alikes=True)) == "reject"


def test_a_forward_to_a_partner_and_a_stranger_is_not_excused_by_the_partner() -> None:
    """Letting pass takes every destination, stopping takes one."""
    both = Forwarding(kind="auto", evidence="strong", destinations=("a@partner.example", "b@evil.example"))
    partner = rule("observe", "partner", destinations=("partner.example",))
    assert action(both, partner, rule()) == "reject"
    assert action(FORWARD, partner, rule()) == "reject"
    assert policy(partner, rule()).verdict(
        Forwarding(kind="auto", evidence="strong", destinations=("a@partner.example",))
    ) == Verdict("observe", "partner")
    assert action(both, rule("defer", destinations=("evil.example",))) == "defer"


@pytest.mark.parametrize(
    ("listed", "destination", "met"),
    [
        ("m\u00fcnchen.example", "drop@xn--mnchen-3ya.example", True),
        ("xn--mnchen-3ya.example", "drop@m\u00fcnchen.example", True),
        ("xn--mnchen-3ya.example", "drop@M\u00dcNCHEN.example", True),
        (".m\u00fcnchen.example", "drop@a.xn--mnchen-3ya.example", True),
        ("drop@m\u00fcnchen.example", "Drop@XN--MNCHEN-3YA.example.", True),
        ("m\u00fcnchen.example", "drop@munchen.example", False),
    ],
)
def test_a_domain_is_met_in_letters_and_as_it_stands_in_the_dns(listed: str, destination: str, met: bool) -> None:
    forward = Forwarding(kind="auto", destinations=(destination,), mailbox=destination)
    assert action(forward, rule(destinations=(listed,))) == ("reject" if met else "observe")
    assert action(forward, rule(mailboxes=(listed,))) == ("reject" if met else "observe")


def test_a_forward_of_unknown_destination_is_on_no_list() -> None:
    unknown = Forwarding(kind="auto", evidence="strong")
    assert action(unknown, rule(destinations=("evil.example",)), rule("tag", "all")) == "tag"
    assert action(unknown, rule(mailboxes=("corp.example",))) == "observe"


def test_a_dry_run_says_what_would_be_done_and_does_nothing() -> None:
    wanted = Verdict(rule="r", dry_run=True, would="reject")
    assert policy(rule(dry_run=True)).verdict(FORWARD) == wanted
    assert policy(rule(), dry_run=True).verdict(FORWARD) == wanted
    assert wanted.action == "observe"


def test_only_what_may_be_done_counts_as_such() -> None:
    told = [(each.may_act, each.may_tag) for each in (
        policy(), policy(rule("observe")), policy(rule("tag")), policy(rule("tag", dry_run=True)),
        policy(rule("tag"), dry_run=True), policy(rule("defer")),
    )]  # fmt: skip
    assert told == [(False, False), (False, False), (True, True), (False, False), (False, False), (True, False)]


DOMAINS = st.sampled_from(["corp.example", "a.corp.example", "evil.example", "b.a.corp.example", "x"])
ADDRESSES = st.builds("{}@{}".format, st.sampled_from(["ann", "Ann", "b"]), DOMAINS)
ENTRIES = st.lists(st.one_of(ADDRESSES, DOMAINS, DOMAINS.map(".{}".format)), max_size=3).map(tuple)
RULES = st.builds(
    rule,
    st.sampled_from(get_args(Action)),
    st.sampled_from(["one", "two"]),
    kinds=st.lists(st.sampled_from(get_args(Kind)), min_size=1, max_size=2).map(tuple),
    levels=st.lists(st.sampled_from(get_args(Level)), max_size=2).map(tuple),
    evidence=st.lists(st.sampled_from(get_args(Evidence)), max_size=2).map(tuple),
    directions=st.lists(st.sampled_from(get_args(Direction)), max_size=2).map(tuple),
    mailboxes=ENTRIES,
    destinations=ENTRIES,
    look_alikes=st.booleans(),
    dry_run=st.booleans(),
)
FORWARDS = st.builds(
    Forwarding,
    kind=st.sampled_from(get_args(Kind)),
    level=st.sampled_from(get_args(Level)),
    evidence=st.one_of(st.none(), st.sampled_from(get_args(Evidence))),
    direction=st.sampled_from(get_args(Direction)),
    mailbox=st.one_of(st.none(), ADDRESSES),
    destinations=st.lists(ADDRESSES, max_size=3).map(tuple),
    look_alike=st.one_of(st.none(), st.just("mailing_list")),
)


def plainly_listed(address: str, entries: Sequence[str]) -> bool:
    address = address.lower()
    domain = address.split("@")[1]
    return any(
        address == each.lower() or domain == each.lstrip(".") or (each.startswith(".") and domain.endswith(each))
        for each in entries
    )


def plainly_fits(rule: InlineRule, forward: Forwarding) -> bool:
    """The same by one comparison after the other."""
    if forward.kind not in rule.kinds:
        return False
    if forward.kind != "none" and forward.look_alike and not rule.look_alikes:
        return False
    for allowed, value in (
        (rule.levels, forward.level), (rule.evidence, forward.evidence), (rule.directions, forward.direction),
    ):  # fmt: skip
        if allowed and value not in allowed:
            return False
    if rule.mailboxes and (forward.mailbox is None or not plainly_listed(forward.mailbox, rule.mailboxes)):
        return False
    if rule.destinations:
        on = [plainly_listed(each, rule.destinations) for each in forward.destinations]
        return len(on) > 0 and (False not in on if rule.action == "observe" else True in on)
    return True


@given(st.lists(RULES, max_size=4), FORWARDS, st.booleans())
def test_verdicts_are_those_of_one_comparison_after_the_other(
    rules: list[InlineRule], forward: Forwarding, dry_run: bool
) -> None:
    named = [replace(each, name=f"r{place}") for place, each in enumerate(rules)]
    verdict = policy(*named, dry_run=dry_run).verdict(forward)
    met = next((each for each in named if plainly_fits(each, forward)), None)
    if met is None:
        assert verdict is OBSERVE
        return
    dry = dry_run or met.dry_run
    assert (verdict.rule, verdict.would, verdict.dry_run) == (met.name, met.action, dry)
    assert verdict.action == ("observe" if dry else met.action)
    assert (verdict.reply is not None) == (verdict.action in ("reject", "defer"))
    assert (verdict.tag is not None) == (verdict.action == "tag")


@pytest.mark.parametrize(
    "address", ["", "@", "a@" + "." * 100_000, "x" * 1_000_000, "a@" + "b." * 50_000 + "evil.example"]
)
def test_hostile_destinations_take_no_time(address: str) -> None:
    hostile = Forwarding(kind="auto", evidence="strong", destinations=(address,) * 20)
    began = time.process_time()
    assert action(hostile, rule(destinations=(".never.example",))) == "observe"
    assert time.process_time() - began < 5, "milliseconds where time is linear in the length of an address"

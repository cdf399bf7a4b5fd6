"""The stage that pairs legs: against a dumb model that looks at every pair, in any order, cut and resumed anywhere."""

from __future__ import annotations

import random

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sensor.detect.base import MAX_BLOB_OCTETS, BlobError
from sensor.detect.events import ForwardSeen, Leg, stable_id
from sensor.detect.pairing import (
    BODY_WITHIN_MS,
    MAX_FAN_OUT,
    MAX_IN,
    MAX_OUT,
    MAX_SIZE_DIFFERENCE,
    PARENT_WITHIN_MS,
    SETTLE_MS,
    WINDOW_MS,
    Pairing,
    PairingState,
)
from sensor.model import Actor, Artifact

STAGE = Pairing()
AT_MS = 1_780_000_000_000
END_MS = 1 << 60
OURS = ("ann@corp.example", "bob@corp.example")
OUTSIDE = ("x@dst.example", "y@dst.example", "bill@shop.example")
FINGERPRINT = "m0000000000000001"


def run(legs: list[Leg], *, through_blobs: bool = False) -> list[ForwardSeen]:
    """What the stage derives of *legs* in that order, judged when all were seen."""
    state: PairingState | None = None
    for leg in legs:
        state = STAGE.step(state, leg).state
        if through_blobs and state is not None:
            state = STAGE.decode(STAGE.encode(state))
    if state is None:
        return []
    return [forward for forward in STAGE.wake(state, FINGERPRINT, END_MS).derived if isinstance(forward, ForwardSeen)]


addresses = st.sampled_from((*OURS, *OUTSIDE, ""))
few = st.lists(st.sampled_from((*OURS, *OUTSIDE)), max_size=3, unique=True).map(tuple)


@st.composite
def a_leg(draw: st.DrawFn) -> Leg:
    side = draw(st.sampled_from(("in", "out")))
    number = draw(st.integers(0, 40))
    recipients = draw(st.lists(st.sampled_from(OURS if side == "in" else OUTSIDE), min_size=1, max_size=3, unique=True))
    return Leg(
        id=stable_id("leg", side, str(number)),
        at_ms=AT_MS + draw(st.sampled_from((0, 1, 1_000, 50_000, SETTLE_MS, 2 * SETTLE_MS, 3 * SETTLE_MS))) + number,
        transaction_id=f"t{number}",
        fingerprint=FINGERPRINT,
        basis=draw(st.sampled_from(("message_id", "parent", "body"))),
        side="in" if side == "in" else "out",
        sender=draw(addresses),
        author=draw(addresses),
        recipients=tuple(recipients),
        unaddressed=draw(st.sampled_from((tuple(recipients), tuple(recipients[:1]), ()))),
        written_to=draw(few),
        addressed=draw(st.sampled_from(((), (), OURS[:1], OURS[1:]))),
        named=draw(few),
        from_ours=draw(st.booleans()),
        is_reply=draw(st.booleans()),
        needs_sign=draw(st.booleans()),
        octets=draw(st.sampled_from((None, 1_000, 1_500, 40_000))),
    )


def distinct(legs: list[Leg]) -> list[Leg]:
    """Each id once: one event is the same event whenever it comes."""
    return list({leg.id: leg for leg in legs}.values())


# ---- the dumb model: every pair of legs, by the words of the module


def model(legs: list[Leg]) -> set[str]:
    arrived = sorted((leg for leg in legs if leg.side == "in"), key=lambda leg: (leg.at_ms, leg.id))
    leaving = sorted((leg for leg in legs if leg.side == "out"), key=lambda leg: (leg.at_ms, leg.id))
    if len(leaving) > MAX_OUT:
        return set()
    crowded, arrived = len(arrived) > MAX_IN, arrived[:MAX_IN]
    owners = {leg.id: owner(leg, arrived, crowded) for leg in leaving}
    reach: dict[str, set[str]] = {}
    for leg in leaving:
        reach.setdefault(owners[leg.id], set()).update(destinations(leg))
    return {
        stable_id("paired", FINGERPRINT, mailbox, *destinations(leg))
        for leg in leaving
        if (mailbox := owners[leg.id]) and len(reach[mailbox]) <= MAX_FAN_OUT
    }


def destinations(leg: Leg) -> list[str]:
    return sorted(leg.unaddressed if leg.basis == "message_id" else leg.recipients)


def owner(leg: Leg, arrived: list[Leg], crowded: bool) -> str:
    originals = [each for each in arrived if may_be_original(each, leg)]
    if not destinations(leg):
        return ""
    ordered = [leg.sender] if leg.basis == "message_id" else [leg.author, leg.sender]
    signs = [*leg.named, *ordered] if leg.basis == "message_id" else [*ordered, *leg.named]
    kept = [sign for sign in dict.fromkeys(signs) if sign][:4]
    for sign in kept:
        if sign not in leg.recipients and any(sign in each.recipients and each.author != sign for each in originals):
            return sign
    if leg.basis == "body" and set(leg.unaddressed) == set(leg.recipients):
        reached = {address for each in originals if leg.author == each.author for address in each.recipients}
        still = reached & set(sorted(set(leg.written_to))[:4])
        if leg.author and len(still) == 1:
            return still.pop()
    if leg.from_ours or leg.needs_sign or leg.basis != "message_id" or crowded:
        return ""
    everybody = {each.recipients for each in originals}
    if len(everybody) != 1 or not set(leg.addressed) <= set(next(iter(everybody))):
        return ""
    return everybody.pop()[0] if len(next(iter(everybody))) == 1 else ""


def may_be_original(original: Leg, leg: Leg) -> bool:
    age_ms = leg.at_ms - original.at_ms
    senders = {original.sender, original.author} - {""}
    both_sized = original.octets is not None and leg.octets is not None
    if original.transaction_id == leg.transaction_id or age_ms < -SETTLE_MS:
        return False
    if leg.basis == "message_id":
        return age_ms <= WINDOW_MS and not senders & set(leg.recipients)
    if senders & {*leg.recipients, *leg.written_to}:
        return False
    if leg.basis == "parent":
        too_small = both_sized and (leg.octets or 0) * 2 < (original.octets or 0)
        return age_ms <= PARENT_WITHIN_MS and not leg.is_reply and not too_small
    differ = both_sized and abs((leg.octets or 0) - (original.octets or 0)) > MAX_SIZE_DIFFERENCE
    return age_ms <= BODY_WITHIN_MS and not differ


@settings(max_examples=60)
@given(st.lists(a_leg(), max_size=14).map(distinct))
def test_the_stage_pairs_what_the_dumb_model_pairs(legs: list[Leg]) -> None:
    assert {forward.id for forward in run(legs)} == model(legs)


@settings(max_examples=60)
@given(st.lists(a_leg(), max_size=20).map(distinct), st.randoms(use_true_random=False))
def test_the_order_of_legs_does_not_matter_nor_do_duplicates_or_restarts(
    legs: list[Leg], chance: random.Random
) -> None:
    first = run(legs)
    shuffled = [*legs, *chance.sample(legs, len(legs) // 2)]
    chance.shuffle(shuffled)
    assert run(shuffled, through_blobs=True) == first


def leg(side: str = "in", number: int = 1, after_ms: int = 0, **changes: object) -> Leg:
    plain = Leg(
        id=f"{side}{number}",
        at_ms=AT_MS + after_ms,
        transaction_id=f"{side}{number}",
        fingerprint=FINGERPRINT,
        basis="message_id",
        side="in" if side == "in" else "out",
        sender="bill@shop.example",
        author="bill@shop.example",
        recipients=("ann@corp.example",) if side == "in" else ("x@dst.example",),
        unaddressed=() if side == "in" else ("x@dst.example",),
    )
    return msgspec.structs.replace(plain, **changes)


def test_a_leg_is_judged_once_and_not_before_others_may_come() -> None:
    state = STAGE.step(None, leg()).state
    out = STAGE.step(state, leg("out", after_ms=5_000))
    assert out.state is not None
    assert out.wake_at_ms == AT_MS + 5_000 + SETTLE_MS
    early = STAGE.wake(out.state, FINGERPRINT, out.wake_at_ms - 1)
    assert (early.derived, early.wake_at_ms) == ((), out.wake_at_ms)
    due = STAGE.wake(out.state, FINGERPRINT, out.wake_at_ms)
    assert (len(due.derived), due.wake_at_ms) == (1, None)
    assert STAGE.wake(out.state, FINGERPRINT, END_MS).derived == ()


def test_the_original_is_the_last_hop_before_the_forward() -> None:
    legs = [leg(number=1), leg(number=2, after_ms=2_000), leg(number=3, after_ms=9_000), leg("out", 4, after_ms=5_000)]
    [forward] = run(legs)
    assert (forward.original_id, forward.original_at_ms) == ("in2", AT_MS + 2_000)


def test_legs_expire_by_their_own_time() -> None:
    late = leg("out", 2, after_ms=STAGE.ttl_ms + 1)
    state = STAGE.step(None, leg()).state
    assert run([leg(), late]) == []
    kept = STAGE.step(state, late).state
    assert kept is not None
    assert STAGE.step(kept, leg(number=7)).state is kept
    assert kept.arrived == []


hostile = st.text(max_size=400)


@settings(max_examples=30)
@given(
    st.lists(
        st.builds(
            leg,
            st.sampled_from(("in", "out")),
            st.integers(0, 60),
            st.integers(-(1 << 40), 1 << 40),
            recipients=st.lists(hostile, max_size=40).map(tuple),
            unaddressed=st.lists(hostile, max_size=40).map(tuple),
            named=st.lists(hostile, max_size=40).map(tuple),
            sender=hostile,
            author=hostile,
            actor=st.builds(Actor, auth_user=hostile, helo=hostile),
            lines=st.lists(st.builds(Artifact, slug=hostile, field=hostile, value=hostile), max_size=5).map(tuple),
        ),
        max_size=60,
    )
)
def test_whatever_legs_hold_the_blob_is_bounded_and_nothing_raises(legs: list[Leg]) -> None:
    state: PairingState | None = None
    for each in legs:
        state = STAGE.step(state, each).state
    if state is not None:
        STAGE.wake(state, FINGERPRINT, END_MS)
        assert len(STAGE.encode(state)) <= MAX_BLOB_OCTETS


@pytest.mark.parametrize("basis", ["message_id", "body"])
def test_the_fullest_state_fits_a_blob(basis: str) -> None:
    def address(number: int) -> str:
        return "é" * 120 + f"{number:04}@d.ex"

    many = tuple(address(number) for number in range(300))
    line = Artifact(slug="s" * 40, field="f" * 40, value=many[0])
    actor = Actor(auth_user=many[0], helo=many[1], client_ip="2001:db8::1", server_ip="2001:db8::2")
    state: PairingState | None = None
    for number in range(40):
        full: dict[str, object] = {
            "recipients": many,
            "unaddressed": many,
            "written_to": many,
            "named": many,
            "actor": actor,
        }
        full["basis"] = basis
        state = STAGE.step(state, leg("in", number, number, **full)).state
        state = STAGE.step(state, leg("out", number, number, **full, lines=(line,) * 9, message="m" * 99)).state
    assert state is not None
    assert len(STAGE.encode(state)) <= MAX_BLOB_OCTETS


@given(st.binary(max_size=60))
def test_any_octets_are_a_state_or_an_error(blob: bytes) -> None:
    for each in (blob, b"\x01" + blob):
        try:
            STAGE.decode(each)
        except BlobError:
            continue


def test_a_blob_of_a_later_version_is_an_error() -> None:
    state = STAGE.step(None, leg()).state
    assert state is not None
    with pytest.raises(BlobError):
        STAGE.decode(b"\x02" + STAGE.encode(state)[1:])


def test_what_is_no_leg_is_not_for_this_stage() -> None:
    [forward] = run([leg(), leg("out", 2, 1)])
    assert STAGE.key(forward) is None
    assert STAGE.step(None, forward).state is None

"""The front end of pairing: which of two mails are a mail and its forward, told mail by mail as a tap gives them."""

from __future__ import annotations

from dataclasses import replace
from itertools import permutations
from typing import Any

import pytest

from sensor.classify import Organisation
from sensor.detect.events import DetectorEvent, ForwardSeen
from sensor.ledger import Ledger
from sensor.pairing import LIMITS, PairingFront
from sensor.pipeline import Pipeline
from sensor.tally import trace
from tests.mails import START_NS, Field, Header, Mail, Path, Session, Tls, mail

CORP = Organisation(["corp.example"])
ANN, BOB, EXT, BILL = "ann@corp.example", "bob@corp.example", "x@dst.example", "bill@shop.example"
SECOND_NS = 1_000_000_000
MINUTE_NS = 60 * SECOND_NS
ID = "m1@shop.example"
BODY = "0123456789abcdef0123456789abcdef"


def sent(
    number: int,
    to: str | list[str],
    *,
    sender: str = BILL,
    after_s: float = 0,
    author: str = BILL,
    written_to: tuple[str, ...] = (ANN,),
    message_id: str | None = ID,
    references: tuple[str, ...] = (),
    body: str | None = None,
    octets: int = 5_000,
    subject: str = "Offer",
    delivered_to: tuple[str, ...] = (),
    orcpt: str | None = None,
) -> Mail:
    """A mail *after_s* seconds into the trace; bill's to ann, unless told otherwise."""
    recipients = [to] if isinstance(to, str) else to
    at_ns = START_NS + int(after_s * SECOND_NS)
    return Mail(
        id=f"t{number}",
        started_at_ns=at_ns,
        ended_at_ns=at_ns + SECOND_NS,
        session=Session(helo="mx.corp.example"),
        reverse_path=sender,
        forward_paths=tuple(Path(address, orcpt=orcpt) for address in recipients),
        size_octets=octets,
        body_digest=body,
        header=Header(
            message_id=message_id,
            from_=(author,),
            to=written_to,
            subject=subject,
            references=references,
            delivered_to=delivered_to,
        ),
    )


def told(*mails: Mail, organisation: Organisation = CORP) -> list[ForwardSeen]:
    """The forwards that a pipeline tells of, at the end of it all."""
    return [event for event in events(*mails, organisation=organisation) if isinstance(event, ForwardSeen)]


def events(*mails: Mail, organisation: Organisation = CORP) -> list[DetectorEvent]:
    ledger = Ledger(watches=organisation.owns if organisation.known else None)
    road = Pipeline(organisation, ledger, transaction_type=Mail, session_type=Tls)
    return [*road.feed(mails).events, *road.finish()]


def pairs(*mails: Mail, organisation: Organisation = CORP) -> list[tuple[str, tuple[str, ...], str | None]]:
    """Mailbox, destinations and original of each forward told."""
    return [(each.mailbox, each.destinations, each.original_id) for each in told(*mails, organisation=organisation)]


IN = sent(1, ANN)
OF_ANN = [(ANN, (EXT,), "t1")]


@pytest.mark.parametrize(
    "reverse_path", [BILL, ANN, "SRS0=Ab1=TT=shop.example=bill@corp.example", "", "bounce-1@news.shop.example"]
)
def test_a_redirect_without_marks_is_paired_whatever_its_reverse_path(reverse_path: str) -> None:
    [forward] = told(IN, sent(2, EXT, sender=reverse_path, after_s=5))
    assert (forward.mailbox, forward.destinations, forward.outside) == (ANN, (EXT,), (EXT,))
    assert (forward.cell, forward.evidence, forward.direction) == ("paired", "strong", "outbound")
    assert (forward.original_id, forward.original_at_ms) == ("t1", START_NS // 1_000_000)
    assert forward.actor.helo == "mx.corp.example"
    assert [line.field for line in forward.lines] == ["Message-ID", "Original"]
    assert forward.lines[1].value == "transaction t1, 5.0 s before"


def test_a_pair_is_counted_in_the_ledger_and_told_to_its_destination() -> None:
    ledger = Ledger(watches=CORP.owns)
    road = Pipeline(CORP, ledger, transaction_type=Mail, session_type=Tls)
    assert road.feed([IN, sent(2, EXT, after_s=5)]).events == []
    forward, destination = road.feed([sent(3, BOB, after_s=70, message_id="other", written_to=(BOB,))]).events
    assert isinstance(forward, ForwardSeen)
    assert forward.context.received_1h == 1
    assert destination.at_ms == forward.at_ms
    ((mailbox, _, forwards),) = ledger.forwarders()
    assert (mailbox, forwards.paired) == (ANN, 1)
    assert road.finish() == []


def test_a_new_message_id_with_the_original_as_parent_is_paired_if_it_is_sent_soon() -> None:
    def copy(after_s: float, **changes: Any) -> Mail:
        made = sent(2, EXT, sender=ANN, author=ANN, written_to=(EXT,), message_id="n@c", after_s=after_s)
        assert made.header is not None
        return replace(made, header=replace(made.header, references=(ID,), **changes))

    [forward] = told(IN, copy(20))
    assert (forward.mailbox, forward.evidence) == (ANN, "weak")
    assert pairs(IN, copy(200)) == []
    assert pairs(IN, copy(20, subject="Re: Offer")) == []
    assert pairs(IN, copy(20, to=(EXT, BILL))) == []
    assert pairs(IN, replace(copy(20), size_octets=2_000)) == []


def test_the_same_body_under_a_new_message_id_is_paired() -> None:
    original = sent(1, ANN, body=BODY)
    resent = sent(2, EXT, sender=ANN, author=ANN, written_to=(EXT,), message_id="n@c", body=BODY, after_s=900)
    assert pairs(original, resent) == OF_ANN
    assert pairs(original, replace(resent, size_octets=50_000)) == []
    assert pairs(original, replace(resent, body_octets=100)) == []


@pytest.mark.parametrize(
    ("change", "is_paired"),
    [
        ({}, True),
        ({"author": "eve@x.example"}, False),
        ({"written_to": (EXT,)}, False),
        ({"written_to": (BOB,)}, False),
    ],
    ids=["sent on", "another author", "addressed to the recipient", "addressed to another mailbox"],
)
def test_a_copy_under_a_relays_message_id_is_paired_by_body_author_and_addressee(
    change: dict[str, Any], *, is_paired: bool
) -> None:
    rewritten = {"sender": "SRS0=a=b=shop.example=bill@corp.example", "message_id": "n@relay", "body": BODY}
    pair = pairs(sent(1, ANN, body=BODY), sent(2, EXT, after_s=4, **(rewritten | change)))
    assert pair == (OF_ANN if is_paired else [])


def test_a_copy_that_is_still_addressed_to_two_of_ours_is_nobodys() -> None:
    both: dict[str, Any] = {"body": BODY, "written_to": (ANN, BOB)}
    assert pairs(sent(1, [ANN, BOB], **both), sent(2, EXT, after_s=4, message_id="n@relay", **both)) == []


def test_a_mail_that_names_another_of_ours_is_not_pinned_on_the_one_whose_copy_was_seen() -> None:
    for written_to in ((BOB,), (ANN, BOB)):
        came, left = sent(1, ANN, written_to=written_to), sent(2, EXT, after_s=4, written_to=written_to)
        assert pairs(came, left) == []
        assert pairs(left, replace(came, started_at_ns=came.started_at_ns + 9 * SECOND_NS)) == []


def test_a_ticket_systems_note_on_a_mail_is_not_paired() -> None:
    original = sent(1, ANN)
    note = sent(2, EXT, sender=ANN, author=ANN, written_to=(EXT,), message_id="n@c", references=(ID,), after_s=4)
    assert pairs(original, note) == OF_ANN
    assert pairs(original, replace(note, fields=(Field("RT-Ticket", "corp.example #7"),))) == []


def test_newsletters_of_one_body_are_not_paired() -> None:
    news = [
        sent(n, to, body=BODY, message_id=f"n{n}", written_to=(to,)) for n, to in enumerate((ANN, BOB, EXT, "y@d.e"))
    ]
    assert pairs(*news) == []
    hidden = sent(9, EXT, body=BODY, message_id="n9", written_to=(), after_s=9)
    assert pairs(*news, hidden) == []


@pytest.mark.parametrize(
    ("change", "mailbox"),
    [
        ({}, None),
        ({"delivered_to": (BOB,)}, BOB),
        ({"orcpt": f"rfc822;{BOB}"}, BOB),
        ({"sender": ANN}, ANN),
        ({"delivered_to": ("eve@corp.example",)}, None),
    ],
)
def test_of_several_mailboxes_that_got_a_mail_a_sign_says_whose_forward_it_is(
    change: dict[str, Any], mailbox: str | None
) -> None:
    out = sent(3, EXT, after_s=5, **change)
    for arrivals in (
        [sent(1, [ANN, BOB])],
        [sent(1, ANN), sent(2, BOB, after_s=1)],
        [sent(1, ANN), sent(2, BOB, after_s=30)],
    ):
        assert [each.mailbox for each in told(*arrivals, out)] == ([mailbox] if mailbox else [])


def test_a_resent_from_says_whose_forward_it_is() -> None:
    out = sent(3, EXT, after_s=5)
    assert out.header is not None
    signed = replace(out, header=replace(out.header, resent_from=(BOB,)))
    assert [each.mailbox for each in told(sent(1, [ANN, BOB]), signed)] == [BOB]


def test_a_mail_of_ours_to_inside_and_outside_at_once_is_no_forward() -> None:
    inside = sent(1, ANN, sender=BOB, author=BOB)
    assert pairs(inside, sent(2, EXT, sender=BOB, author=BOB)) == []
    assert pairs(inside, sent(2, EXT, sender=BOB, author=BOB, written_to=(ANN, EXT))) == []
    assert pairs(sent(1, [ANN, EXT], sender=BOB, author=BOB)) == []


def test_a_mail_of_ours_that_its_reader_redirects_is_paired_by_a_sign() -> None:
    inside = sent(1, ANN, sender=BOB, author=BOB)
    assert pairs(inside, sent(2, EXT, sender=BOB, author=BOB, delivered_to=(ANN,))) == OF_ANN


def test_a_mail_that_its_author_wrote_to_both_is_no_forward() -> None:
    assert pairs(IN, sent(2, EXT, written_to=(ANN, EXT), after_s=1)) == []


def test_a_group_that_fans_out_is_no_forward() -> None:
    members = [sent(n, f"m{n}@d{n}.example", after_s=n, delivered_to=(ANN,)) for n in range(2, 7)]
    assert pairs(IN, *members) == []
    assert len(pairs(IN, *members[:3])) == 3


def test_hops_of_a_gateway_are_one_forward() -> None:
    out = [sent(n, EXT, after_s=n) for n in (3, 4, 5)]
    assert pairs(IN, sent(2, ANN, after_s=1), *out) == [(ANN, (EXT,), "t2")]


def test_a_routing_address_of_our_own_house_is_no_destination() -> None:
    for address in ("ann@corp.mail.onmicrosoft.com", "ann@mbx1.corp.example", "ann@exchange.local"):
        assert pairs(IN, sent(2, address, after_s=1)) == []


def test_a_reply_is_no_forward() -> None:
    reply = sent(
        2,
        BILL,
        sender=ANN,
        author=ANN,
        written_to=(BILL,),
        message_id="r@c",
        references=(ID,),
        after_s=9,
    )
    assert pairs(IN, reply) == []
    to_copied = replace(reply, forward_paths=(Path(EXT),))
    assert pairs(IN, to_copied) == []
    assert pairs(IN, sent(2, BILL, after_s=9)) == []


MARKED = """
X-Forwarded-For: ann@corp.example x@dst.example
From: bill@shop.example
To: ann@corp.example
Message-ID: <m1@shop.example>

Buy.
"""


def test_marks_win_and_pairing_adds_when_the_original_came() -> None:
    marked = mail(
        MARKED,
        id="t2",
        started_at_ns=START_NS + 4 * SECOND_NS,
        reverse_path="ann+caf_=x=dst.example@corp.example",
        forward_paths=[EXT],
    )
    unmarked_hop = sent(3, EXT, after_s=6, delivered_to=(ANN,))
    [forward] = told(IN, marked, unmarked_hop)
    assert (forward.cell, forward.original_id, forward.original_at_ms) == ("auto_only", "t1", START_NS // 1_000_000)


BY_HAND = """
From: ann@corp.example
To: x@dst.example
Subject: Fwd: Offer
References: <m1@shop.example>
Message-ID: <n@corp.example>

-------- Forwarded Message --------
Subject: Offer
From: bill@shop.example
To: ann@corp.example

Buy.
"""


def test_a_forward_by_hand_is_not_paired_and_tells_when_its_original_came() -> None:
    by_hand = mail(
        BY_HAND,
        id="t2",
        started_at_ns=START_NS + 40 * SECOND_NS,
        reverse_path=ANN,
        forward_paths=[EXT],
        size_octets=900,
    )
    [forward] = told(IN, by_hand)
    assert (forward.cell, forward.original_id) == ("visible_only", "t1")


def test_legs_in_any_order_within_a_minute_give_the_same() -> None:
    legs = [
        IN,
        sent(2, ANN, after_s=1),
        sent(3, EXT, after_s=5),
        sent(4, EXT, after_s=6),
        sent(5, "y@d.example", after_s=7),
    ]
    told_of = {tuple(sorted(each.id for each in told(*order))) for order in permutations(legs)}
    assert len(told_of) == 1
    assert len(told_of.pop()) == 2


def test_an_original_that_comes_long_after_is_none() -> None:
    assert pairs(sent(1, ANN, after_s=300), sent(2, EXT)) == []


def test_an_original_is_remembered_for_the_window_and_forgotten_after_it() -> None:
    day_s = 86_400
    fillers = [sent(n, BOB, after_s=n * day_s, message_id=f"f{n}") for n in range(2, 10)]
    assert pairs(IN, *fillers[:1], sent(20, EXT, after_s=2.9 * day_s)) == OF_ANN
    assert pairs(IN, *fillers, sent(20, EXT, after_s=10 * day_s)) == []


def test_without_a_known_domain_only_a_mail_that_names_a_mailbox_is_paired() -> None:
    nobody = Organisation()
    assert pairs(IN, sent(2, EXT, after_s=5), organisation=nobody) == []
    assert pairs(IN, sent(2, EXT, after_s=5, delivered_to=(ANN,)), organisation=nobody) == OF_ANN
    assert pairs(IN, sent(2, EXT, after_s=5, sender=ANN), organisation=nobody) == OF_ANN
    assert pairs(IN, sent(2, ANN, after_s=5), organisation=nobody) == []


def run(front: PairingFront, *mails: Mail) -> list[ForwardSeen]:
    for index, each in enumerate(mails):
        traced = trace(each)
        front.see(traced, traced.recipients, mails.__getitem__, index)
    return [found.forward for found in front.finish()]


def test_a_message_id_reused_thousands_of_times_makes_no_pairs_and_takes_no_memory() -> None:
    front = PairingFront(CORP)
    flood = [sent(n, f"u{n}@corp.example", after_s=n / 100) for n in range(3_000)]
    out = [
        sent(10_000 + n, f"z{n}@dst.example", after_s=40 + n / 100, delivered_to=("u1@corp.example",))
        for n in range(3_000)
    ]
    assert run(front, *flood, *out) == []
    assert front.ambiguous == 1
    assert front.held() < 10


def test_copies_to_thousands_make_no_pairs_and_take_no_memory() -> None:
    front = PairingFront(CORP)
    out = [sent(n, f"z{n}@dst.example", after_s=n / 100) for n in range(2, 3_000)]
    assert run(front, IN, *out) == []
    assert front.verdicts.keys() <= {"crowded", "list"}
    assert front.held() < 30


def test_bounds_hold_and_what_is_dropped_is_counted() -> None:
    limits = {name: 10 for name, _, _ in LIMITS}
    front = PairingFront(CORP, limits=limits)
    mails = [sent(n, ANN, message_id=f"m{n}", after_s=n / 10) for n in range(100)]
    mails += [sent(200 + n, EXT, message_id=f"m{n}", after_s=20 + n / 10) for n in range(100)]
    mails += [sent(400 + n, EXT, message_id=f"n{n}", after_s=20 + n / 10) for n in range(100)]
    found = run(front, *mails)
    assert {each.mailbox for each in found} == {ANN}
    assert front.forgotten > 50
    assert front.judged_early > 50
    assert front.held() < 100

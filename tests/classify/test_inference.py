"""The organisation's domains come out of its traffic, and nobody else's do; where that can't be told, none do."""

from hypothesis import given
from hypothesis import strategies as st

from sensor.classify.inference import infer_domains
from tests.mails import Flow, Mail, Path, Session

OURS, PARTNER, OTHER, INSIDE = "192.0.2.25", "198.51.100.7", "203.0.113.9", "10.0.0.5"


def mail(src: str, dst: str, sender: str, recipient: str, *, port: int = 25, user: str | None = None) -> Mail:
    return Mail(
        flow=Flow(src_ip=src, dst_ip=dst, dst_port=port),
        session=Session(client_ip=src, auth_user=user),
        reverse_path=sender,
        forward_paths=(Path(recipient),),
    )


BOTH_WAYS = [
    mail(PARTNER, OURS, "bill@partner.example", "ann@corp.example"),
    mail(OURS, PARTNER, "ann@corp.example", "bill@partner.example"),
    mail(OTHER, OURS, "sue@other.example", "bob@corp.example"),
    mail(OURS, OTHER, "bob@corp.example", "sue@other.example"),
]


def test_what_goes_both_ways_through_the_network_in_most_flows_is_ours() -> None:
    assert infer_domains(BOTH_WAYS) == (".corp.example",)


def test_one_partner_alone_could_be_either_side() -> None:
    assert infer_domains(BOTH_WAYS[:2] * 5) == ()


def test_a_private_address_tells_the_sides_apart() -> None:
    flows = [
        mail(PARTNER, INSIDE, "bill@partner.example", "ann@corp.example"),
        mail(INSIDE, PARTNER, "ann@corp.example", "bill@partner.example"),
    ]
    assert infer_domains(flows * 2) == (".corp.example",)


def test_too_little_traffic_tells_nothing() -> None:
    assert infer_domains(BOTH_WAYS[:2]) == ()
    assert infer_domains([]) == ()


def test_a_second_domain_and_one_below_the_first_are_taken_in() -> None:
    more = [
        mail(OTHER, OURS, "sue@other.example", "x@brand.example"),
        mail(OURS, OTHER, "x@brand.example", "sue@other.example"),
        mail(OTHER, OURS, "sue@other.example", "x@eu.corp.example"),
        mail(OURS, OTHER, "x@eu.corp.example", "sue@other.example"),
    ]
    assert infer_domains([*BOTH_WAYS, *more]) == (".corp.example", ".brand.example")


def test_submissions_and_forwarded_strangers_do_not_make_a_domain_ours() -> None:
    """A user sends to a stranger through our relay, and the stranger's mail to us is forwarded in his own name."""
    odd = [
        mail(OTHER, OURS, "ann@corp.example", "bill@partner.example", port=587),
        mail(OTHER, OURS, "ann@corp.example", "bill@partner.example", user="ann"),
        mail(OURS, OTHER, "bill@partner.example", "ann.home@other.example"),
    ]
    assert infer_domains([*BOTH_WAYS, *odd]) == (".corp.example",)


def test_refused_recipients_say_nothing() -> None:
    probe = Mail(
        flow=Flow(src_ip=OTHER, dst_ip=OURS),
        reverse_path="x@spam.example",
        forward_paths=(Path("y@spam.example", reply_code=550, accepted=False),),
    )
    assert infer_domains([*BOTH_WAYS, probe]) == (".corp.example",)


@given(st.permutations(BOTH_WAYS * 3))
def test_the_order_of_mails_does_not_matter(mails: list[Mail]) -> None:
    assert infer_domains(mails) == (".corp.example",)


@given(
    st.lists(st.builds(mail, st.ip_addresses().map(str), st.ip_addresses().map(str), st.text(), st.text()), max_size=20)
)
def test_nothing_in_mail_makes_it_raise(mails: list[Mail]) -> None:
    assert all(domain.startswith(".") for domain in infer_domains(mails))

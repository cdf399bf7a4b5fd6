"""Cases: alerts about the same mailbox or destination are one story."""

from hypothesis import given
from hypothesis import strategies as st

from sensor.alert.cases import cases_of
from sensor.model import Finding
from tests.alert.findings import finding


def about(detector: str, mailboxes: tuple[str, ...], *destinations: str, about_one: bool = True) -> Finding:
    mailbox = mailboxes[0] if about_one else None
    return finding(id=detector, detector=detector, mailbox=mailbox, mailboxes=mailboxes, destinations=destinations)


def names(alerts: list[Finding]) -> list[list[str]]:
    return [[each.detector for each in case] for case in cases_of(alerts)]


ANN, BOB, CARL = ("ann@corp.example",), ("bob@corp.example",), ("carl@corp.example",)
DROP = "drop@dst.example"


def test_what_shares_a_mailbox_or_a_destination_is_one_case() -> None:
    alerts = [about("a", ANN, DROP), about("b", CARL, "carl@home.example"), about("c", BOB, "Drop@DST.example")]
    assert names([*alerts, about("d", BOB, "other@dst.example")]) == [["a", "c", "d"], ["b"]]


def test_a_domain_that_many_use_makes_no_case_of_what_else_they_do() -> None:
    domain = about("new", (*ANN, *BOB), "ann@mail.example", "bob@mail.example", about_one=False)
    alerts = [domain, about("a", ANN, "ann@mail.example"), about("b", BOB, "bob@mail.example")]
    assert names(alerts) == [["new", "a"], ["b"]]


def test_an_alert_that_names_nobody_stands_somewhere() -> None:
    assert names([about("a", ("x",), about_one=False), finding(mailbox=None, mailboxes=(), destinations=())])


_NAME = st.sampled_from("abcdef")


@given(st.lists(st.tuples(st.lists(_NAME, min_size=1, max_size=3), st.lists(_NAME, max_size=3)), max_size=12))
def test_cases_are_the_connected_parts(drawn: list[tuple[list[str], list[str]]]) -> None:
    """Against a plain search: from an alert over all that share a name, until none is left."""
    alerts = [about(str(number), tuple(who), *to) for number, (who, to) in enumerate(drawn)]
    expected: list[set[str]] = []
    left = dict(enumerate(drawn))
    while left:
        first = min(left)
        part, reach = {first}, [left.pop(first)]
        while reach:
            who, to = reach.pop()
            near = [number for number, (w, t) in left.items() if set(w) & set(who) or set(t) & set(to)]
            part.update(near)
            reach += [left.pop(number) for number in near]
        expected.append({str(number) for number in part})
    assert [set(case) for case in names(alerts)] == expected

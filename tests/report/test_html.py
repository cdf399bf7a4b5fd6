"""The incident report: well formed, bounded, the same each time, and deaf to whatever a mail says."""

import re
from base64 import b64decode
from collections import Counter
from collections.abc import Iterator
from datetime import date
from functools import cache
from hashlib import sha256
from itertools import pairwise
from xml.etree.ElementTree import Element

import html5lib
import msgspec
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from sensor.alert.alert import Cut
from sensor.alert.record import AlertRecord
from sensor.coverage import Coverage
from sensor.ledger import Ledger
from sensor.log import printable
from sensor.model import Actor
from sensor.report.html import CaptureFacts, Page, RunFacts, page_of, render
from sensor.report.html import page as bounds
from sensor.report.html.page import ScopeFacts
from sensor.report.summary import AllowedSummary, DamageSummary
from tests.report import scene

HTML = "{http://www.w3.org/1999/xhtml}"
SVG = "{http://www.w3.org/2000/svg}"

EMPTY = RunFacts(sensor="s", version="1")


@pytest.fixture(scope="module")
def page() -> Page:
    return weeks()


@cache
def weeks() -> Page:
    """The report of the scene; no fixture, since hypothesis prints what it is given."""
    return scene.page()


def parsed(document: bytes) -> Element:
    """The page as a browser reads it; anything that HTML calls a parse error fails."""
    return html5lib.HTMLParser(strict=True).parse(document, transport_encoding="utf-8")  # type: ignore[no-any-return]


def words(document: bytes) -> str:
    """All text of the page but its style sheet, with single blanks."""
    body = parsed(document).find(f"{HTML}body")
    assert body is not None
    return " ".join(" ".join(body.itertext()).split())


def elements(document: bytes) -> Iterator[Element]:
    return parsed(document).iter()


# ---- form


def test_the_page_is_well_formed_and_its_links_lead_somewhere(page: Page) -> None:
    found = list(elements(render(page)))
    ids = Counter(each.attrib["id"] for each in found if "id" in each.attrib)
    links = {each.attrib["href"] for each in found if "href" in each.attrib}
    assert [name for name, times in ids.items() if times > 1] == []
    assert {link for link in links if link.removeprefix("#") not in ids or not link.startswith("#")} == set()


def test_nothing_is_loaded_and_nothing_can_be(page: Page) -> None:
    document = render(page).decode()
    tags = {each.tag.removeprefix(HTML).removeprefix(SVG) for each in elements(document.encode())}
    names = {name for each in elements(document.encode()) for name in each.attrib}
    assert tags.isdisjoint(("script", "link", "img", "iframe", "object", "embed", "form", "base", "use", "image"))
    assert {name for name in names if name in ("src", "style", "srcset", "action") or name.startswith("on")} == set()
    assert re.findall(r"url\((?!#)|@import", document) == []


def test_the_policy_names_the_style_sheet_by_its_digest(page: Page) -> None:
    document = render(page)
    policy = next(each.attrib["content"] for each in elements(document) if "http-equiv" in each.attrib)
    style = next(each.text or "" for each in elements(document) if each.tag == f"{HTML}style")
    digest = re.search(r"style-src 'sha256-([^']+)'", policy)
    assert policy.startswith("default-src 'none';")
    assert digest is not None
    assert b64decode(digest[1]) == sha256(style.encode()).digest()


def test_the_same_report_gives_the_same_octets(page: Page) -> None:
    assert render(page) == render(scene.page())


def test_headings_go_down_one_step_at_a_time(page: Page) -> None:
    levels = [int(each.tag[-1]) for each in elements(render(page)) if re.fullmatch(rf"{HTML}h[1-6]", each.tag)]
    assert levels[0] == 1
    assert all(after <= before + 1 for before, after in pairwise(levels))


def test_tables_and_drawings_say_what_they_are(page: Page) -> None:
    """Each table has a caption and heads with a scope, each drawing a title, or it is there for the eye alone."""
    found = list(elements(render(page)))
    tables = [each for each in found if each.tag == f"{HTML}table"]
    drawings = [each for each in found if each.tag == f"{SVG}svg" and each.get("aria-hidden") != "true"]
    heads = [each for each in found if each.tag == f"{HTML}th"]
    assert all(each.find(f"{HTML}caption") is not None for each in tables)
    assert all(each.find(f"{SVG}title") is not None and each.get("role") == "img" for each in drawings)
    assert {each.get("scope") for each in heads} == {"row", "col"}


# ---- what it says


def test_the_verdict_comes_first_and_counts_what_was_found(page: Page) -> None:
    text = words(render(page))
    total = sum(page.by_severity.values())
    assert (
        "4 mailboxes forward mail automatically to outside; 1 to inside only, 5 by hand only, 1 lets mail out again"
        in text
    )
    assert f"{total} alerts (" in text
    assert "412 sessions in TLS could not be read, so there may be more than is named here." in text
    assert text.index("Verdict") < text.index("Coverage") < text.index("Alerts, the gravest first")


def test_every_alert_is_told_with_all_an_investigation_asks(page: Page) -> None:
    text = words(render(page))
    for alert in page.alerts:
        for part in (alert.id, alert.summary, alert.level_reason, alert.confidence_reason, alert.evidence.seal):
            assert part in text
        assert all(step.title in text for step in alert.next_steps)
        assert all(each.id in text for each in alert.attack.mitigations)
        assert alert.evidence.links[-1].exhibit.transaction_id in text
    assert "mailsensor allow --config SETTINGS.toml" in text


def test_an_alert_names_who_else_forwards_to_the_same_place(page: Page) -> None:
    scopes = {
        (alert.detector, alert.mailbox): scope.mailboxes for alert, scope in zip(page.alerts, page.scopes, strict=True)
    }
    assert scopes["new_forwarder", "fay@corp.example"] == ["gus@corp.example"]
    assert scopes["new_forwarder", "board@corp.example"] == []
    assert scopes["shared_destination", None] == []
    assert "to the same destinations forward also gus@corp.example" in words(render(page))


def test_alerts_stand_by_severity(page: Page) -> None:
    order = ("critical", "high", "medium", "low", "informational")
    assert [order.index(alert.severity) for alert in page.alerts] == sorted(
        order.index(alert.severity) for alert in page.alerts
    )


def test_what_the_allow_list_held_back_is_told_with_its_reason(page: Page) -> None:
    assert "mailbox iris@corp.example Iris' old address, ticket 4711 2027-01-31" in words(render(page))


def test_mailboxes_are_ranked_by_alert_and_then_by_what_a_rule_sent_outside(page: Page) -> None:
    names = [mailbox.name for mailbox in page.mailboxes]
    assert names[0] == "fay@corp.example"
    assert names.index("iris@corp.example") < names.index("sales@corp.example") < names.index("ann@corp.example")


def test_a_run_that_found_nothing_says_so() -> None:
    text = words(render(page_of(Ledger(), Coverage(), EMPTY)))
    assert "No mailbox was seen to forward, in 0 mails. No alert was raised" in text
    assert "No domain is known to be the organisation's" in text


@pytest.mark.parametrize(
    ("facts", "sentence"),
    [
        ({"interrupted": True}, "The reading was interrupted"),
        ({"domains_inferred": True}, "was worked out from the traffic"),
        ({"continued": True}, "counts go on from earlier runs"),
        ({"alerts_dropped": 7}, "and 7 more alerts, told earlier, that no longer fitted memory"),
        ({"below_minimum": 3}, "3 findings below alerts.min_severity"),
        ({"detector_failures": {"silent_copy": 2}}, "Detector silent_copy failed on 2 events"),
        ({"passed_over": ["x.txt: no capture"]}, "x.txt: no capture"),
    ],
)
def test_what_weakens_the_report_is_told(facts: dict[str, object], sentence: str) -> None:
    assert sentence in words(render(scene.page(facts=msgspec.structs.replace(scene.FACTS, **facts))))


def test_mail_that_passed_unseen_takes_away_the_word_that_nothing_was_hidden() -> None:
    text = words(render(page_of(Ledger(), Coverage(unseen_mails=2), EMPTY)))
    assert "2 mails passed the sensor unseen, so there may be more than is named here." in text
    assert "Mail that passed a tap in line unseen is not counted either" in text
    assert "nothing was hidden" not in text


# ---- bounds


def test_a_flood_of_forwarders_and_alerts_gives_a_page_that_counts_what_it_leaves_out(page: Page) -> None:
    ledger = Ledger()
    for number in range(3_000):
        seen = scene.forward(f"m{number:04}@corp.example", f"x{number % 700}@dst.example", scene.at(0, number / 60))
        ledger.count_forward(seen, message_id=seen.id)
    for number in range(100):
        seen = scene.forward("all@corp.example", f"x{number}@dst.example", scene.at(1))
        ledger.count_forward(seen, message_id=seen.id)
    alerts = [msgspec.structs.replace(page.alerts[0], id=f"{number:064x}") for number in range(1_000)]
    flooded = page_of(ledger, scene.coverage(), scene.FACTS, alerts=iter(alerts))
    document = render(flooded)
    assert len(flooded.alerts) == bounds.MAX_ALERTS
    assert len(flooded.mailboxes) == bounds.MAX_MAILBOXES
    assert len(flooded.pairs) == bounds.MAX_PAIRS
    assert len(document) < 4_000_000
    text = words(document)
    for left_out in ("900 more alerts", "2,801 more mailboxes", "2,100 more rows", "and 76 more addresses"):
        assert left_out in text


def test_times_of_damaged_captures_are_drawn_all_the_same() -> None:
    """1970 and the year 9999 in one ledger: each mailbox has its own axis then."""
    ledger = Ledger()
    for number, at_ms in enumerate((0, 253_402_300_799_000, 2**62, -(2**62))):
        ledger.count_forward(scene.forward(f"m{number}@corp.example", "x@dst.example", at_ms), message_id=None)
        ledger.count_forward(scene.forward("all@corp.example", "x@dst.example", at_ms), message_id=None)
    assert "all@corp.example" in words(render(page_of(ledger, Coverage(), EMPTY)))


# ---- what mail may say

HOSTILE = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=7)


def saying(text: str, page: Page) -> Page:
    """The report with *text* in every place that mail, a file name or a settings file can fill."""
    other = f"{text}@x"
    return msgspec.structs.replace(
        page,
        facts=msgspec.structs.replace(
            page.facts,
            sensor=text,
            domains=[text],
            captures=[CaptureFacts(name=text, octets=1, digest="00")],
            damage=[DamageSummary(path=text, kind=text, detail=text, offset=None)],
            passed_over=[text],
        ),
        alerts=[_alert_saying(text, page.alerts[0])],
        scopes=[ScopeFacts(mailboxes=[text], not_shown=0)],
        allowed=[
            AllowedSummary(entry=text, reason=text, expires="2027-01-01", expired=False, tellings=1, findings=[text])
        ],
        mailboxes=[
            msgspec.structs.replace(
                page.mailboxes[0], name=text, destinations=[text, other], marks={text: 1}, alerts=[]
            )
        ],
        pairs=[msgspec.structs.replace(page.pairs[0], mailbox=text, destination=other)],
    )


def _alert_saying(text: str, alert: AlertRecord) -> AlertRecord:
    link = alert.evidence.links[0]
    lines = [msgspec.structs.replace(line, slug=text, field=text, value=text) for line in link.exhibit.lines]
    exhibit = msgspec.structs.replace(link.exhibit, transaction_id=text, lines=lines)
    step = msgspec.structs.replace(alert.next_steps[0], title=text, commands=(text,))
    return msgspec.structs.replace(
        alert,
        summary=text,
        mailbox=text,
        mailboxes=[text],
        destinations=[text],
        level_reason=text,
        confidence_reason=text,
        assumptions=[text],
        gaps=[text],
        actor=Actor(auth_user=text, helo=text, client_ip=text, server_ip=text),
        counts={text: 1},
        observed=msgspec.structs.replace(alert.observed, what=text) if alert.observed is not None else None,
        allowed=[Cut(mailbox=text, destination=text, entry=text, reason=text, expires=date(2027, 1, 1))],
        next_steps=[step],
        evidence=msgspec.structs.replace(
            alert.evidence, length=1, links=[msgspec.structs.replace(link, exhibit=exhibit)]
        ),
    )


def skeleton(document: bytes) -> list[tuple[str, tuple[str, ...]]]:
    """The elements of the page with the names of their attributes, in order."""
    return [(each.tag, tuple(sorted(each.attrib))) for each in elements(document)]


@cache
def harmless() -> list[tuple[str, tuple[str, ...]]]:
    return skeleton(render(saying("abc", weeks())))


@settings(max_examples=60, deadline=None)
@given(HOSTILE)
@example("</title><script>x</script>")
@example('" onload="x')
@example("</style><img src=/x>")
@example("\u202egpj.exe\u2066")
@example("\x1b[2J\r\n\0")
@example("e" + "\u0301" * 9)
@example("]]>&lt;!--")
def test_no_text_of_a_mail_changes_the_page_or_hides_in_it(text: str) -> None:
    """Whatever is said, the elements are the same, and every character on the page is one that can be seen."""
    document = render(saying(text, weeks()))
    assert skeleton(document) == harmless()
    assert [each for each in document.decode() if each != "\n" and printable(each) != each] == []


def test_bidi_overrides_stand_as_escapes_and_addresses_are_kept_apart(page: Page) -> None:
    document = render(saying("ann\u202emoc.example", page)).decode()
    assert '<bdi dir="ltr">ann\\u202emoc.example</bdi>' in document
    assert "\u202e" not in document


def test_a_long_header_line_is_cut_and_can_be_opened(page: Page) -> None:
    long = "x" * 900
    document = render(saying(long, page))
    summaries = ["".join(each.itertext()) for each in elements(document) if each.tag == f"{HTML}summary"]
    assert any("…" in each and len(each) < 200 for each in summaries)
    assert long in words(document)

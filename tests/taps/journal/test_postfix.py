"""A real Postfix, set up by the snippets that are shipped, hands its copies to the journal."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

from tests.postfix import Postfix, postfix, snippet
from tests.running import ROOT
from tests.service import free_port
from tests.taps.journal.samples import ORIGINAL
from tests.taps.journal.serving import Serving, serving

PATIENCE_S = 20.0
SNIPPETS = ROOT / "deploy" / "postfix"

OWN = {
    # Postfix hands its copies over, and throws the mail itself away.
    "virtual_mailbox_domains": "",
    "relay_domains": "corp.example",
    "relay_transport": "discard:",
    "default_transport": "discard:",
    "minimal_backoff_time": "1s",
    "maximal_backoff_time": "1s",
    "queue_run_delay": "1s",
}


def send(mta: Postfix, *to: str, sender: str = "sue@other.example") -> None:
    with mta.client() as client:
        client.sendmail(sender, to, ORIGINAL)


def until(holds: Callable[[], object], what: str) -> None:
    end = time.monotonic() + PATIENCE_S
    while not holds():
        assert time.monotonic() < end, f"{what} did not come true"
        time.sleep(0.05)


def shipped(port: int) -> dict[str, str]:
    """The snippet, with the table where it stands and the port of the test."""
    settings = snippet(SNIPPETS / "journal.cf")
    there = {
        name: value.replace("/etc/postfix/", f"{SNIPPETS}/").replace(":2525", f":{port}")
        for name, value in settings.items()
    }
    return OWN | there


def taken(served: Serving, mails: int) -> list[tuple[str, list[str]]]:
    until(lambda: len(served.events) >= mails, f"{mails} mails")
    seen: list[Any] = list(served.events)
    return sorted((each.reverse_path, sorted(path.address for path in each.forward_paths)) for each in seen)


def test_copies_name_the_recipients_of_the_mail() -> None:
    with serving(addresses=("sensor.internal",)) as served, postfix(shipped(served.tap.address[1])) as mta:
        send(mta, "ann@corp.example", "Eve+x=1@corp.example")
        send(mta, "sue@other.example", sender="ann@corp.example")
        # Copies of one mail come in one transaction.
        assert taken(served, 2) == [
            ("ann@corp.example", ["sue@other.example"]),
            ("sue@other.example", ["Eve+x=1@corp.example", "ann@corp.example"]),
        ]
        assert served.counters["form_bcc"] == 2


def test_mail_goes_on_while_the_journal_is_away_and_copies_come_when_it_is_back() -> None:
    port = free_port()
    with postfix(shipped(port)) as mta:
        send(mta, "ann@corp.example")
        until(lambda: "status=deferred" in mta.log and "to=<ann@corp.example>" in mta.log, "both legs")
        with serving(addresses=("sensor.internal",), listen=f"127.0.0.1:{port}") as served:
            assert taken(served, 1) == [("sue@other.example", ["ann@corp.example"])]
        assert "status=bounced" not in mta.log


def test_always_bcc_names_the_recipient_of_mail_to_one_alone() -> None:
    with serving(addresses=("sensor.internal",)) as served:
        transport = f"inline:{{ {{ sensor.internal = smtp:[127.0.0.1]:{served.tap.address[1]} }} }}"
        settings = {"always_bcc": "journal@sensor.internal", "transport_maps": transport}
        with postfix(OWN | settings) as mta:
            send(mta, "ann@corp.example")
            send(mta, "ann@corp.example", "eve@corp.example")
            assert taken(served, 2) == [("sue@other.example", []), ("sue@other.example", ["ann@corp.example"])]
        assert (served.counters["form_bcc"], served.counters["recipient_lost"]) == (1, 1)

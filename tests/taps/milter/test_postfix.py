"""A real Postfix that asks a real ``mailsensor milter``: what its clients are answered, and what is kept."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest

from tests.running import ROOT
from tests.taps.milter import postfix
from tests.taps.milter.postfix import queue_id_of, send
from tests.taps.milter.serving import serving

# What Gmail's forwarding leaves behind: fields that say both mailbox and destination.
FORWARD = (
    "Received: from store.corp.example (store.corp.example [192.0.2.30])\r\n"
    "\tby mx.corp.example with ESMTP id 1; Sun, 22 Nov 2026 07:00:00 +0000\r\n"
    "X-Forwarded-To: {to}\r\nX-Forwarded-For: ann@corp.example {to}\r\n"
    "From: dora@partner.example\r\nTo: ann@corp.example\r\nSubject: {subject}\r\n"
    "Message-ID: <{subject}@partner.example>\r\nDate: Sun, 22 Nov 2026 07:00:00 +0000\r\n\r\nHello\r\n.dots\r\n"
)


def forward(to: str, subject: str) -> bytes:
    return FORWARD.format(to=to, subject=subject).encode()


@pytest.fixture
def folder() -> Iterator[Path]:
    """A folder that Postfix's processes may look into; pytest's own are closed to them."""
    with TemporaryDirectory(prefix="mailsensor-milter-") as name:
        path = Path(name)
        path.chmod(0o755)
        (path / "postfix").mkdir()
        yield path


def shipped(address: str) -> dict[str, str]:
    """The settings of ``deploy/postfix/milter.cf``, with the socket of the test in the place of that of a service."""
    lines = (ROOT / "deploy" / "postfix" / "milter.cf").read_text().splitlines()
    pairs = (line.partition("=") for line in lines if line and not line.startswith("#"))
    settings = {name.strip(): value.strip() for name, _, value in pairs}
    assert settings["smtpd_milters"] == "unix:/run/mailsensor/milter.sock"
    return settings | {"smtpd_milters": address, "virtual_mailbox_domains": DOMAINS, "virtual_mailbox_maps": "static:x"}


DOMAINS = "corp.example, tag.example, defer.example, reject.example, hold.example, partner.example"


def test_each_verdict_is_carried_out_and_recorded(folder: Path) -> None:
    """Four rules and none, in one SMTP session: each mail gets its own, and nothing of the one before."""
    with serving(folder) as milter, postfix.running(folder / "postfix", shipped(milter.address)) as mta:
        replies = {}
        with mta.client() as client:
            for domain in ("tag", "defer", "reject", "hold", "partner"):
                to = f"eve@{domain}.example"
                replies[domain] = send(client, forward(to, domain), to=to, sender="ann@corp.example")
        assert replies["defer"].startswith("451 4.7.1 ")
        assert replies["reject"] == "550 5.7.1 Not 100% allowed"
        tagged = mta.delivered(queue_id_of(replies["tag"]))
        assert tagged.startswith(b"X-Mailflow-Sensor: auto")
        assert b"X-Mailflow-Sensor" not in mta.delivered(queue_id_of(replies["partner"]))
        assert mta.on_hold(queue_id_of(replies["hold"]))
        records = milter.records_of(5)
        assert [(each["header"]["subject"], each["outcome"]) for each in records] == [
            ("tag", "delivered"),
            ("defer", "deferred"),
            ("reject", "rejected"),
            ("hold", "delivered"),
            ("partner", "delivered"),
        ]
        assert {each["tap"] for each in records} == {"milter"}
        assert records[2]["reply"] == {"code": 550, "enhanced": "5.7.1", "text": "Not 100% allowed"}
        assert milter.end() == 0

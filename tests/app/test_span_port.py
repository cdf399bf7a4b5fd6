"""
The whole road on a cable between two hosts: a real Postfix takes real mail, the sensor listens beside it, a real
Prometheus scrapes the sensor and a real Alertmanager is told.
"""

from __future__ import annotations

import json
import smtplib
import time
import urllib.request
from collections.abc import Callable
from contextlib import AbstractContextManager, ExitStack
from pathlib import Path
from typing import Any, TypeVar

from tests.alert.test_alertmanager import serving
from tests.craft.dialogue import message
from tests.grafana.scene import prometheus
from tests.netns import SERVER, Namespace, client_and_server
from tests.postfix import postfix
from tests.service import running

T = TypeVar("T")

MAILS, FORWARDS = 120, 5
PATIENCE_S = 60.0

HAL, HOME = "hal@corp.example", "hal.home@dst.example"
"""Whose mailbox forwards all it gets, and where to."""


def inside(net: Namespace, opened: ExitStack, context: AbstractContextManager[T]) -> T:
    """Enter *context* on a thread inside *net*: the processes that it starts stay there."""
    value = net.call(context.__enter__)
    opened.push(context)
    return value


def send(mails: int, forwards: int) -> None:
    """From the house's own gateway to the partner: mail of people, and copies that a Google mailbox forwards."""
    with smtplib.SMTP(SERVER, 25, local_hostname="mx.corp.example", timeout=30) as gateway:
        for number in range(mails):
            sender, to = f"ann{number % 7}@corp.example", f"bob{number % 11}@dst.example"
            text = message(f"Mail {number}", sender=sender, to=to, message_id=f"{number}@corp.example")
            gateway.sendmail(sender, [to], text)
        for number in range(forwards):
            text = message(
                f"Offer {number}",
                sender="sales@shop.example",
                to=HAL,
                message_id=f"offer{number}@shop.example",
                fields=(f"X-Forwarded-To: {HOME}", f"X-Forwarded-For: {HAL} {HOME}", f"Delivered-To: {HAL}"),
            )
            gateway.sendmail(f"hal+caf_={HOME.replace('@', '=')}@corp.example", [HOME], text)


def alerts_of(url: str) -> list[dict[str, Any]]:
    with urllib.request.urlopen(f"{url}/api/v2/alerts", timeout=10) as answer:  # noqa: S310 - of loopback
        found: list[dict[str, Any]] = json.load(answer)
    return found


def until(net: Namespace, holds: Callable[[], bool], what: str) -> None:
    end = time.monotonic() + PATIENCE_S
    while not net.call(holds):
        assert time.monotonic() < end, f"it never came true that {what}"
        time.sleep(0.2)


def test_mail_on_a_cable_ends_up_in_prometheus_and_alertmanager(tmp_path: Path) -> None:
    with ExitStack() as opened:
        client, server = opened.enter_context(client_and_server())
        mta = inside(
            server,
            opened,
            postfix(
                {"inet_interfaces": "all", "mynetworks": "192.0.2.0/24", "virtual_mailbox_domains": "dst.example"},
                more=f"{SERVER}:25 inet n - n - - smtpd",
            ),
        )
        manager = inside(server, opened, serving(tmp_path))
        settings = (
            f'path = "{tmp_path / "ledger.db"}"\n[live]\ninterfaces = ["s0"]\n'
            f'[[alerts.sink]]\ntype = "alertmanager"\nurl = "{manager.url}"\n'
        )
        sensor = inside(server, opened, running(tmp_path, settings))
        seen = inside(server, opened, prometheus(tmp_path, (sensor,)))

        def value(expr: str) -> float | None:
            series = seen.ask(expr)
            return float(series[0]["value"][1]) if series else None

        until(server, lambda: value('mailsensor_interface_up{interface="s0"}') == 1, "the interface is captured")
        client.call(lambda: send(MAILS, FORWARDS))
        mta.until("status=sent", times=MAILS + FORWARDS)

        until(server, lambda: value("sum(mailsensor_transactions_total)") == MAILS + FORWARDS, "every mail is counted")
        forwards = 'sum(mailsensor_forwards_total{kind="auto_only",scope="external"})'
        until(server, lambda: value(forwards) == FORWARDS, "every forward is counted")
        assert server.call(lambda: value("sum(mailsensor_interface_dropped_total)")) == 0
        assert server.call(lambda: value("max(max_over_time(scrape_duration_seconds[5m]))") or 0) < 1
        status = server.call(lambda: sensor.ask("/api/v1/mailboxes").json)
        assert [each["mailbox"] for each in status["items"] if each["auto_only"]] == [HAL]
        # The end of the sensor lets all events have their turn, for which they wait some minutes otherwise.
        assert sensor.end() == 0
        labels = [each["labels"] for each in server.call(lambda: alerts_of(manager.url))]
        assert {each["alertname"] for each in labels} >= {"new_forwarder", "new_destination"}

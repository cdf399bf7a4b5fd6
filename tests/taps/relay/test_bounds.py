"""Bounds on sessions, pressed by clients that keep to none."""

from __future__ import annotations

import time
from contextlib import ExitStack

import pytest

from tests.taps.relay.next_hop import next_hop
from tests.taps.relay.relaying import LOOPS, Client, relaying


@pytest.mark.parametrize("loop", LOOPS)
def test_clients_that_are_refused_and_stay_keep_nobody_out(loop: str) -> None:
    """One client, however often it comes and whatever it leaves open, takes the places of one."""
    with (
        next_hop() as server,
        relaying(server.port, max_sessions=20, max_sessions_per_client=2, event_loop=loop) as relay,
        ExitStack() as opened,
    ):
        greedy = [opened.enter_context(Client(relay.port, source="127.0.0.9")) for _ in range(60)]
        heard = sorted(each.reply() for each in greedy)
        assert heard == [220] * 2 + [421] * 58
        # Refused and closed on our side: the last of them a moment ago.
        end = time.monotonic() + 2
        code = 0
        while code != 220 and time.monotonic() < end:
            with Client(relay.port, source="127.0.0.10") as other:
                code = other.reply()
        assert code == 220

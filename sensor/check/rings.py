"""Rings and workers: whether memory and processors are there for them."""

from __future__ import annotations

import os
from collections.abc import Iterator

from sensor.check.base import Check, Line, Subject, fail, ok, warn
from sensor.check.facts import in_words, memory_octets


def _look(subject: Subject) -> Iterator[Line]:
    live = subject.settings.live
    if not live.interfaces:
        return
    yield from _memory(live.ring_octets * live.workers * len(live.interfaces))
    # Of the processors that this process may use, one has to judge what the workers read.
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    if live.workers > cores:
        yield warn(
            "live.workers", f"{live.workers} on {cores} processors: they would wait for each other", "set fewer workers"
        )
    else:
        yield ok("live.workers", f"{live.workers} on {cores} processors")


def _memory(wanted: int) -> Iterator[Line]:
    told = f"{in_words(wanted)} in all"
    found = memory_octets()
    if found is None:
        yield ok("live.ring_octets", told)
    elif wanted > found[0]:
        yield fail(
            "live.ring_octets", f"{told}; {found[1]} is {in_words(found[0])}", "make rings smaller, or workers fewer"
        )
    elif wanted > found[0] // 2:
        yield warn(
            "live.ring_octets",
            f"{told}, more than half of {found[1]}, {in_words(found[0])}",
            "leave room for mailboxes and flows (docs/sizing.md)",
        )
    else:
        yield ok("live.ring_octets", f"{told}; {found[1]} is {in_words(found[0])}")


RINGS = Check("rings", "memory and processors for capturing", _look)

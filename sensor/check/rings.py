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
    told, free = f"{in_words(wanted)} in all", memory_octets()
    if free is None:
        yield ok("live.ring_octets", told)
        return
    told = f"{told}; {in_words(free)} are free"
    if wanted > free:
        yield fail("live.ring_octets", told, "make rings smaller, or workers fewer")
    elif wanted > free // 2:
        yield warn("live.ring_octets", told, "leave room for mailboxes and flows (docs/sizing.md)")
    else:
        yield ok("live.ring_octets", told)


RINGS = Check("rings", "memory and processors for capturing", _look)

"""Which mails and which copies have been counted, so that each counts once however many hops show it."""

from __future__ import annotations

from collections.abc import Iterable
from hashlib import blake2b

HOPS_MS = 3_600_000
"""Hops of one mail follow within seconds; a queue that waits for its next hop is tried again within the hour."""


class Copy:
    """A forward that was counted: where, so that it can be moved if its marks are seen later."""

    __slots__ = ("at_ms", "cell", "octets", "reach")

    def __init__(self, cell: int, reach: int, at_ms: int, octets: int) -> None:
        self.cell = cell
        self.reach = reach
        self.at_ms = at_ms
        self.octets = octets


class Copies:
    """
    Remembers at least half of *most* copies, the latest ones, each by 16 octets of a digest.

    They live in two generations: when the young one is full the old one is dropped, and the young takes its place.
    """

    def __init__(self, most: int) -> None:
        self._max_generation = max(1, most // 2)
        self._young: dict[bytes, Copy] = {}
        self._old: dict[bytes, Copy] = {}

    def recall(self, key: bytes) -> Copy | None:
        """What was counted under a key, if it is remembered."""
        return self._young.get(key) or self._old.get(key)

    def remember(self, keys: Iterable[bytes], copy: Copy) -> None:
        """Keep in mind that *copy* was counted under each of *keys*."""
        for key in keys:
            if len(self._young) >= self._max_generation and key not in self._young:
                self._old, self._young = self._young, {}
            self._young[key] = copy


class Hops:
    """
    Tells the first sight of something from further ones within one to two hours, for at least half of *most* of them.

    Two generations, as above; they also change when packet time has moved by ``HOPS_MS`` either way, so that what comes
    every day is new each day.
    """

    def __init__(self, most: int) -> None:
        self._max_generation = max(1, most // 2)
        self._young: set[int] = set()
        self._old: set[int] = set()
        self._since_ms = 0

    def is_first(self, key: int, at_ms: int) -> bool:
        """True if *key* was not seen lately; from now on it was."""
        moved_ms = abs(at_ms - self._since_ms)
        if moved_ms > HOPS_MS:
            self._old = self._young if moved_ms <= 2 * HOPS_MS else set()
            self._young, self._since_ms = set(), at_ms
        if key in self._young or key in self._old:
            return False
        if len(self._young) >= self._max_generation:
            self._old, self._young, self._since_ms = self._young, set(), at_ms
        self._young.add(key)
        return True


def copy_key(*parts: str) -> bytes:
    """What tells a copy from others: the same for the same parts in every run."""
    octets = [part.encode("utf-8", "surrogatepass") for part in parts]
    return blake2b(b"".join([len(each).to_bytes(4, "big") + each for each in octets]), digest_size=16).digest()

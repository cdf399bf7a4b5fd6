"""
Who may ask: HTTP basic authentication (RFC 7617) against bcrypt hashes.

A check takes a quarter of a second on purpose, so checks run one at a time on a thread of their own and few may wait:
whoever tries passwords slows down only those who try as well. What was right once is remembered as a keyed digest, so
that a scraper does not wait for each scrape. A name that does not exist takes as long as one that does.
"""

from __future__ import annotations

import asyncio
import base64
import binascii
import secrets
from collections import OrderedDict
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from hashlib import blake2b
from typing import Literal

import bcrypt

WAITING = 8
"""Checks that wait; the next is told to come back."""

REMEMBERED = 256
"""Good credentials remembered: users are few."""

Verdict = Literal["known", "unknown", "busy"]

# A hash that nobody has the password of, of the cost that htpasswd takes where it is told to be careful.
_NOBODY = bcrypt.hashpw(secrets.token_bytes(16).hex().encode(), bcrypt.gensalt(10)).decode()


class Doorkeeper:
    """Checks credentials. Used on one loop."""

    def __init__(self) -> None:
        self._worker = ThreadPoolExecutor(1, "web-auth")
        self._waiting = 0
        self._key = secrets.token_bytes(32)
        self._good: OrderedDict[bytes, None] = OrderedDict()

    async def check(self, authorization: str, users: Mapping[str, str]) -> Verdict:
        """Whether the value of the header field names one of *users* with the right password."""
        name, password = _credentials(authorization)
        if name is None:
            return "unknown"
        known = users.get(name)
        mark = self._mark(name, password, known or "")
        if mark in self._good:
            self._good.move_to_end(mark)
            return "known"
        if self._waiting >= WAITING:
            return "busy"
        self._waiting += 1
        try:
            is_right = await asyncio.get_running_loop().run_in_executor(
                self._worker, _is_right, password, known or _NOBODY
            )
        finally:
            self._waiting -= 1
        if not is_right or known is None:
            return "unknown"
        self._good[mark] = None
        if len(self._good) > REMEMBERED:
            self._good.popitem(last=False)
        return "known"

    def close(self) -> None:
        self._worker.shutdown(wait=False, cancel_futures=True)

    def _mark(self, name: str, password: bytes, known: str) -> bytes:
        """Of credentials with the hash that they were right for, so that a changed hash makes them unknown."""
        digest = blake2b(key=self._key)
        for part in (name.encode("utf-8", "surrogatepass"), password, known.encode()):
            digest.update(len(part).to_bytes(8, "big") + part)
        return digest.digest()


def _is_right(password: bytes, known: str) -> bool:
    # bcrypt reads 72 octets and stops at a NUL: what is longer, or holds one, is no password of anybody.
    if len(password) > 72 or b"\0" in password:
        return False
    return bcrypt.checkpw(password, known.encode())


def _credentials(authorization: str) -> tuple[str | None, bytes]:
    scheme, _, value = authorization.partition(" ")
    if scheme.lower() != "basic":
        return None, b""
    try:
        decoded = base64.b64decode(value.strip(), validate=True)
    except (binascii.Error, ValueError):
        return None, b""
    name, colon, password = decoded.partition(b":")
    return (name.decode("utf-8", "surrogateescape"), password) if colon else (None, b"")
